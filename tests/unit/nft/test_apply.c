/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fake.h"

#include <endian.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../../src/nft/program.h"

/*
 * What a change sends, message by message. Whether the kernel takes it is tests/system/test_nft.c's
 * to show; the kernel here is a stand-in.
 */

static struct nft_written written; /* by the last change */
static bool confirming;

/* The kernel answers before send() returns, the stand-in a moment later: it is waited for. */
ssize_t recvmsg(int fd, struct msghdr *m, int flags)
{
	static bool answered;
	struct pollfd p = { .fd = fd, .events = POLLIN };

	if (confirming && !answered)
		poll(&p, 1, 5000);
	answered = confirming && !answered;
	return syscall(SYS_recvmsg, fd, m, flags);
}

/*
 * What nft_apply() sends to make WANT of HAVE, batch behind batch, all of them confirmed; *RET_LEN is
 * -1 when that is nothing.
 */
static char *change_to(struct fake *k, const struct nft_want *want, const struct nft_state *have,
		       int *ret_len)
{
	char *data;

	int r;

	fake_confirm(k);
	confirming = true;
	r = nft_apply(&k->s, want, have, &written, NULL);
	confirming = false;
	data = fake_confirmed(k, ret_len);
	assert_int_equal(r, 0);
	return data;
}

static char *change(struct fake *k, const struct ruleset *r, const struct nft_state *have,
		    int *ret_len)
{
	return change_to(k, fx_want(r), have, ret_len);
}

/* The state after a table was made from R. */
static void stand(struct fake *k, const struct ruleset *r, struct nft_state *ret)
{
	fake_create(k, r);
	assert_int_equal(fake_readback(k, ret, NULL), 0);
	assert_true(ret->intact);
}

/*
 * "new element egress4" and so on, a line a message, and one between batches; the same again is not
 * repeated.
 */
static const char *said(const char *data, int len)
{
	static const char *const types[] = {
		[NFT_MSG_NEWTABLE] = "new table",     [NFT_MSG_DELTABLE] = "delete table",
		[NFT_MSG_NEWCHAIN] = "new chain",     [NFT_MSG_DELCHAIN] = "delete chain",
		[NFT_MSG_NEWRULE] = "new rule",       [NFT_MSG_DELRULE] = "flush chain",
		[NFT_MSG_NEWSET] = "new set",         [NFT_MSG_DELSET] = "delete set",
		[NFT_MSG_NEWSETELEM] = "new element", [NFT_MSG_DELSETELEM] = "delete element",
		[NFT_MSG_NEWOBJ] = "new counter",     [NFT_MSG_DELOBJ] = "delete counter",
	};
	static char out[1 << 16], line[256];
	size_t at = 0, last = 0;

	out[0] = '\0';
	fake_each(nlh, data, len)
	{
		uint8_t type = fake_type(nlh);
		bool is_table = type == NFT_MSG_NEWTABLE || type == NFT_MSG_DELTABLE;
		bool is_chain = type == NFT_MSG_NEWCHAIN || type == NFT_MSG_DELCHAIN;

		if (nlh->nlmsg_type == NFNL_MSG_BATCH_BEGIN && at > 0) {
			at += (size_t)snprintf(out + at, sizeof(out) - at, "--\n");
			last = at;
		}
		if (nlh->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES)
			continue;
		assert_true(type < BH_ARRAY_SIZE(types) && types[type]);
		/* Sets, elements, rules and counters all have the name as attribute 2. */
		if (is_table)
			assert_string_equal(fake_attr(nlh, NFTA_TABLE_NAME), NFT_TABLE_NAME);
		snprintf(line, sizeof(line), "%s %s\n", types[type],
			 is_table ? fake_family(nlh) == NFPROTO_INET ? "inet" : "netdev"
				  : fake_attr(nlh, is_chain ? NFTA_CHAIN_NAME : 2));
		if (strcmp(out + last, line) == 0)
			continue;
		last = at;
		at += (size_t)snprintf(out + at, sizeof(out) - at, "%s", line);
		assert_true(at < sizeof(out));
	}
	return out;
}

static void assert_change(struct fake *k, const struct ruleset *r, const struct nft_state *have,
			  const char *expect)
{
	int len;
	bh_autofree char *data = change(k, r, have, &len);

	assert_string_equal(len < 0 ? "" : said(data, len), expect);
}

static void test_no_change(void **state)
{
	struct nft_state have;
	struct fake k;
	struct fx f;

	fake_open(&k);
	fx_full_until(&f, 0);
	stand(&k, &f.r, &have);
	assert_change(&k, &f.r, &have, "");
	nft_state_done(&have);
	fx_done(&f);
	fake_close(&k);
}

/* Every change says onto what it is to be done: after another commit the kernel refuses it. */
static void test_onto_what(void **state)
{
	bh_autofree char *data = NULL;
	struct nft_state have;
	uint32_t id;
	struct fake k;
	struct fx f;
	int len;

	fake_open(&k);
	fx_full_until(&f, 0);
	stand(&k, &f.r, &have);
	f.r.generation = "another";
	data = change(&k, &f.r, &have, &len);
	memcpy(&id, fake_attr((void *)data, NFNL_BATCH_GENID), sizeof(id));
	assert_int_equal(ntohl(id), 40);
	assert_string_equal(said(data, len), "flush chain about\nnew rule about\n");
	nft_state_done(&have);
	fx_done(&f);
	fake_close(&k);
}

