/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fake.h"

#include <arpa/inet.h>
#include <endian.h>

#include "../../../src/nft/program.h"

/* Elements of the denied sets, as the kernel lists and echoes them; the kernel is a stand-in. */

struct element {
	uint32_t oif;
	const char *source, *destination;
	uint8_t proto;
	uint16_t port;
	uint64_t packets, bytes, expires_ms;
};

static struct {
	struct nft_denied d[64];
	size_t n, stop_at;
} seen;

static int on_denied(const struct nft_denied *d, void *arg)
{
	assert_ptr_equal(arg, &seen);
	if (seen.stop_at && seen.n == seen.stop_at)
		return -ECANCELED;
	assert_true(seen.n < BH_ARRAY_SIZE(seen.d));
	seen.d[seen.n++] = *d;
	return 0;
}

static size_t key_of(const struct element *e, uint8_t key[44])
{
	struct bh_addr a, b;
	size_t len;

	assert_int_equal(bh_addr_parse(e->source, &a), 0);
	assert_int_equal(bh_addr_parse(e->destination, &b), 0);
	len = bh_addr_len(a.family);
	memset(key, 0, 44);
	memcpy(key, &e->oif, sizeof(e->oif));
	key += sizeof(e->oif);
	memcpy(key, a.b, len);
	memcpy(key + len, b.b, len);
	key[2 * len] = e->proto;
	key[2 * len + 4] = (uint8_t)(e->port >> 8);
	key[2 * len + 5] = (uint8_t)e->port;
	return sizeof(e->oif) + 2 * len + 8;
}

static void put_element(struct nlmsghdr *nlh, const struct element *e)
{
	struct nlattr *elem = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM), *list, *nest, *data;
	uint8_t key[44];
	size_t len = key_of(e, key);

	nest = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_KEY);
	mnl_attr_put(nlh, NFTA_DATA_VALUE, len, key);
	mnl_attr_nest_end(nlh, nest);
	mnl_attr_put_u64(nlh, NFTA_SET_ELEM_EXPIRATION, htobe64(e->expires_ms));
	list = mnl_attr_nest_start(nlh, BH_NFTA_SET_ELEM_EXPRESSIONS);
	nest = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
	mnl_attr_put_strz(nlh, NFTA_EXPR_NAME, "counter");
	data = mnl_attr_nest_start(nlh, NFTA_EXPR_DATA);
	mnl_attr_put_u64(nlh, NFTA_COUNTER_BYTES, htobe64(e->bytes));
	mnl_attr_put_u64(nlh, NFTA_COUNTER_PACKETS, htobe64(e->packets));
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, nest);
	nest = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
	mnl_attr_put_strz(nlh, NFTA_EXPR_NAME, "limit");
	mnl_attr_nest_end(nlh, nest);
	mnl_attr_nest_end(nlh, list);
	mnl_attr_nest_end(nlh, elem);
}

/* A message of elements, as of type MESSAGE; keep it or send it. */
static struct nlmsghdr *elements(char *buf, uint8_t message, const char *table, const char *set,
				 const struct element *e, size_t n)
{
	struct nlmsghdr *nlh = fake_begin(buf, NFPROTO_INET, message);
	struct nlattr *list;

	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, table);
	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, set);
	list = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_LIST_ELEMENTS);
	for (size_t i = 0; i < n; i++)
		put_element(nlh, &e[i]);
	mnl_attr_nest_end(nlh, list);
	return nlh;
}

static void keep(struct fake *k, const char *set, const struct element *e, size_t n)
{
	char buf[8192] __attribute__((aligned(16)));

	fake_keep(k, elements(buf, NFT_MSG_NEWSETELEM, NFT_TABLE_NAME, set, e, n));
}

static int dump(struct fake *k)
{
	int r;

	seen.n = 0;
	fake_serve(k);
	r = nft_denied_dump(&k->s, on_denied, &seen, NULL);
	fake_rest(k);
	return r;
}

