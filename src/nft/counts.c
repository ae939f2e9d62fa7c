/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/nft/counts.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>

#include "denied.h"
#include "kernel.h"

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

int nft_counts_ask(const struct nlsock *s, enum nft_counts_question q, uint32_t seq,
		   struct bh_err *err)
{
	char buf[QUESTION_BYTES] __attribute__((aligned(NLMSG_ALIGNTO))) = { 0 };
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	size_t len = q == NFT_ASK_TOTALS ? put_totals(buf, seq) : put_flows(buf, q, seq);

	if (sendto(s->fd, buf, len, MSG_DONTWAIT, (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		return bh_err_errno(err, -errno, "asking for the counts of a namespace");
	return 0;
}

/* --- the answer -------------------------------------------------------------------------------- */

struct nft_counts {
	enum nft_counts_question question;
	uint32_t seq;
	bool interrupted;
	uint64_t packets[NFT_COUNTERS];
	struct denied_list list;
};

struct nft_counts *nft_counts_new(void)
{
	struct nft_counts *c = calloc(1, sizeof(*c));

	if (c)
		denied_list_begin(&c->list, SET_DENIED);
	return c;
}

void nft_counts_free(struct nft_counts *c)
{
	if (c)
		bh_vec_done(&c->list.v);
	free(c);
}

void nft_counts_begin(struct nft_counts *c, enum nft_counts_question q, uint32_t seq)
{
	c->question = q;
	c->seq = seq;
	c->interrupted = false;
	if (q == NFT_ASK_TOTALS) {
		memset(c->packets, 0, sizeof(c->packets));
	} else {
		c->list.set = set_of(q);
		c->list.v.n = 0;
	}
}

/* Complete; is it of any use? */
static int end(struct nft_counts *c)
{
	if (c->interrupted)
		return -EINTR;
	return c->question == NFT_ASK_TOTALS || denied_list_sort(&c->list) ? 1 : -EINTR;
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

static int take(struct nft_counts *c, const struct nlmsghdr *nlh)
{
	struct denied_reader rd = { (int)c->list.set, denied_list_add, &c->list };
	uint8_t message = nlh->nlmsg_type & 0xff;

	c->interrupted |= (nlh->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
	if (nlh->nlmsg_type == NLMSG_ERROR)
		return on_error(c, nlh);
	if (nlh->nlmsg_type == NLMSG_DONE)
		return end(c);
	if (nlh->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES)
		return 0;
	if (c->question == NFT_ASK_TOTALS && message == NFT_MSG_NEWOBJ)
		return denied_total(nlh, c->packets);
	if (c->question != NFT_ASK_TOTALS && message == NFT_MSG_NEWSETELEM)
		return denied_elements(nlh, &rd);
	return 0;
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
