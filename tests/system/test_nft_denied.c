/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nft.h"

#include <arpa/inet.h>

#include <bulkhead/base/limits.h>

/*
 * Packets that the container sends, and what the table says of them: counters, and the sets of
 * denied flows. The other end of the wire is in the same namespace, where nobody answers. Root.
 */

static struct place here;
static struct fx f;
static int sock4 = -1, sock6 = -1;

static int open_udp(int family)
{
	struct bh_err err = BH_ERR_INIT;
	int fd = -1;

	if (netns_socket(here.fd, family, SOCK_DGRAM, 0, &fd, &err) < 0)
		fail_msg("%s", err.msg);
	return fd;
}

static int setup(void **state)
{
	uint32_t rule;

	place_open(&here);
	place_do(&here,
		 "exec 2>&1; set -e; ip link add eth0 type veth peer name eth1; "
		 "ip link set eth1 up; ip link set eth0 up; ip addr add 10.9.0.1/16 dev eth0; "
		 "ip addr add fd09::1/64 dev eth0 nodad; "
		 "ip neigh add 10.9.0.53 lladdr 02:00:00:00:00:53 dev eth0; "
		 "ip neigh add fd09::53 lladdr 02:00:00:00:00:53 dev eth0");
	fx_init(&f);
	rule = fx_rule(&f, "web.out.dns", "p.yaml:1");
	fx_add(&f, 0, ENTRY_EXACT, "10.9.0.53", FX_UDP(53, 53), rule, 0);
	fx_add(&f, 0, ENTRY_EXACT, "fd09::53", FX_UDP(53, 53), rule, 0);
	fx_finish(&f);
	place_apply(&here, &f.r);
	sock4 = open_udp(AF_INET);
	sock6 = open_udp(AF_INET6);
	return 0;
}

static int teardown(void **state)
{
	close(sock4);
	close(sock6);
	fx_done(&f);
	place_close(&here);
	return 0;
}

/* A datagram of LEN bytes; did it leave? */
static bool send_to(const char *addr, uint16_t port, size_t len)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
	static const char data[1000];
	ssize_t n;

	if (inet_pton(AF_INET, addr, &in.sin_addr) == 1) {
		n = sendto(sock4, data, len, 0, (struct sockaddr *)&in, sizeof(in));
	} else {
		assert_int_equal(inet_pton(AF_INET6, addr, &in6.sin6_addr), 1);
		n = sendto(sock6, data, len, 0, (struct sockaddr *)&in6, sizeof(in6));
	}
	assert_true(n == (ssize_t)len || errno == EPERM);
	return n >= 0;
}

/* --- what the kernel remembers --------------------------------------------------------------- */

#define FLOWS_MAX 5000

static struct nft_denied flows[FLOWS_MAX];
static size_t n_flows;

static int on_flow(const struct nft_denied *d, void *arg)
{
	assert_true(n_flows < FLOWS_MAX);
	flows[n_flows++] = *d;
	return 0;
}

static void dump(void)
{
	struct bh_err err = BH_ERR_INIT;

	n_flows = 0;
	if (nft_denied_dump(&here.s, on_flow, NULL, &err) < 0)
		fail_msg("%s", err.msg);
}

static const struct nft_denied *flow_to(const char *addr, uint16_t port)
{
	char text[BH_ADDR_STR];

	for (size_t i = 0; i < n_flows; i++)
		if (strcmp(bh_addr_format(text, &flows[i].destination), addr) == 0 &&
		    flows[i].port == port)
			return &flows[i];
	return NULL;
}

static struct nft_totals totals(void)
{
	struct nft_totals t;

	assert_int_equal(nft_denied_totals(&here.s, &t, NULL), 0);
	return t;
}

static struct nft_rule_count allowed(void)
{
	struct nft_rule_count c;
	struct nft_state st;

	place_read(&here, &st);
	assert_true(st.intact);
	assert_int_equal(st.ruleset->n_rules, 1);
	c = st.rule_counts[0];
	nft_state_done(&st);
	return c;
}

static void test_allowed(void **state)
{
	for (int i = 0; i < 3; i++) {
		assert_true(send_to("10.9.0.53", 53, 100));
		assert_true(send_to("fd09::53", 53, 100));
	}
	assert_int_equal(allowed().packets, 6);
	assert_int_equal(allowed().bytes, 3 * (128 + 148));
	assert_int_equal(totals().denied[DIRECTION_EGRESS], 0);
	dump();
	assert_int_equal(n_flows, 0);
}

static void test_denied(void **state)
{
	const struct nft_denied *d;
	char text[BH_ADDR_STR];

	for (int i = 0; i < 3; i++) {
		assert_false(send_to("10.9.0.53", 54, 100));
		assert_false(send_to("fd09::53", 443, 100));
	}
	assert_false(send_to("10.9.0.54", 53, 0));
	dump();
	assert_int_equal(n_flows, 3);
	d = flow_to("10.9.0.53", 54);
	assert_non_null(d);
	assert_int_equal(d->direction, DIRECTION_EGRESS);
	assert_string_equal(bh_addr_format(text, &d->source), "10.9.0.1");
	assert_int_equal(d->proto, IPPROTO_UDP);
	/* The first packet makes the element, and is counted in it. */
	assert_int_equal(d->packets, 3);
	assert_int_equal(d->bytes, 3 * 128);
	assert_in_range(d->expires_ms, BH_DENIED_TIMEOUT_MS - 60000, BH_DENIED_TIMEOUT_MS);
	d = flow_to("fd09::53", 443);
	assert_non_null(d);
	assert_string_equal(bh_addr_format(text, &d->source), "fd09::1");
	assert_int_equal(d->packets, 3);
	assert_non_null(flow_to("10.9.0.54", 53));
	assert_int_equal(totals().denied[DIRECTION_EGRESS], 7);
	assert_int_equal(totals().denied[DIRECTION_INGRESS], 0);
	assert_int_equal(allowed().packets, 0);
}

