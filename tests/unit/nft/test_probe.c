/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fixture.h"

/* What a kernel must have, and what it can be done without. That this one has it all is seen by
 * tests/system/test_nft_failure.c. */

static struct nft_kernel all(void)
{
	struct nft_kernel k;

	for (unsigned i = 0; i < NFT_FEATURES; i++)
		k.has[i] = true;
	return k;
}

static void test_words(void **state)
{
	for (unsigned i = 0; i < NFT_FEATURES; i++) {
		const struct nft_feature_info *info = nft_feature_info(i);

		assert_true(info->name && strlen(info->name) > 3);
		/* those it can be done without come last, and say what that costs */
		assert_int_equal(info->without != NULL, i >= NFT_HAS_FRAMES);
	}
}

static void test_suffices(void **state)
{
	struct nft_kernel k = all();
	char missing[512] = "x";

	assert_true(nft_kernel_suffices(&k, missing, sizeof(missing)));
	assert_string_equal(missing, "");
	for (unsigned i = 0; i < NFT_FEATURES; i++) {
		bool needed = !nft_feature_info(i)->without;

		k = all();
		k.has[i] = false;
		assert_int_equal(nft_kernel_suffices(&k, missing, sizeof(missing)), !needed);
		assert_string_equal(missing, needed ? nft_feature_info(i)->name : "");
	}
	k = all();
	k.has[NFT_HAS_CT] = k.has[NFT_HAS_LOG] = k.has[NFT_HAS_OWNER] = false;
	assert_false(nft_kernel_suffices(&k, missing, sizeof(missing)));
	assert_string_equal(missing, "connection tracking (ct direction), NFLOG");
}

/* As much as there is room for. */
static void test_little_room(void **state)
{
	const struct nft_kernel none = { { false } };

	for (size_t cap = 1; cap < 400; cap++) {
		char *missing = malloc(cap);

		assert_non_null(missing);
		assert_false(nft_kernel_suffices(&none, missing, cap));
		assert_true(strlen(missing) < cap);
		free(missing);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_suffices),
		cmocka_unit_test(test_little_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