/* One flow more: one element. Another rule's: out and in again. Not a rule is touched. */
static void test_one_flow(void **state)
{
	struct nft_state have;
	struct entry *e;
	struct fake k;
	struct fx f;

	fake_open(&k);
	fx_full_until(&f, 0);
	stand(&k, &f.r, &have);
	fx_add(&f, 0, ENTRY_EXACT, "10.77.1.7", FX_TCP(1), 4, 0);
	assert_change(&k, fx_finish(&f), &have, "new element egress4\n");
	e = f.entries[0][ENTRY_EXACT].data;
	e[0].rule = 3;
	assert_change(&k, &f.r, &have, "delete element egress4\nnew element egress4\n");
	f.entries[0][ENTRY_EXACT].n--; /* the last one, to fd77::2, is alone in its map */
	assert_change(&k, fx_finish(&f), &have,
		      "flush chain output\nflush chain input\n"
		      "delete element egress4\ndelete element egress6\ndelete set egress6\n"
		      "new element egress4\nnew rule output\nnew rule input\n");
	nft_state_done(&have);
	fx_done(&f);
	fake_close(&k);
}

/* A guardrail comes to a table that stands: its chains and maps, and the hooks' rules. */
static void test_guard_comes_and_goes(void **state)
{
	struct nft_state have;
	struct fake k;
	struct fx with, without;

	fake_open(&k);
	fx_full_until(&without, 0);
	fx_full_until_and(&with, 0, true);
	for (int d = 0; d < DIRECTIONS; d++) /* all of it in one map */
		for (int kind = 0; kind < GUARD_KINDS; kind++)
			with.guards[d][kind].n = d == 0 && kind == GUARD_NET;
	fx_finish(&with);
	stand(&k, &without.r, &have);
	assert_change(&k, &with.r, &have,
		      "flush chain output\nflush chain input\n"
		      "new counter guardrail_cde.in.boundary\n"
		      "new counter guardrail_no-metadata.out.all\n"
		      "new set guard_egress4\nnew element guard_egress4\n"
		      "new chain guard_egress\nnew chain guard_ingress\n"
		      "new chain guard_record\nnew chain guard_record_icmp\n"
		      "new rule output\nnew rule input\nnew rule guard_egress\n"
		      "new rule guard_ingress\nnew rule guard_record\n"
		      "new rule guard_record_icmp\n");
	nft_state_done(&have);
	stand(&k, &with.r, &have);
	assert_change(&k, &with.r, &have, "");
	assert_change(&k, &without.r, &have,
		      "flush chain output\nflush chain input\nflush chain guard_egress\n"
		      "flush chain guard_ingress\nflush chain guard_record\n"
		      "flush chain guard_record_icmp\ndelete chain guard_egress\n"
		      "delete chain guard_ingress\ndelete chain guard_record\n"
		      "delete chain guard_record_icmp\n"
		      "delete set guard_egress4\n"
		      "delete counter guardrail_cde.in.boundary\n"
		      "delete counter guardrail_no-metadata.out.all\n"
		      "new rule output\nnew rule input\n");
	nft_state_done(&have);
	fx_done(&with);
	fx_done(&without);
	fake_close(&k);
}

/* The end of a temporary rule: a second's difference is the clock's, more is the policy's. */
static void test_other_end(void **state)
{
	struct nft_state have;
	struct entry *e;
	struct fake k;
	struct fx f;

	fake_open(&k);
	fx_full_until(&f, 0);
	e = f.entries[0][ENTRY_EXACT].data;
	e[0].expires = time(NULL) + 3600;
	stand(&k, &f.r, &have);
	e[0].expires = ((const struct entry *)have.ruleset->entries[0][ENTRY_EXACT].e)[0].expires;
	e[0].expires++;
	assert_change(&k, &f.r, &have, "");
	e[0].expires += 2;
	assert_change(&k, &f.r, &have, "delete element egress4\nnew element egress4\n");
	e[0].expires = 0;
	assert_change(&k, &f.r, &have, "delete element egress4\nnew element egress4\n");
	nft_state_done(&have);
	fx_done(&f);
	fake_close(&k);
}

static uint64_t counted(const char *data, int len, const char *name, uint16_t what)
{
	fake_each(nlh, data,
		  len) if (nlh->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWOBJ) &&
			   strcmp(fake_attr(nlh, NFTA_OBJ_NAME), name) == 0)
	{
		const struct nlattr *a;

		mnl_attr_for_each_nested (a,
					  (void *)(fake_attr(nlh, NFTA_OBJ_DATA) - MNL_ATTR_HDRLEN))
			if (mnl_attr_get_type(a) == what)
				return be64toh(mnl_attr_get_u64(a));
	}
	fail_msg("counter %s is not made", name);
	return 0;
}

/* A rule that moved in its file: its counter gets the new place and goes on from the old count. */
static void test_moved_rule(void **state)
{
	bh_autofree char *data = NULL;
	struct ruleset_rule *rules;
	struct nft_state have;
	struct fake k;
	struct fx f;
	int len;

	fake_open(&k);
	fx_full_until(&f, 0);
	stand(&k, &f.r, &have);
	have.rule_counts[5] = (struct nft_rule_count) { 123, 45678 };
	rules = f.rules.data;
	rules[5].where = "policies/payments.yaml:31";
	data = change(&k, fx_finish(&f), &have, &len);
	assert_string_equal(said(data, len), "delete element egress4\n"
					     "delete counter payments.out.dns\n"
					     "new counter payments.out.dns\n"
					     "new element egress4\n");
	assert_int_equal(counted(data, len, "payments.out.dns", NFTA_COUNTER_PACKETS), 123);
	assert_int_equal(counted(data, len, "payments.out.dns", NFTA_COUNTER_BYTES), 45678);
	nft_state_done(&have);
	fx_done(&f);
	fake_close(&k);
}

