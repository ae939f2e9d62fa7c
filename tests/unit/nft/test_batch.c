/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fake.h"

#include <arpa/inet.h>
#include <endian.h>

#include "../../../src/nft/batch.h"

/* The messages of a batch, byte by byte where it matters. */

static const struct nlmsghdr *nth(const struct batch *b, unsigned n)
{
	int len = (int)b->len;

	fake_each(nlh, b->data, len) if (n-- == 0) return nlh;
	fail_msg("a batch of too few messages");
	return NULL;
}

static const struct nlattr *attr(const struct nlmsghdr *nlh, uint16_t type)
{
	const struct nlattr *a;

	mnl_attr_for_each (a, nlh, sizeof(struct nfgenmsg))
		if (mnl_attr_get_type(a) == type)
			return a;
	return NULL;
}

static const struct nlattr *sub(const struct nlattr *nest, uint16_t type)
{
	const struct nlattr *a;

	mnl_attr_for_each_nested (a, nest)
		if (mnl_attr_get_type(a) == type)
			return a;
	return NULL;
}

static void test_frame(void **state)
{
	const struct nfgenmsg *nfg;
	struct batch b;

	batch_begin(&b);
	assert_int_equal(batch_messages(&b), 0);
	batch_new_table(&b, TABLE_INET, 0);
	batch_delete_table(&b, TABLE_NETDEV);
	assert_int_equal(batch_messages(&b), 2);
	assert_int_equal(nth(&b, 0)->nlmsg_type, NFNL_MSG_BATCH_BEGIN);
	nfg = mnl_nlmsg_get_payload(nth(&b, 0));
	assert_int_equal(ntohs(nfg->res_id), NFNL_SUBSYS_NFTABLES);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(nth(&b, i)->nlmsg_seq, i + 1);
	nfg = mnl_nlmsg_get_payload(nth(&b, 1));
	assert_int_equal(nfg->nfgen_family, NFPROTO_INET);
	assert_string_equal(fake_attr(nth(&b, 1), NFTA_TABLE_NAME), "bulkhead");
	nfg = mnl_nlmsg_get_payload(nth(&b, 2));
	assert_int_equal(nfg->nfgen_family, NFPROTO_NETDEV);
	batch_done(&b);
}

/* Every message goes to the table that its chain or counter stands in. */
static void test_families(void **state)
{
	struct nft_rule rule = { .ops = { { .kind = OP_DROP } } };
	const struct nft_frames frames = { .devices = { "eth0" }, .n_devices = 1 };
	struct batch b;

	for (unsigned c = 0; c < NFT_CHAINS; c++) {
		uint8_t family = c < CHAIN_EGRESS ? NFPROTO_INET : NFPROTO_NETDEV;

		batch_begin(&b);
		rule.chain = (uint8_t)c;
		batch_new_chain(&b, c, &frames);
		batch_new_rule(&b, &rule);
		batch_flush_chain(&b, c);
		batch_delete_chain(&b, c);
		for (unsigned i = 1; i <= 4; i++)
			assert_int_equal(fake_family(nth(&b, i)), family);
		batch_done(&b);
	}
	batch_begin(&b);
	batch_new_counter(&b, TABLE_NETDEV, "raw", "", 0, 0);
	batch_new_counter(&b, TABLE_INET, "forwarded", "", 0, 0);
	batch_new_set(&b, SET_DENIED);
	assert_int_equal(fake_family(nth(&b, 1)), NFPROTO_NETDEV);
	assert_int_equal(fake_family(nth(&b, 2)), NFPROTO_INET);
	assert_int_equal(fake_family(nth(&b, 3)), NFPROTO_INET);
	batch_done(&b);
}

static void test_table_flags(void **state)
{
	struct batch b;

	batch_begin(&b);
	batch_new_table(&b, TABLE_INET, BH_NFT_TABLE_F_OWNER | BH_NFT_TABLE_F_PERSIST);
	batch_new_table(&b, TABLE_NETDEV, 0);
	assert_int_equal(ntohl(mnl_attr_get_u32(attr(nth(&b, 1), NFTA_TABLE_FLAGS))), 6);
	assert_int_equal(ntohl(mnl_attr_get_u32(attr(nth(&b, 2), NFTA_TABLE_FLAGS))), 0);
	/* adopting is making what is there already */
	assert_int_equal(nth(&b, 1)->nlmsg_flags & NLM_F_EXCL, 0);
	batch_done(&b);
}

static uint32_t hook_u32(const struct nlmsghdr *nlh, uint16_t type)
{
	return ntohl(mnl_attr_get_u32(sub(attr(nlh, NFTA_CHAIN_HOOK), type)));
}

