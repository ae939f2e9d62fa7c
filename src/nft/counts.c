/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/nft/counts.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>

#include "attr.h"
#include "denied.h"
#include "kernel.h"
#include "query.h"

#define QUESTION_BYTES 2048

/* --- asking ------------------------------------------------------------------------------------ */

static struct nlmsghdr *put_header(char *at, uint8_t family, uint8_t message, uint16_t flags,
				   uint32_t seq)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(at);
	struct nfgenmsg *nfg;

	nlh->nlmsg_type = (NFNL_SUBSYS_NFTABLES << 8) | message;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nlh->nlmsg_seq = seq;
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = family;
	nfg->version = NFNETLINK_V0;
	return nlh;
}

/* Each counter by its name, so that those of policy rules are not listed; the last is acknowledged. */
static size_t put_totals(char *buf, uint32_t seq)
{
	size_t len = 0;

	for (unsigned c = 0; c < NFT_COUNTERS; c++) {
		struct nlmsghdr *nlh = put_header(buf + len, nft_table_family(nft_counter_table(c)),
						  NFT_MSG_GETOBJ, 0, seq);

		mnl_attr_put_strz(nlh, NFTA_OBJ_TABLE, NFT_TABLE_NAME);
		mnl_attr_put_strz(nlh, NFTA_OBJ_NAME, nft_counter_name(c));
		mnl_attr_put_u32(nlh, NFTA_OBJ_TYPE, htonl(NFT_OBJECT_COUNTER));
		len += NLMSG_ALIGN(nlh->nlmsg_len);
	}
	len += put_header(buf + len, NFPROTO_UNSPEC, NFT_MSG_GETGEN, NLM_F_ACK, seq)->nlmsg_len;
	return len;
}

static unsigned set_of(enum nft_counts_question q)
{
	return SET_DENIED + (q == NFT_ASK_FLOWS4 ? FAMILY4 : FAMILY6);
}

static size_t put_flows(char *buf, enum nft_counts_question q, uint32_t seq)
{
	struct nlmsghdr *nlh = put_header(buf, NFPROTO_INET, NFT_MSG_GETSETELEM, NLM_F_DUMP, seq);

	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, NFT_TABLE_NAME);
	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, nft_set_info(set_of(q))->name);
	return nlh->nlmsg_len;
}

static size_t put_rules(char *buf, uint32_t seq)
{
	struct nlmsghdr *nlh = put_header(buf, NFPROTO_INET, NFT_MSG_GETOBJ, NLM_F_DUMP, seq);

	mnl_attr_put_strz(nlh, NFTA_OBJ_TABLE, NFT_TABLE_NAME);
	mnl_attr_put_u32(nlh, NFTA_OBJ_TYPE, htonl(NFT_OBJECT_COUNTER));
	return nlh->nlmsg_len;
}

static size_t put_question(char *buf, enum nft_counts_question q, uint32_t seq)
{
	if (q == NFT_ASK_TOTALS)
		return put_totals(buf, seq);
	return q == NFT_ASK_RULES ? put_rules(buf, seq) : put_flows(buf, q, seq);
}

int nft_counts_ask(const struct nlsock *s, enum nft_counts_question q, uint32_t seq,
		   struct bh_err *err)
{
	char buf[QUESTION_BYTES] __attribute__((aligned(NLMSG_ALIGNTO))) = { 0 };
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	size_t len = put_question(buf, q, seq);

