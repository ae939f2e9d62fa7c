/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/nft/nft.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <netinet/in.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/sys/netns.h>

#include "batch.h"

/*
 * What a table of ours is made of, each thing tried by itself in a namespace of its own: what the
 * kernel can do is asked of the kernel, not read from its version.
 */
static const struct feature {
	const char *name;
	int set;              /* that is made, or -1 */
	struct nft_op ops[4]; /* of a rule in the chain output, if any */
} features[] = {
	{ "tables of the family inet", -1, { { 0 } } },
	{ "maps from flows to counters", SET_MAP(0, FAMILY4, ENTRY_EXACT), { { 0 } } },
	{ "interval maps over several fields", SET_MAP(0, FAMILY4, ENTRY_RANGE), { { 0 } } },
	{ "address sets with intervals", SET_KNOWN, { { 0 } } },
	{ "dynamic sets with counters and limits", SET_DENIED, { { 0 } } },
	{ "connection tracking (ct direction)", -1, { { .kind = OP_CT_DIRECTION } } },
	{ "counters found by a map",
	  SET_MAP(0, FAMILY4, ENTRY_EXACT),
	  { { .kind = OP_NFPROTO },
	    { .kind = OP_OBJMAP, .a = SET_MAP(0, FAMILY4, ENTRY_EXACT) } } },
	{ "NFLOG", -1, { { .kind = OP_LOG } } },
	{ "limits", -1, { { .kind = OP_LIMIT } } },
	{ "reject", -1, { { .kind = OP_L4PROTO, .a = IPPROTO_TCP }, { .kind = OP_REJECT_TCP } } },
};

static int try_feature(struct nlsock *s, const struct feature *f)
{
	struct nft_rule rule = { .chain = CHAIN_OUTPUT };
	struct batch b;
	int r;

	batch_begin(&b);
	batch_new_table(&b);
	batch_new_chain(&b, CHAIN_OUTPUT);
	if (f->set >= 0)
		batch_new_set(&b, (unsigned)f->set);
	memcpy(rule.ops, f->ops, sizeof(f->ops));
	if (rule.ops[0].kind)
		batch_new_rule(&b, &rule);
	r = batch_commit(&b, s, NULL, NULL, NULL);
	batch_done(&b);
	if (r >= 0)
		r = nft_remove(s, NULL, NULL);
	return r;
}

int nft_probe(char *missing, size_t cap, struct bh_err *err)
{
	struct nlsock s = NLSOCK_INIT;
	bh_autoclose int fd = -1;
	size_t len = 0;
	int r = netns_scratch(&fd, err);

	missing[0] = '\0';
	if (r >= 0)
		r = nlsock_open(&s, fd, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < BH_ARRAY_SIZE(features); i++)
		if (try_feature(&s, &features[i]) < 0 && len < cap)
			len += (size_t)snprintf(missing + len, cap - len, "%s%s", len ? ", " : "",
						features[i].name);
	nlsock_done(&s);
	return 0;
}