static size_t position(const char *text, const char *line)
{
	const char *hit = strstr(text, line);

	if (!hit)
		fail_msg("%s is missing in:\n%s", line, text);
	return (size_t)(hit - text);
}

/*
 * A table that is not ours to the last rule goes and comes again in one batch, with its old counts.
 * Chains are there before the rules that go to them, the rules of base chains come last.
 */
static void test_made_anew(void **state)
{
	bh_autofree char *data = NULL;
	struct nft_state have;
	const char *text;
	struct fake k;
	struct fx f;
	int len;

	fake_open(&k);
	fx_full_until(&f, 0);
	stand(&k, &f.r, &have);
	have.intact = false;
	have.totals.denied[DIRECTION_INGRESS] = 77;
	have.totals.raw = 78;
	have.rule_counts[5] = (struct nft_rule_count) { 123, 45678 };
	data = change(&k, &f.r, &have, &len);
	text = said(data, len);
	assert_int_equal(position(text, "delete table inet\nnew table inet\n"
					"new counter denied.egress\n"),
			 0);
	assert_true(position(text, "delete table netdev\nnew table netdev\nnew counter raw\n") <
		    position(text, "new set "));
	assert_true(position(text, "new chain frames\n") < position(text, "new chain egress\n"));
	assert_true(position(text, "new rule frames\n") < position(text, "new rule output\n"));
	assert_true(position(text, "new counter payments.out.migration\n") <
		    position(text, "new set "));
	assert_true(position(text, "new element egress4\n") < position(text, "new chain "));
	assert_true(position(text, "new chain record\n") < position(text, "new rule "));
	assert_true(position(text, "new rule record\n") < position(text, "new rule input\n"));
	assert_true(position(text, "new rule record_icmp\n") < position(text, "new rule output"));
	assert_int_equal(counted(data, len, "payments.out.dns", NFTA_COUNTER_PACKETS), 123);
	assert_int_equal(counted(data, len, "denied.ingress", NFTA_COUNTER_PACKETS), 77);
	assert_int_equal(counted(data, len, "raw", NFTA_COUNTER_PACKETS), 78);
	nft_state_done(&have);
	fx_done(&f);
	fake_close(&k);
}

static void manner(struct fx *f, unsigned i)
{
	if (i & 8)
		fx_full_until(f, 0);
	else
		fx_init(f);
	f->r.mode = i & 1 ? MODE_AUDIT : MODE_ENFORCE;
	f->r.on_deny = i & 2 ? ON_DENY_REJECT : ON_DENY_DROP;
	f->r.log_denied = i & 4;
	f->r.log_allowed = i & 16;
	fx_finish(f);
}

/* From every manner to every other in place: a new base chain would let packets pass meanwhile. */
static void test_base_chains_stay(void **state)
{
	static const char *const never[] = {
		" table ",           "new chain output", "new chain input",
		"new chain forward", "delete chain out", "delete chain in",
		"delete chain for",  "new chain egress", "delete chain egress"
	};
	struct fake k;

	fake_open(&k);
	for (unsigned from = 0; from < 32; from++) {
		struct nft_state have;
		struct fx a;

		manner(&a, from);
		stand(&k, &a.r, &have);
		for (unsigned to = 0; to < 32; to++) {
			bh_autofree char *data = NULL;
			struct fx b;
			int len;

			manner(&b, to);
			data = change(&k, &b.r, &have, &len);
			assert_int_equal(len < 0, from == to);
			for (size_t i = 0; len >= 0 && i < BH_ARRAY_SIZE(never); i++)
				if (strstr(said(data, len), never[i]))
					fail_msg("from %u to %u:\n%s", from, to, said(data, len));
			fx_done(&b);
		}
		nft_state_done(&have);
		fx_done(&a);
	}
	fake_close(&k);
}

/* In one batch the rules, the chain and the counters; these begin at nothing and end with it. */
static void test_allowed_on_and_off(void **state)
{
	struct fake k;

	fake_open(&k);
	for (unsigned on = 0; on < 2; on++) {
		bh_autofree char *data = NULL;
		struct nft_state have;
		struct fx a, b;
		const char *text;
		int len;

		manner(&a, 4 | 8 | (on ? 0 : 16));
		manner(&b, 4 | 8 | (on ? 16 : 0));
		stand(&k, &a.r, &have);
		data = change(&k, &b.r, &have, &len);
		text = said(data, len);
		assert_null(strstr(text, "counter payments"));
		assert_null(strstr(text, "element"));
		assert_null(strstr(text, " set "));
		if (on) {
			assert_true(position(text, "new counter allowed.ingress\n") <
				    position(text, "new rule allow\n"));
			assert_true(position(text, "new chain allow\n") <
				    position(text, "new rule output\n"));
			assert_int_equal(counted(data, len, "allowed.egress", NFTA_COUNTER_PACKETS),
					 0);
		} else {
			assert_true(position(text, "flush chain output\n") <
				    position(text, "delete chain allow\n"));
			assert_true(position(text, "flush chain allow\n") <
				    position(text, "delete counter allowed.egress\n"));
			position(text, "delete counter allowed.ingress\n");
		}
		nft_state_done(&have);
		fx_done(&a);
		fx_done(&b);
	}
	fake_close(&k);
}

