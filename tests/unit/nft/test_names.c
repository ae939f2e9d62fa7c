/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fixture.h"

#include "../../../src/nft/program.h"

/* The names of sets, chains, counters and log prefixes, there and back. */

#define PREFIX_MAX 127 /* NF_LOG_PREFIXLEN without its NUL */

static void test_sets(void **state)
{
	for (unsigned i = 0; i < NFT_SETS; i++) {
		const struct nft_set_info *s = nft_set_info(i);

		assert_int_equal(nft_set_by_name(s->name), i);
		assert_true(s->n_fields > 0 && s->n_fields <= KEY_FIELDS_MAX);
		assert_true(s->key_len > 0 && s->key_len <= 44);
		assert_int_equal(s->is_denied, i >= SET_DENIED);
		assert_int_equal(s->is_map, i < NFT_MAPS);
	}
	assert_string_equal(nft_set_info(SET_MAP(1, FAMILY6, ENTRY_WORLD_ICMP))->name,
			    "ingress6_world_icmp");
	assert_string_equal(nft_set_info(SET_KNOWN + FAMILY6)->name, "known6");
	assert_string_equal(nft_set_info(SET_DENIED + FAMILY6)->name, "denied6");
	assert_int_equal(nft_set_by_name(""), -1);
	assert_int_equal(nft_set_by_name("egress"), -1);
	assert_int_equal(nft_set_by_name("egress44"), -1);
}

static void test_chains_and_counters(void **state)
{
	for (unsigned i = 0; i < NFT_CHAINS; i++)
		assert_int_equal(nft_chain_by_name(nft_chain_name(i)), i);
	for (unsigned i = 0; i < NFT_COUNTERS; i++)
		assert_int_equal(nft_counter_by_name(nft_counter_name(i)), i);
	assert_int_equal(nft_chain_by_name("outpu"), -1);
	assert_int_equal(nft_chain_by_name("Output"), -1);
	assert_int_equal(nft_counter_by_name("denied"), -1);
	assert_int_equal(nft_counter_by_name("denied.egress "), -1);
}

/* What stands in which of the two tables, and nothing in one of another family. */
static void test_tables(void **state)
{
	unsigned table;

	for (unsigned t = 0; t < NFT_TABLES; t++) {
		assert_true(nft_table_by_family(nft_table_family(t), &table));
		assert_int_equal(table, t);
	}
	for (unsigned f = 0; f < 256; f++)
		assert_int_equal(nft_table_by_family((uint8_t)f, &table), f == 1 || f == 5);
	assert_int_equal(nft_chain_table(CHAIN_GUARD_RECORD_ICMP), TABLE_INET);
	assert_int_equal(nft_chain_table(CHAIN_EGRESS), TABLE_NETDEV);
	assert_int_equal(nft_chain_table(CHAIN_RAW), TABLE_NETDEV);
	assert_int_equal(nft_counter_table(COUNTER_FORWARDED), TABLE_INET);
	assert_int_equal(nft_counter_table(COUNTER_RAW), TABLE_NETDEV);
}

/* Four base chains; at the device nobody's chain comes behind ours. */
static void test_hooks(void **state)
{
	unsigned n = 0;

	for (unsigned c = 0; c < NFT_CHAINS; c++)
		n += nft_chain_hook(c) != NULL;
	assert_int_equal(n, 4);
	assert_int_equal(nft_chain_hook(CHAIN_OUTPUT)->priority, 0);
	assert_string_equal(nft_chain_hook(CHAIN_EGRESS)->name, "egress");
	assert_int_equal(nft_chain_hook(CHAIN_EGRESS)->number, 1);
	assert_int_equal(nft_chain_hook(CHAIN_EGRESS)->priority, INT32_MAX);
}

/* No counter of a policy rule can be taken for one that every table has. */
static void test_counters_are_no_rules(void **state)
{
	for (unsigned i = 0; i < NFT_COUNTERS; i++)
		assert_true(!strstr(nft_counter_name(i), ".in.") &&
			    !strstr(nft_counter_name(i), ".out."));
}

static void test_prefixes(void **state)
{
	enum nft_log_kind kind;

	for (unsigned k = NFT_LOG_DENY; k <= NFT_LOG_ALLOW; k++) {
		const char *prefix = nft_log_prefix(k);

		assert_true(strlen(prefix) <= PREFIX_MAX);
		assert_true(nft_prefix_parse(prefix, &kind));
		assert_int_equal(kind, k);
	}
	assert_string_equal(nft_log_prefix(NFT_LOG_AUDIT), "bulkhead:audit");
	assert_string_equal(nft_log_prefix(NFT_LOG_RAW), "bulkhead:raw");
	assert_string_equal(nft_log_prefix(NFT_LOG_RAW_AUDIT), "bulkhead:raw-audit");
	assert_string_equal(nft_log_prefix(NFT_LOG_ALLOW), "bulkhead:allow");
}

/* Others may log to our group: their prefixes are none of ours. */
static void test_foreign_prefixes(void **state)
{
	static const char *const foreign[] = { "",
					       "bulkhead:",
					       "bulkhead:deny:",
					       "bulkhead:deny ",
					       " bulkhead:deny",
					       "bulkhead:denyX",
					       "Bulkhead:deny",
					       "bulkhead2:deny",
					       "bulkhead:allowed" };
	enum nft_log_kind kind = (enum nft_log_kind)99;

	for (size_t i = 0; i < BH_ARRAY_SIZE(foreign); i++)
		assert_false(nft_prefix_parse(foreign[i], &kind));
	assert_int_equal(kind, 99);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sets),
		cmocka_unit_test(test_chains_and_counters),
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_hooks),
		cmocka_unit_test(test_counters_are_no_rules),
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_foreign_prefixes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
