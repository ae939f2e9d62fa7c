/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nft.h"
#include "random.h"

#include <sys/socket.h>
#include <sys/syscall.h>

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

static uint64_t allowed_count(const char *counter)
{
	bh_autofree char *text = place_run(
		&here, NULL,
		"nft -j list counter inet bulkhead %s | jq .nftables[1].counter.packets", counter);

	return strtoull(text, NULL, 10);
}

/* On, off and on again in place; the counters are a stranger's where nothing is logged. */
static void test_allowed(void **state)
{
	char why[256];
	struct fx f;

	fx_full_until(&f, 0);
	for (int i = 0; i < 4; i++) {
		f.r.log_allowed = i & 1;
		place_apply(&here, &f.r);
	}
	assert_int_equal(allowed_count("allowed.egress"), 0);
	f.r.log_allowed = false;
	place_apply(&here, &f.r);
	place_do(&here, "nft add counter inet bulkhead allowed.egress");
	assert_false(place_holds(&here, &f.r, why));
	assert_string_equal(why, "counter allowed.egress is there and should not be");
	place_apply(&here, &f.r);
	fx_done(&f);
}

/* With everything that guardrails deny, and with nothing else. */
static void test_guardrails(void **state)
{
	struct fx f;

	fx_full_until_and(&f, 3600, true);
	place_apply(&here, &f.r);
	fx_done(&f);
	fx_open(&f);
	place_apply(&here, &f.r);
	fx_done(&f);
}

