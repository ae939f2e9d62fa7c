/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "flows_fixture.h"

#include <inttypes.h>

#include <bulkhead/store/rules.h>

/* Sums of policy rules: each packet once, whoever dies, and time that nothing but watching makes pass. */

#define RULE "web.out.to-db.5432-tcp"

static void put_at(struct flows *f, uint64_t ino, uint64_t cookie, const char *rule,
		   uint64_t packets, int64_t now)
{
	const struct flows_rule_reading r = {
		.netns = ino,
		.cookie = cookie,
		.rule = rule,
		.packets = packets,
		.bytes = packets * 60,
	};

	assert_int_equal(flows_put_rule(f, &r, now), 0);
}

static void put_rule(struct flows *f, uint64_t ino, uint64_t packets)
{
	put_at(f, ino, ino + 1000, RULE, packets, T0);
}

struct found {
	const char *name;
	struct flows_rule rule;
	size_t n;
};

static int on_rule(const struct flows_rule *rule, void *arg)
{
	struct found *f = arg;

	f->n++;
	if (strcmp(rule->name, f->name) == 0)
		f->rule = *rule;
	return 0;
}

/* As another process reads it. */
static struct found look_up(const char *name)
{
	struct flows_reader *r = read_it();
	struct bh_err err = BH_ERR_INIT;
	struct found f = { .name = name };

	if (flows_rules(r, on_rule, &f, &err) < 0)
		fail_msg("%s", err.msg);
	flows_reader_close(r);
	return f;
}

static void expect(uint64_t packets)
{
	struct found f = look_up(RULE);

	assert_string_equal(f.rule.name, RULE);
	assert_int_equal(f.rule.packets, packets);
	assert_int_equal(f.rule.bytes, packets * 60);
}

/* kill -9: what was not committed is as if it had not been. A copy of the files is what is left. */
static struct flows *killed(struct flows *f, const struct flows_options *o)
{
	char command[4200];

	snprintf(command, sizeof(command), "mkdir %s/k && cp %s/flows.db* %s/k/", top, top, top);
	assert_int_equal(system(command), 0);
	flows_close(f, T0);
	snprintf(command, sizeof(command), "rm %s/flows.db* && mv %s/k/* %s/ && rmdir %s/k", top,
		 top, top, top);
	assert_int_equal(system(command), 0);
	return begin(o, T0);
}

static void sums_over_namespaces(void **state)
{
	struct flows *f = begin(NULL, T0);

	put_rule(f, 1, 5);
	put_rule(f, 2, 7);
	put_rule(f, 1, 6);
	put_rule(f, 1, 6);
	commit(f, T0);
	expect(13);
	put_rule(f, 2, 3); /* the table was made anew */
	commit(f, T0);
	expect(16);
	flows_close(f, T0);
}

static void a_restart_counts_nothing_twice(void **state)
{
	struct flows *f = begin(NULL, T0);

	put_rule(f, 1, 5);
	flows_close(f, T0);
	f = begin(NULL, T0);
	put_rule(f, 1, 8);
	commit(f, T0);
	expect(8);
	flows_close(f, T0);
}

static void killed_between_look_and_commit(void **state)
{
	struct flows *f = begin(NULL, T0);

	put_rule(f, 1, 5);
	commit(f, T0);
	put_rule(f, 1, 9);
	f = killed(f, NULL);
	expect(5); /* the counter goes on in the kernel */
	put_rule(f, 1, 12);
	commit(f, T0);
	expect(12);
	flows_close(f, T0);
}

/* An inode is given out again; the cookie tells them apart. */
static void the_next_with_that_inode(void **state)
{
	struct flows *f = begin(NULL, T0);

	put_at(f, 1, 100, RULE, 5, T0);
	flows_rules_forget(f, 1, 100);
	put_at(f, 1, 101, RULE, 6, T0);
	commit(f, T0);
	expect(11);
	flows_close(f, T0);
}

