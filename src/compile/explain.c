/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "explain.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/text.h>

/* --- the explainer ---------------------------------------------------------------------------- */

/* Every endpoint of a namespace is judged by the ruleset of that namespace. */
static int index_rulesets(struct explainer *x, const struct ruleset_list *rulesets)
{
	size_t n = x->in->endpoints->n;

	x->ruleset_of = bh_arena_array(x->arena, n + 1, sizeof(*x->ruleset_of));
	if (!x->ruleset_of)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct ruleset_item *item = ruleset_list_find(rulesets, i);

		x->ruleset_of[i] = item ? item->ruleset : NULL;
	}
	return 0;
}

int explainer_new(const struct compile_input *in, const struct ruleset_list *rulesets,
		  struct explainer **ret, struct bh_err *err)
{
	struct bh_arena *arena = bh_arena_new();
	struct explainer *x = arena ? bh_arena_alloc(arena, sizeof(*x)) : NULL;

	if (x) {
		x->arena = arena;
		x->in = in;
	}
	if (!x || claims_build(arena, in->endpoints, &x->claims) < 0 ||
	    index_rulesets(x, rulesets) < 0) {
		bh_arena_free(arena);
		return bh_err_oom(err);
	}
	*ret = x;
	return 0;
}

void explainer_free(struct explainer *x)
{
	if (x)
		bh_arena_free(x->arena);
}

/* --- parties ---------------------------------------------------------------------------------- */

/* Endpoints that have this name: at most two of them, to show a way out. */
static int refuse_ambiguous(const struct endpoint_set *endpoints, const char *s, struct bh_err *err)
{
	const char *ids[2] = { "", "" };
	char shown[2][64], name[64];
	size_t n = 0;

	for (size_t i = 0; i < endpoints->n && n < 2; i++) {
		const struct endpoint *e = &endpoints->endpoints[i];

		if (e->name && strcmp(e->name, s) == 0)
			ids[n++] = e->id;
	}
	return bh_err_set(err, -EEXIST, "several endpoints are named '%s'; use an id: %s or %s",
			  bh_escape_str(name, sizeof(name), s),
			  bh_escape_str(shown[0], sizeof(shown[0]), ids[0]),
			  bh_escape_str(shown[1], sizeof(shown[1]), ids[1]));
}

static int refuse_unknown(const struct endpoint_set *endpoints, const char *s, struct bh_err *err)
{
	bh_autofree const char **words = calloc(2 * endpoints->n + 1, sizeof(*words));
	const char *near = NULL;
	char shown[64], other[64];
	size_t n = 0;

	for (size_t i = 0; words && i < endpoints->n; i++) {
		words[n++] = endpoints->endpoints[i].id;
		if (endpoints->endpoints[i].name)
			words[n++] = endpoints->endpoints[i].name;
	}
	if (n)
		near = bh_nearest(s, words, n);
	bh_escape_str(shown, sizeof(shown), s);
	if (near)
		return bh_err_set(err, -ENOENT, "no endpoint or address '%s'; did you mean %s?",
				  shown, bh_escape_str(other, sizeof(other), near));
	return bh_err_set(err, -ENOENT, "'%s' is no endpoint's id or name and no address", shown);
}

int explain_party_parse(const struct endpoint_set *endpoints, const char *s,
			struct explain_party *ret, struct bh_err *err)
{
	bool ambiguous = false;
	const struct endpoint *e = endpoint_set_find(endpoints, s, &ambiguous);
	struct bh_addr addr;

	if (e) {
		*ret = (struct explain_party) {
			.is_endpoint = true,
			.endpoint = (size_t)(e - endpoints->endpoints),
		};
		return 0;
	}
	if (ambiguous)
		return refuse_ambiguous(endpoints, s, err);
	if (bh_addr_parse(s, &addr) < 0)
		return refuse_unknown(endpoints, s, err);
	*ret = (struct explain_party) { .addr = addr };
	return 0;
}

uint32_t explain_owner(const struct explainer *x, const struct bh_addr *a)
{
	size_t n;
	const struct claim *c = claims_find(&x->claims, a, &n);

	return n ? c->endpoint : NO_ENDPOINT;
}

