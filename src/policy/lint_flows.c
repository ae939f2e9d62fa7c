/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lint.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

#include "callers.h"
#include "cover.h"
#include "schema.h"

/*
 * Both ends. A peer says service: B; does any rule of B, or of a service that shares an endpoint with
 * B, possibly admit the near service on those ports? Whatever cannot be decided without endpoints
 * counts as yes: a warning must be certain.
 */
struct flows {
	struct lint *l;
	struct callers callers;
	bool *may_enter;              /* [service] an ingress rule of its own may let somebody in */
	const struct rule **sends_to; /* [service] the first rule that names it in egress */
	size_t *senders;              /* [service] how many do */
};

/* What the far end says about one rule of the near end. */
struct verdict {
	const struct rule *near;
	bool uncertain;
	bool admitted[BH_PORTS_PER_RULE_MAX]; /* [port of the near rule] some of it */
	bool whole[BH_PORTS_PER_RULE_MAX];    /* [the same] all of it, by one port of a rule */
	const struct rule *nearest;           /* admits the near service, on other ports */
	const struct rule *narrow;            /* the first that admits it on some of a port */
};

/* One rule of the far end that may be about the near service. */
static void admit(struct verdict *v, const struct rule *far)
{
	bool any = false;

	for (size_t i = 0; i < v->near->n_ports; i++)
		for (size_t k = 0; k < far->n_ports; k++) {
			if (!ports_meet(&v->near->ports[i], &far->ports[k]))
				continue;
			any = v->admitted[i] = true;
			v->whole[i] =
				v->whole[i] || port_inside(&v->near->ports[i], &far->ports[k]);
			v->narrow = v->narrow ? v->narrow : far;
		}
	if (!any && !v->nearest)
		v->nearest = far;
}

/* All is admitted: nothing that anybody else says matters. */
static bool is_settled(const struct verdict *v)
{
	for (size_t i = 0; i < v->near->n_ports; i++)
		if (!v->whole[i])
			return false;
	return true;
}

struct asking {
	struct flows *f;
	struct verdict *v;
};

static bool ask_rule(const struct rule *far, void *arg)
{
	struct asking *a = arg;

	if (!lint_step(a->f->l, a->v->near->n_ports * far->n_ports))
		return false;
	admit(a->v, far);
	return !is_settled(a->v);
}

/* Which numbers a NetworkPolicy means by a name, the other end's containers say. */
static bool has_named_ports(const struct service *s, enum direction dir)
{
	for (size_t i = 0; s->is_k8s && i < s->n_rules[dir]; i++)
		if (s->rules[dir][i].n_named)
			return true;
	return false;
}

/* One service that an endpoint of the far end may be. */
static int ask(struct flows *f, size_t far, enum direction dir, size_t near,
	       const struct overlap *same, struct verdict *v)
{
	const struct service *s = &f->l->set->services[far];
	const struct rule *only = same->n > 1 ? v->near : NULL; /* the nearest is one of both */
	struct asking a = { f, v };

	v->uncertain = s->mode != MODE_ENFORCE || s->leaves_open[dir] || has_named_ports(s, dir) ||
		       (dir == DIRECTION_EGRESS && s->egress_follow);
	return v->uncertain ? 0
			    : callers_each(&f->callers, far, dir, near, same, only, ask_rule, &a);
}

/* The ports that nobody admits, "8080/tcp, 53/udp"; how many. */
static size_t refused_ports(const struct verdict *v, struct bh_buf *out)
{
	char text[PORT_SPEC_STR];
	size_t n = 0;

	for (size_t i = 0; i < v->near->n_ports; i++)
		if (!v->admitted[i])
			bh_buf_addf(out, "%s%s", n++ ? ", " : "",
				    v->near->ports[i].proto == PROTO_ANY
					    ? "any port"
					    : port_spec_format(text, &v->near->ports[i]));
	return n;
}

static void ports_text(const struct rule *r, struct bh_buf *out)
{
	char text[PORT_SPEC_STR];

	for (size_t i = 0; i < r->n_ports; i++)
		bh_buf_addf(out, "%s%s", i ? ", " : "", port_spec_format(text, &r->ports[i]));
}

static void nearest_text(const struct verdict *v, struct bh_buf *out)
{
	char place[PLACE_MAX];

	if (!v->nearest)
		return;
	bh_buf_addf(out, "; the nearest, %s, has ", place_format(place, &v->nearest->loc));
	ports_text(v->nearest, out);
}

