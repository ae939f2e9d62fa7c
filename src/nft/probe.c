/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/nft/nft.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <netinet/in.h>

#include <libmnl/libmnl.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/sys/netns.h>

#include "batch.h"
#include "kernel.h"
#include "query.h"

/*
 * What our tables are made of, each thing tried by itself in a namespace of its own: what the kernel
 * can do is asked of the kernel, not read from its version.
 */
static const struct nft_feature_info infos[NFT_FEATURES] = {
	[NFT_HAS_INET] = { "tables of the family inet", NULL },
	[NFT_HAS_MAPS] = { "maps from flows to counters", NULL },
	[NFT_HAS_INTERVALS] = { "interval maps over several fields", NULL },
	[NFT_HAS_RANGES] = { "address sets with intervals", NULL },
	[NFT_HAS_DENIED] = { "dynamic sets with counters and limits", NULL },
	[NFT_HAS_CT] = { "connection tracking (ct direction)", NULL },
	[NFT_HAS_OBJMAP] = { "counters found by a map", NULL },
	[NFT_HAS_LOG] = { "NFLOG", NULL },
	[NFT_HAS_LIMIT] = { "limits", NULL },
	[NFT_HAS_REJECT] = { "reject", NULL },
	[NFT_HAS_FIB] = { "own addresses (fib)", NULL },
	[NFT_HAS_FRAMES] = { "hooks where frames leave (netdev egress, fib, rtclassid)",
			     "frames made by hand pass: who may open raw sockets is weak, and IPv6 "
			     "sources can be invented" },
	[NFT_HAS_LATE_DEVICES] = { "hooks on devices that are not there yet",
				   "frames made by hand pass a device that comes later, until the "
				   "next apply" },
	[NFT_HAS_OWNER] = { "tables that are owned and persist",
			    "root with CAP_NET_ADMIN in a namespace can change its tables at any "
			    "time" },
	[NFT_HAS_DESTROY] = { "deletions of what may be gone",
			      "denied flows that have ended are counted out one by one" },
};

/* What is made to try a feature: in a table, perhaps a set, and perhaps a rule in a base chain. */
static const struct attempt {
	uint8_t feature, table, flags;
	int set; /* that is made, or -1 */
	struct nft_op ops[4];
	struct nft_frames frames;
} attempts[] = {
	{ .feature = NFT_HAS_INET, .set = -1 },
	{ .feature = NFT_HAS_MAPS, .set = SET_MAP(0, FAMILY4, ENTRY_EXACT) },
	{ .feature = NFT_HAS_INTERVALS, .set = SET_MAP(0, FAMILY4, ENTRY_RANGE) },
	{ .feature = NFT_HAS_RANGES, .set = SET_KNOWN },
	{ .feature = NFT_HAS_DENIED, .set = SET_DENIED },
	{ .feature = NFT_HAS_CT, .set = -1, .ops = { { .kind = OP_CT_DIRECTION } } },
	{ .feature = NFT_HAS_OBJMAP,
	  .set = SET_MAP(0, FAMILY4, ENTRY_EXACT),
	  .ops = { { .kind = OP_NFPROTO },
		   { .kind = OP_OBJMAP, .a = SET_MAP(0, FAMILY4, ENTRY_EXACT) } } },
	{ .feature = NFT_HAS_LOG, .set = -1, .ops = { { .kind = OP_LOG } } },
	{ .feature = NFT_HAS_LIMIT, .set = -1, .ops = { { .kind = OP_LIMIT, .a = 1 } } },
	{ .feature = NFT_HAS_REJECT,
	  .set = -1,
	  .ops = { { .kind = OP_L4PROTO, .a = IPPROTO_TCP }, { .kind = OP_REJECT_TCP } } },
	{ .feature = NFT_HAS_FIB, .set = -1, .ops = { { .kind = OP_OWN_SOURCE } } },
	{ .feature = NFT_HAS_FRAMES,
	  .table = TABLE_NETDEV,
	  .set = -1,
	  .ops = { { .kind = OP_PROTOCOL }, { .kind = OP_OWN_SOURCE }, { .kind = OP_STACK } },
	  .frames = { .devices = { "lo" }, .n_devices = 1 } },
	{ .feature = NFT_HAS_LATE_DEVICES,
	  .table = TABLE_NETDEV,
	  .set = -1,
	  .ops = { { .kind = OP_DROP } },
	  .frames = { .devices = { "eth0" }, .n_devices = 1 } },
	{ .feature = NFT_HAS_OWNER,
	  .flags = BH_NFT_TABLE_F_OWNER | BH_NFT_TABLE_F_PERSIST,
	  .set = -1 },
};

const struct nft_feature_info *nft_feature_info(unsigned feature)
{
	return &infos[feature];
}

static bool try_one(struct nlsock *s, const struct attempt *a)
{
	struct nft_rule rule = { .chain = a->table == TABLE_NETDEV ? CHAIN_EGRESS : CHAIN_OUTPUT };
	struct batch b;
	int r;

	batch_begin(&b);
	batch_new_table(&b, a->table, a->flags);
	batch_new_chain(&b, rule.chain, &a->frames);
	if (a->set >= 0)
		batch_new_set(&b, (unsigned)a->set);
	memcpy(rule.ops, a->ops, sizeof(a->ops));
	if (rule.ops[0].kind)
		batch_new_rule(&b, &rule);
	r = batch_commit(&b, s, NULL, NULL, NULL);
	batch_done(&b);
	return r >= 0 && nft_remove(s, NULL, NULL) >= 0;
}

static bool try_destroy(struct nlsock *s)
{
	struct denied_key key = { { 0 } };
	struct batch b;
	int r;

	batch_begin(&b);
	batch_new_table(&b, TABLE_INET, 0);
	batch_new_set(&b, SET_DENIED);
	batch_destroy_keys(&b, SET_DENIED, &key, 1);
	r = batch_commit(&b, s, NULL, NULL, NULL);
	batch_done(&b);
	return r >= 0 && nft_remove(s, NULL, NULL) >= 0;
}

int nft_probe(struct nft_kernel *ret, struct bh_err *err)
{
	struct nft_kernel kernel = { { false } };
	struct nlsock s = NLSOCK_INIT;
	bh_autoclose int fd = -1;
	int r = netns_scratch(&fd, err);

	if (r >= 0)
		r = nlsock_open(&s, fd, NETLINK_NETFILTER, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < BH_ARRAY_SIZE(attempts); i++)
		kernel.has[attempts[i].feature] = try_one(&s, &attempts[i]);
	kernel.has[NFT_HAS_DESTROY] = try_destroy(&s);
	nlsock_done(&s);
	*ret = kernel;
	return 0;
}

bool nft_kernel_suffices(const struct nft_kernel *k, char *missing, size_t cap)
{
	size_t len = 0;

	missing[0] = '\0';
	for (unsigned i = 0; i < NFT_FEATURES; i++)
		if (!k->has[i] && !infos[i].without && len < cap)
			len += (size_t)snprintf(missing + len, cap - len, "%s%s", len ? ", " : "",
						infos[i].name);
	return len == 0;
}
