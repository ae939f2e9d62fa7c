/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/model/diag.h>

static void assert_printed(const struct diag_list *l, bool colour, const char *expect)
{
	bh_autofree char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	diag_list_print(l, f, colour);
	fclose(f);
	assert_string_equal(text, expect);
}

static void test_print(void **state)
{
	struct src_loc place = { "p.yaml", 3, 7 }, file = { "q.yaml", 0, 0 }, none = { 0 };
	struct diag_list l;

	diag_list_init(&l);
	assert_printed(&l, false, "");
	diag_add(&l, DIAG_ERROR, &place, "unknown-key", "did you mean from:?", "unknown key %s",
		 "form");
	diag_add(&l, DIAG_WARNING, &file, "empty-file", NULL, "nothing is in it");
	diag_add(&l, DIAG_ERROR, NULL, "no-policies", NULL, "no policies, %d%%", 100);
	diag_add(&l, DIAG_ERROR, &none, "no-place", NULL, "from nowhere");
	assert_int_equal(l.n, 4);
	assert_int_equal(l.errors, 3);
	assert_int_equal(l.warnings, 1);
	assert_printed(&l, false,
		       "p.yaml:3:7: error: unknown key form (did you mean from:?) [unknown-key]\n"
		       "q.yaml: warning: nothing is in it [empty-file]\n"
		       "error: no policies, 100% [no-policies]\n"
		       "error: from nowhere [no-place]\n");
	diag_list_done(&l);
	assert_int_equal(l.n + l.errors + l.warnings, 0);
	assert_printed(&l, false, "");
	diag_list_done(&l);
}

/* What is silenced is no warning of the list; it is kept where somebody wants to see it. */
static void test_accepted(void **state)
{
	struct src_loc place = { "p.yaml", 3, 7 };
	struct diag_list l, accepted;

	diag_list_init(&l);
	diag_list_init(&accepted);
	diag_add_accepted(&l, "nobody looks", &place, "x", NULL, "one");
	assert_int_equal(l.n + l.warnings + l.errors, 0);
	l.accepted = &accepted;
	diag_add_accepted(&l, "it is right", &place, "x", "a hint", "two %d", 2);
	diag_add(&l, DIAG_WARNING, &place, "y", NULL, "three");
	assert_int_equal(l.warnings, 1);
	assert_int_equal(accepted.n, 1);
	assert_int_equal(accepted.warnings, 1);
	assert_string_equal(accepted.d[0].accepted, "it is right");
	assert_string_equal(accepted.d[0].text, "two 2");
	assert_string_equal(accepted.d[0].file, "p.yaml");
	assert_null(l.d[0].accepted);
	for (size_t i = 0; i < BH_DIAGS_MAX + 5; i++) /* they take no room from the others */
		diag_add_accepted(&l, "r", &place, "x", NULL, "more");
	assert_int_equal(accepted.n, BH_DIAGS_MAX);
	assert_int_equal(l.n, 1);
	diag_list_done(&l);
	diag_list_done(&accepted);
}

/* Without colour there is no escape; with it, what is between them is the same. */
static void test_colour(void **state)
{
	struct src_loc place = { "p.yaml", 3, 7 };
	struct diag_list l;

	diag_list_init(&l);
	diag_add(&l, DIAG_ERROR, &place, "a", NULL, "one");
	diag_add(&l, DIAG_WARNING, &place, "b", NULL, "two");
	assert_printed(&l, true,
		       "p.yaml:3:7: \033[1;31merror:\033[0m one [a]\n"
		       "p.yaml:3:7: \033[1;33mwarning:\033[0m two [b]\n");
	diag_list_done(&l);
}

/* Everything is copied: what the caller had may go. */
static void test_copies(void **state)
{
	char file[] = "p.yaml", id[] = "some-id", hint[] = "a hint", text[] = "a text";
	struct src_loc place = { file, 1, 2 };
	struct diag_list l;

	diag_list_init(&l);
	diag_add(&l, DIAG_ERROR, &place, id, hint, "%s", text);
	memset(file, 'x', strlen(file));
	memset(id, 'x', strlen(id));
	memset(hint, 'x', strlen(hint));
	memset(text, 'x', strlen(text));
	assert_printed(&l, false, "p.yaml:1:2: error: a text (a hint) [some-id]\n");
	diag_list_done(&l);
}

/* A long text is not cut. */
static void test_long_text(void **state)
{
	bh_autofree char *text = calloc(1, 100001);
	struct diag_list l;

	memset(text, 'x', 100000);
	diag_list_init(&l);
	diag_add(&l, DIAG_ERROR, NULL, "id", NULL, "%s!", text);
	assert_int_equal(strlen(l.d[0].text), 100001);
	diag_list_done(&l);
}

