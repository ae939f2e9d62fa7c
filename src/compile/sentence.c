/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "explain.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include <bulkhead/base/text.h>

/* What the explainer found, as people say it. */

static const char *port_text(const struct question *q, char out[PORT_SPEC_STR])
{
	struct port_spec p = { q->proto, q->port, q->port };

	return port_spec_format(out, &p);
}

/* The ports of an entry as a policy would write them. */
static const char *entry_ports(const struct entry *e, char out[PORT_SPEC_STR])
{
	struct port_spec p = { e->proto_lo, e->port_lo, e->port_hi };

	if (e->proto_lo != e->proto_hi)
		p = (struct port_spec) { PROTO_ANY, 0, 0 };
	return port_spec_format(out, &p);
}

static bool is_everything(const struct bh_range *r)
{
	static const uint8_t lo[16];
	uint8_t hi[16];

	memset(hi, 0xff, sizeof(hi));
	return !memcmp(r->lo.b, lo, bh_addr_len(r->lo.family)) &&
	       !memcmp(r->hi.b, hi, bh_addr_len(r->hi.family));
}

/* Whom an entry speaks of. */
#define REMOTE_STR 100
static const char *entry_remote(const struct explainer *x, const struct entry *e,
				char out[REMOTE_STR])
{
	if (is_everything(&e->addr))
		snprintf(out, REMOTE_STR, "%s", "the world");
	else if (bh_addr_cmp(&e->addr.lo, &e->addr.hi) == 0)
		explain_name(x, explain_owner(x, &e->addr.lo), &e->addr.lo, out);
	else
		bh_range_format(out, &e->addr);
	return out;
}

struct near {
	const struct entry *e;
	enum near_differs differs;
	enum direction direction;
};

static void near_short(const struct explainer *x, const struct question *q, const struct side *s,
		       const char *peer, const struct near *n, char *out, size_t cap)
{
	const char *way = s->direction == DIRECTION_EGRESS ? "to" : "from";
	char ports[PORT_SPEC_STR], asked[PORT_SPEC_STR], remote[REMOTE_STR];

	entry_ports(n->e, ports);
	if (n->differs == NEAR_REMOTE)
		snprintf(out, cap, "allows %s %s %s, not %s %s", ports, way,
			 entry_remote(x, n->e, remote), way, peer);
	else if (n->differs == NEAR_DIRECTION)
		snprintf(out, cap, "allows %s as %s, not as %s", ports,
			 direction_name(n->direction), direction_name(s->direction));
	else
		snprintf(out, cap, "allows %s, not %s", ports, port_text(q, asked));
}

/* "payments lets web in on 8443/tcp, not 8080/tcp" */
static void near_long(const struct explainer *x, const struct question *q, const struct side *s,
		      const char *self, const char *peer, const struct near *n, char *out,
		      size_t cap)
{
	bool out_going = s->direction == DIRECTION_EGRESS;
	char ports[PORT_SPEC_STR], asked[PORT_SPEC_STR], remote[REMOTE_STR];

	entry_ports(n->e, ports);
	entry_remote(x, n->e, remote);
	if (n->differs == NEAR_DIRECTION)
		snprintf(out, cap,
			 out_going ? "%s lets %s in on %s, but may not send to it"
				   : "%s may send to %s on %s, but does not let it in",
			 self, peer, ports);
	else if (n->differs == NEAR_REMOTE)
		snprintf(out, cap,
			 out_going ? "%s may send to %s on %s, not to %s"
				   : "%s lets %s in on %s, not %s",
			 self, remote, ports, peer);
	else
		snprintf(out, cap,
			 out_going ? "%s may send to %s on %s, not %s"
				   : "%s lets %s in on %s, not %s",
			 self, peer, ports, port_text(q, asked));
}

static void denied_side(const struct explainer *x, const struct question *q, const struct side *s,
			const char *self, const char *peer, struct explain_end *ret,
			char text[SIDE_STR])
{
	const struct side *other = s == &q->source ? &q->destination : &q->source;
	struct flow_key key = { s->direction, other->addr, q->proto, q->port };
	struct near n;

	ret->where = s->ruleset->deny_where[s->direction];
	n.e = ruleset_near_miss(s->ruleset, &key, x->in->now, &n.differs, &n.direction);
	if (!n.e) {
		snprintf(text, SIDE_STR,
			 s->direction == DIRECTION_EGRESS ? "nothing lets %s send to %s"
							  : "nothing lets %s receive from %s",
			 self, peer);
		return;
	}
	ret->near_rule = s->ruleset->rules[n.e->rule].name;
	ret->near_where = s->ruleset->rules[n.e->rule].where;
	near_short(x, q, s, peer, &n, ret->near_text, sizeof(ret->near_text));
	near_long(x, q, s, self, peer, &n, text, SIDE_STR - 2);
	snprintf(text + strlen(text), SIDE_STR - strlen(text), " (%s)", ret->near_where);
}

/* The entry of the guardrail that decides: "guardrail no-metadata denies 169.254.0.0/16". */
static void guarded_side(const struct side *s, const char *self, const char *peer,
			 struct explain_end *ret, char text[SIDE_STR])
{
	const struct ruleset_rule *rule = &s->ruleset->rules[s->guard->rule];
	char name[RULESET_GUARD_STR];

