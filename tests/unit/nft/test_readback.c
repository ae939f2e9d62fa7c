/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fake.h"

/* What readback makes of a table, ours and altered ones; the kernel is a stand-in (fake.h). */

static void assert_intact(struct fake *k, const struct ruleset *r)
{
	struct bh_err err = BH_ERR_INIT;
	struct nft_state st;
	char what[128] = "";

	if (fake_readback(k, &st, &err) < 0)
		fail_msg("%s", err.msg);
	assert_true(st.present);
	assert_string_equal(st.drift, "");
	assert_true(st.intact);
	if (!ruleset_equal(r, st.ruleset, what, sizeof(what)))
		fail_msg("%s", what);
	nft_state_done(&st);
}

static void test_round_trip(void **state)
{
	struct fake k;

	fake_open(&k);
	for (unsigned i = 0; i < 24; i++) {
		struct fx f;

		if (i & 16)
			fx_open(&f);
		else if (i & 8)
			fx_full_until_and(&f, 3600 + i, true);
		else
			fx_init(&f);
		f.r.mode = i & 1 ? MODE_AUDIT : MODE_ENFORCE;
		f.r.on_deny = i & 2 ? ON_DENY_REJECT : ON_DENY_DROP;
		f.r.log_denied = i & 4;
		fake_create(&k, fx_finish(&f));
		assert_intact(&k, &f.r);
		fx_done(&f);
	}
	fake_close(&k);
}

static void test_absent(void **state)
{
	struct nft_state st;
	struct fake k;

	fake_open(&k);
	assert_int_equal(fake_readback(&k, &st, NULL), 0);
	assert_false(st.present);
	assert_false(st.intact);
	assert_null(st.ruleset);
	assert_int_equal(k.queries, 2); /* which commit, which table */
	nft_state_done(&st);
	fake_close(&k);
}

/* --- cut short ------------------------------------------------------------------------------- */

static void test_interrupted(void **state)
{
	struct bh_err err = BH_ERR_INIT;
	struct nft_state st;
	struct fake k;
	struct fx f;

	fake_open(&k);
	fx_full_until_and(&f, 0, true);
	fake_create(&k, &f.r);
	k.intr = 3; /* somebody changes the table: read again */
	assert_intact(&k, &f.r);
	k.intr = 1000; /* and never ceases to */
	assert_int_equal(fake_readback(&k, &st, &err), -EINTR);
	assert_string_equal(err.msg, "the tables changed while they were read");
	assert_null(st.ruleset);
	assert_false(st.intact);
	fx_done(&f);
	fake_close(&k);
}

/* A commit between the first question and the last: what was read may be of two tables. */
static void test_commit_meanwhile(void **state)
{
	struct bh_err err = BH_ERR_INIT;
	struct nft_state st;
	struct fake k;
	struct fx f;

	fake_open(&k);
	fx_full_until_and(&f, 0, true);
	fake_create(&k, &f.r);
	k.busy = 5;
	assert_int_equal(fake_readback(&k, &st, &err), 0);
	assert_true(st.intact);
	assert_int_equal(st.commit_id, 45);
	nft_state_done(&st);
	k.busy = 1000;
	assert_int_equal(fake_readback(&k, &st, &err), -EINTR);
	assert_string_equal(err.msg, "nf_tables change faster than they can be read");
	assert_false(st.present || st.intact || st.ruleset);
	fx_done(&f);
	fake_close(&k);
}

/* A hash in disorder, with an element twice, is read again. */
static void test_resized_meanwhile(void **state)
{
	struct bh_err err = BH_ERR_INIT;
	struct nft_state st;
	struct fake k;
	struct fx f;

	fake_open(&k);
	fx_init(&f);
	fx_add(&f, 0, ENTRY_HOST, "10.0.0.1", FX_ALL, fx_rule(&f, "a.out.b", "p:1"), 0);
	fx_add(&f, 0, ENTRY_HOST, "10.0.0.2", FX_ALL, 0, 0);
	fake_create(&k, fx_finish(&f));
	k.resizing = 4;
	assert_intact(&k, &f.r);
	k.resizing = 1000;
	assert_int_equal(fake_readback(&k, &st, &err), -EINTR);
	assert_string_equal(err.msg, "the kernel is still resizing the map egress4_host");
	fx_done(&f);
	fake_close(&k);
}

/* --- altered --------------------------------------------------------------------------------- */

