/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "identity.h"

#include <stdio.h>
#include <string.h>

#include "past.h"

#define PUT(array, s) snprintf(array, sizeof(array), "%s", (s) ? (s) : "")

/* Of those in a namespace, the one that it was before; else the first. */
static const struct roster_member *member_of(const struct space *s)
{
	const struct roster_member *m = roster_in_as(s->l->roster, s->ino, s->who.id);

	return m ? m : roster_in(s->l->roster, s->ino);
}

/* Another has it now: what was counted until now is the other's, and stays its own. */
static void part(struct space *s, const char *id)
{
	if (!s->who.known || s->who.unknown || !s->looked || strcmp(s->who.id, id) == 0)
		return;
	space_record_all(s);
	past_part(s);
}

static bool is_container(enum endpoint_runtime r)
{
	return r != ENDPOINT_UNKNOWN && r != ENDPOINT_NETNS;
}

/* A container has ended, and its namespace has a name yet: what it sent last may not have been read. */
static bool remains(struct space *s, const struct roster_member *m)
{
	bool left =
		s->who.known && is_container(s->who.runtime) && !is_container(m->endpoint.runtime);

	if (!left)
		s->left = 0;
	else if (!s->left)
		s->left = logger_clock();
	return left && logger_clock() - s->left < SPACE_REMAINS_USEC;
}

void identity_take(struct space *s)
{
	const struct roster_member *m = member_of(s);
	struct identity *who = &s->who;
	bool same = m && who->known && strcmp(who->id, m->endpoint.id) == 0;

	if (!m || remains(s, m))
		return;
	s->left = 0;
	part(s, m->endpoint.id);
	who->known = true;
	who->unknown = m->endpoint.runtime == ENDPOINT_UNKNOWN;
	who->runtime = m->endpoint.runtime;
	PUT(who->id, m->endpoint.id);
	PUT(who->name, m->endpoint.name);
	PUT(who->image, m->endpoint.image);
	PUT(who->netns, m->endpoint.netns);
	PUT(who->services, m->services);
	PUT(who->owner, m->owner);
	PUT(who->scope, m->scope);
	if (!same)
		past_join(s);
}

static const char *or_null(const char *s)
{
	return s[0] ? s : NULL;
}

static bool party_of(const struct bh_addr *a, struct flow_party *ret, void *arg)
{
	const struct logger *l = arg;
	const struct roster_member *m = roster_at(l->roster, a);

	if (!m)
		return false;
	*ret = (struct flow_party) {
		.endpoint = m->endpoint.id,
		.name = m->endpoint.name,
		.service = or_null(m->services),
		.ruleset = roster_ruleset(l->roster, m->endpoint.netns_ino),
		.scope = or_null(m->scope),
	};
	return true;
}

void identity_explain(const struct space *s, struct flow_record *rec)
{
	const struct identity *who = &s->who;
	const struct endpoint e = {
		.id = who->id,
		.name = who->name,
		.image = or_null(who->image),
		.netns = or_null(who->netns),
		.netns_ino = s->ino,
		.runtime = who->runtime,
	};
	const struct flow_context ctx = {
		.endpoint = who->known ? &e : NULL,
		.ruleset = roster_ruleset(s->l->roster, s->ino),
		.netns_name = who->netns,
		.host = s->l->host,
		.owner = or_null(who->owner),
		.scope = or_null(who->scope),
		.party_of = party_of,
		.arg = s->l,
	};

	flow_explain(rec, &ctx);
}
