/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "faults.h"

#include <setjmp.h>

#include <cmocka.h>
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/lsan_interface.h>
#endif

#include "life.h"

/*
 * The logger's life again and again, and each time another allocation, or system call, of it fails. It may
 * end and be started again; its sums are the kernel's in the end, its records are its sums, and nothing is
 * left behind. Of calls that come from the same place by the same way, two are tried; with TORTURE_ALL
 * in the environment each.
 */

#define FLOOD_FLOWS 300
#define PROBED      3 /* packets of a segmentation test */

static unsigned calls[FAULTS]; /* of a life in which nothing fails */

/* --- one life ---------------------------------------------------------------------------------- */

static void begin(enum fault kind, unsigned n)
{
	life_begin();
	memset(faults.calls, 0, sizeof(faults.calls));
	faults.kind = kind;
	faults.fail_at = n;
	faults.failed = false;
}

static void live(void)
{
	run_for(SECOND / 2);
	for (uint16_t i = 0; i < 4; i++) {
		kernel_deny(&c.ns[0], 1, i % 2 ? IPPROTO_UDP : IPPROTO_TCP, (uint16_t)(5000 + i),
			    1);
		kernel_deny(&c.ns[1], 2, IPPROTO_TCP, (uint16_t)(6000 + i), i + 1u);
	}
	c.ns[0].passed = 9;
	c.ns[1].passed = 4;
	run_for(SECOND * 5 / 4);
	stop(); /* and its successor goes on from its sums */
	kernel_deny(&c.ns[0], 1, IPPROTO_TCP, 5000, 1);
	run_for(SECOND / 2);
	for (unsigned i = 0; i < FLOOD_FLOWS; i++)
		kernel_deny(&c.ns[0], 100 + i, IPPROTO_UDP, 53, 3);
	kernel_deny(&c.ns[0], 1, IPPROTO_TCP, 5000, 7);
	run_for(SECOND * 3);
	tell_probes(flows_probes_mark(1, true), false);
	c.ns[0].passed += PROBED;
	run_for(SECOND / 4);
	tell_probes(flows_probes_mark(1, false), false);
	run_for(SECOND / 4);
	say(&(struct lg_head) { .type = LG_REOPEN }, sizeof(struct lg_head), NULL, 0);
	kernel_deny(&c.ns[0], 101, IPPROTO_UDP, 53, 2); /* it was retired */
	kernel_deny(&c.ns[1], 2, IPPROTO_TCP, 6000, 1);
	c.ns[0].passed += 4;
	detach(1);
	run_for(SECOND * 2);
	kernel_deny(&c.ns[0], 1, IPPROTO_TCP, 5005, 2);
	run_for(SECOND / 4);
	stop();
}

/* --- what is left of it ------------------------------------------------------------------------ */

static bool is_sum(int i, const struct sums *s)
{
	/* who was cut off at its end has no later reading; its sums agree all the same */
	return s->denied == s->recorded + s->not_recorded && s->records == s->recorded &&
	       (s->denied == c.ns[i].denied || (c.cut[i] && s->denied <= c.ns[i].denied));
}

/*
 * No packet twice, and none of a segmentation test; of one that was cut off at its end, or is not read again in
 * this life, some are missing.
 */
static bool are_hits(uint64_t hits)
{
	return hits <= c.ns[0].passed + c.ns[1].passed - PROBED;
}

static bool all_are_sums(struct sums s[SPACES])
{
	read_sums(s);
	return is_sum(0, &s[0]) && is_sum(1, &s[1]);
}

static unsigned descriptors(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 64; fd++)
		n += syscall(SYS_fcntl, fd, F_GETFD) >= 0;
	return n;
}

/* --- again and again ----------------------------------------------------------------------------- */

static unsigned wrong;

static void check(bool good, const char *what, unsigned n)
{
	if (good)
		return;
	wrong++;
	print_error("%s, the call %u: %s; it was started %u times, and said last: %s\n",
		    fault_kinds[faults.kind].name, n, what, c.starts, c.last);
}

static void check_sums(const struct sums s[SPACES], unsigned n)
{
	for (int i = 0; i < SPACES; i++) {
		check(is_sum(i, &s[i]), i ? "the sums of the second" : "the sums of the first", n);
		if (!is_sum(i, &s[i]))
			print_error("the kernel's %lu, denied %lu = recorded %lu + not recorded "
				    "%lu, in "
				    "records %lu\n",
				    c.ns[i].denied, s[i].denied, s[i].recorded, s[i].not_recorded,
				    s[i].records);
	}
}

static void torture(enum fault kind, unsigned n)
{
	unsigned open_before = descriptors();
	long blocks = faults.blocks;
	struct sums s[SPACES];

	begin(kind, n);
	live();
	faults.fail_at = 0;
	if (!all_are_sums(s)) { /* what could not be written any more, its successor finds out */
		run_for(SECOND * 2);
		stop();
		read_sums(s);
	}
	check_sums(s, n);
	check(are_hits(read_hits()), "hits of policy rules were counted twice, or a test's for use",
	      n);
	check(faults.failed == (n > 0), "it was not called as often", n);
	check(!c.set_aside, "a history that nobody has damaged was set aside", n);
	life_end();
	check(!n || faults.blocks == blocks, "memory was left", n);
	check(descriptors() == open_before, "descriptors were left", n);
}

/* Each N, or one after the other of each way to the call: the first and the last. */
static void test_kind(void **state)
{
	enum fault kind = *(const enum fault *)*state;
	const char *only = getenv("TORTURE_ONLY");
	bool all = getenv("TORTURE_ALL") != NULL;
	if (only && strcmp(only, fault_kinds[kind].name))
		return;
	unsigned ways = 0;

	wrong = 0;
	for (unsigned n = 1; all && n <= calls[kind]; n++)
		torture(kind, n);
	for (size_t i = 0; i < fault_n_places; i++) {
		const struct fault_place *p = &fault_places[i];

		if (p->kind != kind)
			continue;
		ways++;
		for (int k = 0; !all && k < 2; k++)
			if ((&p->first)[k])
				torture(kind, (&p->first)[k]);
	}
	print_message("%s: %u calls, by %u ways\n", fault_kinds[kind].name, calls[kind], ways);
	assert_true(ways > 0);
	assert_int_equal(wrong, 0);
}

/* --- the frame ----------------------------------------------------------------------------------- */

/* The first one loads a library, for which the loader allocates what it keeps. */
static void load_backtrace(void)
{
	void *frame;

#if defined(__SANITIZE_ADDRESS__)
	__lsan_disable();
#endif
	backtrace(&frame, 1);
#if defined(__SANITIZE_ADDRESS__)
	__lsan_enable();
#endif
}

/* One life warms up what libraries keep, and one shows what is called. */
static int set_up(void **state)
{
	if (life_set_up() < 0)
		return -1;
	load_backtrace();
	torture(FAULT_MEMORY, 0);
	fault_tracing = true;
	torture(FAULT_MEMORY, 0);
	fault_tracing = false;
	memcpy(calls, faults.calls, sizeof(calls));
	return wrong ? -1 : 0;
}

static int tear_down(void **state)
{
	return life_tear_down();
}

int main(void)
{
	static enum fault kinds[FAULTS];
	struct CMUnitTest tests[FAULTS] = { 0 };

	for (int i = 0; i < FAULTS; i++) {
		kinds[i] = (enum fault)i;
		tests[i] = (struct CMUnitTest) { fault_kinds[i].name, test_kind, NULL, NULL,
						 &kinds[i] };
	}
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
