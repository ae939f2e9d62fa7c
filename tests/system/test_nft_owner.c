/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nft.h"

/*
 * Tables that belong to a socket: who may change them while it is open, and how another process
 * takes them over when it is not. Root.
 */

static struct place here;
static struct fx f;
static struct nlsock other = NLSOCK_INIT; /* of somebody else in the namespace */

static struct nft_want owning(const struct ruleset *r)
{
	struct nft_want want = *fx_want(r);

	want.own = true;
	return want;
}

static void open_socket(struct nlsock *s)
{
	struct bh_err err = BH_ERR_INIT;

	if (nlsock_open(s, here.fd, NETLINK_NETFILTER, &err) < 0)
		fail_msg("%s", err.msg);
}

static int setup(void **state)
{
	place_open(&here);
	open_socket(&other);
	fx_full_until_and(&f, 0, true);
	place_apply_want(&here, &((struct nft_want) { &f.r, fx_want(&f.r)->frames, true }));
	return 0;
}

static int teardown(void **state)
{
	fx_done(&f);
	nlsock_done(&other);
	place_close(&here);
	return 0;
}

static void assert_owner(uint32_t portid)
{
	struct nft_state st;

	assert_int_equal(nft_readback(&other, &st, NULL), 0);
	assert_true(st.present && st.intact && st.persists);
	assert_int_equal(st.owned, portid != 0);
	assert_int_equal(st.owner, portid);
	nft_state_done(&st);
}

/* The tables and their base chains, with handles: the very same objects. */
static char *handles(void)
{
	return place_run(&here, NULL,
			 "for t in inet netdev; do nft -a list table $t bulkhead | "
			 "sed 's/ progname.*//' | grep -E '^table|^\\tchain '; done");
}

/* Counts that a table made anew could not have of itself. */
static void set_counts(void)
{
	struct nft_want want = owning(&f.r);
	struct nft_state st;

	place_read(&here, &st);
	st.totals.denied[DIRECTION_EGRESS] = 77;
	st.totals.raw = 78;
	st.rule_counts[0] = (struct nft_rule_count) { 123, 45678 };
	st.intact = false;
	assert_int_equal(nft_apply(&here.s, &want, &st, NULL, NULL), 0);
	nft_state_done(&st);
}

static void assert_counts(struct nlsock *s)
{
	struct nft_state st;

	assert_int_equal(nft_readback(s, &st, NULL), 0);
	assert_int_equal(st.totals.denied[DIRECTION_EGRESS], 77);
	assert_int_equal(st.totals.raw, 78);
	assert_int_equal(st.rule_counts[0].packets, 123);
	assert_int_equal(st.rule_counts[0].bytes, 45678);
	nft_state_done(&st);
}

/* --- while it is open ------------------------------------------------------------------------------ */

/* Another socket is refused whatever it wants, and all stands as it stood. */
static void test_others(void **state)
{
	struct nft_want plain = *fx_want(&f.r), own = owning(&f.r);
	struct nft_state st;
	bool there = false;

	assert_owner(here.s.portid);
	assert_int_not_equal(here.s.portid, other.portid);
	f.r.generation = "another";
	assert_int_equal(nft_readback(&other, &st, NULL), 0);
	assert_int_equal(nft_apply(&other, &plain, &st, NULL, NULL), -EPERM);
	assert_int_equal(nft_apply(&other, &own, &st, NULL, NULL), -EPERM);
	st.intact = false;
	assert_int_equal(nft_apply(&other, &own, &st, NULL, NULL), -EPERM);
	nft_state_done(&st);
	assert_int_equal(nft_remove(&other, &there, NULL), -EPERM);
	assert_true(there);
	assert_int_equal(nft_present(&other, &there, NULL), 0);
	assert_true(there);
	f.r.generation = "0123456789abcdef";
	assert_owner(here.s.portid);
	assert_holds(&here, &f.r);
}

/* Nor has nft(8) a way; the owner itself has all of them. */
static void test_nft(void **state)
{
	static const char *const refused[] = {
		"delete table inet bulkhead",
		"delete table netdev bulkhead",
		"flush table netdev bulkhead",
		"flush chain inet bulkhead output",
		"insert rule netdev bulkhead egress accept",
		"add rule inet bulkhead about accept",
		"add chain netdev bulkhead x",
		"add set inet bulkhead x { type ipv4_addr; }",
		"delete element inet bulkhead egress4 { 10.77.1.2 . tcp . 5432 }",
		"add element inet bulkhead egress4_host { 10.6.6.6 : \"payments.out.db\" }",
		"add table inet bulkhead { flags dormant; }",
	};
	bh_autofree char *before = handles(), *after = NULL;
	int status;

	for (size_t i = 0; i < BH_ARRAY_SIZE(refused); i++) {
		free(place_run(&here, &status, "nft '%s' 2>&1", refused[i]));
		if (status == 0)
			fail_msg("nft may: %s", refused[i]);
	}
	place_do(&here, "nft add table ip victim; nft flush ruleset");
	after = place_run(&here, NULL, "nft list tables");
	assert_string_equal(after, "table inet bulkhead\ntable netdev bulkhead\n");
	free(after);
	after = handles();
	assert_string_equal(after, before);
	assert_holds(&here, &f.r);
	f.r.mode = MODE_AUDIT;
	place_apply_want(&here, &((struct nft_want) { &f.r, fx_want(&f.r)->frames, true }));
	assert_int_equal(nft_remove(&here.s, NULL, NULL), 0);
}