static int report(struct flows *f, const struct service *near, const struct service *far,
		  enum direction dir, const struct peer *peer, const struct verdict *v)
{
	static const char *const allows[DIRECTIONS] = {
		[DIRECTION_EGRESS] = "may send to",
		[DIRECTION_INGRESS] = "lets in",
	};
	static const char *const does[DIRECTIONS] = {
		[DIRECTION_EGRESS] = "sends there",
		[DIRECTION_INGRESS] = "lets it in there",
	};
	enum direction far_dir = dir == DIRECTION_EGRESS ? DIRECTION_INGRESS : DIRECTION_EGRESS;
	char place[PLACE_MAX], hint[HINT_MAX];
	struct bh_buf ports, nearest;
	int r;

	bh_buf_init(&ports, 4096);
	bh_buf_init(&nearest, 8192);
	if (refused_ports(v, &ports)) {
		nearest_text(v, &nearest);
		snprintf(hint, sizeof(hint),
			 "add %s: [{service: %s}] to the %s of %s, or remove this",
			 far_dir == DIRECTION_INGRESS ? "from" : "to", near->name,
			 direction_name(far_dir), far->name);
		lint_warn(f->l, ABOUT(near, v->near), &peer->loc, "one-sided", hint,
			  "%s %s %s on %s, but no %s rule of %s (%s) %s%s", near->name, allows[dir],
			  far->name, bh_buf_str(&ports), direction_name(far_dir), far->name,
			  place_format(place, &far->direction_loc[far_dir]), does[far_dir],
			  bh_buf_str(&nearest));
	}
	r = bh_buf_error(&ports) == -ENOMEM || bh_buf_error(&nearest) == -ENOMEM ? -ENOMEM : 0;
	bh_buf_done(&ports);
	bh_buf_done(&nearest);
	return r;
}

/* What the far end of a peer that names a service says. 0 or -ENOMEM. */
static int ask_all(struct flows *f, size_t near, enum direction dir, const struct peer *peer,
		   struct verdict *v)
{
	enum direction far_dir = dir == DIRECTION_EGRESS ? DIRECTION_INGRESS : DIRECTION_EGRESS;
	const struct service *far = lint_service(f->l, peer->service);
	const struct overlap *near_same, *far_same;
	struct overlap itself = { &(uint32_t) { (uint32_t)near }, 1 };
	int r;

	v->uncertain = !far;
	if (!far)
		return 0;
	/* Mostly the two know each other, and then nobody else has to be asked. */
	r = ask(f, lint_service_index(f->l, far), far_dir, near, &itself, v);
	if (r < 0 || v->uncertain || is_settled(v))
		return r;
	r = overlaps_get(&f->l->overlaps, near, &near_same);
	if (r >= 0)
		r = overlaps_get(&f->l->overlaps, lint_service_index(f->l, far), &far_same);
	for (size_t i = 0;
	     r >= 0 && i < far_same->n && !v->uncertain && !is_settled(v) && lint_step(f->l, 1);
	     i++)
		r = ask(f, far_same->i[i], far_dir, near, near_same, v);
	v->uncertain = v->uncertain || f->l->exhausted;
	return r;
}

/* --- any port ----------------------------------------------------------------------------- */

/* Every port of a protocol, or of all of them? */
static bool is_wide(const struct port_spec *p)
{
	return p->proto == PROTO_ANY || (p->proto != IPPROTO_ICMP && p->proto != IPPROTO_ICMPV6 &&
					 p->lo == 0 && p->hi == 65535);
}

/* The far end uses some of what is wide open here, and not all of anything. */
static bool is_too_wide(const struct verdict *v)
{
	bool wide = false;

	for (size_t i = 0; i < v->near->n_ports; i++) {
		if (!is_wide(&v->near->ports[i]))
			continue;
		wide = wide || v->admitted[i];
		if (v->whole[i])
			return false;
	}
	return wide && !v->uncertain;
}

static int report_any_port(struct flows *f, const struct service *near, enum direction dir,
			   const struct rule *rule, const struct rule *far)
{
	char place[PLACE_MAX];
	struct bh_buf ports;
	int r;

	bh_buf_init(&ports, 4096);
	ports_text(far, &ports);
	lint_warn(f->l, ABOUT(near, rule), &rule->loc, "any-port",
		  "name the ports that the other end has",
		  "this rule allows any port, but the other end %s only some: %s has %s",
		  dir == DIRECTION_EGRESS ? "lets in" : "sends to", place_format(place, &far->loc),
		  bh_buf_str(&ports));
	r = bh_buf_error(&ports) == -ENOMEM ? -ENOMEM : 0;
	bh_buf_done(&ports);
	return r;
}

/* --- each rule ---------------------------------------------------------------------------- */