/* What uses a thing goes before it and comes after it. */
static void test_order(void **state)
{
	bh_autofree char *data = NULL;
	struct nft_state have;
	struct fx a, b;
	const char *text;
	struct fake k;
	int len;

	fake_open(&k);
	manner(&a, 4 | 2 | 8); /* full, logged, reject */
	stand(&k, &a.r, &have);
	fx_init(&b);
	b.r.log_denied = false;
	fx_add(&b, 1, ENTRY_RANGE, "10.0.0.0/8", FX_TCP(9), fx_rule(&b, "z.in.new", "z:1"), 0);
	data = change(&k, fx_finish(&b), &have, &len);
	text = said(data, len);
	assert_true(position(text, "flush chain output") < position(text, "delete chain record\n"));
	assert_true(position(text, "flush chain record\n") <
		    position(text, "delete chain record_icmp"));
	assert_true(position(text, "delete chain record_icmp") < position(text, "delete set"));
	assert_true(position(text, "delete element egress4\ndelete set egress4\n") <
		    position(text, "delete counter payments.out.db"));
	assert_true(position(text, "flush chain output") < position(text, "delete set egress4\n"));
	assert_true(position(text, "new counter z.in.new") <
		    position(text, "new element ingress4_range"));
	assert_true(position(text, "new element ingress4_range") <
		    position(text, "new rule input"));
	assert_true(position(text, "flush chain record\n") < position(text, "delete set denied4"));
	nft_state_done(&have);
	fx_done(&a);
	fx_done(&b);
	fake_close(&k);
}

/* --- frames ---------------------------------------------------------------------------------- */

static void assert_change_to(struct fake *k, const struct nft_want *want,
			     const struct nft_state *have, const char *expect)
{
	int len;
	bh_autofree char *data = change_to(k, want, have, &len);

	assert_string_equal(len < 0 ? "" : said(data, len), expect);
}

/* The state after tables were made from WANT. */
static void stand_as(struct fake *k, const struct nft_want *want, struct nft_state *ret)
{
	fake_create_want(k, want);
	assert_int_equal(fake_readback(k, ret, NULL), 0);
	assert_true(ret->intact);
}

static const struct nft_frames eth0 = { .devices = { "eth0" }, .n_devices = 1 };
static const struct nft_frames eth01 = { .devices = { "eth1", "eth0" }, .n_devices = 2 };
static const struct nft_frames leased = {
	.devices = { "eth0" }, .n_devices = 1, .dhcp = { { 2, 0, 0, 0, 0, 1 } }, .n_dhcp = 1
};

/* The second table comes and goes by itself; the first one's rules are not touched. */
static void test_frames_come_and_go(void **state)
{
	struct nft_want with, without;
	struct nft_state have;
	struct fake k;
	struct fx f;

	fake_open(&k);
	fx_full_until(&f, 0);
	with = (struct nft_want) { &f.r, &eth0 };
	without = (struct nft_want) { &f.r };
	stand_as(&k, &without, &have);
	assert_null(have.frames);
	assert_change_to(&k, &without, &have, "");
	assert_change_to(&k, &with, &have,
			 "new table netdev\nnew counter raw\nnew chain egress\nnew chain frames\n"
			 "new chain raw\nnew rule egress\nnew rule frames\nnew rule raw\n");
	nft_state_done(&have);
	stand_as(&k, &with, &have);
	assert_change_to(&k, &with, &have, "");
	assert_change_to(&k, &without, &have, "delete table netdev\n");
	nft_state_done(&have);
	fx_done(&f);
	fake_close(&k);
}

/*
 * A hook cannot be given another device: its chain goes and comes, with its rules, in the batch.
 * One that is hooked and not there does no harm.
 */
static void test_other_devices(void **state)
{
	struct nft_state have;
	struct fake k;
	struct fx f;

	fake_open(&k);
	fx_full_until(&f, 0);
	stand_as(&k, &(struct nft_want) { &f.r, &eth0 }, &have);
	assert_change_to(&k, &(struct nft_want) { &f.r, &eth01 }, &have,
			 "flush chain egress\ndelete chain egress\nnew chain egress\n"
			 "new rule egress\n");
	nft_state_done(&have);
	stand_as(&k, &(struct nft_want) { &f.r, &eth01 }, &have);
	assert_change_to(&k, &(struct nft_want) { &f.r, &eth0 }, &have, "");
	nft_state_done(&have);
	fx_done(&f);
	fake_close(&k);
}

static void test_other_clients(void **state)
{
	struct nft_frames other = leased;
	struct nft_state have;
	struct fake k;
	struct fx f;

	fake_open(&k);
	fx_full_until(&f, 0);
	other.dhcp[0][5] = 2;
	stand_as(&k, &(struct nft_want) { &f.r, &eth0 }, &have);
	assert_change_to(&k, &(struct nft_want) { &f.r, &leased }, &have,
			 "flush chain frames\nnew chain dhcp\nnew rule frames\nnew rule dhcp\n");
	nft_state_done(&have);
	stand_as(&k, &(struct nft_want) { &f.r, &leased }, &have);
	assert_change_to(&k, &(struct nft_want) { &f.r, &other }, &have,
			 "flush chain dhcp\nnew rule dhcp\n");
	assert_change_to(&k, &(struct nft_want) { &f.r, &eth0 }, &have,
			 "flush chain frames\nflush chain dhcp\ndelete chain dhcp\n"
			 "new rule frames\n");
	nft_state_done(&have);
	fx_done(&f);
	fake_close(&k);
}

