/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>

#include <cmocka.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/nft/counts.h>

#include "logger_link.h"

/* What the logger says, when it is not itself any more. */

static struct link l;
static unsigned asked;

/* What nft_counts_ask() sends to the kernel. */
ssize_t sendto(int fd, const void *buf, size_t len, int flags, const struct sockaddr *to,
	       socklen_t to_len)
{
	asked++;
	return (ssize_t)len;
}

static int setup(void **state)
{
	asked = 0;
	return link_up(&l);
}

static int teardown(void **state)
{
	link_down(&l);
	return 0;
}

/* A copy that ends where the message ends. */
static void hear(const void *m, size_t len)
{
	bh_autofree void *copy = malloc(len ? len : 1);

	assert_non_null(copy);
	memcpy(copy, m, len);
	logger_serve(&l.k, copy, len);
}

static char answer[BH_LOGGER_MESSAGE] __attribute__((aligned(16)));

/* Its length; 0: there is none. */
static size_t answered(void)
{
	int fds[CHANNEL_FDS_MAX];
	size_t n_fds;
	ssize_t n = channel_receive(l.far, answer, sizeof(answer), fds, &n_fds);

	assert_int_equal(n_fds, 0);
	return n < 0 ? 0 : (size_t)n;
}

static void test_too_short(void **state)
{
	static const struct {
		uint32_t type;
		size_t least;
	} kinds[] = {
		{ LG_READY, sizeof(struct lg_head) },
		{ LG_ASK, sizeof(struct lg_ask) },
		{ LG_RETIRE, offsetof(struct lg_flows, flows) },
		{ LG_WHO, sizeof(struct lg_who) },
		{ LG_DETACHED, sizeof(struct lg_head) },
		{ LG_STATS, sizeof(struct lg_stats) },
		{ LG_SYNCED, sizeof(struct lg_sync) },
		{ LG_NOTICE, sizeof(struct lg_notice) },
	};
	char m[4096] __attribute__((aligned(16)));

	memset(m, 0xff, sizeof(m));
	for (size_t i = 0; i < BH_ARRAY_SIZE(kinds); i++) {
		((struct lg_head *)m)->type = kinds[i].type;
		((struct lg_head *)m)->netns = LINK_NETNS;
		for (size_t n = 0; n < kinds[i].least; n++)
			hear(m, n);
	}
	assert_false(l.k.ready);
	assert_true(l.tap->attached);
	assert_int_equal(l.k.state.records, 0);
	assert_int_equal(asked, 0);
	assert_int_equal(answered(), 0);
}

/* What only the controller says, and what nobody does. */
static void test_unknown(void **state)
{
	const uint32_t types[] = { LG_HELLO,  LG_OUTPUT,     LG_GO,      LG_SITE,   LG_ATTACH,
				   LG_DETACH, LG_RETIRED,    LG_PROCESS, LG_REOPEN, LG_STOP,
				   LG_SYNC,   LG_NOTICE + 1, UINT32_MAX };
	struct lg_flows m = { 0 };

	for (size_t i = 0; i < BH_ARRAY_SIZE(types); i++) {
		m.head = (struct lg_head) { .type = types[i], .netns = LINK_NETNS };
		hear(&m, sizeof(m));
	}
	assert_false(l.k.ready);
	assert_true(l.tap->attached);
	assert_int_equal(asked, 0);
	assert_int_equal(answered(), 0);
}

static void ask(uint64_t netns, uint32_t question)
{
	const struct lg_ask m = { .head = { .type = LG_ASK, .netns = netns },
				  .question = question };

	hear(&m, sizeof(m));
}

static void test_questions(void **state)
{
	ask(LINK_NETNS, NFT_ASK_TOTALS);
	ask(LINK_NETNS, NFT_ASK_FLOWS6);
	assert_int_equal(asked, 2);
	ask(LINK_NETNS, NFT_ASKS);
	ask(LINK_NETNS, UINT32_MAX);
	ask(LINK_NETNS + 1, NFT_ASK_TOTALS);
	ask(0, NFT_ASK_TOTALS);
	assert_int_equal(asked, 2);
}

