/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "role.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <bulkhead/base/arena.h>
#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>

const char *ctl_role_name(enum ctl_role role)
{
	switch (role) {
	case CTL_ROLE_NONE:
		return "none";
	case CTL_ROLE_VIEWER:
		return "viewer";
	case CTL_ROLE_OPERATOR:
		return "operator";
	case CTL_ROLE_ADMIN:
		return "admin";
	}
	return "unknown";
}

/* --- who it is ------------------------------------------------------------------------------- */

/* SO_PEERGROUPS: says how many bytes it wants when there are more than fit. */
static int read_groups(int fd, struct ctl_creds *c)
{
	socklen_t len = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &len) == 0)
		return 0;
	if (errno != ERANGE || len > BH_CTL_GROUPS_MAX * sizeof(gid_t))
		return -errno;
	c->groups = malloc(len);
	if (!c->groups)
		return -ENOMEM;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, c->groups, &len) < 0)
		return -errno;
	c->n_groups = len / sizeof(gid_t);
	return 0;
}

int ctl_creds_read(int fd, struct ctl_creds *ret)
{
	struct ctl_creds c = { 0 };
	struct ucred uc;
	socklen_t len = sizeof(uc);
	int r;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &uc, &len) < 0)
		return -errno;
	if (len != sizeof(uc))
		return -EPROTO;
	r = read_groups(fd, &c);
	if (r < 0) {
		free(c.groups);
		return r;
	}
	c.pid = uc.pid;
	c.uid = uc.uid;
	c.gid = uc.gid;
	*ret = c;
	return 0;
}

void ctl_creds_done(struct ctl_creds *c)
{
	free(c->groups);
	*c = (struct ctl_creds) { 0 };
}

void ctl_peer_name(struct ctl_peer *peer, const struct ctl_creds *creds)
{
	bh_autofree char *comm = NULL;
	char path[40];
	size_t len;

	peer->pid = creds->pid;
	peer->uid = creds->uid;
	peer->gid = creds->gid;
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)creds->pid);
	if (bh_read_file(path, 256, &comm, &len) < 0) {
		snprintf(peer->comm, sizeof(peer->comm), "?");
		return;
	}
	if (len > 0 && comm[len - 1] == '\n')
		comm[len - 1] = '\0';
	bh_escape_str(peer->comm, sizeof(peer->comm), comm);
}

/* --- grants ---------------------------------------------------------------------------------- */

struct ctl_grants {
	struct bh_arena *arena;
	struct ctl_grant *g;
	size_t n;
};

static int copy_owners(struct bh_arena *a, struct ctl_grant *g)
{
	const char **owners;

	if (g->everything)
		g->n_owners = 0;
	owners = bh_arena_array(a, g->n_owners, sizeof(*owners));
	if (!owners)
		return -ENOMEM;
	for (size_t i = 0; i < g->n_owners; i++) {
		owners[i] = bh_arena_strdup(a, g->owners[i]);
		if (!owners[i])
			return -ENOMEM;
	}
	g->owners = owners;
	return 0;
}

static int copy_grants(struct ctl_grants *g, const struct ctl_grant *grants, size_t n)
{
	int r = 0;

	g->arena = bh_arena_new();
	g->g = g->arena ? bh_arena_array(g->arena, n, sizeof(*g->g)) : NULL;
	if (!g->g)
		return -ENOMEM;
	g->n = n;
	for (size_t i = 0; r >= 0 && i < n; i++) {
		g->g[i] = grants[i];
		r = copy_owners(g->arena, &g->g[i]);
	}
	return r;
}

int ctl_grants_new(const struct ctl_grant *grants, size_t n, struct ctl_grants **ret,
		   struct bh_err *err)
{
	struct ctl_grants *g;
	int r;

	if (n > BH_CTL_GRANTS_MAX)
		return bh_err_set(err, -E2BIG, "more than %d grants of roles", BH_CTL_GRANTS_MAX);
	for (size_t i = 0; i < n; i++)
		if (grants[i].n_owners > BH_CTL_OWNERS_MAX)
			return bh_err_set(err, -E2BIG, "a role is granted for more than %d owners",
					  BH_CTL_OWNERS_MAX);
	g = calloc(1, sizeof(*g));
	if (!g)
		return bh_err_oom(err);
	r = copy_grants(g, grants, n);
	if (r < 0) {
		ctl_grants_free(g);
		return bh_err_oom(err);
	}
	*ret = g;
	return 0;
}

void ctl_grants_free(struct ctl_grants *g)
{
	if (!g)
		return;
	bh_arena_free(g->arena);
	free(g);
}

size_t ctl_grants_count(const struct ctl_grants *g)
{
	return g->n;
}

/* --- what it may do -------------------------------------------------------------------------- */

static bool is_member(const struct ctl_creds *c, gid_t gid)
{
	if (c->gid == gid)
		return true;
	for (size_t i = 0; i < c->n_groups; i++)
		if (c->groups[i] == gid)
			return true;
	return false;
}

static bool matches(const struct ctl_grant *g, const struct ctl_creds *c)
{
	if (g->role == CTL_ROLE_NONE || (!g->everything && g->n_owners == 0))
		return false;
	return g->is_group ? is_member(c, g->id) : c->uid == g->id;
}

static void raise_role(struct ctl_peer *peer, enum ctl_role role, bool everything)
{
	if (role > peer->role)
		peer->role = role;
	if (everything && role > peer->role_everything)
		peer->role_everything = role;
}

void ctl_peer_judge(struct ctl_peer *peer, const struct ctl_creds *creds,
		    const struct ctl_grants *g, const struct ctl_grant **room)
{
	peer->role = peer->role_everything = CTL_ROLE_NONE;
	peer->grants = room;
	peer->n_grants = 0;
	if (peer->restricted) {
		raise_role(peer, CTL_ROLE_VIEWER, true);
		return;
	}
	if (creds->uid == 0)
		raise_role(peer, CTL_ROLE_ADMIN, true);
	for (size_t i = 0; i < g->n; i++) {
		if (!matches(&g->g[i], creds))
			continue;
		raise_role(peer, g->g[i].role, g->g[i].everything);
		room[peer->n_grants++] = &g->g[i];
	}
}

static bool owns(const struct ctl_grant *g, const char *owner)
{
	for (size_t i = 0; i < g->n_owners; i++)
		if (strcmp(g->owners[i], owner) == 0)
			return true;
	return false;
}

bool ctl_peer_may(const struct ctl_peer *peer, enum ctl_role least, const char *owner)
{
	if (peer->role_everything >= least)
		return true;
	for (size_t i = 0; owner && i < peer->n_grants; i++)
		if (peer->grants[i]->role >= least && owns(peer->grants[i], owner))
			return true;
	return false;
}

bool ctl_peer_may_call(const struct ctl_peer *peer, const struct ctl_verb *verb)
{
	if (peer->restricted && !verb->read_only)
		return false;
	return (verb->by_owner ? peer->role : peer->role_everything) >= verb->least;
}
