/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trail.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/enforce/touched.h>
#include <bulkhead/policy/policy.h>
#include <bulkhead/store/generations.h>

#include "refusals.h"

int trail_open(const char *dir, unsigned files, struct audit **ret, struct bh_err *err)
{
	const struct audit_options o = { .dir = dir, .files = files, .notice = controller_log };

	return audit_open(&o, ret, err);
}

static void fill_who(struct audit_entry *e, const struct ctl_peer *peer)
{
	if (peer) {
		e->who.uid = peer->uid;
		e->who.gid = peer->gid;
		e->who.pid = peer->pid;
		e->who.name = peer->comm;
		e->who.role = ctl_role_name(peer->role);
	} else {
		e->who.uid = getuid();
		e->who.gid = getgid();
		e->who.pid = getpid();
		e->who.name = "bulkheadd";
		e->who.role = "daemon";
	}
}

static const char *digest_of(const struct site *s)
{
	return s && s->policies ? s->policies->digest : NULL;
}

static void add_diff(const struct site *before, const struct site *after, struct bh_buf *out)
{
	size_t n_old = 0, n_new = 0;
	const struct policy_source *old =
		before && before->files ? policy_files_sources(before->files, &n_old) : NULL;
	const struct policy_source *new =
		after && after->files ? policy_files_sources(after->files, &n_new) : NULL;

	if (new &&generation_diff_sources(old, n_old, new, n_new, out) < 0)
		bh_buf_reset(out); /* too large: the digests tell all the same */
}

static enum audit_outcome outcome_of(int r)
{
	static const int refused[] = { -EINVAL, -EPERM,    -EACCES,   -EBUSY,
				       -ENOENT, -ENOTUNIQ, -ETIMEDOUT };

	if (r >= 0)
		return AUDIT_DONE;
	for (size_t i = 0; i < BH_ARRAY_SIZE(refused); i++)
		if (refused[i] == r)
			return AUDIT_REFUSED;
	return AUDIT_FAILED;
}

/* --- writing --------------------------------------------------------------------------------- */

/* Nobody but root fills the trail with what comes to nothing. */
static bool is_left_out(struct controller *c, const struct trail_change *change)
{
	const char *before = digest_of(change->before), *after = digest_of(change->after);
	bool nothing = change->nothing || outcome_of(change->result) == AUDIT_REFUSED ||
		       (before && after && strcmp(before, after) == 0);

	return nothing && change->peer && change->peer->uid != 0 && c->refusals &&
	       !refusals_admit(c->refusals, change->peer->uid);
}

static int append(struct controller *c, const struct trail_change *change, struct touched *o,
		  struct bh_err *err)
{
	struct audit_entry e = {
		.action = change->action,
		.before = digest_of(change->before),
		.after = digest_of(change->after),
		.outcome = outcome_of(change->result),
		.detail = change->detail,
	};
	struct bh_buf diff;
	int r;

	bh_buf_init(&diff, BH_DIFF_BYTES_MAX);
	add_diff(change->before, change->after, &diff);
	site_touched(change->before, change->after, o);
	fill_who(&e, change->peer);
	e.objects = o->list;
	e.n_objects = o->n;
	e.diff = bh_buf_str(&diff);
	e.diff_len = diff.len;
	r = audit_append(c->trail, &e, err);
	bh_buf_done(&diff);
	return r < 0 ? bh_err_prefix(err, r, "the audit trail") : 0;
}

int trail_append(struct controller *c, const struct trail_change *change, struct bh_err *err)
{
	bh_autofree struct touched *o = NULL;

	if (!c->trail || is_left_out(c, change))
		return 0;
	o = calloc(1, sizeof(*o));
	return o ? append(c, change, o, err) : bh_err_oom(err);
}

int trail_ready(struct controller *c, struct bh_err *err)
{
	return c->trail && audit_ready(c->trail, err) < 0
		       ? bh_err_prefix(err, -EIO, "nothing was changed: the audit trail")
		       : 0;
}