static void test_random_rulesets(void **state)
{
	for (unsigned i = 0; i < 20; i++) {
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
		assert_int_equal(nft_text(fx_want(&f.r), time(NULL), &text), 0);
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
	assert_int_equal(nft_apply(&p->s, fx_want(r), &st, NULL, NULL), 0);
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

/* --- many elements --------------------------------------------------------------------------- */

#define MANY 10000

/* Some MANY exact flows of each family, some thousand boxes, and as many ranges outside the world. */
static void many(struct fx *f, uint32_t shift)
{
	uint32_t rule;

	fx_init(f);
	rule = fx_rule(f, "web.out.many", "p.yaml:1");
	for (uint32_t i = 0; i < MANY; i++)
		for (unsigned v6 = 0; v6 < 2; v6++) {
			struct bh_addr a = rnd_addr(v6, 0, 2 * i + shift);
			struct entry *e = bh_vec_push(&f->entries[0][ENTRY_EXACT]);

			assert_non_null(e);
			*e = (struct entry) { { a, a }, 6, 6, 443, 443, rule, 0 };
		}
	for (uint32_t i = 0; i < MANY / 10; i++)
		for (unsigned v6 = 0; v6 < 2; v6++) {
			struct bh_range r = { rnd_addr(v6, 0, i << 8),
					      rnd_addr(v6, 0, (i << 8) + 100 + shift % 97) };
			struct entry *e = bh_vec_push(&f->entries[0][ENTRY_RANGE]);

			assert_non_null(e);
			*e = (struct entry) { r, 6, 6, 8000, 8080, rule, 0 };
			*(struct bh_range *)bh_vec_push(&f->known) = r;
		}
	fx_add(f, DIRECTION_EGRESS, ENTRY_WORLD, FX_ANY4, FX_TCP(443), rule, 0);
	fx_finish(f);
}

/* Lists of over 64 KiB each, made, half changed in place, and taken away in place. */
static void test_many_elements(void **state)
{
	struct fx f;

	many(&f, 0);
	place_apply(&here, &f.r);
	fx_done(&f);
	many(&f, MANY);
	place_apply(&here, &f.r);
	fx_done(&f);
	fx_init(&f);
	place_apply(&here, fx_finish(&f));
	fx_done(&f);
}

/* --- tables of another make ------------------------------------------------------------------ */

/* Whatever stands under our name is replaced in one batch, and only if it is not ours. */
static void test_foreign_make(void **state)
{
	static const char *const tables[] = {
		"add table inet bulkhead",
		"add table inet bulkhead { flags dormant; }",
		"add table inet bulkhead; add chain inet bulkhead output",
		"add table inet bulkhead; add chain inet bulkhead output { type filter hook input "
		"priority 0; policy accept; }",
		"add table inet bulkhead; add set inet bulkhead egress4 { type ipv4_addr; }",
		"add table inet bulkhead; add map inet bulkhead egress4 { type ipv4_addr : "
		"verdict; }; add element inet bulkhead egress4 { 10.0.0.1 : accept }",
		"add table inet bulkhead; add counter inet bulkhead denied.egress",
		"add table inet bulkhead; add quota inet bulkhead web.in.x { 10 mbytes; }",
		"add table inet bulkhead; add chain inet bulkhead about; add rule inet bulkhead "
		"about continue comment \\\"endpoint x\\\"",
		"add table inet bulkhead; add chain inet bulkhead a; add chain inet bulkhead b; "
		"add rule inet bulkhead a jump b; add chain inet bulkhead output { type filter "
		"hook output priority 0; }; add rule inet bulkhead output goto a",
	};
	struct nft_state st;
	struct fx f;

	fx_full_until(&f, 3600);
	for (size_t i = 0; i < BH_ARRAY_SIZE(tables); i++) {
		place_do(&here, "nft \"%s\" 2>&1", tables[i]);
		place_read(&here, &st);
		if (!st.present || st.intact || !st.drift[0])
			fail_msg("taken for ours: %s", tables[i]);
		nft_state_done(&st);
		place_apply(&here, &f.r);
		assert_int_equal(nft_remove(&here.s, NULL, NULL), 0);
	}
	fx_done(&f);
}

/* --- broken off ------------------------------------------------------------------------------ */

static int sends_left = -1; /* then sending fails; -1: never */

ssize_t sendto(int fd, const void *data, size_t len, int flags, __CONST_SOCKADDR_ARG to,
	       socklen_t to_len)
{
	if (sends_left == 0) {
		errno = EIO;
		return -1;
	}
	sends_left -= sends_left > 0;
	return syscall(SYS_sendto, fd, data, len, flags, to.__sockaddr__, to_len);
}

/* Only the first N batches of a change are done. True: there were no more. */
static bool apply_some(const struct ruleset *r, int n)
{
	struct nft_written written;
	struct nft_state have;
	int result;

	place_read(&here, &have);
	sends_left = n;
	result = nft_apply(&here.s, fx_want(r), &have, &written, NULL);
	sends_left = -1;
	nft_state_done(&have);
	assert_true((int)written.commits <= n);
	return result >= 0;
}

/* However far a change came, what it left is understood and brought to its end in the same table. */
static void test_broken_off(void **state)
{
	unsigned intact = 0, doubled = 0;

	for (unsigned i = 0; i < 20; i++) {
		struct fx from, to;
		bool done = false;

		rnd_ruleset(&from, 1 + rnd(60));
		rnd_ruleset(&to, 1 + rnd(60));
		for (int n = 1; !done; n++) {
			struct nft_state have;

			place_apply(&here, &from.r);
			done = apply_some(&to.r, n);
			place_read(&here, &have);
			assert_true(have.present);
			if (have.intact)
				intact++;
			else if (strstr(have.drift, "stands by two names"))
				doubled++;
			else
				fail_msg("after %d batches: %s", n, have.drift);
			nft_state_done(&have);
			place_apply(&here, &to.r);
		}
		fx_done(&from);
		fx_done(&to);
	}
	assert_true(intact > 20);
	print_message("%u left intact, %u by two names\n", intact, doubled);
}

/* An interval map that no rule names is what a change may leave: it goes, and nothing else. */
static void test_leftover(void **state)
{
	bh_autofree char *before = NULL, *after = NULL;
	struct nft_state have;
	struct fx f;

	fx_full_until(&f, 0);
	place_apply(&here, &f.r);
	before = handles(&here);
	place_do(&here,
		 "nft 'add map inet bulkhead egress4_range_b { type ipv4_addr . inet_proto . "
		 "inet_service : counter; flags interval,timeout; }; add element inet bulkhead "
		 "egress4_range_b { 10.0.0.0/8 . tcp . 1-9 : \"payments.out.dns\" }'");
	place_read(&here, &have);
	assert_true(have.intact);
	assert_int_equal(have.leftovers[0], 0);
	assert_int_not_equal(have.leftovers[1], 0);
	nft_state_done(&have);
	place_apply(&here, &f.r);
	place_read(&here, &have);
	assert_int_equal(have.leftovers[1], 0);
	nft_state_done(&have);
	after = handles(&here);
	assert_string_equal(before, after);
	fx_done(&f);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_full),          CASE(test_allowed),
		CASE(test_guardrails),    CASE(test_random_rulesets),
		CASE(test_text),          CASE(test_walk),
		CASE(test_many_elements), CASE(test_foreign_make),
		CASE(test_broken_off),    CASE(test_leftover),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
