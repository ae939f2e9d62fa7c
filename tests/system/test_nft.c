/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nft.h"
#include "random.h"

/*
 * Rulesets in a real kernel, in namespaces that this test makes: what is written is what is read
 * back, a change in place loses nothing, a change that fails changes nothing. Root.
 */

static struct place here;

static int setup(void **state)
{
	place_open(&here);
	rnd_state = UINT64_C(0x9e3779b97f4a7c15);
	return 0;
}

static int teardown(void **state)
{
	place_close(&here);
	return 0;
}

/* --- there and back -------------------------------------------------------------------------- */

static void test_full(void **state)
{
	struct fx f;

	fx_full_until(&f, 3600);
	place_apply(&here, &f.r);
	fx_done(&f);
}

static void test_random_rulesets(void **state)
{
	for (unsigned i = 0; i < 60; i++) {
		bool was_there = false;
		struct fx f;

		rnd_ruleset(&f, 1 + i);
		place_apply(&here, &f.r);
		assert_int_equal(nft_remove(&here.s, &was_there, NULL), 0);
		assert_true(was_there);
		fx_done(&f);
	}
}

/* The same as text through nft(8), the second writer of the same table. */
static void test_text(void **state)
{
	char path[] = "/tmp/bulkhead-nft-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	close(fd);
	for (unsigned i = 0; i < 20; i++) {
		struct bh_buf text;
		FILE *out = fopen(path, "w");
		struct fx f;

		assert_non_null(out);
		rnd_ruleset(&f, 1 + 3 * i);
		bh_buf_init(&text, 64 << 20);
		assert_int_equal(nft_text(&f.r, time(NULL), &text), 0);
		assert_int_equal(fwrite(text.data, 1, text.len, out), text.len);
		assert_int_equal(fclose(out), 0);
		place_do(&here, "nft -f %s 2>&1", path);
		assert_holds(&here, &f.r);
		assert_int_equal(nft_remove(&here.s, NULL, NULL), 0);
		bh_buf_done(&text);
		fx_done(&f);
	}
	unlink(path);
}

/* --- changes in place ------------------------------------------------------------------------ */

/* The counters of policy rules that are in both must go on from what they had. */
static void assert_counts_kept(const struct nft_state *before, const struct nft_state *after)
{
	for (size_t i = 0; i < after->ruleset->n_rules; i++) {
		struct nft_rule_count expect = { 0 };

		for (size_t j = 0; j < before->ruleset->n_rules; j++)
			if (strcmp(before->ruleset->rules[j].name, after->ruleset->rules[i].name) ==
			    0)
				expect = before->rule_counts[j];
		assert_int_equal(after->rule_counts[i].packets, expect.packets);
		assert_int_equal(after->rule_counts[i].bytes, expect.bytes);
	}
}

/* The table as it stands, made anew with other counts: that is how a test counts packets. */
static void set_counts(struct place *p, const struct ruleset *r)
{
	struct nft_state st;

	place_read(p, &st);
	for (size_t i = 0; i < r->n_rules; i++)
		st.rule_counts[i] = (struct nft_rule_count) { 1000 + i, 50000 + 7 * i };
	st.totals.denied[DIRECTION_INGRESS] = 77;
	st.totals.forwarded = 3;
	st.intact = false;
	assert_int_equal(nft_apply(&p->s, r, &st, NULL), 0);
	nft_state_done(&st);
}

/* "table inet bulkhead # handle 7", and the base chains with theirs. */
static char *handles(struct place *p)
{
	return place_run(p, NULL,
			 "nft -a list table inet bulkhead | "
			 "grep -E '^table|chain (output|input|forward) '");
}

/*
 * A hundred rulesets, each made of the one before: every one is what is read back, counters of
 * rules that stay go on, and table and base chains are the same ones to the end.
 */
static void walk(unsigned steps)
{
	bh_autofree char *first = NULL, *last = NULL;
	struct fx f;

	rnd_ruleset(&f, 8);
	place_apply(&here, &f.r);
	set_counts(&here, &f.r);
	fx_done(&f);
	first = handles(&here);
	for (unsigned i = 0; i < steps; i++) {
		struct nft_state before, after;

		place_read(&here, &before);
		rnd_ruleset(&f, 1 + rnd(40));
		place_apply(&here, &f.r);
		place_read(&here, &after);
		assert_counts_kept(&before, &after);
		assert_int_equal(after.totals.denied[DIRECTION_INGRESS], 77);
		assert_int_equal(after.totals.forwarded, 3);
		nft_state_done(&before);
		nft_state_done(&after);
		fx_done(&f);
	}
	last = handles(&here);
	assert_string_equal(last, first);
}

static void test_walk(void **state)
{
	for (unsigned i = 0; i < 5; i++)
		walk(20);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_full),
		CASE(test_random_rulesets),
		CASE(test_text),
		CASE(test_walk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