/* --- whose the tables are -------------------------------------------------------------------- */

/* "inet 6", "netdev 6": the flags of each table that is made. */
static const char *flags_said(const char *data, int len)
{
	static char out[256];
	size_t at = 0;

	out[0] = '\0';
	fake_each(nlh, data, len)
	{
		uint32_t flags;

		if (nlh->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE))
			continue;
		memcpy(&flags, fake_attr(nlh, NFTA_TABLE_FLAGS), sizeof(flags));
		at += (size_t)snprintf(out + at, sizeof(out) - at, "%s %u\n",
				       fake_family(nlh) == NFPROTO_INET ? "inet" : "netdev",
				       ntohl(flags));
	}
	return out;
}

static void assert_flags(struct fake *k, const struct nft_want *want, const struct nft_state *have,
			 const char *expect)
{
	int len;
	bh_autofree char *data = change_to(k, want, have, &len);

	assert_string_equal(len < 0 ? "" : flags_said(data, len), expect);
}

/* Ours already: nothing. Nobody's by now: both are claimed, and stay as they are. */
static void test_adopt(void **state)
{
	struct nft_want want;
	struct nft_state have;
	struct fake k;
	struct fx f;

	fake_open(&k);
	fx_full_until(&f, 0);
	want = (struct nft_want) { &f.r, &eth0, .own = true };
	stand_as(&k, &want, &have);
	have.persists = have.owned = true;
	assert_change_to(&k, &want, &have, "");
	have.owned = false;
	assert_change_to(&k, &want, &have, "new table inet\nnew table netdev\n");
	assert_flags(&k, &want, &have, "inet 6\nnetdev 6\n");
	/* what is claimed may be changed in the same batch, and what comes is owned as well */
	want.frames = &eth01;
	f.r.generation = "another";
	assert_change_to(&k, &want, &have,
			 "new table inet\nnew table netdev\nflush chain about\n"
			 "flush chain egress\ndelete chain egress\nnew chain egress\n"
			 "new rule about\nnew rule egress\n");
	want.frames = NULL;
	assert_change_to(&k, &want, &have,
			 "new table inet\nnew table netdev\ndelete table netdev\n"
			 "flush chain about\nnew rule about\n");
	/* who does not want to own takes it as it stands: an orphan is anybody's */
	want.own = false;
	f.r.generation = "0123456789abcdef";
	want.frames = &eth0;
	assert_change_to(&k, &want, &have, "");
	nft_state_done(&have);
	fx_done(&f);
	fake_close(&k);
}

/* A kernel without the second table when it was adopted, and one with it. */
static void test_adopt_one(void **state)
{
	struct nft_want want;
	struct nft_state have;
	struct fake k;
	struct fx f;

	fake_open(&k);
	fx_full_until(&f, 0);
	want = (struct nft_want) { &f.r, .own = true };
	stand_as(&k, &want, &have);
	have.owned = false;
	assert_change_to(&k, &want, &have, "new table inet\n");
	want.frames = &eth0;
	assert_flags(&k, &want, &have, "inet 6\nnetdev 6\n");
	have.owned = true;
	assert_flags(&k, &want, &have, "netdev 6\n");
	nft_state_done(&have);
	fx_done(&f);
	fake_close(&k);
}

/* The kernel does not let a plain table become an owned one: both are made anew, counts and all. */
static void test_own_plain(void **state)
{
	bh_autofree char *data = NULL;
	struct nft_want want;
	struct nft_state have;
	const char *text;
	struct fake k;
	struct fx f;
	int len;

	fake_open(&k);
	fx_full_until(&f, 0);
	want = (struct nft_want) { &f.r, &eth0, .own = true };
	stand_as(&k, &(struct nft_want) { &f.r, &eth0 }, &have);
	have.totals.raw = 78;
	have.rule_counts[5] = (struct nft_rule_count) { 123, 45678 };
	data = change_to(&k, &want, &have, &len);
	text = said(data, len);
	assert_int_equal(position(text, "delete table inet\nnew table inet\n"), 0);
	assert_true(position(text, "delete table netdev\nnew table netdev\n") > 0);
	assert_string_equal(flags_said(data, len), "inet 6\nnetdev 6\n");
	assert_int_equal(counted(data, len, "raw", NFTA_COUNTER_PACKETS), 78);
	assert_int_equal(counted(data, len, "payments.out.dns", NFTA_COUNTER_PACKETS), 123);
	/* persisting, but altered: just the same */
	have.persists = true;
	have.intact = false;
	assert_flags(&k, &want, &have, "inet 6\nnetdev 6\n");
	/* and where nothing is owned, no table gets a flag */
	want.own = false;
	assert_flags(&k, &want, &have, "inet 0\nnetdev 0\n");
	nft_state_done(&have);
	fx_done(&f);
	fake_close(&k);
}