static bool reads_as(struct fake *k, const struct ruleset *r, char drift[256])
{
	struct bh_err err = BH_ERR_INIT;
	struct nft_state st;
	bool same;

	if (fake_readback(k, &st, &err) < 0)
		fail_msg("%s", err.msg);
	same = st.intact && ruleset_equal(r, st.ruleset, drift, 256);
	if (!st.intact) {
		/* What is not intact says why; what is says nothing. */
		assert_true(!st.present || st.drift[0]);
		snprintf(drift, 256, "%s", st.present ? st.drift : "absent");
	} else {
		assert_string_equal(st.drift, "");
	}
	nft_state_done(&st);
	return same;
}

/* Take any one message away, and it shows. */
static void assert_every_part_counts(bool open)
{
	char drift[256];
	struct fake k;
	struct fx f;

	fake_open(&k);
	if (open)
		fx_open(&f);
	else
		fx_full_until_and(&f, 0, true);
	f.r.on_deny = ON_DENY_REJECT;
	fake_create(&k, &f.r);
	for (size_t i = 0; i < k.n; i++) {
		uint16_t type = k.kept[i]->nlmsg_type;

		k.kept[i]->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | 0xff;
		if (reads_as(&k, &f.r, drift))
			fail_msg("message %zu of type %u is not missed", i, type & 0xff);
		k.kept[i]->nlmsg_type = type;
	}
	assert_intact(&k, &f.r);
	fx_done(&f);
	fake_close(&k);
}

static void test_every_part_counts(void **state)
{
	assert_every_part_counts(false);
	assert_every_part_counts(true);
}

/* A guardrail's map does not run empty: one that did was emptied, and the table is made anew. */
static void test_emptied_guard(void **state)
{
	char drift[256];
	struct fake k;
	struct fx f;

	fake_open(&k);
	fx_open(&f);
	fake_create(&k, &f.r);
	for (size_t i = 0; i < k.n; i++)
		if (fake_type(k.kept[i]) == NFT_MSG_NEWSETELEM &&
		    strcmp(fake_attr(k.kept[i], NFTA_SET_ELEM_LIST_SET), "guard_egress4") == 0)
			k.kept[i]->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | 0xff;
	assert_false(reads_as(&k, &f.r, drift));
	assert_string_equal(drift, "set guard_egress4 is there and should not be");
	fx_done(&f);
	fake_close(&k);
}

/* A rule twice, or two in the wrong order. */
static void test_order_of_rules(void **state)
{
	char drift[256];
	struct fake k;
	struct fx f;
	size_t n;

	fake_open(&k);
	fx_full_until_and(&f, 0, true);
	fake_create(&k, &f.r);
	n = k.n;
	for (size_t i = 1; i < n; i++) {
		struct nlmsghdr *a = k.kept[i - 1], *b = k.kept[i];

		if (fake_type(a) != NFT_MSG_NEWRULE || fake_type(b) != NFT_MSG_NEWRULE ||
		    strcmp(fake_attr(a, NFTA_RULE_CHAIN), fake_attr(b, NFTA_RULE_CHAIN)) != 0)
			continue;
		k.kept[i - 1] = b;
		k.kept[i] = a;
		if (reads_as(&k, &f.r, drift))
			fail_msg("rules %zu and %zu may change places", i - 1, i);
		k.kept[i - 1] = a;
		k.kept[i] = b;
		k.kept[k.n++] = b;
		if (reads_as(&k, &f.r, drift))
			fail_msg("rule %zu may stand there twice", i);
		k.n--;
	}
	assert_intact(&k, &f.r);
	fx_done(&f);
	fake_close(&k);
}

/* --- damaged --------------------------------------------------------------------------------- */

static uint32_t random_state = 1;

static uint32_t rnd(uint32_t n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return random_state % n;
}

static void assert_text(const char *s)
{
	for (const char *p = s; *p; p++)
		if (*p < ' ' || *p > '~')
			fail_msg("a byte %02x in a text for people", (uint8_t)*p);
}

/* People read these: whatever is in the kernel, there is nothing for a terminal to obey. */
static void assert_texts(const struct nft_state *st)
{
	const struct ruleset *r = st->ruleset;

	assert_text(st->drift);
	if (!r)
		return;
	assert_text(r->endpoint);
	assert_text(r->services);
	assert_text(r->generation);
	assert_text(r->deny_where[0]);
	assert_text(r->deny_where[1]);
	for (size_t i = 0; i < r->n_rules; i++) {
		assert_text(r->rules[i].name);
		assert_text(r->rules[i].where);
	}
}