/* --- when it is closed ------------------------------------------------------------------------------ */

/* One socket after the other: the tables are never gone, and nothing that was counted is. */
static void test_adoption(void **state)
{
	bh_autofree char *before = NULL, *after = NULL;
	struct nft_want want = owning(&f.r);

	set_counts();
	before = handles();
	for (unsigned i = 0; i < 3; i++) {
		uint32_t id, last;

		nlsock_done(&here.s);
		assert_owner(0); /* nobody's, and they stand */
		assert_counts(&other);
		open_socket(&here.s);
		assert_int_equal(nft_commit_id(&other, &id, NULL), 0);
		place_apply_want(&here, &want);
		assert_int_equal(nft_commit_id(&other, &last, NULL), 0);
		assert_int_equal(last, id + 1); /* one batch */
		assert_owner(here.s.portid);
		assert_int_equal(nft_remove(&other, NULL, NULL), -EPERM);
		assert_counts(&here.s);
		place_apply_want(&here, &want); /* again: nothing to do */
		assert_int_equal(nft_commit_id(&other, &id, NULL), 0);
		assert_int_equal(id, last);
	}
	after = handles();
	assert_string_equal(after, before);
}

/* Taken over and changed in one batch; the second table comes and goes with it. */
static void test_adoption_with_change(void **state)
{
	bh_autofree char *before = NULL, *after = NULL;

	set_counts();
	before =
		place_run(&here, NULL, "nft -a list table inet bulkhead | grep -E 'chain (o|i|f)'");
	for (unsigned i = 0; i < 4; i++) {
		struct nft_want want = owning(&f.r);

		if (i % 2 == 0)
			want.frames = NULL;
		f.r.mode = i & 1 ? MODE_AUDIT : MODE_ENFORCE;
		f.r.log_denied = i & 2;
		nlsock_done(&here.s);
		open_socket(&here.s);
		place_apply_want(&here, &want);
		assert_owner(here.s.portid);
	}
	after = place_run(&here, NULL, "nft -a list table inet bulkhead | grep -E 'chain (o|i|f)'");
	assert_string_equal(after, before);
}

/* Whoever does not want to own may still change what is nobody's, and then it is nobody's still. */
static void test_orphan_is_anybodys(void **state)
{
	struct nft_want plain = *fx_want(&f.r);

	set_counts();
	nlsock_done(&here.s);
	open_socket(&here.s);
	f.r.generation = "another";
	place_apply_want(&here, &plain);
	assert_owner(0);
	assert_counts(&here.s);
	assert_int_equal(nft_remove(&other, NULL, NULL), 0);
}

/* Plain tables cannot be owned as they are: made anew in one batch, and their counts with them. */
static void test_plain_to_owned(void **state)
{
	struct nft_want plain = *fx_want(&f.r), own;
	uint32_t before, after;
	struct nft_state st;

	assert_int_equal(nft_remove(&here.s, NULL, NULL), 0);
	place_apply_want(&here, &plain);
	place_read(&here, &st);
	assert_false(st.persists || st.owned);
	nft_state_done(&st);
	place_read(&here, &st);
	st.totals.denied[DIRECTION_EGRESS] = 77;
	st.totals.raw = 78;
	st.rule_counts[0] = (struct nft_rule_count) { 123, 45678 };
	st.intact = false;
	assert_int_equal(nft_apply(&other, &plain, &st, NULL, NULL), 0);
	nft_state_done(&st);
	assert_int_equal(nft_commit_id(&here.s, &before, NULL), 0);
	own = owning(&f.r);
	place_apply_want(&here, &own);
	assert_int_equal(nft_commit_id(&here.s, &after, NULL), 0);
	assert_int_equal(after, before + 1);
	assert_owner(here.s.portid);
	assert_counts(&here.s);
}

/* What somebody altered while it was nobody's is made anew, and owned. */
static void test_altered_orphan(void **state)
{
	static const char *const alterations[] = {
		"insert rule inet bulkhead output accept",
		"insert rule netdev bulkhead egress accept",
		"delete table netdev bulkhead",
		"delete table inet bulkhead",
		"flush ruleset",
		"add chain netdev bulkhead x",
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(alterations); i++) {
		struct nft_want want = owning(&f.r);

		nlsock_done(&here.s);
		open_socket(&here.s);
		place_do(&here, "nft '%s' 2>&1", alterations[i]);
		place_apply_want(&here, &want);
		assert_owner(here.s.portid);
	}
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_others),
		CASE(test_nft),
		CASE(test_adoption),
		CASE(test_adoption_with_change),
		CASE(test_orphan_is_anybodys),
		CASE(test_plain_to_owned),
		CASE(test_altered_orphan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
