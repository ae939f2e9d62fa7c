/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/nft/foreign.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables_compat.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/nft/nft.h>

#include "attr.h"
#include "kernel.h"
#include "program.h"
#include "query.h"

#define READ_TRIES 8

struct foreign {
	struct bh_vec chains; /* struct nft_foreign_chain */
	uint8_t family;       /* of the table that is read, */
	const char *table;    /* and its name */
	bool full;
};

/* --- names ------------------------------------------------------------------------------------- */

static const struct {
	uint8_t family;
	const char *name;
	const char *const *hooks;
	size_t n_hooks;
} families[] = {
#define HOOKS(...)                                                                                 \
	(const char *const[]) { __VA_ARGS__ },                                                     \
		sizeof((const char *const[]) { __VA_ARGS__ }) / sizeof(char *)
	{ NFPROTO_INET, "inet",
	  HOOKS("prerouting", "input", "forward", "output", "postrouting", "ingress") },
	{ NFPROTO_IPV4, "ip", HOOKS("prerouting", "input", "forward", "output", "postrouting") },
	{ NFPROTO_IPV6, "ip6", HOOKS("prerouting", "input", "forward", "output", "postrouting") },
	{ NFPROTO_ARP, "arp", HOOKS("input", "output", "forward") },
	{ NFPROTO_BRIDGE, "bridge",
	  HOOKS("prerouting", "input", "forward", "output", "postrouting") },
	{ NFPROTO_NETDEV, "netdev", HOOKS("ingress", "egress") },
};

static size_t index_of(uint8_t family)
{
	size_t i = 0;

	while (i < BH_ARRAY_SIZE(families) && families[i].family != family)
		i++;
	return i;
}

static const char *hook_name(size_t family, uint32_t hook)
{
	return hook < families[family].n_hooks ? families[family].hooks[hook] : "unknown hook";
}

/* Expressions, and targets of iptables, that make another packet of one, or send it elsewhere. */
static const char *const rewriting[] = { "fwd", "dup",    "tproxy",  "queue",      "synproxy",
					 "TEE", "TPROXY", "NFQUEUE", "TTL",        "HL",
					 "TOS", "DSCP",   "ECN",     "TCPOPTSTRIP" };
static const char *const translating[] = { "nat",  "masq",       "redir",    "DNAT",
					   "SNAT", "MASQUERADE", "REDIRECT", "NETMAP" };

static const char *among(const char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return names[i];
	return NULL;
}

/* --- chains ------------------------------------------------------------------------------------ */

static void take_name(const struct nlattr *a, char *out, size_t cap)
{
	snprintf(out, cap, "%.*s", a ? (int)mnl_attr_get_payload_len(a) : 0,
		 a ? (const char *)mnl_attr_get_payload(a) : "");
}

static bool is_ours(uint8_t family, const char *table)
{
	unsigned t;

	return strcmp(table, NFT_TABLE_NAME) == 0 && nft_table_by_family(family, &t);
}

static uint8_t family_of(const struct nlmsghdr *nlh)
{
	const struct nfgenmsg *nfg = mnl_nlmsg_get_payload(nlh);

	return nlh->nlmsg_len >= NLMSG_LENGTH(sizeof(*nfg)) ? nfg->nfgen_family : 0;
}

static int on_chain(const struct nlmsghdr *nlh, void *arg)
{
	const struct nlattr *tb[NFTA_CHAIN_TYPE + 1], *hook[NFTA_HOOK_PRIORITY + 1];
	struct nft_foreign_chain c = { 0 }, *to;
	struct foreign *f = arg;
	size_t family = index_of(family_of(nlh));
	uint32_t number = UINT32_MAX, priority = 0;

	attr_parse(nlh, tb, NFTA_CHAIN_TYPE);
	take_name(tb[NFTA_CHAIN_TABLE], c.table, sizeof(c.table));
	if (!tb[NFTA_CHAIN_HOOK] || family == BH_ARRAY_SIZE(families) ||
	    is_ours(families[family].family, c.table))
		return 0;
	attr_parse_nested(tb[NFTA_CHAIN_HOOK], hook, NFTA_HOOK_PRIORITY);
	attr_u32(hook[NFTA_HOOK_HOOKNUM], &number);
	attr_u32(hook[NFTA_HOOK_PRIORITY], &priority);
	take_name(tb[NFTA_CHAIN_NAME], c.chain, sizeof(c.chain));
	take_name(tb[NFTA_CHAIN_TYPE], c.type, sizeof(c.type));
	c.family = families[family].name;
	c.hook = hook_name(family, number);
	c.priority = (int32_t)priority;
	to = bh_vec_push(&f->chains);
	if (!to) {
		f->full = f->chains.n == f->chains.max;
		return f->full ? 0 : -ENOMEM;
	}
	*to = c;
	return 0;
}

/* --- what is in their tables ------------------------------------------------------------------- */

static struct nft_foreign_chain *chain_at(struct foreign *f, size_t i)
{
	return (struct nft_foreign_chain *)f->chains.data + i;
}

static bool is_of(const struct nft_foreign_chain *c, size_t family, const char *table)
{
	return c->family == families[family].name && strcmp(c->table, table) == 0;
}