static void assert_seen(size_t i, enum direction d, const struct element *e)
{
	const struct nft_denied *x = &seen.d[i];
	char addr[BH_ADDR_STR];

	assert_true(i < seen.n);
	assert_int_equal(x->direction, d);
	assert_int_equal(x->oif, e->oif);
	assert_string_equal(bh_addr_format(addr, &x->source), e->source);
	assert_string_equal(bh_addr_format(addr, &x->destination), e->destination);
	assert_int_equal(x->proto, e->proto);
	assert_int_equal(x->port, e->port);
	assert_int_equal(x->packets, e->packets);
	assert_int_equal(x->bytes, e->bytes);
	assert_int_equal(x->expires_ms, e->expires_ms);
}

static const struct element out4[] = {
	{ 2, "10.77.1.2", "203.0.113.9", IPPROTO_ICMP, 8 << 8, 1, 84, 1 },
	{ 2, "10.77.1.2", "203.0.113.9", IPPROTO_TCP, 443, 3, 180, 3599000 },
};
static const struct element in6[] = {
	{ 0, "fd77::9", "fd77::2", IPPROTO_UDP, 65535, UINT64_C(1) << 40, UINT64_MAX, 1 },
};

static void test_dump(void **state)
{
	struct fake k;

	fake_open(&k);
	keep(&k, "denied4", out4, 2);
	keep(&k, "denied6", in6, 1);
	assert_int_equal(dump(&k), 0);
	assert_int_equal(seen.n, 3);
	assert_seen(0, DIRECTION_EGRESS, &out4[0]);
	assert_seen(1, DIRECTION_EGRESS, &out4[1]);
	assert_seen(2, DIRECTION_INGRESS, &in6[0]);
	fake_close(&k);
}

/* A set of this name in a table of another family is somebody else's. */
static void test_dump_of_other_families(void **state)
{
	static const uint8_t families[] = { NFPROTO_IPV4, NFPROTO_IPV6, NFPROTO_NETDEV };
	struct fake k;

	fake_open(&k);
	for (size_t i = 0; i < BH_ARRAY_SIZE(families); i++) {
		keep(&k, "denied4", &out4[1], 1);
		fake_set_family(k.kept[i], families[i]);
	}
	assert_int_equal(dump(&k), 0);
	assert_int_equal(seen.n, 0);
	keep(&k, "denied4", out4, 1);
	assert_int_equal(dump(&k), 0);
	assert_int_equal(seen.n, 1);
	assert_seen(0, DIRECTION_EGRESS, &out4[0]);
	fake_close(&k);
}

/* A hash in disorder, with an element twice, is read again before anybody hears of it. */
static void test_dump_while_resized(void **state)
{
	struct fake k;

	fake_open(&k);
	keep(&k, "denied4", out4, 2);
	k.resizing = 4;
	assert_int_equal(dump(&k), 0);
	assert_int_equal(seen.n, 2);
	k.resizing = 1000;
	assert_int_equal(dump(&k), -EINTR);
	assert_int_equal(seen.n, 0);
	fake_close(&k);
}

/* The caller has enough. */
static void test_dump_ended(void **state)
{
	struct fake k;

	fake_open(&k);
	keep(&k, "denied4", out4, 2);
	keep(&k, "denied6", in6, 1);
	seen.stop_at = 1;
	assert_int_equal(dump(&k), -ECANCELED);
	assert_int_equal(seen.n, 1);
	seen.stop_at = 0;
	fake_close(&k);
}