/* The hook of the devices names them all; those of the table inet have none. */
static void test_hooks(void **state)
{
	struct nft_frames frames = { .n_devices = BH_ARRAY_SIZE(frames.devices) };
	const struct nlattr *devices, *a;
	struct batch b;
	unsigned n = 0;

	for (unsigned i = 0; i < frames.n_devices; i++)
		snprintf(frames.devices[i], sizeof(frames.devices[i]), "fifteen-bytes%02u", i);
	batch_begin(&b);
	batch_new_chain(&b, CHAIN_EGRESS, &frames);
	batch_new_chain(&b, CHAIN_OUTPUT, &frames);
	batch_new_chain(&b, CHAIN_RAW, &frames);
	assert_int_equal(hook_u32(nth(&b, 1), NFTA_HOOK_HOOKNUM), BH_NF_NETDEV_EGRESS);
	assert_int_equal(hook_u32(nth(&b, 1), NFTA_HOOK_PRIORITY), INT32_MAX);
	assert_int_equal(ntohl(mnl_attr_get_u32(attr(nth(&b, 1), NFTA_CHAIN_POLICY))), NF_DROP);
	assert_string_equal(fake_attr(nth(&b, 1), NFTA_CHAIN_TYPE), "filter");
	devices = sub(attr(nth(&b, 1), NFTA_CHAIN_HOOK), BH_NFTA_HOOK_DEVS);
	assert_non_null(devices);
	mnl_attr_for_each_nested (a, devices) {
		assert_int_equal(mnl_attr_get_type(a), NFTA_DEVICE_NAME);
		assert_string_equal(mnl_attr_get_str(a), frames.devices[n++]);
	}
	assert_int_equal(n, frames.n_devices);
	assert_null(sub(attr(nth(&b, 2), NFTA_CHAIN_HOOK), BH_NFTA_HOOK_DEVS));
	assert_null(attr(nth(&b, 3), NFTA_CHAIN_HOOK));
	batch_done(&b);
}

/* Of any number of elements: messages under 64 KiB each, and every element in one of them. */
static void many(size_t n, enum entry_kind kind, const struct bh_addr *first)
{
	bh_autofree struct entry *e = calloc(n, sizeof(*e));
	const struct ruleset_rule rule = { "payments.out.a-rule-with-a-long-name", "p.yaml:1", 0 };
	const struct ruleset r = { .rules = &rule, .n_rules = 1 };
	const struct entry_list l = { e, n };
	unsigned family = first->family == AF_INET ? FAMILY4 : FAMILY6;
	struct bh_addr a = *first;
	size_t found = 0;
	struct batch b;
	int len;

	assert_non_null(e);
	for (size_t i = 0; i < n; i++, bh_addr_next(&a))
		e[i] = (struct entry) { { a, a }, 6, 6, 443, 443, 0, FX_NOW + 60 };
	batch_begin(&b);
	batch_new_entries(&b, SET_MAP(0, family, kind), &r, &l, NULL, FX_NOW);
	batch_delete_entries(&b, SET_MAP(0, family, kind), &l, NULL);
	assert_int_equal(b.error, 0);
	len = (int)b.len;
	fake_each(nlh, b.data, len)
	{
		const struct nlattr *list = attr(nlh, NFTA_SET_ELEM_LIST_ELEMENTS), *elem;

		if (nlh->nlmsg_type == NFNL_MSG_BATCH_BEGIN)
			continue;
		assert_non_null(list);
		assert_true(nlh->nlmsg_len < 65536);
		mnl_attr_for_each_nested (elem, list) {
			const struct nlattr *key = sub(sub(elem, NFTA_SET_ELEM_KEY), 1);

			assert_memory_equal(mnl_attr_get_payload(key), e[found % n].addr.lo.b,
					    bh_addr_len(first->family));
			found++;
		}
	}
	assert_int_equal(found, 2 * n);
	batch_done(&b);
}

static void test_many_elements(void **state)
{
	static const size_t numbers[] = { 1, 500, 1000, 25000 };
	struct bh_addr v4 = fx_range("10.0.0.1").lo, v6 = fx_range("fd00::1").lo;

	for (size_t i = 0; i < BH_ARRAY_SIZE(numbers); i++) {
		many(numbers[i], ENTRY_EXACT, &v4);
		many(numbers[i], ENTRY_EXACT, &v6);
		many(numbers[i], ENTRY_RANGE, &v6);
	}
}

