/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "faults.h"

#include <setjmp.h>

#include <cmocka.h>

#include "life.h"

#include "../../../src/logger/space_private.h"

/*
 * Namespaces that come, go and change hands, and the sums of their containers: what is denied is the
 * kernel's count, and the records are what is recorded, whoever had the number of a namespace before.
 */

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

static uint64_t cookie; /* of namespaces that are attached from now on */

int getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	if (level != SOL_SOCKET || name != SO_NETNS_COOKIE)
		return (int)syscall(SYS_getsockopt, fd, level, name, value, len);
	memcpy(value, &cookie, sizeof(cookie));
	return 0;
}

static void now_is(const char *id, enum endpoint_runtime runtime)
{
	ids[0] = id;
	runtimes[0] = runtime;
}

static int begin(void **state)
{
	now_is("shop/one", ENDPOINT_INVENTORY);
	cookie = 1;
	life_begin();
	return 0;
}

static int end(void **state)
{
	if (c.runs)
		stop();
	life_end();
	return 0;
}

static void deny(uint16_t port, unsigned packets)
{
	kernel_deny(&c.ns[0], 1, IPPROTO_TCP, port, packets);
}

static void leave(void)
{
	detach(0);
	run_for(3 * SECOND);
	assert_int_equal(c.taps[0], TAP_GONE);
}

/* It is listed, and handed over, again. */
static void come_back(void)
{
	tell_site();
	c.taps[0] = TAP_NONE;
	run_for(SECOND);
}

/* Another one, with the number of the one that has just gone. */
static void next_namespace(void)
{
	kernel_down(&c.ns[0]);
	kernel_up(&c.ns[0], 1);
	cookie++;
}

static void expect(uint64_t denied)
{
	struct sums s[SPACES];

	stop();
	read_sums(s);
	assert_int_equal(s[0].denied, denied);
	assert_int_equal(s[0].denied, s[0].recorded + s[0].not_recorded);
	assert_int_equal(s[0].recorded, s[0].records);
	assert_int_equal(s[0].not_recorded, 0);
}

static const char *said_to_be(void)
{
	return space_find(&c.l, c.ns[0].ino)->who.id;
}

/* What a container sent last is its own, also when only the name of its namespace is left by then. */
static void remains(void **state)
{
	run_for(SECOND);
	now_is("one", ENDPOINT_DOCKER);
	tell_site();
	run_for(SECOND);
	assert_string_equal(said_to_be(), "one");
	now_is("netns-one", ENDPOINT_NETNS);
	tell_site();
	run_for(SECOND);
	assert_string_equal(said_to_be(), "one");
	run_for(3 * SECOND);
	assert_string_equal(said_to_be(), "netns-one");
	now_is("two", ENDPOINT_DOCKER);
	tell_site();
	run_for(SECOND / 4);
	assert_string_equal(said_to_be(), "two");
}

static void restarted(void **state)
{
	run_for(SECOND);
	deny(5000, 5);
	run_for(SECOND);
	leave();
	next_namespace();
	deny(5000, 3);
	come_back();
	deny(5000, 1);
	run_for(3 * SECOND);
	expect(9);
}

/* Whose the next one is, is not known at first. */
static void known_late(void **state)
{
	run_for(SECOND);
	deny(5000, 5);
	run_for(SECOND);
	leave();
	next_namespace();
	now_is("/proc/1/ns/net", ENDPOINT_UNKNOWN);
	deny(5000, 3);
	come_back();
	now_is("shop/one", ENDPOINT_INVENTORY);
	tell_site();
	deny(5000, 1);
	run_for(3 * SECOND);
	expect(9);
}

/* Of two in one namespace now the one, now the other is there. */
static void changes_hands(void **state)
{
	run_for(SECOND);
	deny(5000, 5);
	run_for(3 * SECOND);
	now_is("shop/other", ENDPOINT_INVENTORY);
	tell_site();
	deny(5001, 2);
	run_for(3 * SECOND);
	now_is("shop/one", ENDPOINT_INVENTORY);
	tell_site();
	deny(5002, 1);
	run_for(3 * SECOND);
	expect(8);
}