/* Elements that say too little, or of another kind, are passed over; the others are not lost. */
static void test_dump_of_odd_elements(void **state)
{
	static const uint16_t drop[] = { NFTA_SET_ELEM_KEY, NFTA_SET_ELEM_EXPIRATION,
					 BH_NFTA_SET_ELEM_EXPRESSIONS };
	char buf[8192] __attribute__((aligned(16)));
	struct nlattr *list, *elem, *a;
	struct fake k;

	for (size_t i = 0; i < BH_ARRAY_SIZE(drop); i++) {
		struct nlmsghdr *nlh =
			elements(buf, NFT_MSG_NEWSETELEM, NFT_TABLE_NAME, "denied4", out4, 2);

		list = (void *)(fake_attr(nlh, NFTA_SET_ELEM_LIST_ELEMENTS) - sizeof(*list));
		elem = mnl_attr_get_payload(list);
		mnl_attr_for_each_nested (a, elem)
			if (mnl_attr_get_type(a) == drop[i])
				a->nla_type = 99;
		fake_open(&k);
		fake_keep(&k, nlh);
		assert_int_equal(dump(&k), 0);
		assert_int_equal(seen.n, i == 0 ? 1 : 2);
		assert_seen(i == 0 ? 0 : 1, DIRECTION_EGRESS, &out4[1]);
		if (i == 1)
			assert_int_equal(seen.d[0].expires_ms, 0);
		if (i == 2)
			assert_int_equal(seen.d[0].packets | seen.d[0].bytes, 0);
		fake_close(&k);
	}
}

/* A key of the other family's length: the set has been made anew by somebody. */
static void test_dump_of_other_keys(void **state)
{
	struct fake k;

	fake_open(&k);
	keep(&k, "denied4", in6, 1);
	keep(&k, "denied6", out4, 2);
	assert_int_equal(dump(&k), 0);
	assert_int_equal(seen.n, 0);
	fake_close(&k);
}

/* --- retiring -------------------------------------------------------------------------------- */

static struct nft_denied flow(enum direction d, const struct element *e)
{
	struct nft_denied x = { .direction = d, .oif = e->oif, .proto = e->proto, .port = e->port };

	assert_int_equal(bh_addr_parse(e->source, &x.source), 0);
	assert_int_equal(bh_addr_parse(e->destination, &x.destination), 0);
	return x;
}

static const struct nlmsghdr *nth(const char *data, int len, unsigned n)
{
	fake_each(nlh, data, len) if (n-- == 0) return nlh;
	fail_msg("a batch of too few messages");
	return NULL;
}

/* One batch for all sets; the echo has the final counts, foreign echoes do not count. */
static void test_retire(void **state)
{
	struct nft_denied flows[] = { flow(DIRECTION_EGRESS, &out4[0]),
				      flow(DIRECTION_INGRESS, &in6[0]),
				      flow(DIRECTION_EGRESS, &out4[1]) };
	char buf[8192] __attribute__((aligned(16)));
	bh_autofree char *data = NULL;
	struct fake k;
	int len;

	fake_open(&k);
	seen.n = 0;
	fake_send(&k, elements(buf, BH_NFT_MSG_DESTROYSETELEM, NFT_TABLE_NAME, "denied4", out4, 2));
	fake_send(&k, elements(buf, NFT_MSG_DELSETELEM, NFT_TABLE_NAME, "denied6", in6, 1));
	fake_send(&k, elements(buf, NFT_MSG_DELSETELEM, "bulkhead2", "denied6", in6, 1));
	fake_send(&k, elements(buf, NFT_MSG_DELSETELEM, NFT_TABLE_NAME, "egress4", out4, 1));
	fake_send(&k, elements(buf, NFT_MSG_DELSETELEM, NFT_TABLE_NAME, "nonsense", out4, 1));
	fake_send(&k, elements(buf, NFT_MSG_NEWSETELEM, NFT_TABLE_NAME, "denied4", out4, 1));
	fake_ack(&k, 3, 0); /* begin, two sets */
	assert_int_equal(nft_denied_retire(&k.s, flows, 3, on_denied, &seen, NULL), 0);
	assert_int_equal(seen.n, 3);
	assert_seen(0, DIRECTION_EGRESS, &out4[0]);
	assert_seen(1, DIRECTION_EGRESS, &out4[1]);
	assert_seen(2, DIRECTION_INGRESS, &in6[0]);
	data = fake_sent(&k, &len);
	assert_int_equal(fake_type(nth(data, len, 1)), BH_NFT_MSG_DESTROYSETELEM);
	assert_true(nth(data, len, 1)->nlmsg_flags & NLM_F_ECHO);
	assert_string_equal(fake_attr(nth(data, len, 1), NFTA_SET_ELEM_LIST_SET), "denied4");
	assert_string_equal(fake_attr(nth(data, len, 2), NFTA_SET_ELEM_LIST_SET), "denied6");
	assert_true(nth(data, len, 2)->nlmsg_flags & NLM_F_ACK);
	assert_int_equal(nth(data, len, 3)->nlmsg_type, NFNL_MSG_BATCH_END);
	fake_close(&k);
}