const char *explain_name(const struct explainer *x, uint32_t endpoint, const struct bh_addr *a,
			 char out[PARTY_STR])
{
	const struct endpoint *e;

	if (endpoint == NO_ENDPOINT)
		return bh_addr_format(out, a);
	e = &x->in->endpoints->endpoints[endpoint];
	return bh_escape_str(out, PARTY_STR, e->name && e->name[0] ? e->name : e->id);
}

/* --- judging ---------------------------------------------------------------------------------- */

/* A party as a list of addresses of one endpoint or none. */
struct addresses {
	const struct bh_addr *a;
	size_t n;
	uint32_t endpoint;
};

static struct addresses addresses_of(const struct explainer *x, const struct explain_party *p)
{
	const struct endpoint *e;

	if (!p->is_endpoint)
		return (struct addresses) { &p->addr, 1, explain_owner(x, &p->addr) };
	e = &x->in->endpoints->endpoints[p->endpoint];
	return (struct addresses) { e->addrs, e->n_addrs, (uint32_t)p->endpoint };
}

static bool is_loopback(const struct bh_addr *a)
{
	static const uint8_t one[16] = { [15] = 1 };

	return a->family == AF_INET ? a->b[0] == 127 : memcmp(a->b, one, sizeof(one)) == 0;
}

/* What goes over lo is never judged. */
static bool is_local(const struct explainer *x, const struct addresses *from,
		     const struct addresses *to)
{
	if (to->n == 1 && is_loopback(to->a))
		return true;
	if (from->endpoint == NO_ENDPOINT || to->endpoint == NO_ENDPOINT)
		return from->n == 1 && to->n == 1 && bh_addr_cmp(from->a, to->a) == 0;
	return x->claims.namespace_of[from->endpoint] == x->claims.namespace_of[to->endpoint];
}

/* The one port, or the ICMP type, that is asked about. */
static bool single_port(const struct port_spec *p, uint16_t *ret)
{
	if (p->proto == PROTO_ANY)
		return false;
	*ret = p->lo;
	if (p->lo == p->hi)
		return true;
	*ret = p->proto == IPPROTO_ICMP ? 8 : 128; /* echo-request */
	return p->proto == IPPROTO_ICMP || p->proto == IPPROTO_ICMPV6;
}

