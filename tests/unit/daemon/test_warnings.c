/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "../../../src/daemon/warnings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <bulkhead/base/limits.h>

static char told[64 * 1024];

static void tell(const char *line, void *arg)
{
	strcat(told, line);
	strcat(told, "\n");
}

static const char *take(struct warnings *w, bool whole, const char *const *texts)
{
	struct diag_list l;

	diag_list_init(&l);
	for (; *texts; texts++)
		diag_add(&l, DIAG_WARNING, NULL, strchr(*texts, '[') ? "selects-nobody" : "claim",
			 NULL, "%s", *texts);
	told[0] = '\0';
	warnings_take(w, &l, whole, tell, NULL);
	diag_list_done(&l);
	return told;
}

static const char *all(const struct warnings *w)
{
	told[0] = '\0';
	warnings_each(w, tell, NULL);
	return told;
}

#define LIST(...) ((const char *const[]) { __VA_ARGS__, NULL })

static void test_told_once(void **state)
{
	struct warnings *w = warnings_new();

	assert_string_equal(take(w, true, LIST("a", "b")),
			    "warning: a [claim]\nwarning: b [claim]\n");
	assert_string_equal(take(w, true, LIST("b", "a")), "");
	assert_string_equal(take(w, false, LIST("c")), "warning: c [claim]\n");
	assert_string_equal(all(w), "warning: a [claim]\nwarning: b [claim]\nwarning: c [claim]\n");
	assert_string_equal(take(w, true, LIST("b", "x [of no account]")), "");
	assert_string_equal(all(w), "warning: b [claim]\n");
	assert_string_equal(take(w, true, LIST("a", "b")), "warning: a [claim]\n");
	warnings_free(w);
	warnings_free(NULL);
}

static void test_too_many(void **state)
{
	struct warnings *w = warnings_new();
	char texts[BH_WARNINGS_MAX + 5][8];
	const char *list[BH_WARNINGS_MAX + 6] = { NULL };
	int n = 0;

	for (int i = 0; i < BH_WARNINGS_MAX + 5; i++) {
		snprintf(texts[i], sizeof(texts[i]), "%d", i);
		list[i] = texts[i];
	}
	assert_non_null(strstr(take(w, true, list), "more of them than are told"));
	for (const char *at = all(w); (at = strchr(at, '\n')); at++)
		n++;
	assert_int_equal(n, BH_WARNINGS_MAX);
	warnings_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_told_once),
		cmocka_unit_test(test_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
