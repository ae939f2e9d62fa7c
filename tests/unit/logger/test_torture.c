/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "faults.h"

#include <dirent.h>
#include <setjmp.h>
#include <sys/un.h>

#include <cmocka.h>
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/lsan_interface.h>
#endif

#include "controller.h"

/*
 * The logger's life again and again, and each time another allocation, or system call, of it fails. It may
 * end and be started again; its sums are the kernel's in the end, its records are its sums, and nothing is
 * left behind. Of calls that come from the same place by the same way, two are tried; with TORTURE_ALL
 * in the environment each.
 */

#define SECOND      1000000
#define FLOOD_FLOWS 300

static unsigned calls[FAULTS]; /* of a life in which nothing fails */

/* --- one life ---------------------------------------------------------------------------------- */

static void remove_files(void)
{
	DIR *d = opendir(c.path);
	const struct dirent *e;

	assert_non_null(d);
	while ((e = readdir(d)) != NULL)
		if (e->d_name[0] != '.' && strcmp(e->d_name, "syslog") != 0)
			unlinkat(c.store, e->d_name, 0);
	closedir(d);
}

static void begin(enum fault kind, unsigned n)
{
	memset(c.taps, 0, sizeof(c.taps));
	memset(c.cut, 0, sizeof(c.cut));
	c.starts = c.turns = 0;
	c.set_aside = false;
	c.last[0] = '\0';
	for (int i = 0; i < SPACES; i++)
		kernel_up(&c.ns[i], (uint64_t)i + 1);
	memset(faults.calls, 0, sizeof(faults.calls));
	faults.kind = kind;
	faults.fail_at = n;
	faults.failed = false;
	faults.clock = INT64_C(1800000000) * SECOND;
}

static void stop(void)
{
	const struct lg_head m = { .type = LG_STOP };

	if (!c.runs)
		return;
	say(&m, sizeof(m), NULL, 0);
	for (int i = 0; c.runs; i++) {
		logger_runs_once();
		controller_turn();
		assert_true(i < 1000);
	}
}

static void live(void)
{
	run_for(SECOND / 2);
	for (uint16_t i = 0; i < 4; i++) {
		kernel_deny(&c.ns[0], 1, i % 2 ? IPPROTO_UDP : IPPROTO_TCP, (uint16_t)(5000 + i),
			    1);
		kernel_deny(&c.ns[1], 2, IPPROTO_TCP, (uint16_t)(6000 + i), i + 1u);
	}
	run_for(SECOND * 5 / 4);
	stop(); /* and its successor goes on from its sums */
	kernel_deny(&c.ns[0], 1, IPPROTO_TCP, 5000, 1);
	run_for(SECOND / 2);
	for (unsigned i = 0; i < FLOOD_FLOWS; i++)
		kernel_deny(&c.ns[0], 100 + i, IPPROTO_UDP, 53, 3);
	kernel_deny(&c.ns[0], 1, IPPROTO_TCP, 5000, 7);
	run_for(SECOND * 7 / 2);
	say(&(struct lg_head) { .type = LG_REOPEN }, sizeof(struct lg_head), NULL, 0);
	kernel_deny(&c.ns[0], 101, IPPROTO_UDP, 53, 2); /* it was retired */
	kernel_deny(&c.ns[1], 2, IPPROTO_TCP, 6000, 1);
	detach(1);
	run_for(SECOND * 2);
	kernel_deny(&c.ns[0], 1, IPPROTO_TCP, 5005, 2);
	run_for(SECOND / 4);
	stop();
}

/* --- what is left of it ------------------------------------------------------------------------ */

struct sums {
	uint64_t denied, recorded, not_recorded, records;
};

static int on_account(const struct flows_account *a, void *arg)
{
	struct sums *s = (struct sums *)arg + (a->netns - 1);

	s->denied += a->denied;
	s->recorded += a->recorded;
	s->not_recorded += a->not_recorded;
	return 0;
}

static int on_record(const struct flow_record *rec, void *arg)
{
	((struct sums *)arg)[strcmp(rec->endpoint_id, "shop/two") == 0].records += rec->packets;
	return 0;
}

static void read_sums(struct sums s[SPACES])
{
	struct bh_err err = BH_ERR_INIT;
	struct flows_reader *r;

	memset(s, 0, SPACES * sizeof(*s));
	if (flows_reader_open(c.store, &r, &err) < 0)
		return;
	(void)flows_sums(r, on_account, s, &err);
	(void)flows_query(r, &(struct flows_filter) { 0 }, &(struct flows_order) { 0 }, on_record,
			  s, NULL, NULL, &err);
	flows_reader_close(r);
}

static bool is_sum(int i, const struct sums *s)
{
	/* who was cut off at its end has no later reading; its sums agree all the same */
	return s->denied == s->recorded + s->not_recorded && s->records == s->recorded &&
	       (s->denied == c.ns[i].denied || (c.cut[i] && s->denied <= c.ns[i].denied));
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
	check(faults.failed == (n > 0), "it was not called as often", n);
	check(!c.set_aside, "a history that nobody has damaged was set aside", n);
	for (int i = 0; i < SPACES; i++)
		kernel_down(&c.ns[i]);
	remove_files();
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

static int bind_syslog(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	memcpy(a.sun_path, c.syslog_path, sizeof(c.syslog_path));
	c.syslog = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return c.syslog < 0 ? -1 : bind(c.syslog, (const struct sockaddr *)&a, sizeof(a));
}

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
	snprintf(c.path, sizeof(c.path), "/tmp/bulkhead-torture-XXXXXX");
	if (!mkdtemp(c.path))
		return -1;
	snprintf(c.syslog_path, sizeof(c.syslog_path), "%s/syslog", c.path);
	snprintf(c.file_path, sizeof(c.file_path), "%s/out.json", c.path);
	c.store = open(c.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c.store < 0 || bind_syslog() < 0)
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
	unlinkat(c.store, "syslog", 0);
	close(c.syslog);
	close(c.store);
	return rmdir(c.path);
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
