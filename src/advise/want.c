/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "adviser.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include <bulkhead/model/ruleset.h>

/* Services of an endpoint, or where it has none, of those who share its namespace. */
struct services {
	const uint32_t *i;
	size_t n;
};

static struct services services_of(const struct adviser *a, uint32_t endpoint)
{
	const struct selection_list *l = a->before.selection->services_of;
	const struct endpoint_set *set = a->in->endpoints;
	uint64_t ino;

	if (endpoint == NONE)
		return (struct services) { 0 };
	ino = set->endpoints[endpoint].netns_ino;
	for (size_t i = 0; !l[endpoint].n && ino && i < set->n; i++)
		if (set->endpoints[i].netns_ino == ino && l[i].n)
			return (struct services) { l[i].i, l[i].n };
	return (struct services) { l[endpoint].i, l[endpoint].n };
}

static bool asks_resolver(const struct adviser *a, uint32_t endpoint, const struct want *w)
{
	const struct endpoint *e = &a->in->endpoints->endpoints[endpoint];

	if (w->direction != DIRECTION_EGRESS || w->port.lo != 53 ||
	    (w->port.proto != IPPROTO_UDP && w->port.proto != IPPROTO_TCP))
		return false;
	for (size_t i = 0; i < e->n_resolvers; i++)
		if (bh_addr_cmp(&e->resolvers[i], &w->addr) == 0)
			return true;
	return false;
}

/* The better of two: a rule that is there, then whoever speaks for fewer endpoints. */
static bool is_better(const struct adviser *a, const struct want *w, const struct want *than)
{
	const struct selection_list *of = a->before.selection->endpoints_of;
	size_t n, m;

	if (!w->rule != !than->rule)
		return w->rule != NULL;
	n = of[w->service].n + (w->peer == NONE ? 0 : of[w->peer].n);
	m = of[than->service].n + (than->peer == NONE ? 0 : of[than->peer].n);
	return n < m;
}

struct candidates {
	struct want best;
	bool any, follow;          /* some service can be edited; some service has egress: follow */
	const struct service *k8s; /* a NetworkPolicy stands where a service would have to */
};

static void consider(const struct adviser *a, const struct want *base, size_t service,
		     uint32_t peer, uint32_t far, struct candidates *c)
{
	const struct service *s = &a->in->policies->services[service];
	struct want w = *base;

	w.service = service;
	w.peer = peer;
	match_fields(a, s, peer == NONE ? NULL : &a->in->policies->services[peer], w.need);
	w.rule = w.dns ? NULL : match_rule(a, s, &w, far);
	if (c->any && !is_better(a, &w, &c->best))
		return;
	c->best = w;
	c->any = true;
}

/* Every service of this end with every service of the other. */
static void find_best(const struct adviser *a, const struct want *base, uint32_t self, uint32_t far,
		      struct candidates *c)
{
	struct services mine = services_of(a, self), theirs = services_of(a, far);

	*c = (struct candidates) { 0 };
	for (size_t i = 0; i < mine.n; i++) {
		const struct service *s = &a->in->policies->services[mine.i[i]];

		if (s->mode == MODE_OFF)
			continue;
		if (s->is_k8s) {
			c->k8s = s;
			continue;
		}
		if (base->direction == DIRECTION_EGRESS && s->egress_follow && !base->dns) {
			c->follow = true;
			continue;
		}
		if (base->dns || far == NONE)
			consider(a, base, mine.i[i], NONE, far, c);
		for (size_t k = 0; !base->dns && k < theirs.n; k++) {
			if (a->in->policies->services[theirs.i[k]].is_k8s)
				c->k8s = &a->in->policies->services[theirs.i[k]];
			else
				consider(a, base, mine.i[i], theirs.i[k], far, c);
		}
	}
}

static int refuse_guarded(struct adviser *a, struct chosen *f, const struct explanation *x,
			  const struct explain_end *e, struct bh_err *err)
{
	const struct ruleset_rule rule = { .name = e->rule };
	char name[RULESET_GUARD_STR];
	struct advice_refusal why = { 0 };

	ruleset_guard_name(&rule, name);
	why.guardrail = bh_arena_strdup(a->arena, name);
	why.where = bh_arena_strdup(a->arena, e->where);
	why.why = bh_arena_printf(a->arena, "guardrail %s forbids it (%s), whatever services allow",
				  name, e->where);
	if (!why.guardrail || !why.where)
		return bh_err_oom(err);
	return refuse(a, f, &why, err);
}

static int refuse_unmanaged(struct adviser *a, struct chosen *f, uint32_t endpoint,
			    struct bh_err *err)
{
	char name[NAME_STR];

	return refuse_for(a, f, err,
			  "no service selects %s, and rules are between services: write one for it "
			  "first",
			  endpoint_called(a->in->endpoints, endpoint, name));
}