/* Ranges: the first address, and an end mark behind the last one, if there is an address. */
static void test_ranges(void **state)
{
	const struct bh_range r[] = { fx_range("10.0.0.0/8"),
				      fx_range("255.255.255.0-255.255.255.255") };
	static const struct {
		const char *addr;
		bool is_end;
	} expect[] = { { "10.0.0.0", false }, { "11.0.0.0", true }, { "255.255.255.0", false } };
	const struct nlattr *elem;
	struct bh_addr a;
	struct batch b;
	unsigned i = 0;

	batch_begin(&b);
	batch_new_ranges(&b, SET_KNOWN + FAMILY4, r, 2);
	mnl_attr_for_each_nested (elem, attr(nth(&b, 1), NFTA_SET_ELEM_LIST_ELEMENTS)) {
		const struct nlattr *flags = sub(elem, NFTA_SET_ELEM_FLAGS);

		assert_true(i < BH_ARRAY_SIZE(expect));
		assert_int_equal(bh_addr_parse(expect[i].addr, &a), 0);
		assert_memory_equal(mnl_attr_get_payload(sub(sub(elem, NFTA_SET_ELEM_KEY), 1)), a.b,
				    4);
		assert_int_equal(flags && ntohl(mnl_attr_get_u32(flags)) & 1, expect[i].is_end);
		i++;
	}
	assert_int_equal(i, 3);
	batch_done(&b);
}

/* A timeout in milliseconds; one that is due is as short as can be, for 0 would be for ever. */
static void test_timeouts(void **state)
{
	static const int64_t ends[] = { 0, FX_NOW - 5, FX_NOW, FX_NOW + 1, FX_NOW + 90 };
	static const uint64_t expect[] = { 0, 1, 1, 1000, 90000 };
	const struct ruleset_rule rule = { "a.out.b", "p.yaml:1", 0 };
	const struct ruleset r = { .rules = &rule, .n_rules = 1 };
	const struct nlattr *elem;
	struct entry e[5];
	struct batch b;
	unsigned i = 0;

	for (unsigned n = 0; n < 5; n++)
		e[n] = (struct entry) { fx_range("10.0.0.1"), 0, 255, 0, 65535, 0, ends[n] };
	batch_begin(&b);
	batch_new_entries(&b, SET_MAP(0, FAMILY4, ENTRY_HOST), &r, &(struct entry_list) { e, 5 },
			  NULL, FX_NOW);
	mnl_attr_for_each_nested (elem, attr(nth(&b, 1), NFTA_SET_ELEM_LIST_ELEMENTS)) {
		const struct nlattr *timeout = sub(elem, NFTA_SET_ELEM_TIMEOUT);

		assert_int_equal(timeout ? be64toh(mnl_attr_get_u64(timeout)) : 0, expect[i]);
		assert_string_equal(mnl_attr_get_str(sub(elem, NFTA_SET_ELEM_OBJREF)), "a.out.b");
		i++;
	}
	assert_int_equal(i, 5);
	batch_done(&b);
}

/* Only what is picked. */
static void test_pick(void **state)
{
	const struct ruleset_rule rule = { "a.out.b", "p.yaml:1", 0 };
	const struct ruleset r = { .rules = &rule, .n_rules = 1 };
	const bool pick[3] = { false, true, false }, none[3] = { false };
	const struct nlattr *elem;
	struct entry e[3];
	unsigned n = 0;
	struct batch b;

	for (unsigned i = 0; i < 3; i++) {
		e[i] = (struct entry) { fx_range("10.0.0.1"), 0, 255, 0, 65535, 0, 0 };
		e[i].addr.lo.b[3] = (uint8_t)i;
	}
	batch_begin(&b);
	batch_new_entries(&b, SET_MAP(0, FAMILY4, ENTRY_HOST), &r, &(struct entry_list) { e, 3 },
			  none, FX_NOW);
	assert_int_equal(batch_messages(&b), 0);
	batch_delete_entries(&b, SET_MAP(0, FAMILY4, ENTRY_HOST), &(struct entry_list) { e, 3 },
			     pick);
	mnl_attr_for_each_nested (elem, attr(nth(&b, 1), NFTA_SET_ELEM_LIST_ELEMENTS)) {
		const uint8_t *key = mnl_attr_get_payload(sub(sub(elem, NFTA_SET_ELEM_KEY), 1));

		assert_int_equal(key[3], 1);
		n++;
	}
	assert_int_equal(n, 1);
	batch_done(&b);
}