/* Nothing to retire: nothing is sent. */
static void test_retire_nothing(void **state)
{
	bh_autofree char *data = NULL;
	struct fake k;
	int len;

	fake_open(&k);
	assert_int_equal(nft_denied_retire(&k.s, NULL, 0, on_denied, &seen, NULL), 0);
	data = fake_sent(&k, &len);
	assert_int_equal(len, -1);
	fake_close(&k);
}

/*
 * A kernel before 6.3. A batch is answered before its sending returns, as the kernel does, so the
 * sending itself is replaced.
 */
static struct {
	struct fake *k;             /* NULL: nobody answers */
	const struct element *gone; /* expired meanwhile */
	unsigned destroys, deletes; /* batches so far */
	int refusal;                /* of a delete */
} old;

static void answer_delete(const struct nlmsghdr *nlh)
{
	const struct nlattr *list = (void *)(fake_attr(nlh, NFTA_SET_ELEM_LIST_ELEMENTS) -
					     sizeof(struct nlattr)),
			    *elem;
	static const struct element *const all[] = { &out4[0], &out4[1], &in6[0] };
	const char *set = fake_attr(nlh, NFTA_SET_ELEM_LIST_SET);
	char buf[8192] __attribute__((aligned(16)));
	unsigned n = 0;

	assert_true(nlh->nlmsg_flags & NLM_F_ECHO);
	mnl_attr_for_each_nested (elem, list)
		n++;
	assert_int_equal(n, 1);
	if (old.refusal) {
		fake_ack(old.k, nlh->nlmsg_seq, old.refusal);
		return;
	}
	for (size_t i = 0; i < BH_ARRAY_SIZE(all); i++) {
		uint8_t key[44];
		size_t len = key_of(all[i], key);

		if (!memmem(list, list->nla_len, key, len))
			continue;
		assert_string_equal(set, all[i] == &in6[0] ? "denied6" : "denied4");
		if (all[i] == old.gone) {
			fake_ack(old.k, nlh->nlmsg_seq, -ENOENT);
			return;
		}
		fake_send(old.k, elements(buf, NFT_MSG_DELSETELEM, NFT_TABLE_NAME, set, all[i], 1));
	}
	fake_ack(old.k, nlh->nlmsg_seq, 0);
}

ssize_t sendto(int fd, const void *data, size_t len, int flags, __CONST_SOCKADDR_ARG to,
	       socklen_t to_len)
{
	if (!old.k)
		return send(fd, data, len, flags);
	fake_each(nlh, data, len)
	{
		if (fake_type(nlh) == BH_NFT_MSG_DESTROYSETELEM) {
			old.destroys++;
			fake_ack(old.k, nlh->nlmsg_seq, -EINVAL);
		} else if (fake_type(nlh) == NFT_MSG_DELSETELEM) {
			old.deletes++;
			answer_delete(nlh);
		}
	}
	return (ssize_t)len;
}

/* Last of the retirements: from here on the kernel is known to be an old one. */
static void test_retire_on_old_kernel(void **state)
{
	struct nft_denied flows[] = { flow(DIRECTION_EGRESS, &out4[0]),
				      flow(DIRECTION_INGRESS, &in6[0]),
				      flow(DIRECTION_EGRESS, &out4[1]) };
	struct fake k;

	fake_open(&k);
	seen.n = 0;
	old.k = &k;
	old.gone = &out4[0];
	assert_int_equal(nft_denied_retire(&k.s, flows, 3, on_denied, &seen, NULL), 0);
	assert_int_equal(old.destroys, 2); /* messages of one batch */
	assert_int_equal(old.deletes, 3);
	assert_int_equal(seen.n, 2);
	assert_seen(0, DIRECTION_EGRESS, &out4[1]);
	assert_seen(1, DIRECTION_INGRESS, &in6[0]);
	assert_int_equal(nft_denied_retire(&k.s, flows, 1, on_denied, &seen, NULL), 0);
	assert_int_equal(old.destroys, 2); /* tried once */
	assert_int_equal(old.deletes, 4);
	assert_int_equal(seen.n, 2);
	old.refusal = -EPERM;
	assert_int_equal(nft_denied_retire(&k.s, flows, 3, on_denied, &seen, NULL), -EPERM);
	assert_int_equal(old.deletes, 5);
	old.k = NULL;
	fake_close(&k);
}

