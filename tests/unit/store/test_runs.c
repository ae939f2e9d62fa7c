/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fixture.h"

#include <stdlib.h>

#include <bulkhead/store/runs.h>

/* When a daemon ran: the mark that it leaves, and what entries of the trail say of it. */

#define T0   INT64_C(1795773600123000)
#define BOOT "0d9f7a52-8c4e-4ac0-9f0e-2b1f6f0f3c11"

static void mark(void **state)
{
	struct run_mark m = { BOOT, T0, T0 + 1, T0 + 2, true }, got;
	struct bh_err err = BH_ERR_INIT;
	char path[4096];

	assert_int_equal(run_mark_read(top, &got, &err), -ENOENT);
	for (int i = 0; i < 2; i++) {
		m.ended = i;
		assert_int_equal(run_mark_write(top, &m, &err), 0);
		assert_int_equal(run_mark_read(top, &got, &err), 0);
		assert_string_equal(got.boot, BOOT);
		assert_int_equal(got.booted, T0);
		assert_int_equal(got.since, T0 + 1);
		assert_int_equal(got.seen, T0 + 2);
		assert_int_equal(got.ended, i);
	}
	snprintf(path, sizeof(path), "%s/%s", top, RUNS_FILE);
	assert_int_equal(truncate(path, 9), 0);
	assert_int_equal(run_mark_read(top, &got, &err), -EBADMSG);
	assert_string_equal(got.boot, BOOT);
	strcpy(m.boot, "\033[31m");
	assert_int_equal(run_mark_write(top, &m, &err), 0);
	assert_int_equal(run_mark_read(top, &got, &err), -EBADMSG);
}

static void starts(void **state)
{
	static const struct run_start cases[] = {
		{ BOOT, T0, RUN_NOT_KNOWN, 0 },
		{ BOOT, T0, RUN_ENDED, T0 + 5000000 },
		{ BOOT, T0, RUN_LOST, T0 + 7000000 },
		{ "", T0, RUN_LOST, T0 },
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(cases); i++)
		for (int more = 0; more < 2; more++) {
			char text[RUN_STR], detail[2 * RUN_STR];
			struct run_start got;

			run_start_format(text, &cases[i]);
			snprintf(detail, sizeof(detail), "%s%s", text,
				 more ? "; it could not be kept: a; b: c" : "");
			assert_int_equal(run_start_parse(detail, &got), 0);
			assert_string_equal(got.boot, cases[i].boot);
			assert_int_equal(got.booted, cases[i].booted);
			assert_int_equal(got.before, cases[i].before);
			assert_int_equal(got.seen, cases[i].seen);
		}
}

static void no_starts(void **state)
{
	static const char *const details[] = {
		"",
		"the host file is another one",
		"bulkheadd runs, on boot ",
		"bulkheadd runs, on boot x of y: of a run before nothing is known",
		"bulkheadd runs, on boot x of 2026-11-27T10:00:00.000Z",
		"bulkheadd runs, on boot x of 2026-11-27T10:00:00.000Z: something else",
		"bulkheadd runs, on boot x of 2026-11-27T10:00:00.000Z: the run before was told to "
		"end "
		"at noon",
		"bulkheadd runs, on boot "
		"0123456789012345678901234567890123456789012345678901234567890123"
		" of 2026-11-27T10:00:00.000Z: of a run before nothing is known",
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(details); i++) {
		struct run_start got = { .seen = 7 };

		if (run_start_parse(details[i], &got) != -EINVAL)
			fail_msg("taken: %s", details[i]);
		assert_int_equal(got.seen, 7);
	}
}

static void logger(void **state)
{
	char text[RUN_STR];
	const char *why;
	int64_t since;
	bool again;

	run_logger_format(text, T0, "the logger does not run: it has ended (signal 9)");
	assert_int_equal(run_logger_parse(text, &since, &again, &why), 0);
	assert_false(again);
	assert_int_equal(since, T0);
	assert_string_equal(why, "the logger does not run: it has ended (signal 9)");
	run_logger_format(text, T0, NULL);
	assert_int_equal(run_logger_parse(text, &since, &again, &why), 0);
	assert_true(again);
	assert_int_equal(since, T0);
	assert_int_equal(run_logger_parse("", &since, &again, &why), -EINVAL);
	assert_int_equal(run_logger_parse("denied packets are recorded again since ever", &since,
					  &again, &why),
			 -EINVAL);
}

static void stall(void **state)
{
	static const char *const others[] = {
		"",
		"bulkheadd stood still from 2026-11-27T10:00:00.000Z",
		"bulkheadd stood still from ever to 2026-11-27T10:00:00.000Z",
		"bulkheadd stood still from 2026-11-27T10:00:00.000Z to now",
	};
	char text[RUN_STR];
	int64_t from, to;

	run_stall_format(text, T0, T0 + 90000000);
	assert_int_equal(run_stall_parse(text, &from, &to), 0);
	assert_int_equal(from, T0);
	assert_int_equal(to, T0 + 90000000);
	for (size_t i = 0; i < BH_ARRAY_SIZE(others); i++)
		assert_int_equal(run_stall_parse(others[i], &from, &to), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(mark, make_top, remove_top),
		cmocka_unit_test(starts),
		cmocka_unit_test(no_starts),
		cmocka_unit_test(logger),
		cmocka_unit_test(stall),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