/* Each flow's last count, exactly once; what was not there makes no noise. */
static void test_retire(void **state)
{
	struct nft_denied keys[3];

	assert_false(send_to("10.9.0.53", 54, 100));
	assert_false(send_to("fd09::53", 443, 100));
	dump();
	assert_int_equal(n_flows, 2);
	keys[0] = flows[0];
	keys[1] = flows[1];
	keys[2] = flows[0];
	keys[2].port = 9;                            /* never seen */
	assert_false(send_to("10.9.0.53", 54, 100)); /* after it was listed, before it goes */
	n_flows = 0;
	assert_int_equal(nft_denied_retire(&here.s, keys, 3, on_flow, NULL, NULL), 0);
	assert_int_equal(n_flows, 2);
	assert_int_equal(flow_to("10.9.0.53", 54)->packets, 2);
	assert_int_equal(flow_to("fd09::53", 443)->packets, 1);
	n_flows = 0;
	assert_int_equal(nft_denied_retire(&here.s, keys, 3, on_flow, NULL, NULL), 0);
	assert_int_equal(n_flows, 0);
	dump();
	assert_int_equal(n_flows, 0);
	assert_false(send_to("10.9.0.53", 54, 100)); /* and begins anew */
	dump();
	assert_int_equal(n_flows, 1);
	assert_int_equal(flows[0].packets, 1);
}

/* More flows than a set holds: it stays bounded, and not a packet is left out of the sum. */
static void test_overflow(void **state)
{
	const unsigned sent = BH_DENIED_SET_SIZE + 500;
	uint64_t in_sets = 0;
	struct nft_totals t;

	for (unsigned i = 0; i < sent; i++)
		assert_false(send_to("10.9.0.77", (uint16_t)(1000 + i), 10));
	dump();
	assert_in_range(n_flows, 1, BH_DENIED_SET_SIZE);
	for (size_t i = 0; i < n_flows; i++)
		in_sets += flows[i].packets;
	t = totals();
	assert_int_equal(t.denied[DIRECTION_EGRESS], sent);
	assert_true(in_sets < sent);
	assert_true(send_to("10.9.0.53", 53, 10)); /* what is allowed does not suffer */
}

/* A thousand at a time, with echoes of all of them. */
static void test_retire_many(void **state)
{
	static struct nft_denied keys[1000];

	for (unsigned i = 0; i < 1000; i++)
		assert_false(send_to("fd09::77", (uint16_t)(1000 + i), 10));
	dump();
	assert_int_equal(n_flows, 1000);
	memcpy(keys, flows, sizeof(keys));
	n_flows = 0;
	assert_int_equal(nft_denied_retire(&here.s, keys, 1000, on_flow, NULL, NULL), 0);
	assert_int_equal(n_flows, 1000);
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(flow_to("fd09::77", (uint16_t)(1000 + i))->packets, 1);
	dump();
	assert_int_equal(n_flows, 0);
}

/* A change in place forgets neither denied flows nor counts; a table made anew keeps the counts. */
static void test_kept_over_changes(void **state)
{
	assert_false(send_to("10.9.0.53", 54, 100));
	assert_true(send_to("10.9.0.53", 53, 100));
	fx_add(&f, 0, ENTRY_HOST, "10.9.0.99", FX_ALL, 0, 0);
	fx_finish(&f);
	place_apply(&here, &f.r);
	dump();
	assert_int_equal(n_flows, 1);
	assert_int_equal(totals().denied[DIRECTION_EGRESS], 1);
	assert_int_equal(allowed().packets, 1);
	place_do(&here, "nft add chain inet bulkhead foreign");
	place_apply(&here, &f.r);
	assert_int_equal(totals().denied[DIRECTION_EGRESS], 1);
	assert_int_equal(allowed().packets, 1);
	dump();
	assert_int_equal(n_flows, 0);
}

static void test_audit(void **state)
{
	f.r.mode = MODE_AUDIT;
	place_apply(&here, &f.r);
	assert_true(send_to("10.9.0.53", 54, 100));
	dump();
	assert_int_equal(n_flows, 1);
	assert_int_equal(totals().denied[DIRECTION_EGRESS], 1);
	f.r.mode = MODE_ENFORCE;
	place_apply(&here, &f.r);
	assert_false(send_to("10.9.0.53", 54, 100));
	assert_int_equal(totals().denied[DIRECTION_EGRESS], 2);
}

/* Not logged: dropped and counted, and no list to read. */
static void test_silent(void **state)
{
	f.r.log_denied = false;
	place_apply(&here, &f.r);
	assert_false(send_to("10.9.0.53", 54, 100));
	dump();
	assert_int_equal(n_flows, 0);
	assert_int_equal(totals().denied[DIRECTION_EGRESS], 1);
}

/* No table at all. */
static void test_no_table(void **state)
{
	assert_int_equal(nft_remove(&here.s, NULL, NULL), 0);
	dump();
	assert_int_equal(n_flows, 0);
	assert_int_equal(totals().denied[DIRECTION_EGRESS], 0);
	assert_true(send_to("10.9.0.53", 54, 100));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_allowed),  CASE(test_denied),      CASE(test_retire),
		CASE(test_overflow), CASE(test_retire_many), CASE(test_kept_over_changes),
		CASE(test_audit),    CASE(test_silent),      CASE(test_no_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
