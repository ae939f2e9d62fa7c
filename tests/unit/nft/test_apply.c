/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fake.h"

#include <endian.h>

/*
 * What a change sends, message by message. Whether the kernel takes it is tests/system/test_nft.c's
 * to show; the kernel here is a stand-in.
 */

/* What nft_apply() sends to make R of HAVE; *RET_LEN is -1 when that is nothing. */
static char *change(struct fake *k, const struct ruleset *r, const struct nft_state *have,
		    int *ret_len)
{
	int result = nft_apply(&k->s, fx_want(r), have, NULL);
	char *data = fake_sent(k, ret_len);

	assert_int_equal(result, *ret_len < 0 ? 0 : -EIO); /* nobody confirms it */
	return data;
}

/* The state after a table was made from R. */
static void stand(struct fake *k, const struct ruleset *r, struct nft_state *ret)
{
	fake_create(k, r);
	assert_int_equal(fake_readback(k, ret, NULL), 0);
	assert_true(ret->intact);
}

/* "new element egress4" and so on, a line a message; the same again is not repeated. */
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

		if (nlh->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES)
			continue;
		assert_true(type < BH_ARRAY_SIZE(types) && types[type]);
		/* Sets, elements, rules and counters all have the name as attribute 2. */
		snprintf(line, sizeof(line), "%s %s\n", types[type],
			 fake_attr(nlh, is_table   ? NFTA_TABLE_NAME
					: is_chain ? NFTA_CHAIN_NAME
						   : 2));
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
		      "delete element guard_egress4\ndelete set guard_egress4\n"
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
	have.rule_counts[5] = (struct nft_rule_count) { 123, 45678 };
	data = change(&k, &f.r, &have, &len);
	text = said(data, len);
	assert_int_equal(position(text, "new table bulkhead\ndelete table bulkhead\n"
					"new table bulkhead\nnew counter denied.egress\n"),
			 0);
	assert_true(position(text, "new counter payments.out.migration\n") <
		    position(text, "new set "));
	assert_true(position(text, "new element egress4\n") < position(text, "new chain "));
	assert_true(position(text, "new chain record\n") < position(text, "new rule "));
	assert_true(position(text, "new rule record\n") < position(text, "new rule input\n"));
	assert_true(position(text, "new rule record_icmp\n") < position(text, "new rule output"));
	assert_int_equal(counted(data, len, "payments.out.dns", NFTA_COUNTER_PACKETS), 123);
	assert_int_equal(counted(data, len, "denied.ingress", NFTA_COUNTER_PACKETS), 77);
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
	fx_finish(f);
}

/* From every manner to every other in place: a new base chain would let packets pass meanwhile. */
static void test_base_chains_stay(void **state)
{
	static const char *const never[] = { " table ",          "new chain output",
					     "new chain input",  "new chain forward",
					     "delete chain out", "delete chain in",
					     "delete chain for" };
	struct fake k;

	fake_open(&k);
	for (unsigned from = 0; from < 16; from++) {
		struct nft_state have;
		struct fx a;

		manner(&a, from);
		stand(&k, &a.r, &have);
		for (unsigned to = 0; to < 16; to++) {
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
	assert_true(position(text, "delete counter") < position(text, "new counter z.in.new"));
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
	assert_int_equal(nft_apply(&k.s, fx_want(&f.r), &nothing, &err), 0);
	free(fake_sent(&k, &len));
	fake_ack(&k, last - 1, 0); /* of another message: says nothing of all the others */
	assert_int_equal(nft_apply(&k.s, fx_want(&f.r), &nothing, &err), -EIO);
	assert_string_equal(err.msg, "the kernel did not confirm the change");
	free(fake_sent(&k, &len));
	fake_ack(&k, 7, -ENOSPC); /* one failed: all of it did not happen, whatever else is said */
	fake_ack(&k, last, 0);
	assert_int_equal(nft_apply(&k.s, fx_want(&f.r), &nothing, &err), -ENOSPC);
	assert_string_equal(err.msg, "the kernel refused the change: No space left on device");
	free(fake_sent(&k, &len));
	fake_ack(&k, 7, -EPERM); /* the first is the cause */
	fake_ack(&k, 8, -ENOENT);
	assert_int_equal(nft_apply(&k.s, fx_want(&f.r), &nothing, &err), -EPERM);
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
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_guard_comes_and_goes),
		cmocka_unit_test(test_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
