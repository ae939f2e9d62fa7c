/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fixture.h"

#include <time.h>

#include <bulkhead/store/inforce.h>

/* What a restart knows of what was in force. */

#define ID(c) c "bcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789-0123456789abcdef"
#define S     UINT64_C(1000000)

static uint64_t boottime(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * S + (uint64_t)t.tv_nsec / 1000;
}

static struct in_force waiting(void)
{
	struct in_force f = {
		.id = ID("a"),
		.before = ID("b"),
		.waits = true,
		.deadline = boottime() + 60 * S,
		.since = 1800000000 * (int64_t)S,
		.uid = 1000,
		.name = "alice\x1b",
	};

	in_force_boot(f.boot);
	return f;
}

static int load(struct in_force *ret)
{
	struct bh_err err = BH_ERR_INIT;
	int r = in_force_load(top, ret, &err);

	assert_int_equal(r < 0, err.msg[0] != '\0');
	return r;
}

static void save(const struct in_force *f)
{
	struct bh_err err = BH_ERR_INIT;

	if (in_force_save(top, f, &err) < 0)
		fail_msg("%s", err.msg);
}

static void round_trip(void **state)
{
	struct in_force f = waiting(), g;

	assert_int_equal(load(&g), 0);
	assert_string_equal(g.id, "");
	assert_false(g.waits);
	save(&f);
	assert_int_equal(load(&g), 0);
	assert_string_equal(g.id, f.id);
	assert_string_equal(g.before, f.before);
	assert_true(g.waits);
	assert_true(g.deadline == f.deadline);
	assert_string_equal(g.boot, f.boot);
	assert_true(g.since == f.since);
	assert_int_equal(g.uid, 1000);
	assert_string_equal(g.name, "alice\\x1b");
	f.waits = false;
	save(&f);
	assert_int_equal(load(&g), 0);
	assert_false(g.waits);
}

/* It is over at the deadline, after another boot, and when it is further off than anyone may wait. */
static void time_left(void **state)
{
	struct in_force f = waiting();

	assert_in_range(in_force_left(&f), 50 * S, 60 * S);
	f.deadline = boottime() - 1;
	assert_int_equal(in_force_left(&f), 0);
	f.deadline = boottime() + (BH_CONFIRM_MAX_S + 10) * S;
	assert_int_equal(in_force_left(&f), 0);
	f = waiting();
	f.boot[0] = f.boot[0] == '0' ? '1' : '0';
	assert_int_equal(in_force_left(&f), 0);
	f.boot[0] = '\0';
	assert_int_equal(in_force_left(&f), 0);
}

static void write_in_force(const char *text)
{
	FILE *f = fopen(in_top("in-force"), "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

#define GOOD                                                                                       \
	"{\"schema\":\"bulkhead.in-force/1\",\"generation\":\"" ID("a") "\",\"before\":\"" ID(     \
		"b") "\",\"confirm\":{\"deadline\":5,\"boot\":\"x\",\"since\":5,\"uid\":0,"        \
		     "\"name\":\"n\"}}"

/* Every byte of it but those of free text: one that was altered is not taken for anything. */
static void altered(void **state)
{
	struct in_force f;
	char text[] = GOOD;

	write_in_force(text);
	assert_int_equal(load(&f), 0);
	assert_true(f.waits);
	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		char was = text[i];

		text[i] = '!';
		write_in_force(text);
		if (load(&f) >= 0) { /* the boot's or the person's name */
			assert_true(was == 'x' || was == 'n');
		} else {
			assert_false(f.waits);
			assert_string_equal(f.id, "");
		}
		text[i] = was;
	}
	for (size_t len = 0; len < sizeof(text) - 1; len++) {
		char was = text[len];

		text[len] = '\0';
		write_in_force(text);
		assert_int_equal(load(&f), -EBADMSG);
		text[len] = was;
	}
	write_in_force("{\"schema\":\"bulkhead.in-force/"
		       "1\",\"generation\":\"\",\"before\":\"\",\"confirm\":"
		       "{\"deadline\":5,\"boot\":\"x\",\"since\":5,\"uid\":0,\"name\":\"n\"}}");
	assert_int_equal(load(&f), -EBADMSG); /* it waits, and there is nothing to go back to */
	write_in_force("{\"schema\":\"bulkhead.in-force/1\",\"generation\":\"../../etc/"
		       "passwd\",\"before\":\"\"}");
	assert_int_equal(load(&f), -EBADMSG);
}

#define T(f) cmocka_unit_test_setup_teardown(f, make_top, remove_top)

int main(void)
{
	const struct CMUnitTest tests[] = { T(round_trip), T(time_left), T(altered) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