static bool family_fits(uint16_t proto, uint8_t family)
{
	return proto != (family == AF_INET ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
}

static void judge(const struct explainer *x, const struct question *q, struct side *s,
		  const struct bh_addr *remote)
{
	struct flow_key key = { s->direction, *remote, q->proto, q->port };

	s->guard = s->hit = NULL;
	s->passes = true;
	if (!s->ruleset)
		return;
	s->guard = ruleset_guard(s->ruleset, &key);
	if (!s->guard)
		s->hit = ruleset_lookup(s->ruleset, &key, x->in->now);
	s->passes = !s->guard && (s->hit || s->ruleset->open || s->ruleset->mode == MODE_AUDIT);
}

static void judge_pair(const struct explainer *x, struct question *q, const struct bh_addr *from,
		       const struct bh_addr *to)
{
	q->source.addr = *from;
	q->destination.addr = *to;
	judge(x, q, &q->source, to);
	judge(x, q, &q->destination, from);
}

static struct side side_of(const struct explainer *x, enum direction d, const struct addresses *a)
{
	return (struct side) {
		.direction = d,
		.endpoint = a->endpoint,
		.ruleset = a->endpoint == NO_ENDPOINT ? NULL : x->ruleset_of[a->endpoint],
	};
}

/* It says yes, and not only because it does nothing but record. */
static bool is_clean(const struct side *s)
{
	return !s->ruleset || s->hit || (s->ruleset->open && !s->guard);
}

/* How good an answer is: allowed above all, then by what each end says of itself. */
static int score(const struct question *q)
{
	const struct side *s = &q->source, *d = &q->destination;

	return 4 * (s->passes && d->passes) + (is_clean(s) + is_clean(d)) + (s->passes + d->passes);
}

#define SCORE_NONE  (-1)
#define SCORE_ALLOW 4
#define SCORE_BEST  8

/* The best of all pairs of addresses in *Q; SCORE_NONE when there is no pair. */
static int judge_all(const struct explainer *x, struct question *q, const struct addresses *from,
		     const struct addresses *to)
{
	int best = SCORE_NONE;

	q->source = side_of(x, DIRECTION_EGRESS, from);
	q->destination = side_of(x, DIRECTION_INGRESS, to);
	for (size_t i = 0; i < from->n; i++) {
		for (size_t k = 0; k < to->n; k++) {
			struct question try = *q;

			if (from->a[i].family != to->a[k].family ||
			    !family_fits(q->proto, from->a[i].family))
				continue;
			judge_pair(x, &try, &from->a[i], &to->a[k]);
			if (score(&try) <= best)
				continue;
			best = score(&try);
			*q = try;
			if (best >= SCORE_BEST)
				return best;
		}
	}
	return best;
}

/* Does any pair pass? Where one end says no, the other one is not asked. */
static bool any_passes(const struct explainer *x, struct question *q, const struct addresses *from,
		       const struct addresses *to)
{
	q->source = side_of(x, DIRECTION_EGRESS, from);
	q->destination = side_of(x, DIRECTION_INGRESS, to);
	for (size_t i = 0; i < from->n; i++) {
		for (size_t k = 0; k < to->n; k++) {
			if (from->a[i].family != to->a[k].family ||
			    !family_fits(q->proto, from->a[i].family))
				continue;
			judge(x, q, &q->source, &to->a[k]);
			if (!q->source.passes)
				continue;
			judge(x, q, &q->destination, &from->a[i]);
			if (q->destination.passes)
				return true;
		}
	}
	return false;
}

bool explain_port_is_one(const struct port_spec *port)
{
	uint16_t ignored;

	return single_port(port, &ignored);
}

enum explain_verdict explain_verdict(const struct explainer *x, const struct explain_party *from,
				     const struct explain_party *to, const struct port_spec *port)
{
	struct addresses a = addresses_of(x, from), b = addresses_of(x, to);
	struct question q = { .proto = port->proto };

	if (!single_port(port, &q.port))
		return EXPLAIN_DENY;
	if (is_local(x, &a, &b))
		return EXPLAIN_ALLOW;
	return any_passes(x, &q, &a, &b) ? EXPLAIN_ALLOW : EXPLAIN_DENY;
}

/* Answers that no pair of addresses has to be judged for. */
static int answer_shortly(const struct explainer *x, const struct addresses *a,
			  const struct addresses *b, enum explain_verdict verdict, const char *why,
			  struct explanation *ret)
{
	const struct bh_addr none = { .family = AF_INET };
	char from[PARTY_STR], to[PARTY_STR];

	ret->verdict = verdict;
	ret->source.allowed = ret->destination.allowed = verdict == EXPLAIN_ALLOW;
	if (a->n)
		ret->from = a->a[0];
	if (b->n)
		ret->to = b->a[0];
	snprintf(ret->sentence, sizeof(ret->sentence), "%s: %s -> %s: %s",
		 verdict == EXPLAIN_ALLOW ? "allow" : "deny",
		 explain_name(x, a->endpoint, a->n ? a->a : &none, from),
		 explain_name(x, b->endpoint, b->n ? b->a : &none, to), why);
	return 0;
}

int explain(const struct explainer *x, const struct explain_party *from,
	    const struct explain_party *to, const struct port_spec *port, struct explanation *ret,
	    struct bh_err *err)
{
	struct addresses a = addresses_of(x, from), b = addresses_of(x, to);
	struct question q = { .proto = port->proto };
	char text[PORT_SPEC_STR];
	int best;

	if (!single_port(port, &q.port))
		return bh_err_set(err, -EINVAL, "explain needs one port, not %s",
				  port_spec_format(text, port));
	*ret = (struct explanation) { 0 };
	if (is_local(x, &a, &b))
		return answer_shortly(x, &a, &b, EXPLAIN_ALLOW,
				      "loopback and a container's own addresses always pass", ret);
	best = judge_all(x, &q, &a, &b);
	if (best == SCORE_NONE)
		return answer_shortly(x, &a, &b, EXPLAIN_DENY,
				      "they have no addresses of one family that this could use",
				      ret);
	ret->verdict = best >= SCORE_ALLOW ? EXPLAIN_ALLOW : EXPLAIN_DENY;
	ret->from = q.source.addr;
	ret->to = q.destination.addr;
	sentence_write(x, &q, ret);
	return 0;
}
