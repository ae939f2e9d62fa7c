/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "set.h"

#include <errno.h>
#include <stddef.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

static int read_cidrs(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	struct group *g = out;

	struct src_loc *locs;
	size_t i = 0;
	int r = prefixes_read(rd, n, BH_GROUP_CIDRS_MAX, "cidrs", &g->cidrs, &g->n_cidrs);

	if (r < 0 || !g->n_cidrs)
		return r;
	locs = bh_arena_array(rd->arena, n->n, sizeof(*locs));
	if (!locs)
		return -ENOMEM;
	for (const struct node *c = n->first; c; c = c->next)
		locs[i++] = c->loc;
	g->cidr_locs = locs;
	return 0;
}

static const struct field fields[] = {
	{ .key = "group",
	  .about = "Name of the group, unique in all files; the first key",
	  .takes = TAKES_TEXT,
	  .read = schema_read_name,
	  .offset = offsetof(struct group, name),
	  .example = "group: NAME" },
	{ .key = "cidrs",
	  .about = "Its addresses, IPv4 and IPv6",
	  .shape = SHAPE_PREFIX,
	  .max = BH_GROUP_CIDRS_MAX,
	  .canon = prefix_canon,
	  .takes = TAKES_LIST,
	  .required = true,
	  .read = read_cidrs,
	  .example = "cidrs: [203.0.113.0/24, 2001:db8::/32]" },
	ACCEPT_FIELD(offsetof(struct group, accepts)),
};

const struct schema group_schema = SCHEMA("a group", fields, NULL);

int group_read(struct set_builder *b, const struct node *root)
{
	int r;
	struct group *g = set_define(b, NAME_GROUP, root, &r);

	if (!g)
		return r;
	g->loc = root->first->loc;
	r = meaning_of(root, &group_schema, &g->meaning);
	if (r < 0)
		return r;
	r = schema_read(&b->rd, &group_schema, root, g);
	if (!g->name)
		b->incomplete = true;
	return r;
}
