/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "query.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libmnl/libmnl.h>

#include <bulkhead/nft/nft.h>

#include "attr.h"
#include "kernel.h"
#include "program.h"

#define RESIZE_TRIES 7

static int query(struct nlsock *s, uint8_t family, uint8_t message, uint16_t flags,
		 uint16_t table_attr, const char *set, int (*fn)(const struct nlmsghdr *, void *),
		 void *arg, struct bh_err *err)
{
	char buf[512] __attribute__((aligned(16)));
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *nfg;

	nlh->nlmsg_type = (NFNL_SUBSYS_NFTABLES << 8) | message;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = family;
	nfg->version = NFNETLINK_V0;
	if (table_attr)
		mnl_attr_put_strz(nlh, table_attr, NFT_TABLE_NAME);
	if (set)
		mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, set);
	return nlsock_query(s, nlh, fn, arg, err);
}

int nft_query(struct nlsock *s, uint8_t message, uint16_t flags, uint16_t table_attr,
	      const char *set, int (*fn)(const struct nlmsghdr *, void *), void *arg,
	      struct bh_err *err)
{
	return query(s, set ? NFPROTO_INET : NFPROTO_UNSPEC, message, flags, table_attr, set, fn,
		     arg, err);
}

bool nft_message_table(const struct nlmsghdr *nlh, unsigned *ret_table)
{
	const struct nfgenmsg *nfg = mnl_nlmsg_get_payload(nlh);

	return nlh->nlmsg_len >= NLMSG_LENGTH(sizeof(*nfg)) &&
	       nft_table_by_family(nfg->nfgen_family, ret_table);
}

int nft_query_table(struct nlsock *s, unsigned table, uint8_t message, uint16_t flags,
		    uint16_t table_attr, int (*fn)(const struct nlmsghdr *, void *), void *arg,
		    struct bh_err *err)
{
	return query(s, nft_table_family(table), message, flags, table_attr, NULL, fn, arg, err);
}

/* 1 ms, 2 ms, ... */
bool nft_wait_for_resize(unsigned try)
{
	if (try >= RESIZE_TRIES)
		return false;
	usleep(1000u << try);
	return true;
}

static int on_generation(const struct nlmsghdr *nlh, void *arg)
{
	const struct nlattr *tb[NFTA_GEN_ID + 1];

	attr_parse(nlh, tb, NFTA_GEN_ID);
	attr_u32(tb[NFTA_GEN_ID], arg);
	return 0;
}

int nft_commit_id(struct nlsock *s, uint32_t *ret, struct bh_err *err)
{
	return nft_query(s, NFT_MSG_GETGEN, NLM_F_ACK, 0, NULL, on_generation, ret, err);
}

static int on_table(const struct nlmsghdr *nlh, void *arg)
{
	*(bool *)arg = true;
	return 0;
}

int nft_table_present(struct nlsock *s, unsigned table, bool *ret, struct bh_err *err)
{
	int r;

	*ret = false;
	r = nft_query_table(s, table, NFT_MSG_GETTABLE, NLM_F_ACK, NFTA_TABLE_NAME, on_table, ret,
			    err);
	return r == -ENOENT ? 0 : r;
}

/* --- whose they are -------------------------------------------------------------------------- */

struct ownership {
	uint32_t mine;
	bool other;
};

static int on_owner(const struct nlmsghdr *nlh, void *arg)
{
	const struct nlattr *tb[BH_NFTA_TABLE_OWNER + 1];
	struct ownership *o = arg;
	uint32_t owner = 0;

	attr_parse(nlh, tb, BH_NFTA_TABLE_OWNER);
	attr_u32(tb[BH_NFTA_TABLE_OWNER], &owner);
	o->other |= owner && owner != o->mine;
	return 0;
}

int nft_owned_by_other(struct nlsock *s, bool *ret, struct bh_err *err)
{
	struct ownership o = { .mine = s->portid };

	for (unsigned t = 0; t < NFT_TABLES; t++) {
		int r = nft_query_table(s, t, NFT_MSG_GETTABLE, NLM_F_ACK, NFTA_TABLE_NAME,
					on_owner, &o, err);

		if (r < 0 && r != -ENOENT)
			return r;
	}
	*ret = o.other;
	return 0;
}

int nft_present(struct nlsock *s, bool *ret, struct bh_err *err)
{
	int r = 0;

	*ret = false;
	for (unsigned t = 0; t < NFT_TABLES && r >= 0 && !*ret; t++)
		r = nft_table_present(s, t, ret, err);
	return r;
}