/* As many as anybody needs, and no more: each is work of the kernel. */
static void test_too_many_questions(void **state)
{
	for (int i = 0; i < 10000; i++)
		ask(LINK_NETNS, NFT_ASK_FLOWS4);
	assert_true(asked >= 100 && asked <= 1000);
}

static void test_retire(void **state)
{
	struct lg_flows m = { .head = { .type = LG_RETIRE, .netns = LINK_NETNS }, .last = 7 };
	const struct lg_flows *r = (const void *)answer;

	memset(m.flows, 0xff, sizeof(m.flows));
	m.n = LG_FLOWS_MAX + 1; /* more than there may be */
	hear(&m, sizeof(m));
	m.n = UINT32_MAX;
	hear(&m, sizeof(m));
	m.n = 2; /* more than there are */
	hear(&m, LG_FLOWS_SIZE(1));
	assert_int_equal(answered(), 0);
	m.n = LG_FLOWS_MAX; /* of a namespace that is not held */
	hear(&m, sizeof(m));
	assert_int_equal(answered(), LG_FLOWS_SIZE(0));
	assert_int_equal(r->head.type, LG_RETIRED);
	assert_int_equal(r->n, 0);
	assert_int_equal(r->last, 1);
}

static void test_who(void **state)
{
	struct lg_who m;
	const struct lg_process *p = (const void *)answer;

	memset(&m, 0xff, sizeof(m));
	m.head = (struct lg_head) { .type = LG_WHO, .netns = LINK_NETNS };
	m.cookie = 42;
	hear(&m, sizeof(m));
	assert_int_equal(answered(), sizeof(*p));
	assert_int_equal(p->cookie, 42);
	assert_int_equal(p->pid, 0);
	assert_string_equal(p->unknown, "its namespace has gone");
}

static void test_detached(void **state)
{
	struct lg_head m = { .type = LG_DETACHED, .netns = LINK_NETNS + 1 };

	hear(&m, sizeof(m));
	assert_true(l.tap->attached);
	m.netns = LINK_NETNS; /* nobody asked for it: it is handed over again */
	hear(&m, sizeof(m));
	assert_false(l.tap->attached);
	assert_ptr_equal(taps_find(&l.k, LINK_NETNS), l.tap);
	l.tap->detaching = true;
	hear(&m, sizeof(m));
	assert_null(taps_find(&l.k, LINK_NETNS));
	hear(&m, sizeof(m));
}

/* Numbers of one run only grow; one that says less is not taken back, nor does anything overflow. */
static void test_stats(void **state)
{
	struct lg_stats m = { .head.type = LG_STATS, .records = 10, .lost_records = 3 };

	hear(&m, sizeof(m));
	m.records = 4;
	hear(&m, sizeof(m));
	assert_int_equal(l.k.state.records, 10);
	assert_int_equal(l.k.state.lost_records, 3);
	m.records = UINT64_MAX;
	hear(&m, sizeof(m));
	assert_int_equal(l.k.state.lost_records, 3);
}

static void said(const struct lg_notice *m, char *out, size_t cap)
{
	int saved = dup(2), file = memfd_create("said", MFD_CLOEXEC);
	ssize_t n;

	assert_true(saved >= 0 && file >= 0 && dup2(file, 2) == 2);
	hear(m, sizeof(*m));
	assert_int_equal(dup2(saved, 2), 2);
	n = pread(file, out, cap - 1, 0);
	out[n > 0 ? n : 0] = '\0';
	close(saved);
	close(file);
}

static void test_notice(void **state)
{
	struct lg_notice m = { .head.type = LG_NOTICE, .text = "a \033[31m\nline" };
	char out[4096];

	said(&m, out, sizeof(out));
	assert_non_null(strstr(out, "logger: a "));
	assert_null(strchr(out, '\033'));
	assert_ptr_equal(strchr(out, '\n'), out + strlen(out) - 1); /* one line */
	memset(m.text, '\a', sizeof(m.text));                       /* without an end */
	said(&m, out, sizeof(out));
	assert_null(strchr(out, '\a'));
	assert_true(strlen(out) > 0 && strlen(out) < 2 * sizeof(m.text));
}

