/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "teams.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>
#include <bulkhead/model/changes.h>

struct judging {
	const struct ctl_peer *peer;
	const struct site *next;
	void (*tell)(const char *, void *);
	void *arg;
	size_t n; /* objects that are not the peer's */
};

/* One object. FMT must give safe text. */
__attribute__((format(printf, 3, 4))) static void
foreign(struct judging *j, const struct src_loc *loc, const char *fmt, ...)
{
	char line[BH_ERR_MAX + 200], file[256];
	size_t len = 0;
	va_list ap;

	if (++j->n > BH_FOREIGN_NAMED_MAX)
		return;
	if (loc->file)
		len = (size_t)snprintf(line, sizeof(line),
				       "%s:%u: ", bh_escape_str(file, sizeof(file), loc->file),
				       loc->line);
	va_start(ap, fmt);
	vsnprintf(line + len, sizeof(line) - len, fmt, ap);
	va_end(ap);
	j->tell(line, j->arg);
}

static bool is_theirs(const struct judging *j, const char *owner)
{
	return ctl_peer_may(j->peer, CTL_ROLE_OPERATOR, owner);
}

static const char *did_what(const struct policy_change *c)
{
	return !c->before ? "is new" : !c->after ? "is gone" : "is changed";
}

/* What an owner is called, in a sentence. */
static const char *whose(char out[128], const char *owner)
{
	char safe[112];

	if (!owner)
		return "nobody in particular";
	snprintf(out, 128, "%s", bh_escape_str(safe, sizeof(safe), owner));
	return out;
}

static void judge_service(struct judging *j, const struct policy_change *c)
{
	bool was = !c->before || is_theirs(j, c->owner_before);
	bool is = !c->after || is_theirs(j, c->owner_after);
	char owner[128];

	if (!was)
		foreign(j, &c->loc, "service %s %s, and belonged to %s", c->name, did_what(c),
			whose(owner, c->owner_before));
	else if (!is)
		foreign(j, &c->loc, "service %s %s, and is to belong to %s", c->name, did_what(c),
			whose(owner, c->owner_after));
	else if (c->boundary)
		foreign(j, &c->loc,
			"service %s %s, and with it what a scope or guardrail holds: its scope: "
			"and select: take a role for everything",
			c->name, did_what(c));
}

static void judge_change(struct judging *j, const struct policy_change *c)
{
	switch (c->kind) {
	case POLICY_SERVICE:
		judge_service(j, c);
		return;
	case POLICY_GROUP:
	case POLICY_SCOPE:
	case POLICY_GUARDRAIL:
		foreign(j, &c->loc, "%s %s %s: that takes a role for everything",
			policy_kind_name(c->kind), c->name, did_what(c));
		return;
	}
}

/* --- whom a service selects ------------------------------------------------------------------ */

/* The union of what two services allow is what an endpoint of both gets: nobody adds to another's. */
static void judge_sharing(struct judging *j, size_t s)
{
	const struct policy_set *p = j->next->policies;
	const struct selection *sel = j->next->selection;
	const struct service *mine = &p->services[s];
	char owner[128], who[256];

	for (size_t i = 0; i < sel->endpoints_of[s].n; i++) {
		size_t e = sel->endpoints_of[s].i[i];

		for (size_t k = 0; k < sel->services_of[e].n; k++) {
			const struct service *other = &p->services[sel->services_of[e].i[k]];

			if (other == mine || is_theirs(j, other->owner))
				continue;
			endpoint_format(who, sizeof(who), &j->next->endpoints->endpoints[e]);
			foreign(j, &mine->loc, "service %s selects %s, which is service %s of %s",
				mine->name, who, other->name, whose(owner, other->owner));
			return;
		}
	}
}

static void judge_selections(struct judging *j, const struct policy_change *c, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct service *s = c[i].kind == POLICY_SERVICE && c[i].after
						  ? policy_set_service(j->next->policies, c[i].name)
						  : NULL;

		if (s && is_theirs(j, s->owner))
			judge_sharing(j, (size_t)(s - j->next->policies->services));
	}
}

/* --- all of it ------------------------------------------------------------------------------- */

/* By its bytes: what a later version reads in it is not forgotten here. */
static void judge_host(struct judging *j, const struct site *before)
{
	const struct policy_source *a = &before->host.source, *b = &j->next->host.source;
	struct src_loc loc = { .file = b->name ? b->name : a->name, .line = 1 };

	if ((a->name != NULL) != (b->name != NULL) || a->len != b->len ||
	    (a->len && memcmp(a->data, b->data, a->len) != 0))
		foreign(j, &loc, "the host file is changed: that takes a role for everything");
}

static int refuse(struct judging *j, struct bh_err *err)
{
	char line[64];

	if (j->n > BH_FOREIGN_NAMED_MAX) {
		snprintf(line, sizeof(line), "and %zu more", j->n - BH_FOREIGN_NAMED_MAX);
		j->tell(line, j->arg);
	}
	return bh_err_set(err, -EACCES, "nothing was changed: %zu %s for user %u to change", j->n,
			  j->n == 1 ? "object is not" : "objects are not", j->peer->uid);
}

int teams_judge(const struct ctl_peer *peer, const struct site *before, const struct site *next,
		void (*tell)(const char *, void *), void *arg, struct bh_err *err)
{
	struct judging j = { .peer = peer, .next = next, .tell = tell, .arg = arg };
	bh_autofree struct policy_change *changes = NULL;
	size_t n = 0;
	int r;

	if (!peer || is_theirs(&j, NULL))
		return 0;
	if (!next->selection)
		return bh_err_set(err, -EAGAIN,
				  "the endpoints cannot be listed now, and without them nobody "
				  "knows what a team's services select");
	r = policy_changes(before->policies, next->policies, &changes, &n, err);
	if (r < 0)
		return r;
	judge_host(&j, before);
	for (size_t i = 0; i < n; i++)
		judge_change(&j, &changes[i]);
	judge_selections(&j, changes, n);
	return j.n ? refuse(&j, err) : 0;
}
