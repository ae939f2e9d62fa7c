/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

#include "overlap.h"
#include "set.h"

/*
 * One-sided flows. A peer says service: B; does any rule of B, or of a service that shares an
 * endpoint with B, possibly admit the near service on those ports? Whatever cannot be decided
 * without endpoints counts as yes: a warning must be certain.
 */
struct flows {
	const struct lint *l;
	struct name_entry *names; /* of all services, sorted */
	struct overlaps overlaps;
};

/* What the far end says about one rule of the near end. */
struct verdict {
	bool uncertain;
	bool admitted[BH_PORTS_PER_RULE_MAX]; /* [port of the near rule] */
	const struct rule *nearest;           /* admits the near service, on other ports */
};

/* Could an endpoint of the service be what this peer names? */
static bool peer_could_be(const struct flows *f, const struct peer *p, const struct service *svc,
			  const struct overlap *same)
{
	if (p->entity == ENTITY_WORLD) /* the host it may be: with the host's network */
		return false;
	if (labels_disjoint(p->labels, p->n_labels, svc->select.labels, svc->select.n_labels))
		return false;
	if (!p->service)
		return true;
	for (size_t i = 0; i < same->n; i++)
		if (strcmp(f->l->set->services[same->i[i]].name, p->service) == 0)
			return true;
	return false;
}

static bool ports_meet(const struct port_spec *a, const struct port_spec *b)
{
	if (a->proto == PROTO_ANY || b->proto == PROTO_ANY)
		return true;
	return a->proto == b->proto && a->lo <= b->hi && b->lo <= a->hi;
}

static void admit(struct verdict *v, const struct rule *near, const struct rule *far)
{
	bool any = false;

	for (size_t i = 0; i < near->n_ports; i++)
		for (size_t k = 0; k < far->n_ports; k++)
			if (ports_meet(&near->ports[i], &far->ports[k]))
				any = v->admitted[i] = true;
	if (!any && !v->nearest)
		v->nearest = far;
}

static bool rule_could_be(const struct flows *f, const struct rule *r, const struct service *svc,
			  const struct overlap *same)
{
	if (rule_is_over(r, f->l->now))
		return false;
	for (size_t i = 0; i < r->n_peers; i++)
		if (peer_could_be(f, &r->peers[i], svc, same))
			return true;
	return false;
}

/* One service that an endpoint of the far end may be. */
static void ask(const struct flows *f, const struct service *far, enum direction dir,
		const struct service *near, const struct overlap *same, const struct rule *rule,
		struct verdict *v)
{
	if (far->mode != MODE_ENFORCE || far->leaves_open[dir] ||
	    (dir == DIRECTION_EGRESS && far->egress_follow)) {
		v->uncertain = true;
		return;
	}
	for (size_t i = 0; i < far->n_rules[dir]; i++)
		if (rule_could_be(f, &far->rules[dir][i], near, same))
			admit(v, rule, &far->rules[dir][i]);
	for (size_t i = 0; i < far->n_rules[dir]; i++)
		v->uncertain |= far->rules[dir][i].n_named > 0;
}

/* The ports that nobody admits, "8080/tcp, 53/udp"; how many. */
static size_t refused_ports(const struct rule *rule, const struct verdict *v, struct bh_buf *out)
{
	char text[PORT_SPEC_STR];
	size_t n = 0;

	for (size_t i = 0; i < rule->n_ports; i++)
		if (!v->admitted[i])
			bh_buf_addf(out, "%s%s", n++ ? ", " : "",
				    rule->ports[i].proto == PROTO_ANY
					    ? "any port"
					    : port_spec_format(text, &rule->ports[i]));
	return n;
}

static void nearest_text(const struct verdict *v, struct bh_buf *out)
{
	char place[PLACE_MAX], text[PORT_SPEC_STR];

	if (!v->nearest)
		return;
	bh_buf_addf(out, "; the nearest, %s, has ", place_format(place, &v->nearest->loc));
	for (size_t i = 0; i < v->nearest->n_ports; i++)
		bh_buf_addf(out, "%s%s", i ? ", " : "",
			    port_spec_format(text, &v->nearest->ports[i]));
}

static int report(const struct flows *f, const struct service *near, const struct service *far,
		  enum direction dir, const struct rule *rule, const struct peer *peer,
		  const struct verdict *v)
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
	if (refused_ports(rule, v, &ports)) {
		nearest_text(v, &nearest);
		snprintf(hint, sizeof(hint),
			 "add %s: [{service: %s}] to the %s of %s, or remove this",
			 far_dir == DIRECTION_INGRESS ? "from" : "to", near->name,
			 direction_name(far_dir), far->name);
		diag_add(f->l->diags, DIAG_WARNING, &peer->loc, "one-sided", hint,
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

static int check_peer(struct flows *f, size_t near, enum direction dir, const struct rule *rule,
		      const struct peer *peer)
{
	const struct policy_set *set = f->l->set;
	enum direction far_dir = dir == DIRECTION_EGRESS ? DIRECTION_INGRESS : DIRECTION_EGRESS;
	const struct name_entry *far = names_find(f->names, set->n_services, peer->service);
	const struct overlap *near_same, *far_same;
	struct verdict v = { 0 };
	int r;

	if (!far)
		return 0;
	r = overlaps_get(&f->overlaps, near, &near_same);
	if (r >= 0)
		r = overlaps_get(&f->overlaps, far->index, &far_same);
	if (r < 0)
		return r;
	for (size_t i = 0; i < far_same->n && !v.uncertain; i++)
		ask(f, &set->services[far_same->i[i]], far_dir, &set->services[near], near_same,
		    rule, &v);
	if (v.uncertain)
		return 0;
	return report(f, &set->services[near], &set->services[far->index], dir, rule, peer, &v);
}

static int check_service(struct flows *f, size_t i)
{
	const struct service *svc = &f->l->set->services[i];

	for (unsigned d = 0; svc->mode != MODE_OFF && d < DIRECTIONS; d++)
		for (size_t k = 0; k < svc->n_rules[d]; k++) {
			const struct rule *rule = &svc->rules[d][k];

			if (rule_is_over(rule, f->l->now))
				continue;
			for (size_t p = 0; p < rule->n_peers; p++) {
				int r = rule->peers[p].service ? check_peer(f, i, (enum direction)d,
									    rule, &rule->peers[p])
							       : 0;
				if (r < 0)
					return r;
			}
		}
	return 0;
}

int lint_one_sided(const struct lint *l)
{
	size_t n = l->set->n_services;
	bh_autofree struct name_entry *names = calloc(n + 1, sizeof(*names));
	struct flows f = { .l = l, .names = names };
	int r = overlaps_init(&f.overlaps, l->set);

	if (!names)
		r = -ENOMEM;
	for (size_t i = 0; r >= 0 && i < n; i++)
		names[i] = (struct name_entry) { l->set->services[i].name, i };
	if (r >= 0)
		names_sort(names, n);
	for (size_t i = 0; r >= 0 && i < n; i++)
		r = check_service(&f, i);
	overlaps_done(&f.overlaps);
	return r;
}