static bool admits_nothing(const struct verdict *v)
{
	for (size_t i = 0; i < v->near->n_ports; i++)
		if (v->admitted[i])
			return false;
	return !v->uncertain;
}

static void note_sender(struct flows *f, const struct peer *p, const struct rule *r)
{
	const struct service *s = lint_service(f->l, p->service);
	size_t i = s ? lint_service_index(f->l, s) : 0;

	if (!s)
		return;
	f->sends_to[i] = f->sends_to[i] ? f->sends_to[i] : r;
	f->senders[i]++;
}

static int check_rule(struct flows *f, size_t near, enum direction dir, const struct rule *rule)
{
	const struct service *svc = &f->l->set->services[near];
	const struct rule *narrow = NULL;
	bool too_wide = rule->n_peers > 0;
	int r = 0;

	for (size_t p = 0; r >= 0 && p < rule->n_peers; p++) {
		const struct peer *peer = &rule->peers[p];
		struct verdict v = { .near = rule, .uncertain = !peer->service };

		if (peer->service)
			r = ask_all(f, near, dir, peer, &v);
		if (r >= 0 && !v.uncertain)
			r = report(f, svc, lint_service(f->l, peer->service), dir, peer, &v);
		if (peer->service && dir == DIRECTION_EGRESS)
			note_sender(f, peer, rule);
		if (dir == DIRECTION_INGRESS && !admits_nothing(&v) &&
		    !peer_has_no_address(f->l, peer))
			f->may_enter[near] = true;
		too_wide = too_wide && is_too_wide(&v);
		narrow = narrow ? narrow : v.narrow;
	}
	if (r >= 0 && too_wide && narrow)
		r = report_any_port(f, svc, dir, rule, narrow);
	return r;
}

static int check_service(struct flows *f, size_t i)
{
	const struct service *svc = &f->l->set->services[i];
	int r = 0;

	for (unsigned d = 0; svc->mode != MODE_OFF && d < DIRECTIONS; d++)
		for (size_t k = 0; r >= 0 && k < svc->n_rules[d]; k++)
			if (!rule_is_over(&svc->rules[d][k], f->l->now))
				r = check_rule(f, i, (enum direction)d, &svc->rules[d][k]);
	return r;
}

/* --- services that nobody may reach ------------------------------------------------------- */

/* Can nobody enter an endpoint of it, whatever else it is? */
static int is_closed(struct flows *f, size_t i, bool *ret)
{
	const struct overlap *same;
	int r;

	*ret = !f->may_enter[i];
	if (!*ret)
		return 0;
	r = overlaps_get(&f->l->overlaps, i, &same);
	*ret = r >= 0;
	for (size_t k = 0; *ret && k < same->n; k++)
		*ret = lint_step(f->l, 1) && !f->may_enter[same->i[k]] &&
		       f->l->set->services[same->i[k]].mode == MODE_ENFORCE &&
		       !f->l->set->services[same->i[k]].leaves_open[DIRECTION_INGRESS];
	return r;
}

static int check_reach(struct flows *f, size_t i)
{
	const struct service *svc = &f->l->set->services[i];
	char place[PLACE_MAX], more[64] = "";
	bool closed;
	int r;

	if (!f->senders[i])
		return 0;
	r = is_closed(f, i, &closed);
	if (r < 0 || !closed)
		return r;
	if (f->senders[i] > 1)
		snprintf(more, sizeof(more), " and %zu more", f->senders[i] - 1);
	lint_warn(f->l, ABOUT_DOCUMENT(svc), &svc->loc, "unreachable",
		  "write the callers into its ingress:",
		  "nobody may reach %s: its ingress lets nobody in, but %s%s %s there", svc->name,
		  place_format(place, &f->sends_to[i]->loc), more, *more ? "send" : "sends");
	return 0;
}

int lint_flows(struct lint *l)
{
	size_t n = l->set->n_services;
	bh_autofree bool *may_enter = calloc(n + 1, sizeof(*may_enter));
	bh_autofree const struct rule **sends_to = calloc(n + 1, sizeof(*sends_to));
	bh_autofree size_t *senders = calloc(n + 1, sizeof(*senders));
	struct flows f = { l, { 0 }, may_enter, sends_to, senders };
	int r = callers_init(&f.callers, l);

	if (!may_enter || !sends_to || !senders)
		r = -ENOMEM;
	for (size_t i = 0; r >= 0 && i < n; i++)
		r = check_service(&f, i);
	for (size_t i = 0; r >= 0 && !l->exhausted && i < n; i++)
		r = check_reach(&f, i);
	callers_done(&f.callers);
	return r;
}
