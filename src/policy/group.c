/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "set.h"

#include <stddef.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

static int read_cidrs(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	struct group *g = out;

	return prefixes_read(rd, n, BH_GROUP_CIDRS_MAX, "cidrs", &g->cidrs, &g->n_cidrs);
}

static const struct field fields[] = {
	{ .key = "group",
	  .takes = TAKES_TEXT,
	  .read = schema_read_name,
	  .offset = offsetof(struct group, name),
	  .example = "group: NAME" },
	{ .key = "cidrs",
	  .takes = TAKES_LIST,
	  .required = true,
	  .read = read_cidrs,
	  .example = "cidrs: [203.0.113.0/24, 2001:db8::/32]" },
};

static const struct schema schema = SCHEMA("a group", fields, NULL);

int group_read(struct set_builder *b, const struct node *root)
{
	int r;
	struct group *g = set_define(b, NAME_GROUP, root, &r);

	if (!g)
		return r;
	g->loc = root->first->loc;
	r = meaning_of(root, &g->meaning);
	if (r < 0)
		return r;
	r = schema_read(&b->rd, &schema, root, g);
	if (!g->name)
		b->incomplete = true;
	return r;
}