static int refuse_follower(struct adviser *a, struct chosen *f, uint32_t self, struct bh_err *err)
{
	char name[NAME_STR];

	return refuse_for(
		a, f, err,
		"%s has egress: follow, which leads to services that let it in and nowhere "
		"else; write a list of rules instead",
		endpoint_called(a->in->endpoints, self, name));
}

/* Those are written elsewhere, and no rule of a service can name one. */
static int refuse_k8s(struct adviser *a, struct chosen *f, const struct service *s,
		      struct bh_err *err)
{
	char place[256];

	snprintf(place, sizeof(place), "%s:%u", s->loc.file ? s->loc.file : "policy", s->loc.line);
	return refuse_for(a, f, err,
			  "NetworkPolicy %s has a say here, and rules are between services: add it "
			  "to that one by hand (%s)",
			  s->name + strlen(K8S_NAME_PREFIX), place);
}

/* The last of them when NetworkPolicies alone select it, or NULL. */
static const struct service *only_k8s(const struct adviser *a, uint32_t endpoint)
{
	struct services l = services_of(a, endpoint);
	const struct service *last = NULL;

	for (size_t i = 0; i < l.n; i++) {
		last = &a->in->policies->services[l.i[i]];
		if (!last->is_k8s)
			return NULL;
	}
	return last;
}

/* One end of a flow denies it. */
static int want_side(struct adviser *a, size_t i, enum direction d, const struct explanation *x,
		     bool other_wants, struct bh_err *err)
{
	struct chosen *f = &((struct chosen *)a->flows.data)[i];
	const struct end *self = d == DIRECTION_EGRESS ? &f->from : &f->to;
	const struct end *far = d == DIRECTION_EGRESS ? &f->to : &f->from;
	struct want base = { .flow = i, .direction = d, .port = f->port }, *slot;
	struct candidates c;

	base.addr = far->party.is_endpoint ? (d == DIRECTION_EGRESS ? x->to : x->from)
					   : far->party.addr;
	base.dns = asks_resolver(a, self->endpoint, &base);
	if (!services_of(a, self->endpoint).n)
		return refuse_unmanaged(a, f, self->endpoint, err);
	if (only_k8s(a, self->endpoint))
		return refuse_k8s(a, f, only_k8s(a, self->endpoint), err);
	if (!base.dns && far->endpoint != NONE && !services_of(a, far->endpoint).n)
		return refuse_unmanaged(a, f, far->endpoint, err);
	find_best(a, &base, self->endpoint, far->endpoint, &c);
	if (!c.any && c.k8s)
		return refuse_k8s(a, f, c.k8s, err);
	if (!c.any)
		return c.follow && other_wants ? 0 : refuse_follower(a, f, self->endpoint, err);
	slot = bh_vec_push(&a->wants);
	if (!slot)
		return bh_err_oom(err);
	*slot = c.best;
	return 0;
}

static bool wants(const struct chosen *f, const struct explanation *x, enum direction d)
{
	return f->asked[d] && !end_is_clean(end_of(x, d));
}

static int want_flow(struct adviser *a, size_t i, struct bh_err *err)
{
	struct chosen *f = &((struct chosen *)a->flows.data)[i];
	bool want[DIRECTIONS], clean;
	struct explanation x;
	int r = flow_judge(&a->before, f, &x, &clean, err);

	if (r < 0)
		return r;
	if (clean) {
		f->state = FLOW_PASSES;
		return note(a, err, "%s: %s passes already: %s", f->record, f->text, x.sentence);
	}
	for (int d = 0; d < DIRECTIONS; d++) {
		want[d] = wants(f, &x, (enum direction)d);
		if (want[d] && end_of(&x, (enum direction)d)->guardrail)
			return refuse_guarded(a, f, &x, end_of(&x, (enum direction)d), err);
	}
	if (!want[DIRECTION_EGRESS] && !want[DIRECTION_INGRESS])
		return refuse_for(a, f, err, "no policy decides it: %s", x.sentence);
	for (int d = 0; r >= 0 && d < DIRECTIONS && f->state == FLOW_CHOSEN; d++)
		if (want[d])
			r = want_side(a, i, (enum direction)d, &x, want[!d], err);
	return r;
}

/* Those of a flow that was refused at its second end go again. */
static void drop_refused(struct adviser *a)
{
	const struct chosen *f = a->flows.data;
	struct want *w = a->wants.data;
	size_t n = 0;

	for (size_t i = 0; i < a->wants.n; i++)
		if (f[w[i].flow].state == FLOW_CHOSEN)
			w[n++] = w[i];
	a->wants.n = n;
}

int wants_find(struct adviser *a, struct bh_err *err)
{
	int r = 0;

	a->wants.n = 0;
	for (size_t i = 0; r >= 0 && i < a->flows.n; i++)
		if (((struct chosen *)a->flows.data)[i].state == FLOW_CHOSEN)
			r = want_flow(a, i, err);
	drop_refused(a);
	return r;
}