/* Only the table netdev stands there: it is replaced with the other one. */
static void test_half_there(void **state)
{
	bh_autofree char *data = NULL;
	struct nft_frames frames = eth0;
	struct nft_state have = { .frames = &frames };
	const char *text;
	struct fake k;
	struct fx f;
	int len;

	fake_open(&k);
	fx_full_until(&f, 0);
	data = change_to(&k, &(struct nft_want) { &f.r, &eth0 }, &have, &len);
	text = said(data, len);
	assert_int_equal(position(text, "new table inet\n"), 0);
	assert_null(strstr(text, "delete table inet"));
	position(text, "delete table netdev\nnew table netdev\n");
	free(data);
	data = change_to(&k, &(struct nft_want) { &f.r }, &have, &len);
	text = said(data, len);
	position(text, "delete table netdev\n");
	assert_null(strstr(text, "new table netdev"));
	fx_done(&f);
	fake_close(&k);
}

/* --- in steps -------------------------------------------------------------------------------- */

/* Rules "web.out.all" and "web.out.new". */
static void two_rules(struct fx *f)
{
	fx_init(f);
	fx_rule(f, "web.out.all", "p:1");
	fx_rule(f, "web.out.new", "p:2");
}

/* The last N of fifty, beside a map that nothing happens to. */
static void fifty(struct fx *f, enum entry_kind kind, size_t n)
{
	char range[64];

	two_rules(f);
	for (unsigned i = 50 - (unsigned)n; i < 50; i++) {
		snprintf(range, sizeof(range), "10.%u.0.0/%u", i, kind == ENTRY_RANGE ? 16 : 32);
		fx_add(f, DIRECTION_EGRESS, kind, range, FX_TCP(80), 0, 0);
	}
	fx_add(f, DIRECTION_EGRESS, ENTRY_ICMP, "10.77.1.2", FX_ICMP(8, 8), 0, 0);
	fx_finish(f);
}

static size_t elements_of(const char *data, int len, uint8_t type, const char *set)
{
	const struct nlattr *elem;
	size_t n = 0;

	fake_each(nlh, data, len)
	{
		if (nlh->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | type) ||
		    strcmp(fake_attr(nlh, NFTA_SET_ELEM_LIST_SET), set) != 0)
			continue;
		mnl_attr_for_each_nested (
			elem,
			(void *)(fake_attr(nlh, NFTA_SET_ELEM_LIST_ELEMENTS) - MNL_ATTR_HDRLEN))
			n++;
	}
	return n;
}

/*
 * An interval map that loses few elements loses them; one that loses many is made anew beside itself:
 * filled, then the rules pass over, then the old one goes. A hash never is.
 */
static void test_remade(void **state)
{
	struct nft_state have;
	struct fx all, less;
	struct fake k;

	fake_open(&k);
	fifty(&all, ENTRY_RANGE, 50);
	stand(&k, &all.r, &have);
	fifty(&less, ENTRY_RANGE, 19);
	assert_change(&k, &less.r, &have, "delete element egress4_range\n");
	assert_int_equal(written.commits, 1);
	assert_int_equal(written.alternates, 0);
	fx_done(&less);
	fifty(&less, ENTRY_RANGE, 18);
	assert_change(&k, &less.r, &have,
		      "new set egress4_range_b\nnew element egress4_range_b\n--\n"
		      "flush chain output\nflush chain input\nnew rule output\nnew rule input\n--\n"
		      "delete set egress4_range\n");
	assert_int_equal(written.commits, 3);
	assert_int_equal(written.alternates, 1ull << SET_MAP(0, FAMILY4, ENTRY_RANGE));
	fx_done(&less);
	/* all of them: it goes */
	fifty(&less, ENTRY_RANGE, 0);
	assert_change(&k, &less.r, &have,
		      "flush chain output\nflush chain input\n"
		      "delete set egress4_range\nnew rule output\nnew rule input\n");
	fx_done(&less);
	nft_state_done(&have);
	fx_done(&all);
	fifty(&all, ENTRY_EXACT, 50);
	stand(&k, &all.r, &have);
	fifty(&less, ENTRY_EXACT, 2);
	assert_change(&k, &less.r, &have, "delete element egress4\n");
	fx_done(&less);
	nft_state_done(&have);
	fx_done(&all);
	fake_close(&k);
}

/* What stays is written again, not only what comes; and then back to the first name. */
static void test_remade_whole(void **state)
{
	bh_autofree char *data = NULL;
	struct nft_state have;
	struct fx all, less;
	struct fake k;
	int len;

	fake_open(&k);
	fifty(&all, ENTRY_RANGE, 50);
	stand(&k, &all.r, &have);
	fifty(&less, ENTRY_RANGE, 5);
	fx_add(&less, DIRECTION_EGRESS, ENTRY_RANGE, "172.16.0.0/12", FX_ALL, 0, 0);
	data = change(&k, fx_finish(&less), &have, &len);
	assert_int_equal(elements_of(data, len, NFT_MSG_NEWSETELEM, "egress4_range_b"), 6);
	assert_int_equal(elements_of(data, len, NFT_MSG_NEWSETELEM, "egress4_icmp"), 0);
	free(data);
	have.alternates = written.alternates;
	data = change(&k, fx_finish(&less), &have, &len);
	assert_int_equal(elements_of(data, len, NFT_MSG_NEWSETELEM, "egress4_range"), 6);
	assert_int_equal(written.alternates, 0);
	free(data);
	have.alternates = 0;
	/* one more and none less: nothing is made anew */
	fx_done(&less);
	fifty(&less, ENTRY_RANGE, 50);
	fx_add(&less, DIRECTION_EGRESS, ENTRY_RANGE, "172.16.0.0/12", FX_ALL, 0, 0);
	data = change(&k, fx_finish(&less), &have, &len);
	assert_string_equal(said(data, len), "new element egress4_range\n");
	assert_int_equal(elements_of(data, len, NFT_MSG_NEWSETELEM, "egress4_range"), 1);
	nft_state_done(&have);
	fx_done(&all);
	fx_done(&less);
	fake_close(&k);
}

