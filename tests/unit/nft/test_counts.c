/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fake.h"

#include <endian.h>

#include <bulkhead/nft/counts.h>

#include "../../../src/nft/program.h"

/* Answers to questions that somebody else has asked. */

#define SEQ 77

static struct nft_counts *counts;
static char messages[16384] __attribute__((aligned(16)));
static size_t len;

static int setup(void **state)
{
	counts = nft_counts_new();
	len = 0;
	return counts ? 0 : -1;
}

static int teardown(void **state)
{
	nft_counts_free(counts);
	return 0;
}

static struct nlmsghdr *begin(uint8_t family, uint8_t message)
{
	struct nlmsghdr *nlh = fake_begin(messages + len, family, message);

	nlh->nlmsg_seq = SEQ;
	return nlh;
}

static void end(const struct nlmsghdr *nlh)
{
	len += NLMSG_ALIGN(nlh->nlmsg_len);
	assert_true(len <= sizeof(messages));
}

static void put_total(const char *name, uint8_t family, uint64_t packets)
{
	struct nlmsghdr *nlh = begin(family, NFT_MSG_NEWOBJ);
	struct nlattr *data;

	mnl_attr_put_strz(nlh, NFTA_OBJ_TABLE, NFT_TABLE_NAME);
	mnl_attr_put_strz(nlh, NFTA_OBJ_NAME, name);
	data = mnl_attr_nest_start(nlh, NFTA_OBJ_DATA);
	mnl_attr_put_u64(nlh, NFTA_COUNTER_BYTES, htobe64(1));
	mnl_attr_put_u64(nlh, NFTA_COUNTER_PACKETS, htobe64(packets));
	mnl_attr_nest_end(nlh, data);
	end(nlh);
}

static void put_error(int error, uint32_t seq)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(messages + len);
	struct nlmsgerr *e = mnl_nlmsg_put_extra_header(nlh, sizeof(*e));

	nlh->nlmsg_type = NLMSG_ERROR;
	nlh->nlmsg_seq = seq;
	e->error = error;
	end(nlh);
}

static void put_flow(uint8_t last, uint16_t flags)
{
	struct nlmsghdr *nlh = begin(NFPROTO_INET, NFT_MSG_NEWSETELEM);
	struct nlattr *list, *elem, *key;
	uint8_t bytes[20] = {
		2, 0, 0, 0, 10, 0, 0, 1, 10, 0, 0, last, IPPROTO_UDP, 0, 0, 0, 0, 53
	};

	nlh->nlmsg_flags |= flags;
	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, NFT_TABLE_NAME);
	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, "denied4");
	list = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_LIST_ELEMENTS);
	elem = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
	key = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_KEY);
	mnl_attr_put(nlh, NFTA_DATA_VALUE, sizeof(bytes), bytes);
	mnl_attr_nest_end(nlh, key);
	mnl_attr_nest_end(nlh, elem);
	mnl_attr_nest_end(nlh, list);
	end(nlh);
}

static void put_done(void)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(messages + len);

	nlh->nlmsg_type = NLMSG_DONE;
	nlh->nlmsg_seq = SEQ;
	mnl_nlmsg_put_extra_header(nlh, sizeof(int));
	end(nlh);
}

static int feed_from(uint32_t port)
{
	int r = nft_counts_feed(counts, port, messages, len);

	len = 0;
	return r;
}

static int on_flow(const struct nft_denied *d, void *arg)
{
	unsigned *sum = arg;

	assert_int_equal(d->proto, IPPROTO_UDP);
	assert_int_equal(d->port, 53);
	*sum += d->destination.b[3];
	return 0;
}

/* Counters that are not there are errors on the way; the acknowledgement of the last is the end. */
static void test_totals(void **state)
{
	struct nft_totals t;

	nft_counts_begin(counts, NFT_ASK_TOTALS, SEQ);
	put_total("denied.egress", NFPROTO_INET, 5);
	put_total("denied.ingress", NFPROTO_INET, 6);
	put_total("revoked.egress", NFPROTO_INET, 1);
	assert_int_equal(feed_from(0), 0);
	put_error(-ENOENT, SEQ);
	put_total("raw", NFPROTO_NETDEV, 9);
	put_error(0, SEQ);
	assert_int_equal(feed_from(0), 1);
	nft_counts_totals(counts, &t);
	assert_int_equal(t.denied[DIRECTION_EGRESS], 5);
	assert_int_equal(t.denied[DIRECTION_INGRESS], 6);
	assert_int_equal(t.revoked[DIRECTION_EGRESS], 1);
	assert_int_equal(t.raw, 9);
	nft_counts_begin(counts, NFT_ASK_TOTALS, SEQ);
	put_error(0, SEQ);
	assert_int_equal(feed_from(0), 1);
	nft_counts_totals(counts, &t);
	assert_int_equal(t.raw, 0); /* nothing is left of the answer before */
}

static void test_flows(void **state)
{
	unsigned sum = 0;

	nft_counts_begin(counts, NFT_ASK_FLOWS4, SEQ);
	put_flow(7, 0);
	assert_int_equal(feed_from(0), 0);
	put_flow(8, 0);
	put_done();
	assert_int_equal(feed_from(0), 1);
	assert_int_equal(nft_counts_each(counts, on_flow, &sum), 0);
	assert_int_equal(sum, 15);
}

