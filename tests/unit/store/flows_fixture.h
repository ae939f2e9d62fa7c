/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_UNIT_STORE_FLOWS_FIXTURE_H
#define TESTS_UNIT_STORE_FLOWS_FIXTURE_H

#include "fixture.h"

#include <sys/socket.h>

#include <bulkhead/store/flows.h>

#include "../../../src/store/flows_db.h"

/* Histories of flows for tests: a directory, a clock, records. */

#define SECOND INT64_C(1000000)
#define DAY    (86400 * SECOND)
#define T0     (INT64_C(1800000000) * SECOND)

static int dir = -1;

static inline int make_history(void **state)
{
	notices[0] = '\0';
	if (make_top(state) != 0)
		return -1;
	dir = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir < 0 ? -1 : 0;
}

static inline int remove_history(void **state)
{
	close(dir);
	return remove_top(state);
}

#define HISTORY(f) cmocka_unit_test_setup_teardown(f, make_history, remove_history)

static inline struct flows *begin(const struct flows_options *o, int64_t now)
{
	struct flows_options with_notices = o ? *o : (struct flows_options) { 0 };
	struct bh_err err = BH_ERR_INIT;
	struct flows *f = NULL;

	with_notices.notice = on_notice;
	if (flows_open(dir, &with_notices, now, &f, &err) < 0)
		fail_msg("%s", err.msg);
	return f;
}

static inline struct flows_reader *read_it(void)
{
	struct bh_err err = BH_ERR_INIT;
	struct flows_reader *r = NULL;

	if (flows_reader_open(dir, &r, &err) < 0)
		fail_msg("%s", err.msg);
	return r;
}

/* payments (container c0ffee...) to 10.0.0.2:6379 at WHEN */
static inline struct flow_record plain(int64_t when)
{
	struct flow_record r = {
		.first_seen = when,
		.last_seen = when,
		.packets = 1,
		.bytes = 60,
		.proto = 6,
		.source = { .addr = { AF_INET, { 10, 0, 0, 1 } },
			    .has_port = true,
			    .port = 40000,
			    .endpoint = "c0ffee",
			    .service = "payments",
			    .name = "pay-1" },
		.destination = { .addr = { AF_INET, { 10, 0, 0, 2 } },
				 .has_port = true,
				 .port = 6379,
				 .endpoint = "1edge7",
				 .service = "ledger,books",
				 .name = "ledger-1" },
		.has_tcp_flags = true,
		.tcp_flags = 2,
		.interface = "eth0",
		.endpoint_id = "c0ffee",
		.endpoint_name = "pay-1",
		.runtime = "docker",
		.service = "payments",
		.owner = "team-payments",
		.has_uid = true,
		.uid = 1000,
		.rule_name = "default-deny",
		.rule_file = "policies/payments.yaml",
		.rule_line = 14,
		.reason = "payments may reach ledger on 5432/tcp, not 6379/tcp",
		.host = "node-1",
		.generation = "3f0c9a12b4d5e6f7",
	};

	return r;
}

static inline void add(struct flows *f, const struct flow_record *r)
{
	assert_true(flows_add(f, r) >= 0);
}

static inline void commit(struct flows *f, int64_t now)
{
	if (flows_commit(f, now) < 0)
		fail_msg("%s", flows_trouble(f));
}

/* What a question gave. */
static struct flow_record got[4096];
static size_t n_got;

static inline int on_got(const struct flow_record *rec, void *arg)
{
	assert_true(n_got < BH_ARRAY_SIZE(got));
	got[n_got++] = *rec;
	return 0;
}

static inline size_t ask_ordered(struct flows_reader *r, const struct flows_filter *f,
				 const struct flows_order *o, struct flows_cursor *end, bool *more)
{
	struct bh_err err = BH_ERR_INIT;

	n_got = 0;
	if (flows_query(r, f, o, on_got, NULL, end, more, &err) < 0)
		fail_msg("%s", err.msg);
	return n_got;
}

static inline size_t ask(struct flows_reader *r, const struct flows_filter *f)
{
	const struct flows_order o = { 0 };

	return ask_ordered(r, f, &o, NULL, NULL);
}

static inline size_t count_all(void)
{
	const struct flows_filter f = { 0 };
	struct flows_reader *r = read_it();
	size_t n = ask(r, &f);

	flows_reader_close(r);
	return n;
}

#endif