static void one(struct fx *f, enum entry_kind kind, const char *addr, uint16_t port, unsigned rule)
{
	two_rules(f);
	fx_add(f, DIRECTION_EGRESS, kind, addr, FX_TCP(port), rule, 0);
	fx_finish(f);
}

static void assert_steps(const struct fx *from, const struct fx *to, const char *expect)
{
	struct nft_state have;
	struct fake k;

	fake_open(&k);
	stand(&k, &from->r, &have);
	assert_change(&k, &to->r, &have, expect);
	nft_state_done(&have);
	fake_close(&k);
}

/* The same flow by another kind of map: it is in the new one before it leaves the old. */
static void test_moves(void **state)
{
	struct fx exact, wide, other;

	one(&exact, ENTRY_EXACT, "10.1.2.3", 80, 0);
	one(&wide, ENTRY_RANGE, "10.0.0.0/8", 80, 0);
	one(&other, ENTRY_RANGE, "10.0.0.0/8", 81, 0);
	assert_steps(&exact, &wide,
		     "new set egress4_range\nnew element egress4_range\n--\n"
		     "flush chain output\nflush chain input\nnew rule output\nnew rule input\n--\n"
		     "flush chain output\nflush chain input\n"
		     "delete element egress4\ndelete set egress4\n"
		     "new rule output\nnew rule input\n");
	assert_int_equal(written.commits, 3);
	assert_steps(&wide, &exact,
		     "flush chain output\nflush chain input\n"
		     "new set egress4\nnew element egress4\n"
		     "new rule output\nnew rule input\n--\n"
		     "flush chain output\nflush chain input\ndelete set egress4_range\n"
		     "new rule output\nnew rule input\n");
	/* another flow: one batch */
	assert_steps(&exact, &other,
		     "flush chain output\nflush chain input\n"
		     "delete element egress4\ndelete set egress4\n"
		     "new set egress4_range\nnew element egress4_range\n"
		     "new rule output\nnew rule input\n");
	fx_done(&exact);
	fx_done(&wide);
	fx_done(&other);
}

/* Two boxes of one map cannot overlap: the one takes the other's place, in one batch. */
static void test_in_place(void **state)
{
	struct fx near, wide;

	one(&near, ENTRY_RANGE, "10.1.0.0/16", 80, 0);
	one(&wide, ENTRY_RANGE, "10.0.0.0/8", 80, 0);
	assert_steps(&near, &wide, "delete element egress4_range\nnew element egress4_range\n");
	fx_done(&near);
	fx_done(&wide);
}

/* A rule that moved in its file while its flow changes its map: first the flow, then the place. */
static void test_moves_with_its_place(void **state)
{
	struct ruleset_rule *rules;
	struct fx exact, wide;

	one(&exact, ENTRY_EXACT, "10.1.2.3", 80, 0);
	one(&wide, ENTRY_RANGE, "10.0.0.0/8", 80, 0);
	rules = wide.rules.data;
	rules[0].where = "p:9";
	assert_steps(&exact, &wide,
		     "new set egress4_range\nnew element egress4_range\n--\n"
		     "flush chain output\nflush chain input\nnew rule output\nnew rule input\n--\n"
		     "flush chain output\nflush chain input\n"
		     "delete element egress4\ndelete set egress4\n"
		     "new rule output\nnew rule input\n--\n"
		     "delete element egress4_range\ndelete counter web.out.all\n"
		     "new counter web.out.all\nnew element egress4_range\n");
	assert_int_equal(written.commits, 4);
	fx_done(&exact);
	fx_done(&wide);
}

/* --- guardrails in steps --------------------------------------------------------------------- */

static void guarded(struct fx *f, unsigned port, const char *denied)
{
	two_rules(f);
	fx_add(f, DIRECTION_EGRESS, ENTRY_EXACT, "10.1.2.3", FX_TCP(port), 0, 0);
	if (denied)
		fx_guard(f, DIRECTION_EGRESS, GUARD_NET, denied, FX_ALL, 1);
	fx_finish(f);
}

/* Is "A" before the end of a batch that is before "B"? */
static void assert_apart(const char *text, const char *a, const char *b)
{
	size_t from = position(text, a), to = position(text, b);
	const char *end = strstr(text + from, "--\n");

	if (!end || (size_t)(end - text) > to)
		fail_msg("%sis not in a batch before %s in\n%s", a, b, text);
}

static char *steps_between(const struct fx *from, const struct fx *to)
{
	struct nft_state have;
	struct fake k;
	char *data, *text;
	int len;

	fake_open(&k);
	stand(&k, &from->r, &have);
	data = change(&k, &to->r, &have, &len);
	text = strdup(said(data, len));
	free(data);
	nft_state_done(&have);
	fake_close(&k);
	return text;
}

