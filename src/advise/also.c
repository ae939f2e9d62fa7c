/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "adviser.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

/*
 * A rule is for services: what one of their containers was denied, all of them may do then. Only
 * pairs that an edit speaks of can pass that did not before, so all of these are looked at.
 */

struct pair {
	struct end from, to;
	struct port_spec port;
};

struct looking {
	struct adviser *a;
	const struct view *after;
	struct bh_vec found; /* struct pair */
	size_t looked, left; /* at; not at, as there are too many */
	struct bh_err *err;
};

static int compare_ends(const struct end *a, const struct end *b)
{
	if (a->endpoint != b->endpoint)
		return a->endpoint < b->endpoint ? -1 : 1;
	return a->endpoint == NONE ? bh_addr_cmp(&a->party.addr, &b->party.addr) : 0;
}

static int compare(const void *x, const void *y)
{
	const struct pair *a = x, *b = y;
	int c = compare_ends(&a->from, &b->from);

	c = c ? c : compare_ends(&a->to, &b->to);
	return c ? c : memcmp(&a->port, &b->port, sizeof(a->port));
}

static bool is_chosen(const struct adviser *a, const struct pair *p)
{
	const struct chosen *f = a->flows.data;

	for (size_t i = 0; i < a->flows.n; i++)
		if (f[i].state == FLOW_CHOSEN && compare_ends(&f[i].from, &p->from) == 0 &&
		    compare_ends(&f[i].to, &p->to) == 0 &&
		    memcmp(&f[i].port, &p->port, sizeof(p->port)) == 0)
			return true;
	return false;
}

static int passes(const struct view *v, const struct pair *p, bool *ret, struct bh_err *err)
{
	const struct chosen f = {
		.from = p->from, .to = p->to, .port = p->port, .asked = { true, true }
	};
	struct explanation x;
	int r = flow_judge(v, &f, &x, ret, err);

	*ret &= r >= 0 && x.verdict == EXPLAIN_ALLOW;
	return r;
}

static int look(struct looking *l, const struct pair *p)
{
	bool before = false, after = false;
	struct pair *slot;
	int r;

	if (is_chosen(l->a, p))
		return 0;
	if (++l->looked > BH_SUGGEST_PAIRS_MAX) {
		l->left++;
		return 0;
	}
	r = passes(&l->a->before, p, &before, l->err);
	if (r >= 0 && !before)
		r = passes(l->after, p, &after, l->err);
	if (r < 0 || !after)
		return r;
	slot = bh_vec_push(&l->found);
	if (!slot)
		return bh_err_oom(l->err);
	*slot = *p;
	return 0;
}

static struct end end_of_endpoint(uint32_t i)
{
	return (struct end) { { .is_endpoint = true, .endpoint = i }, i };
}

/* With one far end. */
static int look_at_ports(struct looking *l, const struct policy_edit *e, uint32_t self,
			 const struct end *far)
{
	struct pair p = { end_of_endpoint(self), *far, { 0 } };
	int r = 0;

	if (e->direction == DIRECTION_INGRESS) {
		p.from = *far;
		p.to = end_of_endpoint(self);
	}
	for (size_t i = 0; r >= 0 && i < e->n_ports; i++) {
		p.port = e->ports[i];
		r = look(l, &p);
	}
	return r;
}

static int look_at_peer(struct looking *l, const struct policy_edit *e, uint32_t self,
			const struct peer *peer)
{
	const struct adviser *a = l->a;
	const struct service *s =
		peer->service ? policy_set_service(a->in->policies, peer->service) : NULL;
	const struct selection_list none = { 0 };
	const struct selection_list *of =
		s ? &a->before.selection->endpoints_of[s - a->in->policies->services] : &none;
	const struct end outside = { { .addr = peer->cidr.addr }, NONE };
	int r = 0;

	if (peer->has_cidr)
		return look_at_ports(l, e, self, &outside);
	for (size_t i = 0; r >= 0 && i < of->n; i++) {
		const struct end far = end_of_endpoint(of->i[i]);

		r = look_at_ports(l, e, self, &far);
	}
	for (uint32_t i = 0; r >= 0 && peer->n_labels && i < a->in->endpoints->n; i++) {
		const struct end far = end_of_endpoint(i);

		if (match_labels(a, peer, i))
			r = look_at_ports(l, e, self, &far);
	}
	return r;
}

static int look_at_resolvers(struct looking *l, uint32_t self)
{
	static const struct port_spec dns[] = { { IPPROTO_UDP, 53, 53 }, { IPPROTO_TCP, 53, 53 } };
	const struct policy_edit e = { .direction = DIRECTION_EGRESS, .ports = dns, .n_ports = 2 };
	const struct endpoint *p = &l->a->in->endpoints->endpoints[self];
	int r = 0;

	for (size_t i = 0; r >= 0 && i < p->n_resolvers; i++) {
		const struct end far = { { .addr = p->resolvers[i] },
					 owner_of(l->a, &p->resolvers[i]) };

		r = look_at_ports(l, &e, self, &far);
	}
	return r;
}

static int look_at_edit(struct looking *l, const struct policy_edit *e)
{
	const struct adviser *a = l->a;
	const struct peer *peers = e->rule ? e->rule->peers : e->peers;
	size_t n = e->rule ? e->rule->n_peers : e->n_peers;
	const struct selection_list *of =
		&a->before.selection->endpoints_of[e->service - a->in->policies->services];
	int r = 0;

	for (size_t i = 0; r >= 0 && i < of->n; i++) {
		if (e->kind == POLICY_EDIT_DNS)
			r = look_at_resolvers(l, of->i[i]);
		for (size_t k = 0; r >= 0 && e->kind <= POLICY_EDIT_RULE && k < n; k++)
			r = look_at_peer(l, e, of->i[i], &peers[k]);
	}
	return r;
}

static int tell(struct looking *l, struct advice *ret)
{
	struct pair *p = l->found.data;

	ret->also = bh_arena_array(l->a->arena, BH_SUGGEST_ALSO_MAX, sizeof(*ret->also));
	if (!ret->also)
		return bh_err_oom(l->err);
	if (l->found.n)
		qsort(p, l->found.n, sizeof(*p), compare);
	for (size_t i = 0; i < l->found.n; i++) {
		if (i && compare(&p[i - 1], &p[i]) == 0)
			continue; /* by both ends' edits */
		if (ret->n_also == BH_SUGGEST_ALSO_MAX) {
			ret->also_more++;
			continue;
		}
		ret->also[ret->n_also] = flow_text(l->a, &p[i].from, &p[i].to, &p[i].port);
		if (!ret->also[ret->n_also++])
			return bh_err_oom(l->err);
	}
	if (l->left)
		return note(l->a, l->err,
			    "%zu more pairs of containers may pass as well: they were too many to "
			    "look at",
			    l->left);
	return 0;
}

int also_find(struct adviser *a, const struct attempt *t, struct advice *ret, struct bh_err *err)
{
	struct looking l = { .a = a, .after = &t->after, .err = err };
	struct policy_edit *const *all = a->edits.data;
	int r = 0;

	bh_vec_init(&l.found, sizeof(struct pair), BH_SUGGEST_PAIRS_MAX);
	for (size_t i = 0; r >= 0 && i < a->edits.n; i++)
		r = look_at_edit(&l, all[i]);
	if (r >= 0)
		r = tell(&l, ret);
	bh_vec_done(&l.found);
	return r;
}