static void test_hostile_texts(void **state)
{
	static const char evil[] = "\033]0;x\007\xe2\x80\xae";
	struct nft_state st;
	struct fake k;
	struct fx f;

	fake_open(&k);
	for (unsigned i = 0; i < 7; i++) {
		fx_init(&f);
		fx_rule(&f, i == 5 ? "a.in.\033[31m" : "a.in.b", i == 6 ? evil : "p.yaml:1");
		f.r.endpoint = i == 0 ? evil : "e";
		f.r.services = i == 1 ? evil : "s";
		f.r.generation = i == 2 ? evil : "g";
		f.r.deny_where[0] = i == 3 ? evil : "p.yaml:1";
		f.r.deny_where[1] = i == 4 ? evil : "p.yaml:1";
		fake_create(&k, fx_finish(&f));
		assert_int_equal(fake_readback(&k, &st, NULL), 0);
		assert_false(st.intact);
		assert_non_null(strstr(st.drift, "bytes that are not text"));
		assert_non_null(st.ruleset);
		assert_texts(&st);
		nft_state_done(&st);
		fx_done(&f);
	}
	fake_close(&k);
}

/* A copy of message AT takes its place until message_back(). */
static struct nlmsghdr *message_copy(struct fake *k, size_t at, struct nlmsghdr **ret_whole)
{
	uint32_t len = k->kept[at]->nlmsg_len;
	struct nlmsghdr *copy = malloc(len);

	assert_non_null(copy);
	memcpy(copy, k->kept[at], len);
	*ret_whole = k->kept[at];
	k->kept[at] = copy;
	return copy;
}

static void message_back(struct fake *k, size_t at, struct nlmsghdr *whole)
{
	free(k->kept[at]);
	k->kept[at] = whole;
}

/*
 * Bytes changed and messages cut anywhere: readback ends, says what it found, and reads nothing
 * that is not there (the sanitizer looks on). Expressions of rules are left alone: libnftnl ends
 * the process when the kernel does not keep to the sizes of their attributes, as it always does.
 */
static void test_damaged(void **state)
{
	unsigned drifts = 0;
	struct fake k;
	struct fx f;

	fake_open(&k);
	fx_full_until_and(&f, 0, true);
	fake_create(&k, &f.r);
	for (unsigned i = 0; i < 1500; i++) {
		size_t at = rnd((uint32_t)k.n);
		struct nlmsghdr *whole, *nlh = message_copy(&k, at, &whole);
		uint32_t len = nlh->nlmsg_len;
		struct nft_state st;

		if (fake_type(nlh) == NFT_MSG_NEWRULE)
			len = MNL_ALIGN(20 + 13) + 4; /* no further than its table */
		else if (rnd(4) == 0)
			nlh->nlmsg_len = 16 + rnd(len - 15);
		for (unsigned n = 1 + rnd(3); n > 0; n--)
			((uint8_t *)nlh)[16 + rnd(len - 16)] ^= (uint8_t)(1 + rnd(255));
		if (fake_readback(&k, &st, NULL) == 0)
			drifts += st.drift[0] != '\0';
		assert_texts(&st);
		nft_state_done(&st);
		message_back(&k, at, whole);
	}
	assert_in_range(drifts, 500, 1500);
	assert_intact(&k, &f.r);
	fx_done(&f);
	fake_close(&k);
}

/*
 * Change one byte of the N-th value in these expressions; false when there are not so many. WHAT
 * gets the expression and the number of the attribute.
 */
static bool change_value(struct nlattr *nest, unsigned *n, char what[32])
{
	struct nlattr *a;

	mnl_attr_for_each_nested (a, nest) {
		uint8_t *value = mnl_attr_get_payload(a);
		size_t len = mnl_attr_get_payload_len(a);

		if (mnl_attr_get_type(nest) == NFTA_LIST_ELEM &&
		    mnl_attr_get_type(a) == NFTA_EXPR_NAME && !(a->nla_type & NLA_F_NESTED) &&
		    len > 1)
			snprintf(what, 32, "%s", (const char *)value);
		if (a->nla_type & NLA_F_NESTED) {
			if (change_value(a, n, what))
				return true;
		} else if (len > 0 && (*n)-- == 0) {
			/* The last byte of a string is its NUL, and stays. */
			size_t at = len - 1 - (len > 1 && value[0] >= ' ' && !value[len - 1]);

			snprintf(what + strlen(what), 32 - strlen(what), " %u",
				 mnl_attr_get_type(a));
			value[at] ^= value[at] == 1 ? 2 : 1;
			return true;
		}
	}
	return false;
}

static struct nlattr *expressions(struct nlmsghdr *nlh)
{
	struct nlattr *a;

	mnl_attr_for_each (a, nlh, sizeof(struct nfgenmsg))
		if (mnl_attr_get_type(a) == NFTA_RULE_EXPRESSIONS)
			return a;
	fail_msg("a rule without expressions");
	return NULL;
}

