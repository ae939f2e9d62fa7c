/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "grants.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/text.h>

/* A group's entry holds the names of all its members. */
#define ENTRY_BYTES_MIN 1024
#define ENTRY_BYTES_MAX (1u << 20)

/* One lookup into BUF; 0 and *RET, a positive errno as getpwnam_r() gives it, ENOENT for nobody. */
typedef int lookup_fn(const char *name, char *buf, size_t size, uint32_t *ret);

static int lookup_user(const char *name, char *buf, size_t size, uint32_t *ret)
{
	struct passwd entry, *found = NULL;
	int r = getpwnam_r(name, &entry, buf, size, &found);

	if (found)
		*ret = entry.pw_uid;
	return found ? 0 : r ? r : ENOENT;
}

static int lookup_group(const char *name, char *buf, size_t size, uint32_t *ret)
{
	struct group entry, *found = NULL;
	int r = getgrnam_r(name, &entry, buf, size, &found);

	if (found)
		*ret = entry.gr_gid;
	return found ? 0 : r ? r : ENOENT;
}

/* With as much room as the entry wants. */
static int lookup(lookup_fn *fn, const char *name, uint32_t *ret)
{
	int r = ERANGE;

	for (size_t size = ENTRY_BYTES_MIN; r == ERANGE && size <= ENTRY_BYTES_MAX; size *= 2) {
		bh_autofree char *buf = malloc(size);

		if (!buf)
			return -ENOMEM;
		do {
			r = fn(name, buf, size, ret);
		} while (r == EINTR);
	}
	return r == ESRCH ? -ENOENT : -r; /* sources of names differ in how they say it */
}

static int find_id(bool is_group, const char *who, uint32_t *ret, struct bh_err *err)
{
	const char *what = is_group ? "group" : "user";
	char shown[128];
	uint64_t id;
	int r;

	/* The last one means "nobody in particular" to the kernel. */
	if (bh_parse_u64(who, 0, UINT32_MAX - 1, &id) >= 0) {
		*ret = (uint32_t)id;
		return 0;
	}
	bh_escape_str(shown, sizeof(shown), who);
	r = lookup(is_group ? lookup_group : lookup_user, who, ret);
	if (r == -ENOENT)
		return bh_err_set(err, r, "there is no %s '%s'", what, shown);
	if (r < 0)
		return bh_err_errno(err, r, "cannot look up the %s '%s'", what, shown);
	return 0;
}

static enum ctl_role role_of(enum host_role role)
{
	switch (role) {
	case HOST_ROLE_VIEWER:
		return CTL_ROLE_VIEWER;
	case HOST_ROLE_OPERATOR:
		return CTL_ROLE_OPERATOR;
	case HOST_ROLE_ADMIN:
		return CTL_ROLE_ADMIN;
	}
	return CTL_ROLE_NONE;
}

static int build_one(const struct host_grant *g, struct ctl_grant *ret, struct bh_err *err)
{
	char file[256];
	int r;

	*ret = (struct ctl_grant) {
		.is_group = g->is_group,
		.role = role_of(g->role),
		.everything = g->everything,
		.owners = g->owners,
		.n_owners = g->n_owners,
	};
	r = find_id(g->is_group, g->who, &ret->id, err);
	if (r < 0)
		return bh_err_prefix(err, r, "%s:%u",
				     bh_escape_str(file, sizeof(file), g->loc.file), g->loc.line);
	return 0;
}

int grants_build(const struct host_config *c, struct ctl_grant **ret, size_t *ret_n,
		 struct bh_err *err)
{
	bh_autofree struct ctl_grant *grants = calloc(c->n_grants + 1, sizeof(*grants));

	if (!grants)
		return bh_err_oom(err);
	for (size_t i = 0; i < c->n_grants; i++) {
		int r = build_one(&c->grants[i], &grants[i], err);

		if (r < 0)
			return r;
	}
	*ret = BH_STEAL_PTR(grants);
	*ret_n = c->n_grants;
	return 0;
}

int grants_group_id(const char *group, gid_t *ret, struct bh_err *err)
{
	uint32_t id;
	int r = find_id(true, group, &id, err);

	if (r < 0)
		return r;
	*ret = id;
	return 0;
}