/* It had not ended, and was only let go of: its table stands. */
static void met_again(void **state)
{
	struct flows *f = begin(NULL, T0);

	put_rule(f, 1, 5);
	flows_rules_forget(f, 1, 1001);
	put_rule(f, 1, 6);
	put_rule(f, 1, 8);
	commit(f, T0);
	expect(7); /* one too few, and none twice */
	flows_rules_forget(f, 1, 1001);
	flows_close(f, T0);
	f = begin(NULL, T0);
	put_rule(f, 1, 9);
	commit(f, T0);
	expect(7);
	put_rule(f, 1, 10);
	commit(f, T0);
	expect(8);
	flows_close(f, T0);
}

/* After a start of the machine cookies and inodes are others', and counters begin at 0. */
static void another_boot(void **state)
{
	const struct flows_options first = { .boot = 7 }, second = { .boot = 8 };
	struct flows *f = begin(&first, T0);

	put_rule(f, 1, 5);
	flows_close(f, T0);
	f = begin(&second, T0);
	put_rule(f, 1, 6);
	commit(f, T0);
	expect(11);
	flows_close(f, T0);
	f = begin(&second, T0);
	put_rule(f, 1, 6);
	commit(f, T0);
	expect(11);
	flows_close(f, T0);
}

static void a_damaged_file(void **state)
{
	struct flows *f = begin(NULL, T0);
	char path[4200];
	int fd;

	put_rule(f, 1, 5);
	flows_close(f, T0);
	snprintf(path, sizeof(path), "%s/flows.db", top);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "not a database at all", 21, 0), 21);
	close(fd);
	f = begin(NULL, T0);
	assert_non_null(strstr(notices, "set aside"));
	put_rule(f, 1, 8); /* since the table was made: all that is known now */
	commit(f, T0);
	expect(8);
	flows_close(f, T0);
}

/* Nothing may be put before it is known what was read last. */
static void not_before_the_past_is_known(void **state)
{
	const struct flows_rule_reading r = { .netns = 1, .rule = RULE, .packets = 9 };
	struct flows *first = begin(NULL, T0), *f;

	put_rule(first, 1, 5);
	f = begin(NULL, T0); /* the other one has it */
	assert_false(flows_rules_known(f));
	assert_int_equal(flows_put_rule(f, &r, T0), -EAGAIN);
	flows_close(first, T0);
	assert_int_equal(flows_commit(f, T0 + 60 * SECOND), 0);
	assert_true(flows_rules_known(f));
	put_rule(f, 1, 9);
	commit(f, T0 + 60 * SECOND);
	expect(9);
	flows_close(f, T0);
}

static void times(void **state)
{
	struct flows *f = begin(NULL, T0);
	struct found had;

	put_at(f, 1, 1, RULE, 0, T0);
	put_at(f, 1, 1, RULE, 1, T0 + SECOND);
	put_at(f, 1, 1, RULE, 2, T0 + 9 * SECOND);
	put_at(f, 1, 1, "web.in.never", 0, T0 + 2 * SECOND);
	commit(f, T0);
	had = look_up(RULE);
	assert_int_equal(had.n, 2);
	assert_int_equal(had.rule.since, T0);
	assert_int_equal(had.rule.first_hit, T0 + SECOND);
	assert_int_equal(had.rule.last_hit, T0 + 9 * SECOND);
	had = look_up("web.in.never");
	assert_int_equal(had.rule.since, T0 + 2 * SECOND);
	assert_int_equal(had.rule.first_hit, 0);
	assert_int_equal(had.rule.last_hit, 0);
	flows_close(f, T0);
}

/* Whatever the clock says. */
static void only_watching_makes_a_rule_idle(void **state)
{
	struct flows *f = begin(NULL, T0);
	struct found had;

	put_at(f, 1, 1, RULE, 1, T0);
	flows_rules_watched(f, DAY);
	put_at(f, 1, 1, RULE, 2, T0 + 900 * DAY);
	flows_rules_watched(f, 2 * DAY);
	put_at(f, 1, 1, RULE, 2, T0 - 900 * DAY);
	flows_close(f, T0);
	had = look_up(RULE);
	assert_int_equal(had.rule.watched, 3 * DAY);
	assert_int_equal(had.rule.idle, 2 * DAY);
	f = begin(NULL, T0 + 400 * DAY); /* nobody watched meanwhile */
	put_at(f, 1, 1, RULE, 2, T0 + 400 * DAY);
	flows_rules_watched(f, DAY);
	put_at(f, 1, 1, RULE, 2, T0 + 400 * DAY);
	flows_close(f, T0);
	had = look_up(RULE);
	assert_int_equal(had.rule.watched, 4 * DAY);
	assert_int_equal(had.rule.idle, 3 * DAY);
}