	ret->guardrail = true;
	ret->rule = rule->name;
	ret->where = rule->where;
	snprintf(text, SIDE_STR,
		 s->direction == DIRECTION_EGRESS
			 ? "guardrail %s denies that %s sends to %s, whatever services allow"
			 : "guardrail %s denies that %s receives from %s, whatever services allow",
		 ruleset_guard_name(rule, name), self, peer);
}

void sentence_side(const struct explainer *x, const struct question *q, const struct side *s,
		   struct explain_end *ret, char text[SIDE_STR])
{
	const struct side *other = s == &q->source ? &q->destination : &q->source;
	const char *verb = s->direction == DIRECTION_EGRESS ? "sends" : "receives";
	char self[PARTY_STR], peer[PARTY_STR];

	explain_name(x, s->endpoint, &s->addr, self);
	explain_name(x, other->endpoint, &other->addr, peer);
	ret->enforced = s->ruleset != NULL;
	ret->allowed = s->passes;
	ret->audit = s->ruleset && s->ruleset->mode == MODE_AUDIT && !s->hit && !s->guard;
	ret->services = s->ruleset ? s->ruleset->services : NULL;
	if (!s->ruleset) {
		snprintf(text, SIDE_STR, "%s %s", self,
			 s->endpoint == NO_ENDPOINT ? "is outside" : "is held by no policy");
	} else if (s->guard) {
		guarded_side(s, self, peer, ret, text);
	} else if (!s->hit && s->ruleset->open) {
		snprintf(text, SIDE_STR, "%s is held by guardrails only", self);
	} else if (s->hit) {
		ret->rule = s->ruleset->rules[s->hit->rule].name;
		ret->where = s->ruleset->rules[s->hit->rule].where;
		snprintf(text, SIDE_STR, "%s %s by %s (%s)", self, verb, ret->where, ret->rule);
	} else {
		denied_side(x, q, s, self, peer, ret, text);
	}
}

/* Two endpoints that claim one address are the likeliest surprise, so say so. */
static bool contested(const struct explainer *x, const struct bh_addr *a, char *out, size_t cap)
{
	const struct claim *other;
	char one[PARTY_STR], two[PARTY_STR], text[BH_ADDR_STR];
	size_t n;
	const struct claim *c = claims_find(&x->claims, a, &n);

	if (!claims_conflict(&x->claims, c, n, &other))
		return false;
	snprintf(out, cap, "deny: address %s is claimed by both %s and %s, so it is denied to both",
		 bh_addr_format(text, a), explain_name(x, c->endpoint, a, one),
		 other ? explain_name(x, other->endpoint, a, two) : "the host");
	return true;
}

static size_t add(char *out, size_t cap, size_t len, const char *text)
{
	return len >= cap ? len : len + (size_t)snprintf(out + len, cap - len, "%s", text);
}

static size_t add_denial(const struct explainer *x, const struct side *s,
			 const struct explain_end *end, const char *lead, const char *text,
			 char *out, size_t cap, size_t len)
{
	char self[PARTY_STR];

	if (len >= cap)
		return len;
	len += (size_t)snprintf(out + len, cap - len, "%s%s (%s, %s %s): ", lead,
				explain_name(x, s->endpoint, &s->addr, self),
				direction_name(s->direction),
				end->guardrail ? "guardrail" : "default-deny", end->where);
	return add(out, cap, len, text);
}

static void write_allow(const struct explainer *x, const struct question *q,
			struct explanation *ret, const char *source, const char *destination)
{
	char from[PARTY_STR], to[PARTY_STR], port[PORT_SPEC_STR];
	size_t cap = sizeof(ret->sentence), len;

	len = (size_t)snprintf(ret->sentence, cap, "allow: %s -> %s %s: ",
			       explain_name(x, q->source.endpoint, &q->source.addr, from),
			       explain_name(x, q->destination.endpoint, &q->destination.addr, to),
			       port_text(q, port));
	if (ret->source.audit)
		len = add_denial(x, &q->source, &ret->source, "audit only, else deny at ", source,
				 ret->sentence, cap, len);
	else
		len = add(ret->sentence, cap, len, source);
	len = add(ret->sentence, cap, len, ret->source.audit ? "; " : ", ");
	if (ret->destination.audit)
		add_denial(x, &q->destination, &ret->destination, "audit only, else deny at ",
			   destination, ret->sentence, cap, len);
	else
		add(ret->sentence, cap, len, destination);
}

void sentence_write(const struct explainer *x, const struct question *q, struct explanation *ret)
{
	char source[SIDE_STR], destination[SIDE_STR];
	size_t cap = sizeof(ret->sentence), len = 0;

	sentence_side(x, q, &q->source, &ret->source, source);
	sentence_side(x, q, &q->destination, &ret->destination, destination);
	if (ret->verdict == EXPLAIN_ALLOW) {
		write_allow(x, q, ret, source, destination);
		return;
	}
	if (!q->source.guard && !q->destination.guard &&
	    (contested(x, &ret->from, ret->sentence, cap) ||
	     contested(x, &ret->to, ret->sentence, cap)))
		return;
	if (!ret->source.allowed)
		len = add_denial(x, &q->source, &ret->source, "deny at ", source, ret->sentence,
				 cap, len);
	if (!ret->destination.allowed)
		add_denial(x, &q->destination, &ret->destination, len ? "; and at " : "deny at ",
			   destination, ret->sentence, cap, len);
}
