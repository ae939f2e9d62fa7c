/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

/* Who may do what on the control socket. */

static const char *const role_words[] = { [HOST_ROLE_VIEWER] = "viewer",
					  [HOST_ROLE_OPERATOR] = "operator",
					  [HOST_ROLE_ADMIN] = "admin",
					  NULL };
_Static_assert(sizeof(enum host_role) == sizeof(int), "a role is read as an int");

static int read_who(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	struct host_grant *g = out;

	g->loc.line = n->loc.line;
	g->loc.column = n->loc.column;
	g->is_group = strcmp(f->key, "group") == 0;
	return host_read_account(rd, f, n, &g->who);
}

static bool owner_is_usable(struct reader *rd, const struct host_grant *g, const struct node *n)
{
	if (!node_takes(rd, n, TAKES_TEXT, "an entry of \"owners\"", "team-a"))
		return false;
	if (!*n->text) {
		mistake(rd, n, "missing-value", NULL, "an owner is empty");
		return false;
	}
	for (size_t i = 0; i < g->n_owners; i++) {
		if (strcmp(g->owners[i], n->text) != 0)
			continue;
		mistake(rd, n, "bad-value", "remove one of the two", "\"owners\" names %s twice",
			SHOWN(n->text));
		return false;
	}
	return true;
}

static int read_owners(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	struct host_grant *g = out;
	const char **owners;

	g->everything = false;
	if (!n->n)
		mistake(rd, n, "bad-value", "leave \"owners\" out for everything",
			"owners: [] grants nothing");
	if (!node_fits(rd, n, BH_CTL_OWNERS_MAX, "owners"))
		return 0;
	owners = bh_arena_array(rd->arena, n->n + 1, sizeof(*owners));
	if (!owners)
		return -ENOMEM;
	g->owners = owners;
	for (const struct node *c = n->first; c; c = c->next) {
		if (!owner_is_usable(rd, g, c))
			continue;
		owners[g->n_owners] = bh_arena_strdup(rd->arena, c->text);
		if (!owners[g->n_owners++])
			return -ENOMEM;
	}
	return 0;
}

#define ROLE_EXAMPLE "{group: ops, role: operator}"

static const struct field fields[] = {
	{ .key = "user",
	  .about = "A user's name, or an ID",
	  .shape = SHAPE_ACCOUNT,
	  .takes = TAKES_TEXT,
	  .read = read_who,
	  .example = "user: alice" },
	{ .key = "group",
	  .about = "A group's name, or an ID",
	  .shape = SHAPE_ACCOUNT,
	  .takes = TAKES_TEXT,
	  .read = read_who,
	  .example = "group: ops" },
	{ .key = "role",
	  .about = "What they may do",
	  .takes = TAKES_TEXT,
	  .required = true,
	  .read = schema_read_word,
	  .offset = offsetof(struct host_grant, role),
	  .words = role_words,
	  .example = "role: viewer" },
	{ .key = "owners",
	  .about = "For services of these owners only; for everything without",
	  .shape = SHAPE_TEXT,
	  .min = 1,
	  .max = BH_CTL_OWNERS_MAX,
	  .takes = TAKES_LIST,
	  .read = read_owners,
	  .example = "owners: [team-a]" },
};

const struct schema host_role_schema =
	SCHEMA("a role", fields, ROLE_EXAMPLE,
	       .shape = "\"oneOf\":[{\"required\":[\"user\"]},{\"required\":[\"group\"]}]");

/* One of two keys: a table cannot say that. CLEAN: nothing else was wrong with it. */
static void check_who(struct reader *rd, const struct node *n, bool clean)
{
	const struct node *user, *group;

	if (n->kind != NODE_MAP)
		return;
	user = node_find(n, "user");
	group = node_find(n, "group");
	if (user && group)
		mistake(rd, group->key, "bad-value", "write two entries",
			"a role is for a user or for a group, not for both");
	else if (clean && !user && !group) /* else it may well be there, with a slip of the pen */
		mistake(rd, n, "missing-key", "for example " ROLE_EXAMPLE,
			"a role needs \"user\" or \"group\"");
}

static int read_grant(struct reader *rd, const struct node *n, struct host_grant *g)
{
	size_t errors = rd->diags->errors;
	int r;

	*g = (struct host_grant) { .everything = true };
	r = schema_read(rd, &host_role_schema, n, g);
	check_who(rd, n, rd->diags->errors == errors);
	return r;
}

int host_read_roles(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	struct host_config *c = out;
	struct host_grant *grants;
	const char *file;
	int r = 0;

	if (!node_fits(rd, n, BH_CTL_GRANTS_MAX, "roles"))
		return 0;
	grants = bh_arena_array(rd->arena, n->n + 1, sizeof(*grants));
	file = bh_arena_strdup(rd->arena, n->loc.file); /* that of the node ends with the reading */
	if (!grants || !file)
		return -ENOMEM;
	c->grants = grants;
	for (const struct node *e = n->first; r >= 0 && e; e = e->next) {
		r = read_grant(rd, e, &grants[c->n_grants]);
		grants[c->n_grants++].loc.file = file;
	}
	return r;
}
