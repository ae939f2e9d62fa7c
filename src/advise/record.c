/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "adviser.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>

/* --- flows ----------------------------------------------------------------------------------- */

static bool same_end(const struct end *a, const struct end *b)
{
	if (a->endpoint != NONE || b->endpoint != NONE)
		return a->endpoint == b->endpoint;
	return bh_addr_cmp(&a->party.addr, &b->party.addr) == 0;
}

static bool is_known(const struct adviser *a, const struct chosen *f)
{
	const struct chosen *known = a->flows.data;

	for (size_t i = 0; i < a->flows.n; i++)
		if (same_end(&known[i].from, &f->from) && same_end(&known[i].to, &f->to) &&
		    memcmp(&known[i].port, &f->port, sizeof(f->port)) == 0 &&
		    memcmp(known[i].asked, f->asked, sizeof(f->asked)) == 0)
			return true;
	return false;
}

static int add(struct adviser *a, const struct chosen *f, const char *record, struct bh_err *err)
{
	struct chosen *slot;

	if (is_known(a, f))
		return 0;
	slot = bh_vec_push(&a->flows);
	if (!slot && a->flows.n == a->flows.max)
		return bh_err_set(err, -E2BIG, "more than %u different flows",
				  BH_SUGGEST_FLOWS_MAX);
	if (!slot)
		return bh_err_oom(err);
	*slot = *f;
	slot->record = bh_arena_strdup(a->arena, record);
	slot->text = flow_text(a, &f->from, &f->to, &f->port);
	if (slot->record && slot->text)
		return 0;
	a->flows.n--;
	return bh_err_oom(err);
}

/* An endpoint by the address that it had, if it has it still. */
static struct end end_at(const struct adviser *a, uint32_t endpoint, const struct bh_addr *addr)
{
	struct end e = { .endpoint = endpoint };

	if (endpoint == NONE)
		e.endpoint = owner_of(a, addr);
	e.party.addr = *addr;
	if (e.endpoint != NONE && !endpoint_has(a->in->endpoints, e.endpoint, addr))
		e.party = (struct explain_party) { .is_endpoint = true, .endpoint = e.endpoint };
	return e;
}

static struct end end_of_party(const struct adviser *a, const struct explain_party *p)
{
	struct end e = { .party = *p, .endpoint = (uint32_t)p->endpoint };

	if (!p->is_endpoint)
		e.endpoint = owner_of(a, &p->addr);
	return e;
}

/* `icmp` alone is asked about as an echo-request, here as in explain. */
static struct port_spec one_port(const struct port_spec *p)
{
	struct port_spec one = *p;

	if (p->lo == p->hi)
		return one;
	one.lo = one.hi = p->proto == IPPROTO_ICMP ? 8 : 128;
	return one;
}

int adviser_add_flow(struct adviser *a, const struct explain_party *from,
		     const struct explain_party *to, const struct port_spec *port,
		     const char *record, struct bh_err *err)
{
	struct chosen f = { .asked = { true, true } };

	if (!explain_port_is_one(port))
		return bh_err_set(err, -EINVAL, "it is no one port");
	f.port = one_port(port);
	f.from = end_of_party(a, from);
	f.to = end_of_party(a, to);
	return add(a, &f, record, err);
}

/* --- records --------------------------------------------------------------------------------- */

static bool has_ports(uint16_t proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_SCTP;
}

static bool is_icmp(uint16_t proto)
{
	return proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6;
}

/* What no rule would let pass, by the kind of what denied it. */
static const char *const kinds[RECORD_RULE_KINDS] = {
	[RECORD_DEFAULT_DENY] = NULL,
	[RECORD_GUARDRAIL] = NULL,
	[RECORD_RAW_SOCKET] =
		"it was made by hand on a packet socket, or has the source address of another: no "
		"policy was asked, and none can allow it",
	[RECORD_INVALID] = "its packets belong to no connection, which no policy can allow",
	[RECORD_BASELINE] = "what every table denies, no policy can allow",
	[RECORD_REVOKED] =
		"it belongs to a connection that an older policy allowed; a connection that is "
		"opened anew makes a record that can be let pass",
	[RECORD_ALLOWED] = "it passed: it was allowed",
};

/* Why a policy cannot speak of it; NULL: it can. */
static const char *unfit(const struct flow_record *r)
{
	if (r->aggregated)
		return "it stands for several flows, whose addresses and ports were not kept";
	if (kinds[r->rule_kind])
		return kinds[r->rule_kind];
	if (r->verdict == RECORD_ALLOW)
		return "it passed: it was allowed";
	if (strcmp(r->interface, "lo") == 0)
		return "it is about a loopback device, of which no policy speaks";
	if (!r->source.addr.family || !r->destination.addr.family)
		return "it has no addresses";
	if (r->source.addr.family != r->destination.addr.family)
		return "its addresses are of two families";
	if (has_ports(r->proto) && !r->destination.has_port)
		return "its destination port could not be read, as in a later fragment of a packet";
	if (is_icmp(r->proto) && !r->has_icmp)
		return "its ICMP type could not be read";
	if (is_icmp(r->proto) && icmp_is_reply(r->proto, r->icmp_type))
		return "it is an ICMP reply: what passes is the request, and replies to it";
	if (!is_icmp(r->proto) && !has_ports(r->proto))
		return "a policy can name its protocol only with ports: [any], which opens every "
		       "other one as well";
	return NULL;
}