/* Every value of every expression of every rule, changed: not ours any more. */
static void test_altered_rules(void **state)
{
	unsigned values = 0;
	char drift[256];
	struct fake k;
	struct fx f;

	fake_open(&k);
	fx_init(&f);
	f.r.on_deny = ON_DENY_REJECT;
	fx_add(&f, 0, ENTRY_WORLD_ICMP, FX_ANY4, FX_ICMP(8, 8), fx_rule(&f, "a.out.b", "c:1"), 0);
	fake_create(&k, fx_finish(&f));
	for (size_t i = 0; i < k.n; i++) {
		bool more = fake_type(k.kept[i]) == NFT_MSG_NEWRULE;

		for (unsigned n = 0; more; n++) {
			struct nlmsghdr *whole, *nlh = message_copy(&k, i, &whole);
			char what[32] = "";
			unsigned at = n;

			more = change_value(expressions(nlh), &at, what);
			/* The length of a bitwise operation is that of its mask, or the kernel
			 * refuses it. */
			if (more && reads_as(&k, &f.r, drift) && strcmp(what, "bitwise 3") != 0)
				fail_msg("chain %s: %s does not matter",
					 fake_attr(nlh, NFTA_RULE_CHAIN), what);
			values += more;
			message_back(&k, i, whole);
		}
	}
	assert_true(values > 500);
	fx_done(&f);
	fake_close(&k);
}

/* The N-th value of a message that is no rule. WHAT gets "TYPE of message/attribute/...". */
static bool change_field(struct nlattr *a, unsigned *n, char what[64])
{
	uint8_t *value = mnl_attr_get_payload(a);
	size_t len = mnl_attr_get_payload_len(a), end = strlen(what);
	struct nlattr *sub;

	snprintf(what + end, 64 - end, "/%u", mnl_attr_get_type(a));
	if (a->nla_type & NLA_F_NESTED) {
		mnl_attr_for_each_nested (sub, a)
			if (change_field(sub, n, what))
				return true;
	} else if (len > 0 && (*n)-- == 0) {
		value[len - 1 - (len > 1 && value[0] >= ' ' && !value[len - 1])] ^= 1;
		return true;
	}
	what[end] = '\0';
	return false;
}

static bool change_message(struct nlmsghdr *nlh, unsigned n, char what[64])
{
	struct nlattr *a;

	snprintf(what, 64, "%u", fake_type(nlh));
	mnl_attr_for_each (a, nlh, sizeof(struct nfgenmsg))
		if (change_field(a, &n, what))
			return true;
	return false;
}

/* Table, chains, sets, counters and elements: each of their properties matters, but for these. */
static void test_altered_objects(void **state)
{
	static const char *const free_to_change[] = {
		"0/1",              /* the name of the table that was asked for */
		"12/1",             /* the same where its elements are listed */
		"9/10",             /* the number of a set in a request */
		"9/13",             /* how nft(8) prints addresses */
		"18/4/1", "18/4/2", /* what was counted */
	};
	char drift[256], what[64];
	unsigned values = 0;
	struct fake k;
	struct fx f;

	fake_open(&k);
	fx_full_until_and(&f, 0, true);
	fake_create(&k, &f.r);
	for (size_t i = 0; i < k.n; i++) {
		bool more = fake_type(k.kept[i]) != NFT_MSG_NEWRULE;

		for (unsigned n = 0; more; n++) {
			struct nlmsghdr *whole, *nlh = message_copy(&k, i, &whole);
			bool is_free = false;

			more = change_message(nlh, n, what);
			for (size_t j = 0; j < BH_ARRAY_SIZE(free_to_change); j++)
				is_free |= strcmp(free_to_change[j], what) == 0;
			if (more && reads_as(&k, &f.r, drift) && !is_free)
				fail_msg("%s does not matter", what);
			values += more;
			message_back(&k, i, whole);
		}
	}
	assert_true(values > 500);
	fx_done(&f);
	fake_close(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),       cmocka_unit_test(test_absent),
		cmocka_unit_test(test_interrupted),      cmocka_unit_test(test_every_part_counts),
		cmocka_unit_test(test_order_of_rules),   cmocka_unit_test(test_hostile_texts),
		cmocka_unit_test(test_commit_meanwhile), cmocka_unit_test(test_resized_meanwhile),
		cmocka_unit_test(test_damaged),          cmocka_unit_test(test_altered_rules),
		cmocka_unit_test(test_altered_objects),  cmocka_unit_test(test_emptied_guard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