	if (sendto(s->fd, buf, len, MSG_DONTWAIT, (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		return bh_err_errno(err, -errno, "asking for the counts of a namespace");
	return 0;
}

/* --- the answer -------------------------------------------------------------------------------- */

struct rule_counter {
	char name[BH_NFT_NAME_MAX + 1];
	struct nft_rule_count count;
};

struct nft_counts {
	enum nft_counts_question question;
	uint32_t seq;
	bool interrupted;
	uint64_t packets[NFT_COUNTERS];
	struct denied_list list;
	struct bh_vec rules; /* struct rule_counter */
	size_t left_out;
};

struct nft_counts *nft_counts_new(void)
{
	struct nft_counts *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	denied_list_begin(&c->list, SET_DENIED);
	bh_vec_init(&c->rules, sizeof(struct rule_counter), BH_RULESET_RULES_MAX);
	return c;
}

void nft_counts_free(struct nft_counts *c)
{
	if (c) {
		bh_vec_done(&c->list.v);
		bh_vec_done(&c->rules);
	}
	free(c);
}

void nft_counts_begin(struct nft_counts *c, enum nft_counts_question q, uint32_t seq)
{
	c->question = q;
	c->seq = seq;
	c->interrupted = false;
	c->rules.n = c->left_out = 0;
	if (q == NFT_ASK_TOTALS) {
		memset(c->packets, 0, sizeof(c->packets));
	} else if (q != NFT_ASK_RULES) {
		c->list.set = set_of(q);
		c->list.v.n = 0;
	}
}

/* Complete; is it of any use? */
static int end(struct nft_counts *c)
{
	if (c->interrupted)
		return -EINTR;
	if (c->question == NFT_ASK_TOTALS || c->question == NFT_ASK_RULES)
		return 1;
	return denied_list_sort(&c->list) ? 1 : -EINTR;
}

/* Of totals each counter that is not there is an error, and the last message's is the end. */
static int on_error(struct nft_counts *c, const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(nlh);

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*e))
		return -EBADMSG;
	if (e->error == 0)
		return end(c);
	if (e->error == -ENOENT)
		return c->question == NFT_ASK_TOTALS ? 0 : end(c);
	return e->error < 0 ? e->error : -EBADMSG;
}

/* Of table inet, and none of the fixed ones. */
static int take_rule(struct nft_counts *c, const struct nlmsghdr *nlh)
{
	const struct nlattr *tb[NFTA_OBJ_DATA + 1], *data[NFTA_COUNTER_PACKETS + 1];
	struct rule_counter *to;
	char name[BH_NFT_NAME_MAX + 1] = { 0 };
	unsigned table;

	attr_parse(nlh, tb, NFTA_OBJ_DATA);
	if (!nft_message_table(nlh, &table) || table != TABLE_INET ||
	    !attr_is(tb[NFTA_OBJ_TABLE], NFT_TABLE_NAME) ||
	    !attr_string(tb[NFTA_OBJ_NAME], name, sizeof(name)) || nft_counter_by_name(name) >= 0)
		return 0;
	to = bh_vec_push(&c->rules);
	if (!to) {
		c->left_out++;
		return c->rules.n == c->rules.max ? 0 : -ENOMEM;
	}
	*to = (struct rule_counter) { 0 };
	memcpy(to->name, name, sizeof(name));
	attr_parse_nested(tb[NFTA_OBJ_DATA], data, NFTA_COUNTER_PACKETS);
	attr_u64(data[NFTA_COUNTER_PACKETS], &to->count.packets);
	attr_u64(data[NFTA_COUNTER_BYTES], &to->count.bytes);
	return 0;
}

static int take_message(struct nft_counts *c, const struct nlmsghdr *nlh)
{
	struct denied_reader rd = { (int)c->list.set, denied_list_add, &c->list };
	uint8_t message = nlh->nlmsg_type & 0xff;

	if (message == NFT_MSG_NEWOBJ && c->question == NFT_ASK_TOTALS)
		return denied_total(nlh, c->packets);
	if (message == NFT_MSG_NEWOBJ && c->question == NFT_ASK_RULES)
		return take_rule(c, nlh);
	if (message == NFT_MSG_NEWSETELEM &&
	    (c->question == NFT_ASK_FLOWS4 || c->question == NFT_ASK_FLOWS6))
		return denied_elements(nlh, &rd);
	return 0;
}

static int take(struct nft_counts *c, const struct nlmsghdr *nlh)
{
	c->interrupted |= (nlh->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
	if (nlh->nlmsg_type == NLMSG_ERROR)
		return on_error(c, nlh);
	if (nlh->nlmsg_type == NLMSG_DONE)
		return end(c);
	if (nlh->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES)
		return 0;
	return take_message(c, nlh);
}

int nft_counts_feed(struct nft_counts *c, uint32_t from, const void *data, size_t len)
{
	const uint8_t *p = data;
	int r = 0;

	while (r == 0 && len >= sizeof(struct nlmsghdr)) {
		const struct nlmsghdr *nlh = (const void *)p;
		size_t step = NLMSG_ALIGN((size_t)nlh->nlmsg_len);

		if (nlh->nlmsg_len < sizeof(*nlh) || step > len)
			return -EBADMSG;
		if (from == 0 && nlh->nlmsg_seq == c->seq)
			r = take(c, nlh);
		p += step;
		len -= step;
	}
	return r;
}

void nft_counts_totals(const struct nft_counts *c, struct nft_totals *ret)
{
	denied_totals_of(c->packets, ret);
}

int nft_counts_each(const struct nft_counts *c, int (*fn)(const struct nft_denied *, void *),
		    void *arg)
{
	return denied_list_each(&c->list, fn, arg);
}

int nft_counts_each_rule(const struct nft_counts *c,
			 int (*fn)(const char *name, const struct nft_rule_count *, void *),
			 void *arg, size_t *ret_left_out)
{
	const struct rule_counter *all = c->rules.data;
	int r = 0;

	for (size_t i = 0; i < c->rules.n && r >= 0; i++)
		r = fn(all[i].name, &all[i].count, arg);
	*ret_left_out = c->left_out;
	return r;
}