/* A service that rests goes on being watched; a rule that was away for long was not in force. */
static void absent(void **state)
{
	struct flows *f = begin(NULL, T0);

	put_rule(f, 1, 1);
	flows_rules_watched(f, 7 * DAY);
	put_rule(f, 1, 1);
	commit(f, T0);
	assert_int_equal(look_up(RULE).rule.watched, 7 * DAY);
	flows_rules_watched(f, 8 * DAY);
	put_rule(f, 1, 1);
	flows_rules_watched(f, DAY);
	put_rule(f, 1, 1);
	commit(f, T0);
	assert_int_equal(look_up(RULE).rule.watched, 8 * DAY);
	flows_close(f, T0);
	f = begin(NULL, T0); /* a logger that goes on has not begun anew */
	flows_rules_watched(f, 20 * DAY);
	put_rule(f, 1, 1);
	flows_rules_watched(f, DAY);
	put_rule(f, 1, 1);
	flows_close(f, T0);
	assert_int_equal(look_up(RULE).rule.watched, 9 * DAY);
}

static void forgotten_after_400_days(void **state)
{
	struct flows *f = begin(NULL, T0);

	put_rule(f, 1, 1);
	put_at(f, 2, 2, "web.in.stays", 1, T0);
	commit(f, T0);
	flows_rules_watched(f, 399 * DAY);
	put_at(f, 2, 2, "web.in.stays", 1, T0);
	commit(f, T0);
	assert_true(flows_tend(f, T0) >= 0);
	assert_int_equal(look_up(RULE).n, 2);
	flows_rules_watched(f, 2 * DAY);
	put_at(f, 2, 2, "web.in.stays", 1, T0);
	assert_true(flows_tend(f, T0) >= 0);
	commit(f, T0);
	assert_int_equal(look_up(RULE).n, 1);
	assert_int_equal(look_up("web.in.stays").rule.packets, 1); /* its reading stayed */
	flows_close(f, T0);
}