/* All base chains of a table may come to its rules. */
static void note(struct foreign *f, size_t family, const char *table, const char *rewrites,
		 bool translates)
{
	for (size_t i = 0; i < f->chains.n; i++) {
		struct nft_foreign_chain *c = chain_at(f, i);

		if (!is_of(c, family, table))
			continue;
		if (rewrites)
			c->rewrites = rewrites;
		c->translates |= translates;
	}
}

static bool writes(const struct nlattr *data, uint16_t sreg)
{
	const struct nlattr *tb[32];

	attr_parse_nested(data, tb, 31);
	return sreg < 32 && tb[sreg];
}

static const char *rewrites_by(const char *name, const struct nlattr *data)
{
	if (strcmp(name, "payload") == 0)
		return data && writes(data, NFTA_PAYLOAD_SREG) ? "payload" : NULL;
	if (strcmp(name, "exthdr") == 0)
		return data && writes(data, NFTA_EXTHDR_SREG) ? "exthdr" : NULL;
	return among(rewriting, BH_ARRAY_SIZE(rewriting), name);
}

static void take_expression(struct foreign *f, size_t family, const char *table,
			    const struct nlattr *expr)
{
	const struct nlattr *tb[NFTA_EXPR_DATA + 1], *target[NFTA_TARGET_NAME + 1];
	char name[64] = "";

	attr_parse_nested(expr, tb, NFTA_EXPR_DATA);
	if (!attr_string(tb[NFTA_EXPR_NAME], name, sizeof(name)))
		return;
	if (strcmp(name, "target") == 0 && tb[NFTA_EXPR_DATA]) {
		attr_parse_nested(tb[NFTA_EXPR_DATA], target, NFTA_TARGET_NAME);
		attr_string(target[NFTA_TARGET_NAME], name, sizeof(name));
	}
	note(f, family, table, rewrites_by(name, tb[NFTA_EXPR_DATA]),
	     among(translating, BH_ARRAY_SIZE(translating), name));
}

static int on_rule(const struct nlmsghdr *nlh, void *arg)
{
	const struct nlattr *tb[NFTA_RULE_EXPRESSIONS + 1], *a;
	size_t family = index_of(family_of(nlh));
	char table[128];

	attr_parse(nlh, tb, NFTA_RULE_EXPRESSIONS);
	take_name(tb[NFTA_RULE_TABLE], table, sizeof(table));
	if (!tb[NFTA_RULE_EXPRESSIONS] || family == BH_ARRAY_SIZE(families))
		return 0;
	mnl_attr_for_each_nested (a, tb[NFTA_RULE_EXPRESSIONS])
		take_expression(arg, family, table, a);
	return 0;
}

static int on_table(const struct nlmsghdr *nlh, void *arg)
{
	const struct nlattr *tb[BH_NFTA_TABLE_OWNER + 1];
	struct foreign *f = arg;
	size_t family = index_of(family_of(nlh));
	uint32_t owner = 0;
	char table[128];

	attr_parse(nlh, tb, BH_NFTA_TABLE_OWNER);
	take_name(tb[NFTA_TABLE_NAME], table, sizeof(table));
	attr_u32(tb[BH_NFTA_TABLE_OWNER], &owner);
	for (size_t i = 0; owner && family < BH_ARRAY_SIZE(families) && i < f->chains.n; i++)
		if (is_of(chain_at(f, i), family, table))
			chain_at(f, i)->owner = owner;
	return 0;
}

/* --- reading ----------------------------------------------------------------------------------- */

/* The kernel ends a dump of rules behind the first table of a name: all rules of all, so none is named. */
static int read_all(struct nlsock *s, struct foreign *f, struct bh_err *err)
{
	int r = nft_query(s, NFT_MSG_GETCHAIN, NLM_F_DUMP, 0, NULL, on_chain, f, err);

	if (r >= 0 && f->full)
		return bh_err_set(err, -E2BIG, "it has more than %d base chains of others",
				  BH_FOREIGN_CHAINS_MAX);
	if (r < 0 || !f->chains.n)
		return r;
	r = nft_query(s, NFT_MSG_GETTABLE, NLM_F_DUMP, 0, NULL, on_table, f, err);
	return r < 0 ? r : nft_query(s, NFT_MSG_GETRULE, NLM_F_DUMP, 0, NULL, on_rule, f, err);
}

int nft_foreign(struct nlsock *s, int (*fn)(const struct nft_foreign_chain *c, void *arg),
		void *arg, struct bh_err *err)
{
	struct foreign f = { 0 };
	int r = -EINTR;

	bh_vec_init(&f.chains, sizeof(struct nft_foreign_chain), BH_FOREIGN_CHAINS_MAX);
	for (int i = 0; i < READ_TRIES && r == -EINTR; i++) {
		f.chains.n = 0;
		r = read_all(s, &f, err);
	}
	for (size_t i = 0; r >= 0 && i < f.chains.n; i++)
		r = fn(chain_at(&f, i), arg);
	bh_vec_done(&f.chains);
	return r < 0 ? r : 0;
}