/* The name of a file may be anything; the terminal is not its to command. */
static void test_hostile_file_name(void **state)
{
	struct src_loc place = { "a\033[2J\nb\xff\xe2\x80\xae.yaml", 1, 2 },
		       file = { "\033c", 0, 0 };
	struct diag_list l;

	diag_list_init(&l);
	diag_add(&l, DIAG_ERROR, &place, "id", NULL, "text");
	diag_add(&l, DIAG_ERROR, &file, "id", NULL, "text");
	assert_string_equal(l.d[0].file, place.file); /* as the user named it */
	assert_printed(&l, false,
		       "a\\x1b[2J\\x0ab\\xff\\xe2\\x80\\xae.yaml:1:2: error: text [id]\n"
		       "\\x1bc: error: text [id]\n");
	diag_list_done(&l);
}

/* --- order ---------------------------------------------------------------------------------- */

static void test_sort(void **state)
{
	static const struct src_loc sorted[] = {
		{ NULL, 0, 0 },      { "a.yaml", 0, 0 },
		{ "a.yaml", 2, 5 },  { "a.yaml", 2, 30 },
		{ "a.yaml", 10, 1 }, { "a.yaml", 10, 2 },
		{ "b.yaml", 1, 1 },  { "b.yaml", 4294967295u, 4294967295u },
	};
	size_t order[BH_ARRAY_SIZE(sorted)];
	struct diag_list l;

	srandom(5);
	for (size_t round = 0; round < 200; round++) {
		diag_list_init(&l);
		diag_list_sort(&l); /* of nothing */
		for (size_t i = 0; i < BH_ARRAY_SIZE(sorted); i++) {
			size_t j = (size_t)random() % (i + 1);

			order[i] = order[j];
			order[j] = i;
		}
		for (size_t i = 0; i < BH_ARRAY_SIZE(sorted); i++)
			diag_add(&l, order[i] % 2 ? DIAG_ERROR : DIAG_WARNING, &sorted[order[i]],
				 "id", NULL, "%zu", order[i]);
		diag_list_sort(&l);
		for (size_t i = 0; i < BH_ARRAY_SIZE(sorted); i++)
			assert_int_equal(strtoul(l.d[i].text, NULL, 10), i);
		diag_list_done(&l);
	}
}

/* Several mistakes in one place come in the same order in every run. */
static void test_sort_one_place(void **state)
{
	struct src_loc place = { "a.yaml", 1, 1 };
	struct diag_list l;

	for (unsigned round = 0; round < 2; round++) {
		diag_list_init(&l);
		for (unsigned i = 0; i < 100; i++)
			diag_add(&l, DIAG_ERROR, &place, "id", NULL, "%02u", round ? i : 99 - i);
		diag_list_sort(&l);
		for (unsigned i = 0; i < 100; i++)
			assert_int_equal(strtoul(l.d[i].text, NULL, 10), i);
		diag_list_done(&l);
	}
}

/* --- the cap -------------------------------------------------------------------------------- */

static void test_cap(void **state)
{
	bh_autofree char *text = NULL;
	struct diag_list l;
	size_t len, lines = 0;
	FILE *f;

	diag_list_init(&l);
	for (unsigned i = 0; i < BH_DIAGS_MAX; i++)
		diag_add(&l, DIAG_WARNING, NULL, "id", NULL, "kept %u", i);
	f = open_memstream(&text, &len);
	diag_list_print(&l, f, false);
	assert_int_equal(fflush(f), 0);
	assert_null(strstr(text, "more"));
	rewind(f);
	for (unsigned i = 0; i < 2500; i++)
		diag_add(&l, DIAG_ERROR, NULL, "id", NULL, "not kept");
	assert_int_equal(l.n, BH_DIAGS_MAX); /* the first ones */
	assert_int_equal(l.errors, 2500);    /* an error counts, kept or not */
	assert_int_equal(l.warnings, BH_DIAGS_MAX);
	diag_list_print(&l, f, false);
	fclose(f);
	for (const char *p = text; (p = strchr(p, '\n')) != NULL; p++)
		lines++;
	assert_int_equal(lines, BH_DIAGS_MAX + 1);
	assert_null(strstr(text, "not kept"));
	assert_non_null(strstr(text, "... and 2500 more that are not shown\n"));
	diag_list_done(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_print),     cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_colour),    cmocka_unit_test(test_copies),
		cmocka_unit_test(test_long_text), cmocka_unit_test(test_hostile_file_name),
		cmocka_unit_test(test_sort),      cmocka_unit_test(test_sort_one_place),
		cmocka_unit_test(test_cap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