/* It was not listed for a while; its table stood, and went on counting. */
static void not_listed(void **state)
{
	struct sums s[SPACES];

	run_for(SECOND);
	deny(5000, 5);
	deny(5001, 1);
	run_for(SECOND / 2);
	leave();
	deny(5000, 3);
	come_back();
	deny(5000, 1);
	run_for(3 * SECOND);
	stop();
	read_sums(s);
	assert_int_equal(s[0].denied, 10);
	assert_int_equal(s[0].recorded, s[0].records);
	assert_int_equal(s[0].recorded, 7); /* nothing twice, and not what came meanwhile */
	assert_int_equal(s[0].not_recorded, 3);
}

/* Of two namespaces, one of which ends, is met again, and is followed by another of its number. */
static void rules_are_summed(void **state)
{
	run_for(SECOND);
	c.ns[0].passed = 5;
	c.ns[1].passed = 2;
	run_for(22 * SECOND); /* the second has no other news */
	assert_int_equal(read_hits(), 7);
	c.ns[0].passed = 8;
	leave(); /* the last look is after it */
	run_for(SECOND);
	assert_int_equal(read_hits(), 10);
	c.ns[0].passed = 9; /* while nobody looked: given up, so that nothing counts twice */
	come_back();
	run_for(SECOND);
	assert_int_equal(read_hits(), 10);
	c.ns[0].passed = 11;
	leave();
	run_for(SECOND);
	assert_int_equal(read_hits(), 12);
	next_namespace();
	c.ns[0].passed = 4;
	come_back();
	run_for(2 * SECOND);
	assert_int_equal(read_hits(), 16);
}

/* Whatever becomes of the logger, the counter goes on. */
static void rules_over_restarts(void **state)
{
	run_for(SECOND);
	for (int i = 1; i <= 4; i++) {
		c.ns[0].passed += 3;
		run_for(2 * SECOND);
		c.ns[0].passed += 2; /* since the last look */
		stop();
	}
	run_for(2 * SECOND);
	assert_int_equal(c.ns[0].passed, 20);
	assert_int_equal(read_hits(), 20);
	stop();
}

static void expect_probed(uint64_t packets, uint64_t probe_packets)
{
	struct flows_rule rule = read_rule();

	assert_int_equal(rule.packets, packets);
	assert_int_equal(rule.probe_packets, probe_packets);
}

#define QUIET(n) flows_probes_mark(n, false)
#define RUNS(n)  flows_probes_mark(n, true)

/* At once, since nothing is as long as it lasts between two looks by turn. */
static void test_begins(unsigned n)
{
	tell_probes(RUNS(n), true);
	run_for(STEP_USEC);
	assert_int_equal(c.answered, c.told);
}

/* Not before the kernel has handed over what it logged. */
static void test_has_ended(unsigned n)
{
	tell_probes(QUIET(n), false);
	run_for(SECOND);
	assert_int_equal(c.answered + 1, c.told);
	run_for(2 * SECOND);
	assert_int_equal(c.answered, c.told);
}

/* What comes while a segmentation test runs is its, in all namespaces; what comes before and after is not. */
static void tests_are_no_use(void **state)
{
	run_for(3 * SECOND);
	c.ns[0].passed = 5;
	test_begins(1);
	c.ns[0].passed = 8;
	c.ns[1].passed = 2;
	test_has_ended(1);
	expect_probed(5, 5);
	c.ns[1].passed = 3;
	test_begins(2);
	c.ns[0].passed += 100;
	run_for(25 * SECOND); /* looks of their turn are within it */
	c.ns[0].passed += 100;
	test_has_ended(2);
	test_begins(3); /* one behind the other */
	c.ns[0].passed++;
	test_has_ended(3);
	expect_probed(6, 206);
	c.ns[0].passed++;
	run_for(22 * SECOND);
	expect_probed(7, 206);
}