/* The services of an endpoint, joined as a record has them. */
static bool is_same_service(const struct adviser *a, uint32_t endpoint, const char *services)
{
	const struct selection_list *l = &a->before.selection->services_of[endpoint];
	size_t len = 0;
	char text[RECORD_STR];

	text[0] = '\0';
	for (size_t i = 0; i < l->n && len < sizeof(text); i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", i ? "," : "",
					a->in->policies->services[l->i[i]].name);
	return strcmp(text, services) == 0;
}

/*
 * Who a record is about. A container that was made anew has another id: then the name counts, if the
 * services are the same as well.
 */
static uint32_t find(const struct adviser *a, const char *id, const char *name,
		     const char *services)
{
	const struct endpoint_set *set = a->in->endpoints;
	const struct endpoint *e = endpoint_set_find(set, id, NULL);

	if (e && strcmp(e->id, id) == 0)
		return (uint32_t)(e - set->endpoints);
	e = name[0] ? endpoint_set_find(set, name, NULL) : NULL;
	if (e && is_same_service(a, (uint32_t)(e - set->endpoints), services))
		return (uint32_t)(e - set->endpoints);
	return NONE;
}

static struct port_spec port_of(const struct flow_record *r)
{
	struct port_spec p = { .proto = r->proto, .lo = r->destination.port };

	if (is_icmp(r->proto))
		p.lo = r->icmp_type;
	p.hi = p.lo;
	return p;
}

/* The record as a person reads it, for one that is no flow. */
#define SHOWN_STR (2 * NAME_STR + PORT_SPEC_STR + 8)
static void show_record(const struct flow_record *r, char out[SHOWN_STR])
{
	const struct record_end *s = &r->source, *d = &r->destination;
	char from[NAME_STR], to[NAME_STR], port[PORT_SPEC_STR];
	struct port_spec p = port_of(r);

	if (r->aggregated || !s->addr.family || !d->addr.family) {
		bh_escape_str(from, sizeof(from),
			      r->endpoint_name[0] ? r->endpoint_name : r->endpoint_id);
		snprintf(out, SHOWN_STR, "%s of %s", direction_name(r->direction), from);
		return;
	}
	if (s->name[0])
		bh_escape_str(from, sizeof(from), s->name);
	else
		bh_addr_format(from, &s->addr);
	if (d->name[0])
		bh_escape_str(to, sizeof(to), d->name);
	else
		bh_addr_format(to, &d->addr);
	if (is_icmp(r->proto) || d->has_port)
		port_spec_format(port, &p);
	else
		snprintf(port, sizeof(port), "protocol %u", r->proto);
	snprintf(out, SHOWN_STR, "%s -> %s %s", from, to, port);
}

static int refuse_unfit(struct adviser *a, const struct flow_record *r, const char *record,
			const char *why, struct bh_err *err)
{
	char shown[SHOWN_STR];

	show_record(r, shown);
	return refuse_record(a, record, shown, why, err);
}

static int refuse_gone(struct adviser *a, const struct flow_record *r, const char *record,
		       const char *id, struct bh_err *err)
{
	char shown[NAME_STR], why[NAME_STR + 64];

	snprintf(why, sizeof(why), "%s is none of the endpoints that are here now",
		 bh_escape_str(shown, sizeof(shown), id));
	return refuse_unfit(a, r, record, why, err);
}

/* What was sent to a group or to a broadcast address is no matter of the sender's policy here. */
static void ask(const struct adviser *a, const struct flow_record *r, struct chosen *f)
{
	f->asked[DIRECTION_EGRESS] = f->asked[DIRECTION_INGRESS] = true;
	if (r->direction == DIRECTION_INGRESS && f->to.party.is_endpoint &&
	    owner_of(a, &r->destination.addr) == NONE)
		f->asked[DIRECTION_EGRESS] = false;
}

int adviser_add_record(struct adviser *a, const struct flow_record *r, const char *record,
		       struct bh_err *err)
{
	bool egress = r->direction == DIRECTION_EGRESS;
	const struct record_end *far = egress ? &r->destination : &r->source;
	const struct record_end *near = egress ? &r->source : &r->destination;
	const char *why = unfit(r);
	uint32_t self, other = NONE;
	struct chosen f = { 0 };

	if (why)
		return refuse_unfit(a, r, record, why, err);
	self = find(a, r->endpoint_id, r->endpoint_name, r->service);
	if (self == NONE)
		return refuse_gone(a, r, record, r->endpoint_id, err);
	if (far->endpoint[0])
		other = find(a, far->endpoint, far->name, far->service);
	if (far->endpoint[0] && other == NONE)
		return refuse_gone(a, r, record, far->endpoint, err);
	f.port = port_of(r);
	f.from = end_at(a, egress ? self : other, egress ? &near->addr : &far->addr);
	f.to = end_at(a, egress ? other : self, egress ? &far->addr : &near->addr);
	ask(a, r, &f);
	return add(a, &f, record, err);
}