static void names_that_are_none(void **state)
{
	static const char *const names[] = { "", "a b", "A", "x\033[31m", "quo\"te" };
	char longest[BH_NFT_NAME_MAX + 2];
	struct flows_rule_reading r = { .netns = 1, .packets = 1 };
	struct flows *f = begin(NULL, T0);

	for (size_t i = 0; i < BH_ARRAY_SIZE(names); i++) {
		r.rule = names[i];
		assert_int_equal(flows_put_rule(f, &r, T0), -EINVAL);
	}
	memset(longest, 'a', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	r.rule = longest;
	assert_int_equal(flows_put_rule(f, &r, T0), -EINVAL);
	longest[BH_NFT_NAME_MAX] = '\0';
	assert_int_equal(flows_put_rule(f, &r, T0), 0);
	flows_close(f, T0);
}

/* With one megabyte there is room for 192 rules. */
static void no_room(void **state)
{
	const struct flows_options o = { .megabytes = 1 };
	struct flows *f = begin(&o, T0);
	int r = 0;
	size_t n;

	for (n = 0; n < 1000 && r >= 0; n++) {
		char name[32];
		const struct flows_rule_reading reading = { 1, 1, name, 1, 60 };

		snprintf(name, sizeof(name), "web.in.r%zu", n);
		r = flows_put_rule(f, &reading, T0);
	}
	assert_int_equal(r, -ENOBUFS);
	assert_true(n > 100 && n < 1000);
	assert_non_null(strstr(notices, "policy rules are left out"));
	commit(f, T0);
	assert_int_equal(look_up(RULE).n, n - 1);
	flows_close(f, T0);
}

/* Many lives of containers, dying writers between them: the sum is what was sent. */
static void churn(void **state)
{
	struct flows *f = begin(NULL, T0);
	uint64_t sent = 0;

	for (unsigned life = 0; life < 300; life++) {
		uint64_t counter = 0;

		for (unsigned look = 0; look < 5; look++) {
			counter += (life * 7 + look * 3) % 11;
			put_at(f, 50 + life % 3, life + 1, RULE, counter, T0);
			if (look % 2)
				commit(f, T0);
			if (life % 50 == 49 && look == 2)
				f = killed(f, NULL);
		}
		sent += counter;
		flows_rules_forget(f, 50 + life % 3, life + 1);
	}
	commit(f, T0);
	expect(sent);
	flows_close(f, T0);
}

/* --- segmentation tests --------------------------------------------------------------------------- */

/* Tests that have begun, and does one run: at the ask (ASKED), and when the answer is there (NOW). */
static void put_probed(struct flows *f, uint64_t packets, uint64_t bytes, uint64_t asked,
		       uint64_t now, int64_t at)
{
	const struct flows_rule_reading r = {
		.netns = 1,
		.cookie = 1001,
		.rule = RULE,
		.packets = packets,
		.bytes = bytes,
		.probes_asked = asked,
		.probes_born = flows_rules_probes_before(f),
	};

	flows_rules_probes(f, now);
	assert_int_equal(flows_put_rule(f, &r, at), 0);
}

static void expect_probed(uint64_t packets, uint64_t probe_packets)
{
	struct flows_rule had = look_up(RULE).rule;

	assert_int_equal(had.packets, packets);
	assert_int_equal(had.probe_packets, probe_packets);
}

#define QUIET(n) flows_probes_mark(n, false)
#define RUNS(n)  flows_probes_mark(n, true)

/* What is there before it begins is use, what comes until it has ended is not, what comes then is. */
static void tests_are_no_use(void **state)
{
	struct flows *f = begin(NULL, T0);
	struct flows_rule had;

	put_probed(f, 3, 180, QUIET(0), QUIET(0), T0);
	flows_rules_watched(f, DAY);
	put_probed(f, 5, 300, RUNS(1), RUNS(1), T0 + SECOND); /* of its beginning */
	put_probed(f, 6, 360, RUNS(1), RUNS(1), T0 + 2 * SECOND);
	put_probed(f, 9, 540, QUIET(1), QUIET(1), T0 + 3 * SECOND); /* and its end */
	commit(f, T0);
	had = look_up(RULE).rule;
	assert_int_equal(had.packets, 3);
	assert_int_equal(had.bytes, 180);
	assert_int_equal(had.last_hit, T0);
	assert_int_equal(had.idle, DAY);
	assert_int_equal(had.probe_packets, 6);
	assert_int_equal(had.probe_bytes, 360);
	assert_int_equal(had.last_probe, T0 + 3 * SECOND);
	put_probed(f, 11, 660, QUIET(1), QUIET(1), T0 + 4 * SECOND);
	commit(f, T0);
	had = look_up(RULE).rule;
	assert_int_equal(had.packets, 5);
	assert_int_equal(had.idle, 0);
	assert_int_equal(had.probe_packets, 6);
	flows_close(f, T0);
}

/* Between two readings one began, and another, and all have ended: nobody was told of it. */
static void tests_that_nobody_saw(void **state)
{
	struct flows *f = begin(NULL, T0);

	put_probed(f, 3, 180, QUIET(4), QUIET(4), T0); /* it is as old as the first of four */
	commit(f, T0);
	expect_probed(0, 3);
	put_probed(f, 5, 300, QUIET(6), QUIET(6), T0);
	put_probed(f, 6, 360, QUIET(6), QUIET(6), T0);
	commit(f, T0);
	expect_probed(1, 5);
	flows_close(f, T0);
}

/* A reading that was asked for before the test ended may lack its last packets. */
static void asked_before_the_end(void **state)
{
	struct flows *f = begin(NULL, T0);

	put_probed(f, 0, 0, QUIET(0), QUIET(0), T0);
	put_probed(f, 5, 300, RUNS(1), QUIET(1), T0);
	put_probed(f, 6, 360, QUIET(1), QUIET(1), T0);
	put_probed(f, 7, 420, QUIET(1), QUIET(1), T0);
	commit(f, T0);
	expect_probed(1, 6);
	flows_close(f, T0);
}

/* The test began, the logger was killed, the test ended, another logger came. */
static void killed_in_the_middle(void **state)
{
	struct flows *f = begin(NULL, T0);

	put_probed(f, 2, 120, QUIET(0), QUIET(0), T0);
	commit(f, T0);
	put_probed(f, 4, 240, RUNS(1), RUNS(1), T0); /* this is lost with it */
	f = killed(f, NULL);
	put_probed(f, 9, 540, QUIET(1), QUIET(1), T0);
	commit(f, T0);
	expect_probed(2, 7);
	/* the same with what it read while the test ran on the disk */
	put_probed(f, 10, 600, RUNS(2), RUNS(2), T0);
	flows_close(f, T0);
	f = begin(NULL, T0);
	assert_int_equal(flows_rules_probes_before(f), RUNS(2));
	put_probed(f, 12, 720, QUIET(2), QUIET(2), T0);
	flows_close(f, T0);
	f = begin(NULL, T0);
	put_probed(f, 13, 780, QUIET(2), QUIET(2), T0);
	commit(f, T0);
	expect_probed(3, 10);
	flows_close(f, T0);
}

/* No packet of a test is as large: somebody else used the rule meanwhile. */
static void use_beside_a_test(void **state)
{
	struct flows *f = begin(NULL, T0);
	struct flows_rule had;

	put_probed(f, 0, 0, QUIET(0), QUIET(0), T0);
	put_probed(f, 4, 4 * BH_PROBE_PACKET_MAX, RUNS(1), RUNS(1), T0 + SECOND);
	commit(f, T0);
	expect_probed(0, 4);
	put_probed(f, 10, 4 * BH_PROBE_PACKET_MAX + 9000, RUNS(1), RUNS(1), T0 + 2 * SECOND);
	commit(f, T0);
	had = look_up(RULE).rule;
	assert_int_equal(had.packets, 1); /* one at least */
	assert_int_equal(had.bytes, 9000 - 6 * BH_PROBE_PACKET_MAX);
	assert_int_equal(had.last_hit, T0 + 2 * SECOND);
	assert_int_equal(had.probe_packets, 9);
	flows_close(f, T0);
}

static int64_t apart(void)
{
	struct flows_reader *r = read_it();
	struct bh_err err = BH_ERR_INIT;
	int64_t ret = 0;

	if (flows_rules_apart(r, &ret, &err) < 0)
		fail_msg("%s", err.msg);
	flows_reader_close(r);
	return ret;
}

static void run_sql(const char *sql)
{
	char path[4200], *why = NULL;
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/flows.db", top);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s: %s", sql, why);
	sqlite3_close(db);
}