/* What is denied by not being allowed, and then by a guardrail: the guardrail is there first. */
static void test_guard_first_and_last(void **state)
{
	bh_autofree char *come = NULL, *go = NULL, *apart = NULL;
	struct fx without, with, beside;

	guarded(&without, 80, NULL);
	guarded(&with, 81, "10.0.0.0/8");
	guarded(&beside, 81, "11.0.0.0/8");
	come = steps_between(&without, &with);
	assert_apart(come, "new element guard_egress4\n", "new element egress4\n");
	assert_apart(come, "new rule guard_egress\n", "new element egress4\n");
	go = steps_between(&with, &without);
	assert_apart(go, "delete element egress4\n", "delete set guard_egress4\n");
	apart = steps_between(&without, &beside);
	assert_null(strstr(apart, "--"));
	fx_done(&without);
	fx_done(&with);
	fx_done(&beside);
}

/* A guardrail's boxes that overlap: both maps deny until the old one goes. */
static void test_guard_reshaped(void **state)
{
	struct nft_state have;
	struct fx open;
	struct fake k;

	fake_open(&k);
	fx_open(&open);
	fx_guard(&open, 0, GUARD_NET, "10.1.0.0/16", FX_ALL, 1);
	stand(&k, fx_finish(&open), &have);
	open.guards[0][GUARD_NET].n = 0;
	fx_guard(&open, 0, GUARD_NET, "10.0.0.0/8", FX_ALL, 1);
	assert_change(&k, fx_finish(&open), &have,
		      "flush chain output\nflush chain input\nflush chain forward\n"
		      "new set guard_egress4_b\nnew element guard_egress4_b\n"
		      "new rule output\nnew rule input\nnew rule forward\n--\n"
		      "flush chain output\nflush chain input\nflush chain forward\n"
		      "delete set guard_egress4\ndelete set guard_egress6\n"
		      "new rule output\nnew rule input\nnew rule forward\n");
	nft_state_done(&have);
	fx_done(&open);
	fake_close(&k);
}

/* Made anew where a guardrail denies some of what is allowed: that is allowed when it is denied. */
static void test_anew_guarded(void **state)
{
	bh_autofree char *data = NULL;
	struct nft_state have;
	const char *text;
	struct fake k;
	struct fx f;
	int len;

	fake_open(&k);
	guarded(&f, 80, "10.0.0.0/8");
	stand(&k, &f.r, &have);
	have.intact = false;
	data = change(&k, &f.r, &have, &len);
	text = said(data, len);
	assert_apart(text, "new element guard_egress4\n", "new element egress4\n");
	assert_int_equal(written.commits, 2);
	nft_state_done(&have);
	fx_done(&f);
	fake_close(&k);
}

/* --- what the kernel says -------------------------------------------------------------------- */

/* The number of the last message that asks for an ack in a batch that makes R. */
static uint32_t last_of(struct fake *k, const struct ruleset *r)
{
	const struct nft_state nothing = { 0 };
	uint32_t seq = 0;
	int len;
	bh_autofree char *data = change(k, r, &nothing, &len);

	fake_each(nlh, data, len) if (nlh->nlmsg_flags & NLM_F_ACK) seq = nlh->nlmsg_seq;
	assert_int_not_equal(seq, 0);
	return seq;
}

static void test_answers(void **state)
{
	const struct nft_state nothing = { 0 };
	struct bh_err err = BH_ERR_INIT;
	struct fake k;
	struct fx f;
	uint32_t last;
	int len;

	fake_open(&k);
	fx_full_until(&f, 0);
	last = last_of(&k, &f.r);
	fake_ack(&k, last, 0);
	assert_int_equal(nft_apply(&k.s, fx_want(&f.r), &nothing, NULL, &err), 0);
	free(fake_sent(&k, &len));
	fake_ack(&k, last - 1, 0); /* of another message: says nothing of all the others */
	assert_int_equal(nft_apply(&k.s, fx_want(&f.r), &nothing, NULL, &err), -EIO);
	assert_string_equal(err.msg, "the kernel did not confirm the change");
	free(fake_sent(&k, &len));
	fake_ack(&k, 7, -ENOSPC); /* one failed: all of it did not happen, whatever else is said */
	fake_ack(&k, last, 0);
	assert_int_equal(nft_apply(&k.s, fx_want(&f.r), &nothing, NULL, &err), -ENOSPC);
	assert_string_equal(err.msg, "the kernel refused the change: No space left on device");
	free(fake_sent(&k, &len));
	fake_ack(&k, 7, -EPERM); /* the first is the cause */
	fake_ack(&k, 8, -ENOENT);
	assert_int_equal(nft_apply(&k.s, fx_want(&f.r), &nothing, NULL, &err), -EPERM);
	fx_done(&f);
	fake_close(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_change),
		cmocka_unit_test(test_onto_what),
		cmocka_unit_test(test_one_flow),
		cmocka_unit_test(test_other_end),
		cmocka_unit_test(test_moved_rule),
		cmocka_unit_test(test_made_anew),
		cmocka_unit_test(test_base_chains_stay),
		cmocka_unit_test(test_allowed_on_and_off),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_guard_comes_and_goes),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_frames_come_and_go),
		cmocka_unit_test(test_other_devices),
		cmocka_unit_test(test_other_clients),
		cmocka_unit_test(test_adopt),
		cmocka_unit_test(test_adopt_one),
		cmocka_unit_test(test_own_plain),
		cmocka_unit_test(test_half_there),
		cmocka_unit_test(test_remade),
		cmocka_unit_test(test_remade_whole),
		cmocka_unit_test(test_moves),
		cmocka_unit_test(test_in_place),
		cmocka_unit_test(test_moves_with_its_place),
		cmocka_unit_test(test_guard_first_and_last),
		cmocka_unit_test(test_guard_reshaped),
		cmocka_unit_test(test_anew_guarded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