/* Keys: each field at a multiple of 4 bytes, in network order; the rest zero. */
static void test_keys(void **state)
{
	const struct entry e = { fx_range("10.1.2.3-10.1.2.9"), 6, 17, 443, 8443, 0, 0 };
	static const uint8_t lo[] = { 10, 1, 2, 3, 6, 0, 0, 0, 443 >> 8, 443 & 255, 0, 0 };
	static const uint8_t hi[] = { 10, 1, 2, 9, 17, 0, 0, 0, 8443 >> 8, 8443 & 255, 0, 0 };
	const struct entry ping = { fx_range("fd00::1"), 58, 58, 128, 129, 0, 0 };
	uint8_t key[40], expect[40] = { 0xfd, [15] = 1, [16] = 128 };

	assert_int_equal(entry_key(nft_set_info(SET_MAP(0, FAMILY4, ENTRY_RANGE)), &e, true, key),
			 12);
	assert_memory_equal(key, lo, 12);
	entry_key(nft_set_info(SET_MAP(0, FAMILY4, ENTRY_RANGE)), &e, false, key);
	assert_memory_equal(key, hi, 12);
	assert_int_equal(entry_key(nft_set_info(SET_MAP(0, FAMILY4, ENTRY_WORLD)), &e, true, key),
			 8);
	assert_memory_equal(key, lo + 4, 8);
	assert_int_equal(entry_key(nft_set_info(SET_MAP(1, FAMILY6, ENTRY_ICMP)), &ping, true, key),
			 20);
	assert_memory_equal(key, expect, 40);
	assert_int_equal(
		entry_key(nft_set_info(SET_MAP(1, FAMILY6, ENTRY_HOST)), &ping, false, key), 16);
}

/* Comments as nft(8) keeps them, at full length, too; none at all when empty. */
static void test_comments(void **state)
{
	char longest[BH_NFT_COMMENT_MAX + 40], name[] = "a.in.b";
	const struct nlattr *a;
	const uint8_t *p;
	struct batch b;

	memset(longest, 'w', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	batch_begin(&b);
	batch_new_counter(&b, TABLE_INET, name, "p.yaml:1", 3, 4);
	batch_new_counter(&b, TABLE_INET, name, longest, 0, 0);
	batch_new_counter(&b, TABLE_INET, name, "", 0, 0);
	a = attr(nth(&b, 1), NFTA_OBJ_USERDATA);
	assert_int_equal(mnl_attr_get_payload_len(a), 2 + 9);
	assert_memory_equal(mnl_attr_get_payload(a), "\0\11p.yaml:1", 11);
	a = attr(nth(&b, 2), NFTA_OBJ_USERDATA);
	p = mnl_attr_get_payload(a);
	assert_int_equal(mnl_attr_get_payload_len(a), 2 + BH_NFT_COMMENT_MAX + 1);
	assert_int_equal(p[1], BH_NFT_COMMENT_MAX + 1);
	assert_int_equal(p[1 + BH_NFT_COMMENT_MAX], 'w');
	assert_int_equal(p[2 + BH_NFT_COMMENT_MAX], '\0');
	assert_null(attr(nth(&b, 3), NFTA_OBJ_USERDATA));
	batch_done(&b);
}

/* Over the ceiling nothing is sent. */
static void test_ceiling(void **state)
{
	static const struct ruleset_rule rule = { "a.out.b", "p.yaml:1", 0 };
	static const struct ruleset r = { .rules = &rule, .n_rules = 1 };
	const size_t n = 1 << 19;
	struct entry *e = calloc(n, sizeof(*e));
	struct bh_err err = BH_ERR_INIT;
	struct batch b;
	struct fake k;
	char byte;

	assert_non_null(e);
	for (size_t i = 0; i < n; i++)
		e[i].addr = (struct bh_range) { { .family = AF_INET6 }, { .family = AF_INET6 } };
	fake_open(&k);
	batch_begin(&b);
	for (int i = 0; i < 3; i++)
		batch_new_entries(&b, SET_MAP(0, FAMILY6, ENTRY_RANGE), &r,
				  &(struct entry_list) { e, n }, NULL, FX_NOW);
	assert_int_equal(batch_commit(&b, &k.s, NULL, NULL, &err), -E2BIG);
	assert_string_equal(err.msg, "the ruleset is over the limit of 67108864 bytes");
	assert_int_equal(recv(k.peer, &byte, 1, MSG_DONTWAIT), -1);
	batch_done(&b);
	fake_close(&k);
	free(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frame),    cmocka_unit_test(test_many_elements),
		cmocka_unit_test(test_ranges),   cmocka_unit_test(test_timeouts),
		cmocka_unit_test(test_pick),     cmocka_unit_test(test_keys),
		cmocka_unit_test(test_comments), cmocka_unit_test(test_ceiling),
		cmocka_unit_test(test_families), cmocka_unit_test(test_table_flags),
		cmocka_unit_test(test_hooks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
