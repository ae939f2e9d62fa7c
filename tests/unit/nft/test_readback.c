/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fake.h"

/* What readback makes of a table, ours and altered ones; the kernel is a stand-in (fake.h). */

#define NOTHING (NFNL_SUBSYS_NFTABLES << 8 | 0xff) /* the type of no message */

static uint32_t random_state = 1;

static uint32_t rnd(uint32_t n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return random_state % n;
}

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
	if (!ruleset_equal(r, st.ruleset, what, sizeof(what)) ||
	    !nft_frames_equal(fx_want(r)->frames, st.frames, what, sizeof(what)))
		fail_msg("%s", what);
	nft_state_done(&st);
}

static void test_round_trip(void **state)
{
	struct fake k;

	fake_open(&k);
	for (unsigned i = 0; i < 64; i++) {
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
		f.r.log_allowed = i & 32;
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
	assert_int_equal(k.queries, 3); /* which commit, which tables, and the same commit? */
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
	same = st.intact && ruleset_equal(r, st.ruleset, drift, 256) &&
	       nft_frames_equal(fx_want(r)->frames, st.frames, drift, 256);
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

		k.kept[i]->nlmsg_type = NOTHING;
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
			k.kept[i]->nlmsg_type = NOTHING;
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

/* --- two tables, and those of others ----------------------------------------------------------- */

static void keep_as(struct fake *k, const struct nlmsghdr *nlh, uint8_t family)
{
	fake_keep(k, nlh);
	fake_set_family(k->kept[k->n - 1], family);
}

/* All of ours again under the same names, in families where our name is somebody else's. */
static void test_other_families(void **state)
{
	static const uint8_t families[] = { NFPROTO_IPV4, NFPROTO_IPV6, NFPROTO_ARP,
					    NFPROTO_BRIDGE };
	struct fake k;
	struct fx f;
	size_t n;

	fake_open(&k);
	fx_full_until_and(&f, 0, true);
	for (size_t i = 0; i < BH_ARRAY_SIZE(families); i++) {
		bool first = i % 2;

		fake_create(&k, &f.r);
		n = k.n;
		for (size_t m = 0; m < n; m++)
			keep_as(&k, k.kept[m], families[i]);
		for (size_t m = 0; first && m < n; m++) { /* theirs are listed before ours */
			struct nlmsghdr *ours = k.kept[m];

			k.kept[m] = k.kept[n + m];
			k.kept[n + m] = ours;
		}
		for (size_t m = 0; m < k.n; m++) /* and others' do what they like */
			if (fake_type(k.kept[m]) == NFT_MSG_NEWRULE &&
			    fake_family(k.kept[m]) == families[i])
				k.kept[m]->nlmsg_type = rnd(2) ? NOTHING : k.kept[m]->nlmsg_type;
		assert_intact(&k, &f.r);
	}
	fx_done(&f);
	fake_close(&k);
}

/* Nothing but foreign tables of our name: there is none. */
static void test_only_other_families(void **state)
{
	struct nft_state st;
	struct fake k;
	struct fx f;

	fake_open(&k);
	fx_full_until(&f, 0);
	fake_create(&k, &f.r);
	for (size_t i = 0; i < k.n; i++)
		fake_set_family(k.kept[i], NFPROTO_IPV4);
	assert_int_equal(fake_readback(&k, &st, NULL), 0);
	assert_false(st.present || st.intact || st.ruleset || st.frames || st.drift[0]);
	nft_state_done(&st);
	fx_done(&f);
	fake_close(&k);
}

/* Each message, were it of the other one of our tables. */
static void test_wrong_table(void **state)
{
	char drift[256];
	struct fake k;
	struct fx f;

	fake_open(&k);
	fx_full_until_and(&f, 0, true);
	fake_create(&k, &f.r);
	for (size_t i = 0; i < k.n; i++) {
		uint8_t own = fake_family(k.kept[i]);

		/* Elements are listed of one set of table inet: they cannot be another's. */
		if (fake_type(k.kept[i]) == NFT_MSG_NEWSETELEM)
			continue;
		fake_set_family(k.kept[i], own == NFPROTO_INET ? NFPROTO_NETDEV : NFPROTO_INET);
		if (reads_as(&k, &f.r, drift))
			fail_msg("message %zu of type %u may be in the other table", i,
				 fake_type(k.kept[i]));
		fake_set_family(k.kept[i], own);
	}
	assert_intact(&k, &f.r);
	fx_done(&f);
	fake_close(&k);
}

/* One table alone: of the policy, it is whole without frames; of frames, it is nothing. */
static void test_one_table(void **state)
{
	char why[128];
	struct nft_state st;
	struct fake k;
	struct fx f;

	fake_open(&k);
	fx_full_until(&f, 0);
	for (unsigned family = NFPROTO_INET; family <= NFPROTO_NETDEV; family += 4) {
		fake_create(&k, &f.r);
		for (size_t i = 0; i < k.n; i++)
			if (fake_family(k.kept[i]) != family)
				k.kept[i]->nlmsg_type = NOTHING;
		assert_int_equal(fake_readback(&k, &st, NULL), 0);
		assert_int_equal(st.present, family == NFPROTO_INET);
		assert_int_equal(st.intact, family == NFPROTO_INET);
		assert_int_equal(st.frames != NULL, family == NFPROTO_NETDEV);
		if (st.present) {
			assert_false(nft_frames_equal(fx_want(&f.r)->frames, st.frames, why,
						      sizeof(why)));
			assert_string_equal(why, "the table netdev bulkhead is missing");
		}
		nft_state_done(&st);
	}
	fx_done(&f);
	fake_close(&k);
}

/* What no table netdev of ours ever has. */
static void test_foreign_in_netdev(void **state)
{
	static const struct {
		uint8_t message;
		uint16_t table, name;
		const char *what, *drift;
	} foreign[] = {
		{ NFT_MSG_NEWCHAIN, NFTA_CHAIN_TABLE, NFTA_CHAIN_NAME, "extra",
		  "a foreign chain extra is in the table" },
		{ NFT_MSG_NEWCHAIN, NFTA_CHAIN_TABLE, NFTA_CHAIN_NAME, "output",
		  "a foreign chain output is in the table" },
		{ NFT_MSG_NEWSET, NFTA_SET_TABLE, NFTA_SET_NAME, "extra",
		  "a foreign set extra is in the table" },
		{ NFT_MSG_NEWSET, NFTA_SET_TABLE, NFTA_SET_NAME, "denied4",
		  "a foreign set denied4 is in the table" },
		{ NFT_MSG_NEWOBJ, NFTA_OBJ_TABLE, NFTA_OBJ_NAME, "web.in.extra",
		  "a foreign counter web.in.extra is in the table" },
		{ NFT_MSG_NEWOBJ, NFTA_OBJ_TABLE, NFTA_OBJ_NAME, "forwarded",
		  "a foreign counter forwarded is in the table" },
		{ NFT_MSG_NEWRULE, NFTA_RULE_TABLE, NFTA_RULE_CHAIN, "output",
		  "a foreign rule is in chain output" },
	};
	char buf[512] __attribute__((aligned(16))), drift[256];
	struct fake k;
	struct fx f;

	fake_open(&k);
	fx_full_until(&f, 0);
	for (size_t i = 0; i < BH_ARRAY_SIZE(foreign); i++) {
		struct nlmsghdr *nlh = fake_begin(buf, NFPROTO_NETDEV, foreign[i].message);

		fake_create(&k, &f.r);
		mnl_attr_put_strz(nlh, foreign[i].table, NFT_TABLE_NAME);
		mnl_attr_put_strz(nlh, foreign[i].name, foreign[i].what);
		if (foreign[i].message == NFT_MSG_NEWOBJ)
			mnl_attr_put_u32(nlh, NFTA_OBJ_TYPE, htonl(NFT_OBJECT_COUNTER));
		fake_keep(&k, nlh);
		assert_false(reads_as(&k, &f.r, drift));
		assert_string_equal(drift, foreign[i].drift);
	}
	fx_done(&f);
	fake_close(&k);
}

/* --- whose the tables are ---------------------------------------------------------------------- */

static void set_owner(struct fake *k, uint8_t family, uint32_t flags, uint32_t owner)
{
	char buf[256] __attribute__((aligned(16)));

	for (size_t i = 0; i < k->n; i++) {
		struct nlmsghdr *nlh;

		if (fake_type(k->kept[i]) != NFT_MSG_NEWTABLE || fake_family(k->kept[i]) != family)
			continue;
		nlh = fake_begin(buf, family, NFT_MSG_NEWTABLE);
		mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, NFT_TABLE_NAME);
		mnl_attr_put_u32(nlh, NFTA_TABLE_FLAGS, htonl(flags));
		if (owner)
			mnl_attr_put_u32(nlh, BH_NFTA_TABLE_OWNER, htonl(owner));
		free(k->kept[i]);
		k->kept[i] = malloc(nlh->nlmsg_len);
		assert_non_null(k->kept[i]);
		memcpy(k->kept[i], nlh, nlh->nlmsg_len);
	}
}

static void test_owner(void **state)
{
	static const struct {
		uint32_t inet, netdev; /* flags */
		bool intact, persists, owned;
	} cases[] = {
		{ 0, 0, true, false, false },         { 6, 6, true, true, true },
		{ 4, 4, true, true, false },  /* the owner is gone */
		{ 2, 2, true, false, true },  /* and would take them along: no process of ours */
		{ 6, 0, true, false, false }, /* both or neither: a plain one is anybody's */
		{ 0, 6, true, false, false },         { 6, 4, true, true, false },
		{ 7, 6, false, true, true }, /* dormant */
		{ 6, 5, false, true, false },         { 8, 0, false, false, false },
		{ 6, 0x80000006, false, true, true },
	};
	struct fake k;
	struct fx f;

	fake_open(&k);
	fx_full_until(&f, 0);
	fake_create(&k, &f.r);
	for (size_t i = 0; i < BH_ARRAY_SIZE(cases); i++) {
		struct nft_state st;

		set_owner(&k, NFPROTO_INET, cases[i].inet, cases[i].inet & 2 ? 4711 : 0);
		set_owner(&k, NFPROTO_NETDEV, cases[i].netdev, cases[i].netdev & 2 ? 4711 : 0);
		assert_int_equal(fake_readback(&k, &st, NULL), 0);
		assert_int_equal(st.intact, cases[i].intact);
		assert_int_equal(st.persists, cases[i].persists);
		assert_int_equal(st.owned, cases[i].owned);
		assert_int_equal(st.owner, cases[i].inet & 2 ? 4711 : 0);
		nft_state_done(&st);
	}
	fx_done(&f);
	fake_close(&k);
}

/* --- devices ------------------------------------------------------------------------------------ */

/* The hook's chain, hooked on N devices of these names, in place of ours. */
static void set_devices(struct fake *k, uint16_t type, const char *const *names, size_t n)
{
	char buf[8192] __attribute__((aligned(16)));
	struct nlmsghdr *nlh = fake_begin(buf, NFPROTO_NETDEV, NFT_MSG_NEWCHAIN);
	struct nlattr *hook, *list;

	mnl_attr_put_strz(nlh, NFTA_CHAIN_TABLE, NFT_TABLE_NAME);
	mnl_attr_put_strz(nlh, NFTA_CHAIN_NAME, "egress");
	hook = mnl_attr_nest_start(nlh, NFTA_CHAIN_HOOK);
	mnl_attr_put_u32(nlh, NFTA_HOOK_HOOKNUM, htonl(BH_NF_NETDEV_EGRESS));
	mnl_attr_put_u32(nlh, NFTA_HOOK_PRIORITY, htonl(INT32_MAX));
	list = mnl_attr_nest_start(nlh, BH_NFTA_HOOK_DEVS);
	for (size_t i = 0; i < n; i++)
		mnl_attr_put_strz(nlh, type, names[i]);
	mnl_attr_nest_end(nlh, list);
	mnl_attr_nest_end(nlh, hook);
	mnl_attr_put_u32(nlh, NFTA_CHAIN_POLICY, htonl(NF_DROP));
	mnl_attr_put_strz(nlh, NFTA_CHAIN_TYPE, "filter");
	for (size_t i = 0; i < k->n; i++)
		if (fake_type(k->kept[i]) == NFT_MSG_NEWCHAIN &&
		    strcmp(fake_attr(k->kept[i], NFTA_CHAIN_NAME), "egress") == 0) {
			free(k->kept[i]);
			k->kept[i] = malloc(nlh->nlmsg_len);
			assert_non_null(k->kept[i]);
			memcpy(k->kept[i], nlh, nlh->nlmsg_len);
			return;
		}
	fail_msg("there is no chain egress");
}

static void test_devices(void **state)
{
	static const char *const more[] = { "eth1", "wlan0", "eth0" }, *const fewer[] = { "eth0" };
	static const char *const odd[] = { "eth0", "eth1", "\033[31m" };
	static const char *const longer[] = { "eth0", "eth1", "sixteen-bytes-it" };
	static const char *const none[] = { "eth0", "eth1", "" };
	static const char too_odd[] = "the chain egress is hooked on a device of odd name";
	char drift[256];
	struct fake k;
	struct fx f;

	fake_open(&k);
	fx_full_until(&f, 0);
	fake_create(&k, &f.r);
	set_devices(&k, NFTA_DEVICE_NAME, more, 3); /* more than we ask for does no harm */
	assert_intact(&k, &f.r);
	set_devices(&k, NFTA_DEVICE_NAME, odd, 3); /* whoever named it, it is held */
	assert_intact(&k, &f.r);
	set_devices(&k, NFTA_DEVICE_NAME, none, 3);
	assert_intact(&k, &f.r);
	set_devices(&k, NFTA_DEVICE_NAME, fewer, 1);
	assert_false(reads_as(&k, &f.r, drift));
	assert_string_equal(drift, "frames are not held on device eth1");
	set_devices(&k, NFTA_DEVICE_NAME, fewer, 0);
	assert_false(reads_as(&k, &f.r, drift));
	assert_string_equal(drift, "frames are not held on device eth0");
	set_devices(&k, NFTA_DEVICE_NAME, longer, 3);
	assert_false(reads_as(&k, &f.r, drift));
	assert_string_equal(drift, too_odd);
	set_devices(&k, NFTA_DEVICE_NAME + 1, more, 3); /* by a prefix (Linux 6.17) */
	assert_false(reads_as(&k, &f.r, drift));
	assert_string_equal(drift, too_odd);
	fx_done(&f);
	fake_close(&k);
}

/* As many as there is room for, and one more. */
static void test_many_devices(void **state)
{
	enum { ROOM = BH_DEVICES_MAX + BH_LATE_DEVICES };
	static char names[ROOM + 1][16];
	const char *list[ROOM + 1];
	char drift[256];
	struct fake k;
	struct fx f;

	for (unsigned i = 0; i <= ROOM; i++) {
		snprintf(names[i], sizeof(names[i]), "eth%u", i);
		list[i] = names[i];
	}
	fake_open(&k);
	fx_full_until(&f, 0);
	fake_create(&k, &f.r);
	set_devices(&k, NFTA_DEVICE_NAME, list, ROOM);
	assert_intact(&k, &f.r);
	set_devices(&k, NFTA_DEVICE_NAME, list, ROOM + 1);
	assert_false(reads_as(&k, &f.r, drift));
	fx_done(&f);
	fake_close(&k);
}

/* --- clients of DHCP ---------------------------------------------------------------------------- */

/* A rule's user data: type, length, comment; NULL when it has none. */
static uint8_t *comment_of(struct nlmsghdr *nlh)
{
	struct nlattr *a;

	if (fake_type(nlh) != NFT_MSG_NEWRULE)
		return NULL;
	mnl_attr_for_each (a, nlh, sizeof(struct nfgenmsg))
		if (mnl_attr_get_type(a) == NFTA_RULE_USERDATA)
			return mnl_attr_get_payload(a);
	return NULL;
}

/* As long as the one that is there, or shorter. */
static void set_comment(struct nlmsghdr *nlh, const char *comment)
{
	uint8_t *udata = comment_of(nlh);
	size_t len = strlen(comment) + 1;

	assert_true(udata && udata[0] == UDATA_COMMENT && len <= udata[1]);
	udata[1] = (uint8_t)len;
	memcpy(udata + 2, comment, len);
}

static size_t client_rule(const struct fake *k)
{
	for (size_t i = 0; i < k->n; i++)
		if (fake_type(k->kept[i]) == NFT_MSG_NEWRULE &&
		    strcmp(fake_attr(k->kept[i], NFTA_RULE_CHAIN), "dhcp") == 0)
			return i;
	fail_msg("no client of DHCP");
	return 0;
}

/* Who may send is what the rule says, not its comment: one that lies is drift. */
static void test_lying_clients(void **state)
{
	static const char *const comments[] = {
		"client 02:42:ac:11:00:03", /* another's */
		"client 2:42:ac:11:0:2",    /* the same, but not as we write it */
		"client 02:42:AC:11:00:02",
		"client 02:42:ac:11:00",
		"client 02:42:ac:11:00:",
		"client -2:42:ac:11:00:02",
		"client  2:42:ac:11:00:02",
		"client ::::::::::::::::",
		"client ",
		"client",
		"",
	};
	char drift[256];
	struct fake k;
	struct fx f;

	fake_open(&k);
	fx_full_until(&f, 0);
	for (size_t i = 0; i < BH_ARRAY_SIZE(comments); i++) {
		fake_create(&k, &f.r);
		set_comment(k.kept[client_rule(&k)], comments[i]);
		if (reads_as(&k, &f.r, drift))
			fail_msg("taken for the same: %s", comments[i]);
	}
	fx_done(&f);
	fake_close(&k);
}

/* One client N times over: what is not one of ours is seen, and is bounded. */
static void test_many_clients(void **state)
{
	for (unsigned times = 2; times < BH_DEVICES_MAX + 40; times += times < 4 ? 1 : 31) {
		char drift[256];
		struct fake k;
		struct fx f;
		size_t at;

		fake_open(&k);
		fx_full_until_and(&f, 0, true);
		fake_create(&k, &f.r);
		at = client_rule(&k);
		/* both rules of a client, and the end of the chain behind them again */
		for (unsigned i = 1; i < times; i++)
			for (unsigned n = 0; n < 2; n++)
				fake_keep(&k, k.kept[at + n]);
		fake_keep(&k, k.kept[at + 2]);
		k.kept[at + 2]->nlmsg_type = NOTHING;
		assert_false(reads_as(&k, &f.r, drift));
		fx_done(&f);
		fake_close(&k);
	}
}

/* Every comment of every rule counts. */
static void test_altered_comments(void **state)
{
	unsigned comments = 0;
	char drift[256];
	struct fake k;
	struct fx f;

	fake_open(&k);
	fx_full_until_and(&f, 0, true);
	fake_create(&k, &f.r);
	for (size_t i = 0; i < k.n; i++) {
		uint8_t *udata = comment_of(k.kept[i]);

		if (!udata)
			continue;
		udata[2 + (udata[1] - 1) / 2] ^= 1;
		/* Of these the policy's own words may differ: then it is another ruleset. */
		if (reads_as(&k, &f.r, drift))
			fail_msg("the comment %s does not matter", (char *)udata + 2);
		udata[2 + (udata[1] - 1) / 2] ^= 1;
		comments++;
	}
	assert_true(comments > 20);
	assert_intact(&k, &f.r);
	fx_done(&f);
	fake_close(&k);
}

/* --- damaged --------------------------------------------------------------------------------- */

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
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_absent),
		cmocka_unit_test(test_interrupted),
		cmocka_unit_test(test_every_part_counts),
		cmocka_unit_test(test_order_of_rules),
		cmocka_unit_test(test_hostile_texts),
		cmocka_unit_test(test_commit_meanwhile),
		cmocka_unit_test(test_resized_meanwhile),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_altered_rules),
		cmocka_unit_test(test_altered_objects),
		cmocka_unit_test(test_emptied_guard),
		cmocka_unit_test(test_other_families),
		cmocka_unit_test(test_only_other_families),
		cmocka_unit_test(test_wrong_table),
		cmocka_unit_test(test_one_table),
		cmocka_unit_test(test_foreign_in_netdev),
		cmocka_unit_test(test_owner),
		cmocka_unit_test(test_devices),
		cmocka_unit_test(test_many_devices),
		cmocka_unit_test(test_lying_clients),
		cmocka_unit_test(test_many_clients),
		cmocka_unit_test(test_altered_comments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
