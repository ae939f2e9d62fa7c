/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Makes a small history of flows in DIR, as the logger does, from SECONDS (since the epoch) on: what
 * tests of its readers look at. The one of 1800000000 is tests/fuzz/corpus/flows/shop.
 * usage: history DIR SECONDS
 */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/store/flows.h>

#define SECOND INT64_C(1000000)

static int64_t t0;

static void notice(const char *text, void *arg)
{
	fprintf(stderr, "history: %s\n", text);
}

static void set(char *out, size_t size, const char *s)
{
	snprintf(out, size, "%s", s);
}
#define SET(member, s) set(member, sizeof(member), s)

/* payments is refused by the third line of its policy. */
static struct flow_record payments(int64_t second, uint64_t packets)
{
	struct flow_record r = {
		.first_seen = t0 + second * SECOND + 204000,
		.last_seen = t0 + second * SECOND + 204000,
		.packets = packets,
		.bytes = 60 * packets,
		.proto = 6,
		.source = { .addr = { AF_INET, { 10, 77, 1, 4 } } },
		.destination = { .addr = { AF_INET, { 10, 77, 1, 7 } },
				 .has_port = true,
				 .port = 6379 },
		.has_uid = true,
		.has_gid = true,
		.uid = 1000,
		.gid = 1000,
		.rule_line = 14,
		.process = { .pid = 4242 },
	};

	SET(r.service, "payments");
	SET(r.owner, "team-payments");
	SET(r.endpoint_id, "shop/payments");
	SET(r.endpoint_name, "payments");
	SET(r.runtime, "netns");
	SET(r.netns, "/run/netns/payments");
	SET(r.interface, "eth0");
	SET(r.source.endpoint, "shop/payments");
	SET(r.source.service, "payments");
	SET(r.source.name, "payments");
	SET(r.destination.endpoint, "shop/ledger");
	SET(r.destination.service, "ledger");
	SET(r.destination.name, "ledger");
	SET(r.process.comm, "python3");
	SET(r.process.exe, "/usr/bin/python3.13");
	SET(r.rule_name, "default-deny");
	SET(r.rule_file, "policies/payments.yaml");
	SET(r.reason,
	    "payments may reach ledger on 5432/tcp, not 6379/tcp: policies/payments.yaml:16");
	SET(r.near_miss,
	    "payments.out.ledger allows 5432/tcp to ledger (policies/payments.yaml:16)");
	SET(r.host, "node-1");
	SET(r.generation, "3f0c9a12b4d5e6f7");
	return r;
}

static struct flow_record first_packet(void)
{
	static const uint8_t syn[] = { 0x45, 0,    0,    0x3c, 0,    1,    0x40, 0,  0x40, 6,
				       0,    0,    10,   77,   1,    4,    10,   77, 1,    7,
				       0xbf, 0xf6, 0x18, 0xeb, 0,    0,    0,    1,  0,    0,
				       0,    0,    0xa0, 2,    0xfa, 0xf0, 0,    0,  0,    0 };
	struct flow_record r = payments(0, 1);

	r.source.has_port = true;
	r.source.port = 49142;
	r.has_tcp_flags = true;
	r.tcp_flags = 2;
	record_packet_set(&r.packet, syn, sizeof(syn), 0, 60);
	return r;
}

static struct flow_record ledger(void)
{
	struct flow_record r = payments(5, 2);

	r.direction = DIRECTION_INGRESS;
	r.has_uid = r.has_gid = false;
	r.uid = r.gid = 0;
	r.process = (struct record_process) { 0 };
	SET(r.service, "ledger");
	SET(r.endpoint_id, "shop/ledger");
	SET(r.endpoint_name, "ledger");
	SET(r.rule_file, "policies/ledger.yaml");
	return r;
}

static struct flow_record metadata(void)
{
	struct flow_record r = payments(3600, 3);

	r.destination = (struct record_end) { .addr = { AF_INET, { 169, 254, 169, 254 } },
					      .has_port = true,
					      .port = 80 };
	r.rule_kind = RECORD_GUARDRAIL;
	SET(r.rule_name, "no-metadata");
	SET(r.service, "web");
	SET(r.endpoint_id, "f36c8926de31f36c8926de31f36c8926de31f36c8926de31f36c8926de31aaaa");
	SET(r.endpoint_name, "web-1");
	SET(r.reason, "the guardrail no-metadata denies 169.254.169.254");
	r.near_miss[0] = '\0';
	return r;
}

