/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "../store/fixture.h"

#include <bulkhead/base/linediff.h>

static void assert_diff(const char *old, const char *new, const char *expect)
{
	struct bh_buf b;

	bh_buf_init(&b, 1 << 20);
	assert_int_equal(linediff(old, strlen(old), new, strlen(new), &b), 0);
	assert_string_equal(bh_buf_str(&b), expect);
	bh_buf_done(&b);
}

static void test_small(void **state)
{
	assert_diff("", "", "");
	assert_diff("a\n", "a\n", "");
	assert_diff("", "a\n", "@@ -0,0 +1 @@\n+a\n");
	assert_diff("a\nb\n", "", "@@ -1,2 +0,0 @@\n-a\n-b\n");
	assert_diff("a\n", "b\n", "@@ -1 +1 @@\n-a\n+b\n");
	assert_diff("a", "a\n", "@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n");
}

static void test_context(void **state)
{
	assert_diff("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nX\n6\n7\n8\n9\n",
		    "@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+X\n 6\n 7\n 8\n");
	/* Six lines between two changes share a hunk, seven do not. */
	assert_diff("a\n1\n2\n3\n4\n5\n6\nb\n", "A\n1\n2\n3\n4\n5\n6\nB\n",
		    "@@ -1,8 +1,8 @@\n-a\n+A\n 1\n 2\n 3\n 4\n 5\n 6\n-b\n+B\n");
	assert_diff("a\n1\n2\n3\n4\n5\n6\n7\nb\n", "A\n1\n2\n3\n4\n5\n6\n7\nB\n",
		    "@@ -1,4 +1,4 @@\n-a\n+A\n 1\n 2\n 3\n"
		    "@@ -6,4 +6,4 @@\n 5\n 6\n 7\n-b\n+B\n");
	assert_diff("1\n2\n3\n4\n5\n6\n7\n8\n", "1\n2\n3\n4\nn\n5\n6\n7\n8\n",
		    "@@ -2,6 +2,7 @@\n 2\n 3\n 4\n+n\n 5\n 6\n 7\n");
}

/* What patch(1) makes of OLD and the diff is NEW, and the diff is as long as diff(1)'s. */
static void check_with_patch(const char *old, const char *new)
{
	char command[4 * IN_TOP_MAX];
	struct bh_buf b;
	char *got, *sizes;
	unsigned ours, theirs;

	bh_buf_init(&b, 1 << 20);
	bh_buf_addstr(&b, "--- a\n+++ b\n");
	assert_int_equal(linediff(old, strlen(old), new, strlen(new), &b), 0);
	put(in_top("old"), old);
	put(in_top("new"), new);
	put(in_top("diff"), bh_buf_str(&b));
	bh_buf_done(&b);
	if (strcmp(old, new) == 0)
		return;
	snprintf(command, sizeof(command),
		 "cd %s && grep -c '^[-+]' diff >sizes; diff -u -d old new | grep -c '^[-+]' "
		 ">>sizes; "
		 "patch -s -u old diff",
		 top);
	assert_int_equal(system(command), 0);
	got = slurp(in_top("old"));
	assert_string_equal(got, new);
	free(got);
	sizes = slurp(in_top("sizes"));
	assert_int_equal(sscanf(sizes, "%u %u", &ours, &theirs), 2);
	assert_true(ours <= theirs);
	free(sizes);
}

/* Texts of few different lines: the hardest for a diff. */
static void test_against_others(void **state)
{
	unsigned seed = 1;
	char text[2][256];

	for (int round = 0; round < 80; round++) {
		for (int k = 0; k < 2; k++) {
			int n = rand_r(&seed) % 30;

			for (int i = 0; i < n; i++)
				memcpy(text[k] + 2 * i, "a\nb\nc\n" + 2 * (rand_r(&seed) % 3), 2);
			text[k][2 * n] = '\0';
			if (n && rand_r(&seed) % 4 == 0)
				text[k][2 * n - 1] = '\0';
		}
		check_with_patch(text[0], text[1]);
	}
}

/* Over the limit everything is exchanged: right, and fast. */
static void test_large(void **state)
{
	struct bh_buf old, new, out;
	size_t lines = 0;

	bh_buf_init(&old, 8 << 20);
	bh_buf_init(&new, 8 << 20);
	bh_buf_init(&out, 16 << 20);
	for (int i = 0; i < 50000; i++) {
		bh_buf_addf(&old, "old %d\n", i);
		bh_buf_addf(&new, "new %d\n", i);
	}
	alarm(20);
	assert_int_equal(linediff(old.data, old.len, new.data, new.len, &out), 0);
	alarm(0);
	for (size_t i = 0; i < out.len; i++)
		lines += out.data[i] == '\n';
	assert_int_equal(lines, 100001);
	bh_buf_done(&out);
	bh_buf_init(&out, 1000);
	assert_int_equal(linediff(old.data, old.len, new.data, new.len, &out), -EFBIG);
	bh_buf_done(&old);
	bh_buf_done(&new);
	bh_buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small),
		cmocka_unit_test(test_context),
		with_top(test_against_others),
		cmocka_unit_test(test_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