/* The kernel says nothing, before it and after it: the test does not wait for ever, and has it all. */
static void a_test_without_looks(void **state)
{
	run_for(3 * SECOND);
	c.ns[0].passed = 5;
	c.deaf = true;
	tell_probes(RUNS(1), true);
	run_for(5 * SECOND);
	assert_int_equal(c.answered, c.told);
	c.ns[0].passed = 8;
	tell_probes(QUIET(1), false);
	run_for(5 * SECOND);
	assert_int_equal(c.answered, c.told);
	c.deaf = false;
	run_for(22 * SECOND);
	expect_probed(0, 8);
	c.ns[0].passed = 9;
	run_for(22 * SECOND);
	expect_probed(1, 8);
}

/* A test that nobody told of, one whose end the logger does not live to see, a namespace that ends meanwhile. */
static void tests_over_restarts(void **state)
{
	run_for(3 * SECOND);
	c.ns[0].passed = 5;
	run_for(22 * SECOND);
	stop();
	c.ns[0].passed = 8;
	c.probes = QUIET(1); /* while no logger ran */
	run_for(3 * SECOND);
	expect_probed(5, 3);
	test_begins(2);
	c.ns[0].passed = 9;
	stop();
	c.ns[0].passed = 10;
	run_for(3 * SECOND);
	c.ns[0].passed = 11;
	test_has_ended(2);
	expect_probed(5, 6);
	test_begins(3);
	c.ns[0].passed = 15;
	leave();
	test_has_ended(3);
	expect_probed(5, 10);
	next_namespace();
	c.ns[0].passed = 0;
	come_back();
	c.ns[0].passed = 1;
	run_for(22 * SECOND);
	expect_probed(6, 10);
}

/* Tables that stood, and were tested, before there was a history. */
static void tests_before_the_first_logger(void **state)
{
	c.ns[0].passed = 5;
	c.probes = QUIET(1);
	run_for(3 * SECOND);
	expect_probed(0, 5);
	c.ns[0].passed = 6;
	run_for(22 * SECOND);
	expect_probed(1, 5);
}

static int on_signal(const struct flow_signal *s, void *arg)
{
	assert_int_equal(s->kind, SIGNAL_FIRST_DENIED);
	assert_int_equal(s->record.process.pid, 4711);
	++*(unsigned *)arg;
	return 0;
}

/* A signal is of its record with all that is known of it, and behind it wherever both go. */
static void signal_knows_who(void **state)
{
	struct bh_err err = BH_ERR_INIT;
	struct flows_reader *r;
	unsigned n = 0;
	char text[4096] = "";
	int fd;

	run_for(SECOND);
	deny(5000, 1);
	run_for(SECOND);
	stop();
	assert_int_equal(flows_reader_open(c.store, &r, &err), 0);
	assert_true(flows_query_signals(r, &(struct flows_filter) { 0 },
					&(struct flows_order) { 0 }, on_signal, &n, NULL, NULL,
					&err) >= 0);
	assert_int_equal(n, 1);
	flows_reader_close(r);
	assert_int_equal(c.who.ifindex,
			 KERNEL_IFINDEX); /* sockets of link-local addresses have one */
	fd = open(c.file_path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	assert_ptr_equal(strstr(text, "{\"schema\":\"bulkhead.flow/1\""), text);
	assert_non_null(strstr(text, "\n{\"schema\":\"bulkhead.signal/1\""));
}

static int set_up(void **state)
{
	return life_set_up();
}

static int tear_down(void **state)
{
	return life_tear_down();
}

int main(void)
{
#define LIFE(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		LIFE(remains),
		LIFE(restarted),
		LIFE(known_late),
		LIFE(changes_hands),
		LIFE(not_listed),
		LIFE(signal_knows_who),
		LIFE(rules_are_summed),
		LIFE(rules_over_restarts),
		LIFE(tests_are_no_use),
		LIFE(a_test_without_looks),
		LIFE(tests_over_restarts),
		LIFE(tests_before_the_first_logger),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