static struct flow_record build(void)
{
	struct flow_record r = payments(7200, 1);

	r.verdict = RECORD_AUDIT;
	r.proto = 17;
	r.destination = (struct record_end) {
		.addr = { AF_INET6, { 0x20, 1, 0xd, 0xb8, [15] = 1 } }, .has_port = true, .port = 53
	};
	r.source.addr = (struct bh_addr) { AF_INET6, { 0xfd, [15] = 4 } };
	r.uid = 0;
	SET(r.service, "build");
	SET(r.endpoint_id, "shop/build");
	SET(r.endpoint_name, "build \033[31m\xe2\x80\xae evil");
	r.process = (struct record_process) { .unknown = "its socket was closed" };
	return r;
}

/* The next day. */
static struct flow_record flood(void)
{
	struct flow_record r = payments(86400, 100000);

	r.last_seen += 30 * SECOND;
	r.aggregated = true;
	r.flows = 5000;
	r.bytes = 0;
	r.proto = 0;
	r.source = r.destination = (struct record_end) { 0 };
	r.has_uid = r.has_gid = false;
	r.uid = r.gid = 0;
	r.process = (struct record_process) { 0 };
	r.n_samples = 1;
	r.samples[0] = (struct record_sample) { { AF_INET, { 10, 77, 1, 7 } }, 6, 22 };
	SET(r.reason, "payments sent packets of many flows that nothing allows");
	r.near_miss[0] = '\0';
	return r;
}

static void put_sums(struct flows *f, const char *endpoint, const char *name, enum direction d,
		     uint64_t recorded, uint64_t not_recorded)
{
	struct flows_account a = { .netns = 4026532001,
				   .direction = d,
				   .denied = recorded + not_recorded,
				   .recorded = recorded,
				   .not_recorded = not_recorded,
				   .counter = recorded + not_recorded,
				   .when = t0 + 86430 * SECOND };

	SET(a.endpoint, endpoint);
	SET(a.name, name);
	snprintf(a.service, sizeof(a.service), "%.*s", (int)strcspn(name, "-"), name);
	flows_put_account(f, &a);
}

static void fill(struct flows *f)
{
	const struct flow_record records[] = { first_packet(), payments(1, 40), payments(30, 7),
					       ledger(),       metadata(),      build(),
					       flood() };
	struct flow_signal first = { .kind = SIGNAL_FIRST_DENIED,
				     .when = records[0].first_seen,
				     .record = records[0] },
			   scope = { .kind = SIGNAL_INTO_SCOPE,
				     .when = records[3].first_seen + 1,
				     .record = records[3] };

	SET(first.reason, "payments was never denied to ledger before");
	SET(scope.reason, "payments, outside cde, tried to get into it");
	for (size_t i = 0; i < BH_ARRAY_SIZE(records); i++)
		flows_add(f, &records[i]);
	flows_add_signal(f, &first);
	flows_add_signal(f, &scope);
	put_sums(f, "shop/payments", "payments", DIRECTION_EGRESS, 100048, 5);
	put_sums(f, "shop/ledger", "ledger", DIRECTION_INGRESS, 2, 0);
	put_sums(f, "f36c8926de31f36c8926de31f36c8926de31f36c8926de31f36c8926de31aaaa", "web-1",
		 DIRECTION_EGRESS, 3, 0);
	put_sums(f, "shop/build", "build", DIRECTION_EGRESS, 1, 1);
}

int main(int argc, char **argv)
{
	const struct flows_options o = { .notice = notice };
	struct flows *f = NULL;
	int dir = argc == 3 ? open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (dir < 0) {
		fputs("usage: history DIR SECONDS\n", stderr);
		return 2;
	}
	t0 = strtoll(argv[2], NULL, 10) * SECOND;
	if (flows_open(dir, &o, t0, &f, NULL) < 0)
		return 1;
	fill(f);
	if (flows_commit(f, t0 + 86430 * SECOND) < 0)
		return 1;
	flows_close(f, t0 + 86430 * SECOND);
	return 0;
}