static uint64_t asked_number(void)
{
	const struct lg_sync *m = (const void *)answer;

	assert_int_equal(answered(), sizeof(*m));
	assert_int_equal(m->head.type, LG_SYNC);
	return m->number;
}

static void synced(uint64_t number)
{
	const struct lg_sync m = { .head.type = LG_SYNCED, .number = number };

	hear(&m, sizeof(m));
}

/* It listens when it has said that it knows all that it was told, in this run of it. */
static void test_listens(void **state)
{
	uint64_t one = 0, two = 0;

	l.k.ready = true;
	l.k.holds = holds_serial(l.c.holds);
	assert_false(logger_listens(&l.k, LINK_NETNS, &one));
	assert_int_equal(asked_number(), one);
	assert_false(logger_listens(&l.k, LINK_NETNS, &two));
	assert_int_equal(asked_number(), two);
	synced(two + 1); /* nobody asked for that */
	assert_false(logger_listens(&l.k, LINK_NETNS, &one));
	synced(one);
	assert_true(logger_listens(&l.k, LINK_NETNS, &one));
	assert_false(logger_listens(&l.k, LINK_NETNS, &two));
	synced(two);
	synced(one);
	assert_true(logger_listens(&l.k, LINK_NETNS, &two));
	assert_int_equal(answered(), 0);

	l.k.sync_void = l.k.sync_asked; /* it has ended, and is another now */
	assert_false(logger_listens(&l.k, LINK_NETNS, &two));
	assert_int_equal(asked_number(), two);
	assert_true(two > one);
	l.tap->attached = false; /* it could not take it */
	synced(two);
	assert_false(logger_listens(&l.k, LINK_NETNS, &two));
	assert_int_equal(two, 0);
}

static void test_ready(void **state)
{
	const struct lg_head m = { .type = LG_READY };

	hear(&m, sizeof(m));
	assert_true(l.k.ready);
	assert_true(l.k.state.since > 0);
}

/* One that does not read what it asked for is given up, and costs no more than the queue. */
static void test_does_not_read(void **state)
{
	struct lg_who m = { .head = { .type = LG_WHO, .netns = LINK_NETNS } };

	for (unsigned i = 0; i < 2 * BH_CHANNEL_QUEUE_MAX; i++)
		hear(&m, sizeof(m));
	assert_true(l.k.given_up);
	assert_true(l.k.line.n <= BH_CHANNEL_QUEUE_MAX);
	assert_int_equal(logger_send(&l.k, &m, sizeof(m), NULL, 0), -EPIPE);
}

/* A line that was closed, or that seems so, can be read for ever: nothing was said by it. */
static void test_closed_line(void **state)
{
	const struct lg_head m = { .type = LG_READY };

	l.k.heard = logger_link_clock() - INT64_C(3600000000);
	assert_int_equal(send(l.far, &m, sizeof(m), 0), sizeof(m));
	assert_true(logger_hear(&l.k)); /* it has something to say yet */
	logger_judge(&l.k);
	assert_false(l.k.given_up);
	assert_int_equal(send(l.far, "", 0, 0), 0);
	assert_int_equal(send(l.far, &m, sizeof(m), 0), sizeof(m));
	assert_int_equal(shutdown(l.far, SHUT_WR), 0);
	assert_false(logger_hear(&l.k));
	logger_judge(&l.k);
	assert_false(l.k.given_up); /* it may just be ending */
	l.k.heard = logger_link_clock() - INT64_C(3600000000);
	logger_judge(&l.k);
	assert_true(l.k.given_up);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_too_short),     T(test_unknown),     T(test_questions),
		T(test_retire),        T(test_who),         T(test_detached),
		T(test_stats),         T(test_notice),      T(test_ready),
		T(test_does_not_read), T(test_closed_line), T(test_too_many_questions),
		T(test_listens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