/* A history of the version before: its sums stay; what came since its last reading may be a test's. */
static void an_older_history(void **state)
{
	struct flows *f = begin(NULL, T0);

	put_rule(f, 1, 5);
	flows_close(f, T0);
	run_sql("ALTER TABLE rule DROP COLUMN probe_packets; ALTER TABLE rule DROP COLUMN "
		"probe_bytes; ALTER TABLE rule DROP COLUMN last_probe; ALTER TABLE reading DROP "
		"COLUMN probes; DELETE FROM state WHERE name = 'apart'; PRAGMA user_version = 3");
	f = begin(NULL, T0);
	assert_string_equal(notices, "");
	put_rule(f, 1, 8);
	put_rule(f, 1, 10);
	commit(f, T0);
	expect_probed(7, 3);
	assert_true(apart() > INT64_C(1600000000) * SECOND);
	flows_close(f, T0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HISTORY(sums_over_namespaces),
		HISTORY(a_restart_counts_nothing_twice),
		HISTORY(killed_between_look_and_commit),
		HISTORY(the_next_with_that_inode),
		HISTORY(met_again),
		HISTORY(another_boot),
		HISTORY(a_damaged_file),
		HISTORY(not_before_the_past_is_known),
		HISTORY(times),
		HISTORY(only_watching_makes_a_rule_idle),
		HISTORY(absent),
		HISTORY(forgotten_after_400_days),
		HISTORY(names_that_are_none),
		HISTORY(no_room),
		HISTORY(churn),
		HISTORY(tests_are_no_use),
		HISTORY(tests_that_nobody_saw),
		HISTORY(asked_before_the_end),
		HISTORY(killed_in_the_middle),
		HISTORY(use_beside_a_test),
		HISTORY(an_older_history),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