/* --- totals ---------------------------------------------------------------------------------- */

static void keep_counter(struct fake *k, uint8_t family, const char *table, const char *name,
			 uint64_t packets)
{
	char buf[512] __attribute__((aligned(16)));
	struct nlmsghdr *nlh = fake_begin(buf, family, NFT_MSG_NEWOBJ);
	struct nlattr *nest;

	mnl_attr_put_strz(nlh, NFTA_OBJ_TABLE, table);
	mnl_attr_put_strz(nlh, NFTA_OBJ_NAME, name);
	mnl_attr_put_u32(nlh, NFTA_OBJ_TYPE, htonl(NFT_OBJECT_COUNTER));
	nest = mnl_attr_nest_start(nlh, NFTA_OBJ_DATA);
	mnl_attr_put_u64(nlh, NFTA_COUNTER_PACKETS, htobe64(packets));
	mnl_attr_nest_end(nlh, nest);
	fake_keep(k, nlh);
}

static void test_totals(void **state)
{
	struct nft_totals t;
	struct fake k;

	fake_open(&k);
	keep_counter(&k, NFPROTO_INET, "bulkhead", "denied.egress", 1);
	keep_counter(&k, NFPROTO_INET, "bulkhead", "denied.ingress", 2);
	keep_counter(&k, NFPROTO_INET, "bulkhead", "revoked.egress", 5);
	keep_counter(&k, NFPROTO_INET, "bulkhead", "revoked.ingress", UINT64_MAX);
	keep_counter(&k, NFPROTO_INET, "bulkhead", "forwarded", 7);
	keep_counter(&k, NFPROTO_INET, "bulkhead", "web.in.customers", 8);
	keep_counter(&k, NFPROTO_INET, "other", "denied.egress", 9);
	keep_counter(&k, NFPROTO_NETDEV, "bulkhead", "raw", 11);
	/* each counter in its own table, and no other family's */
	keep_counter(&k, NFPROTO_INET, "bulkhead", "raw", 100);
	keep_counter(&k, NFPROTO_NETDEV, "bulkhead", "denied.egress", 101);
	keep_counter(&k, NFPROTO_IPV4, "bulkhead", "denied.egress", 102);
	keep_counter(&k, NFPROTO_IPV6, "bulkhead", "raw", 103);
	keep_counter(&k, NFPROTO_BRIDGE, "bulkhead", "forwarded", 104);
	fake_serve(&k);
	assert_int_equal(nft_denied_totals(&k.s, &t, NULL), 0);
	fake_rest(&k);
	assert_int_equal(t.denied[DIRECTION_EGRESS], 1);
	assert_int_equal(t.denied[DIRECTION_INGRESS], 2);
	assert_int_equal(t.revoked[DIRECTION_EGRESS], 5);
	assert_int_equal(t.revoked[DIRECTION_INGRESS], UINT64_MAX);
	assert_int_equal(t.forwarded, 7);
	assert_int_equal(t.raw, 11);
	fake_close(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dump),
		cmocka_unit_test(test_dump_ended),
		cmocka_unit_test(test_dump_of_other_families),
		cmocka_unit_test(test_dump_while_resized),
		cmocka_unit_test(test_dump_of_odd_elements),
		cmocka_unit_test(test_dump_of_other_keys),
		cmocka_unit_test(test_retire),
		cmocka_unit_test(test_retire_nothing),
		cmocka_unit_test(test_retire_on_old_kernel),
		cmocka_unit_test(test_totals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
