/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_OUTPUTS_FIXTURE_H
#define TESTS_OUTPUTS_FIXTURE_H

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>
#include <bulkhead/outputs/format.h>
#include <bulkhead/outputs/outputs.h>

/* Records and signals to hand out, a directory, a clock, and a book of what was told. */

/* 2026-11-23T09:00:01.204Z */
#define SEEN INT64_C(1795424401204000)

static const struct flow_record sample = {
	.first_seen = SEEN,
	.last_seen = SEEN + 1500000,
	.verdict = RECORD_DENY,
	.direction = DIRECTION_EGRESS,
	.packets = 3,
	.bytes = 180,
	.proto = IPPROTO_TCP,
	.source = { { AF_INET, { 10, 77, 1, 4 } },
		    true,
		    49142,
		    "shop/payments",
		    "payments",
		    "payments",
		    "pci" },
	.destination = { { AF_INET, { 10, 77, 1, 7 } },
			 true,
			 6379,
			 "shop/ledger",
			 "ledger",
			 "ledger",
			 "pci" },
	.has_tcp_flags = true,
	.tcp_flags = 2,
	.interface = "eth0",
	.endpoint_id = "shop/payments",
	.endpoint_name = "payments",
	.runtime = "docker",
	.image = "registry.example/payments:7",
	.netns = "/run/docker/netns/3f0c",
	.service = "payments",
	.owner = "team-payments",
	.scope = "pci",
	.has_uid = true,
	.has_gid = true,
	.uid = 1000,
	.gid = 1001,
	.process = { 4242, "redis-cli", "/usr/bin/redis-cli", NULL },
	.rule_kind = RECORD_DEFAULT_DENY,
	.rule_name = "default-deny",
	.rule_file = "policies/payments.yaml",
	.rule_line = 14,
	.reason = "payments may reach ledger on 5432/tcp, not 6379/tcp: policies/payments.yaml:16",
	.near_miss = "payments.out.ledger allows 5432/tcp to ledger (policies/payments.yaml:16)",
	.other_side = "ledger denies it too (policies/ledger.yaml:3)",
	.host = "node-1",
	.generation = "3f0c9a12b4d5e6f7",
};

static inline struct flow_signal signal_sample(void)
{
	return (struct flow_signal) {
		.kind = SIGNAL_PORT_SCAN,
		.when = SEEN + 2000000,
		.record = sample,
		.window_s = 60,
		.ports = 120,
		.peers = 2,
		.reason = "payments tried 120 ports of 2 peers within 60 seconds",
	};
}

/* --- a place ----------------------------------------------------------------------------------- */

struct place {
	char dir[64];
	char told[16][512]; /* what notice() was told */
	size_t n_told;
	struct outputs *o;
};

static struct place place;
static int64_t now = 1000000;

static inline int64_t clock_of_test(void)
{
	return now;
}

static inline void wait_ms(int64_t ms)
{
	now += ms * 1000;
}

static inline void on_notice(const char *sentence, void *arg)
{
	assert_ptr_equal(arg, &place);
	assert_true(place.n_told < 16);
	snprintf(place.told[place.n_told++], sizeof(place.told[0]), "%s", sentence);
}

static inline int place_open(void **state)
{
	place = (struct place) { .dir = "/tmp/bulkhead-outputs-XXXXXX" };
	return mkdtemp(place.dir) ? 0 : -1;
}

static inline int place_close(void **state)
{
	char command[128];

	outputs_close(place.o);
	place.o = NULL;
	snprintf(command, sizeof(command), "rm -rf %s", place.dir);
	return system(command);
}

/* NAME in the place; static, four at a time. */
static inline const char *in_place(const char *name)
{
	static char paths[4][128];
	static unsigned turn;
	char *path = paths[turn++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", place.dir, name);
	return path;
}

static inline void open_outputs(const struct host_output *list, size_t n)
{
	const struct outputs_options opts = { on_notice, &place, clock_of_test };
	struct bh_err err = BH_ERR_INIT;

	assert_int_equal(outputs_open(list, n, &opts, &place.o, &err), 0);
}

static inline struct output_state state_of(size_t i)
{
	struct output_state st;

	outputs_state(place.o, i, &st);
	return st;
}

static inline char *read_all(const char *path)
{
	char *text;
	size_t len;

	if (bh_read_file(path, 64u << 20, &text, &len) < 0)
		return NULL;
	assert_int_equal(strlen(text), len);
	return text;
}

static inline size_t lines_in(const char *path)
{
	bh_autofree char *text = read_all(path);
	size_t n = 0;

	for (const char *s = text; s && *s; s++)
		n += *s == '\n';
	return n;
}

#endif
