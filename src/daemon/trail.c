/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trail.h"

#include <errno.h>
#include <unistd.h>

#include <bulkhead/base/limits.h>
#include <bulkhead/policy/policy.h>
#include <bulkhead/store/generations.h>

#include "controller.h"

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
	if (r >= 0)
		return AUDIT_DONE;
	return r == -EINVAL || r == -EPERM ? AUDIT_REFUSED : AUDIT_FAILED;
}

int trail_append(struct audit *trail, const struct trail_change *c, struct bh_err *err)
{
	struct audit_entry e = {
		.action = c->action,
		.before = digest_of(c->before),
		.after = digest_of(c->after),
		.outcome = outcome_of(c->result),
		.detail = c->detail,
	};
	struct bh_buf diff;
	int r;

	if (!trail)
		return 0;
	bh_buf_init(&diff, BH_DIFF_BYTES_MAX);
	add_diff(c->before, c->after, &diff);
	fill_who(&e, c->peer);
	e.diff = bh_buf_str(&diff);
	e.diff_len = diff.len;
	r = audit_append(trail, &e, err);
	bh_buf_done(&diff);
	return r < 0 ? bh_err_prefix(err, r, "the audit trail") : 0;
}