/* A dump that was interrupted, or has one twice because the kernel resizes, is no answer. */
static void test_useless(void **state)
{
	nft_counts_begin(counts, NFT_ASK_FLOWS4, SEQ);
	put_flow(7, NLM_F_DUMP_INTR);
	put_done();
	assert_int_equal(feed_from(0), -EINTR);
	nft_counts_begin(counts, NFT_ASK_FLOWS4, SEQ);
	put_flow(7, 0);
	put_flow(7, 0);
	put_done();
	assert_int_equal(feed_from(0), -EINTR);
}

static void test_nothing_there(void **state)
{
	unsigned sum = 0;

	nft_counts_begin(counts, NFT_ASK_FLOWS6, SEQ);
	put_error(-ENOENT, SEQ);
	assert_int_equal(feed_from(0), 1);
	assert_int_equal(nft_counts_each(counts, on_flow, &sum), 0);
	assert_int_equal(sum, 0);
	nft_counts_begin(counts, NFT_ASK_FLOWS6, SEQ);
	put_error(-EPERM, SEQ);
	assert_int_equal(feed_from(0), -EPERM);
}

/* What is not the kernel's, or of an older question, is passed over. */
static void test_others(void **state)
{
	nft_counts_begin(counts, NFT_ASK_TOTALS, SEQ + 1);
	put_error(0, SEQ);
	assert_int_equal(feed_from(0), 0);
	put_error(0, SEQ + 1);
	assert_int_equal(feed_from(4711), 0);
	put_error(0, SEQ + 1);
	assert_int_equal(feed_from(0), 1);
}

struct hits {
	unsigned n;
	uint64_t packets;
	char last[BH_NFT_NAME_MAX + 1];
};

static int on_rule(const char *name, const struct nft_rule_count *count, void *arg)
{
	struct hits *h = arg;

	h->n++;
	h->packets += count->packets;
	snprintf(h->last, sizeof(h->last), "%s", name);
	return 0;
}

/* Only those of policy rules, of the one table that has them, with names that ours can have. */
static void test_rules(void **state)
{
	char longest[BH_NFT_NAME_MAX + 2];
	struct hits h = { 0 };
	size_t left_out;

	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	nft_counts_begin(counts, NFT_ASK_RULES, SEQ);
	put_total("denied.egress", NFPROTO_INET, 100);
	put_total("web.out.to-db.5432-tcp", NFPROTO_INET, 5);
	put_total("raw", NFPROTO_NETDEV, 100);
	put_total("web.out.other-table", NFPROTO_NETDEV, 100);
	put_total(longest, NFPROTO_INET, 100);
	put_total(longest + 1, NFPROTO_INET, 7);
	assert_int_equal(feed_from(0), 0);
	put_done();
	assert_int_equal(feed_from(0), 1);
	assert_int_equal(nft_counts_each_rule(counts, on_rule, &h, &left_out), 0);
	assert_int_equal(h.n, 2);
	assert_int_equal(h.packets, 12);
	assert_string_equal(h.last, longest + 1);
	assert_int_equal(left_out, 0);
	nft_counts_begin(counts, NFT_ASK_RULES, SEQ);
	put_error(-ENOENT, SEQ); /* no table: none, and nothing of the answer before */
	assert_int_equal(feed_from(0), 1);
	h = (struct hits) { 0 };
	assert_int_equal(nft_counts_each_rule(counts, on_rule, &h, &left_out), 0);
	assert_int_equal(h.n, 0);
}

/* Root inside may make as many as it likes. */
static void test_too_many_rules(void **state)
{
	struct hits h = { 0 };
	size_t left_out;

	nft_counts_begin(counts, NFT_ASK_RULES, SEQ);
	for (unsigned i = 0; i < BH_RULESET_RULES_MAX + 3; i++) {
		char name[32];

		snprintf(name, sizeof(name), "x.in.r%u", i);
		put_total(name, NFPROTO_INET, 1);
		assert_int_equal(feed_from(0), 0);
	}
	put_done();
	assert_int_equal(feed_from(0), 1);
	assert_int_equal(nft_counts_each_rule(counts, on_rule, &h, &left_out), 0);
	assert_int_equal(h.n, BH_RULESET_RULES_MAX);
	assert_int_equal(left_out, 3);
}

static void test_truncated(void **state)
{
	size_t whole;

	put_flow(7, 0);
	put_total("raw", NFPROTO_NETDEV, 9);
	whole = len;
	for (size_t n = 0; n < whole; n++) {
		bh_autofree char *part = malloc(n ? n : 1);
		int r;

		memcpy(part, messages, n);
		nft_counts_begin(counts, n % NFT_ASKS, SEQ);
		r = nft_counts_feed(counts, 0, part, n);
		assert_true(r == 0 || r == -EBADMSG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_totals, setup, teardown),
		cmocka_unit_test_setup_teardown(test_flows, setup, teardown),
		cmocka_unit_test_setup_teardown(test_useless, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nothing_there, setup, teardown),
		cmocka_unit_test_setup_teardown(test_others, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rules, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_many_rules, setup, teardown),
		cmocka_unit_test_setup_teardown(test_truncated, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
