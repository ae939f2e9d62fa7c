/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "adviser.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* --- an order in which what belongs together stands together ---------------------------------- */

static int by_number(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static unsigned rule_line(const struct want *w)
{
	return w->rule ? w->rule->loc.line : 0;
}

/* Whose list, which rule of it. */
static int compare_place(const struct want *a, const struct want *b)
{
	int c = by_number(a->service, b->service);

	c = c ? c : by_number(a->direction, b->direction);
	c = c ? c : by_number(a->dns, b->dns);
	c = c ? c : by_number(rule_line(a), rule_line(b));
	return c ? c : by_number((uintptr_t)a->rule, (uintptr_t)b->rule);
}

static int compare_peer(const struct want *a, const struct want *b)
{
	int c = by_number(a->peer, b->peer);

	return c || a->peer != NONE ? c : bh_addr_cmp(&a->addr, &b->addr);
}

/* As people list them: what has ports first. */
static unsigned rank_of(uint16_t proto)
{
	return proto + (proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6 ? 256u : 0);
}

static int compare_port(const struct want *a, const struct want *b)
{
	int c = by_number(rank_of(a->port.proto), rank_of(b->port.proto));

	return c ? c : by_number(a->port.lo, b->port.lo);
}

static int compare(const void *x, const void *y)
{
	const struct want *a = x, *b = y;
	int c = compare_place(a, b);

	c = c || a->dns ? c : compare_peer(a, b);
	return c ? c : compare_port(a, b);
}

/* --- edits ----------------------------------------------------------------------------------- */

static struct policy_edit *new_edit(struct adviser *a, enum policy_edit_kind kind,
				    const struct want *w)
{
	struct policy_edit *e = bh_arena_alloc(a->arena, sizeof(*e)), **slot;

	slot = e ? bh_vec_push(&a->edits) : NULL;
	if (!slot)
		return NULL;
	*slot = e;
	e->kind = kind;
	e->service = &a->in->policies->services[w->service];
	e->direction = w->direction;
	e->rule = w->rule;
	return e;
}

/* The different ports of N wants, sorted. */
static bool take_ports(struct adviser *a, struct policy_edit *e, struct want *w, size_t n)
{
	struct port_spec *p = bh_arena_array(a->arena, n, sizeof(*p));

	if (!p)
		return false;
	for (size_t i = 0; i < n; i++) {
		bool known = false;

		w[i].edit = e;
		for (size_t k = 0; k < e->n_ports; k++)
			known |= memcmp(&p[k], &w[i].port, sizeof(*p)) == 0;
		if (!known)
			p[e->n_ports++] = w[i].port;
	}
	e->ports = p;
	return true;
}

static bool same_ports(const struct policy_edit *a, const struct policy_edit *b)
{
	return a->n_ports == b->n_ports &&
	       memcmp(a->ports, b->ports, a->n_ports * sizeof(*a->ports)) == 0;
}

/* A rule of the same list for the same ports, before E: it can have one peer more. */
static struct policy_edit *find_sibling(const struct adviser *a, const struct policy_edit *e)
{
	struct policy_edit *const *known = a->edits.data;

	for (size_t i = 0; i + 1 < a->edits.n; i++)
		if (known[i]->kind == POLICY_EDIT_RULE && known[i]->service == e->service &&
		    known[i]->direction == e->direction && same_ports(known[i], e) &&
		    memcmp(known[i]->todo, e->todo, sizeof(e->todo)) == 0)
			return known[i];
	return NULL;
}

static struct peer peer_of(const struct adviser *a, const struct want *w)
{
	struct peer p = { 0 };

	if (w->peer != NONE) {
		p.service = a->in->policies->services[w->peer].name;
		return p;
	}
	p.has_cidr = true;
	p.cidr = (struct bh_prefix) { w->addr, w->addr.family == AF_INET ? 32 : 128 };
	return p;
}

static bool add_peer(struct adviser *a, struct policy_edit *e, const struct want *w)
{
	struct peer *p = bh_arena_array(a->arena, e->n_peers + 1, sizeof(*p));

	if (!p)
		return false;
	if (e->n_peers)
		memcpy(p, e->peers, e->n_peers * sizeof(*p));
	p[e->n_peers++] = peer_of(a, w);
	e->peers = p;
	return true;
}

/* N wants of one peer that has no rule to extend. */
static bool join_rule(struct adviser *a, struct want *w, size_t n)
{
	struct policy_edit *e = new_edit(a, POLICY_EDIT_RULE, w), *sibling;

	if (!e || !take_ports(a, e, w, n))
		return false;
	memcpy(e->todo, w->need, sizeof(e->todo));
	e->todo[SCOPE_OWNER] = false;
	sibling = find_sibling(a, e);
	if (!sibling)
		return add_peer(a, e, w);
	a->edits.n--;
	for (size_t i = 0; i < n; i++)
		w[i].edit = sibling;
	return add_peer(a, sibling, w);
}

static bool join_one(struct adviser *a, struct want *w, size_t n)
{
	struct policy_edit *e;

	if (!w->dns && !w->rule)
		return join_rule(a, w, n);
	e = new_edit(a, w->dns ? POLICY_EDIT_DNS : POLICY_EDIT_PORTS, w);
	return e && take_ports(a, e, w, n);
}

/* How many from W on are one edit. */
static size_t run_length(const struct want *w, size_t max)
{
	size_t n = 1;

	while (n < max && compare_place(&w[0], &w[n]) == 0 &&
	       (w->dns || w->rule || compare_peer(&w[0], &w[n]) == 0))
		n++;
	return n;
}

/* A service without an owner, in a scope that requires one. */
static bool join_owners(struct adviser *a)
{
	const struct want *w = a->wants.data;
	const struct service *last = NULL;

	for (size_t i = 0; i < a->wants.n; i++) {
		const struct service *s = &a->in->policies->services[w[i].service];

		if (s == last || w[i].edit->kind != POLICY_EDIT_RULE || s->owner ||
		    !w[i].need[SCOPE_OWNER])
			continue;
		if (!new_edit(a, POLICY_EDIT_OWNER, &w[i]))
			return false;
		last = s;
	}
	return true;
}

/* A service's edits one after the other, and within it what is made first. */
static int compare_edits(const struct policy_edit *a, const struct policy_edit *b)
{
	int c = by_number((uintptr_t)a->service, (uintptr_t)b->service);

	c = c ? c : by_number(a->kind, b->kind);
	return c ? c : by_number(a->direction, b->direction);
}

/* What is equal stays in the order of the wants, which are nearly sorted. */
static void sort_edits(struct adviser *a)
{
	struct policy_edit **e = a->edits.data;

	for (size_t i = 1; i < a->edits.n; i++) {
		struct policy_edit *one = e[i];
		size_t k = i;

		for (; k && compare_edits(e[k - 1], one) > 0; k--)
			e[k] = e[k - 1];
		e[k] = one;
	}
}

int wants_join(struct adviser *a, struct bh_err *err)
{
	struct want *w = a->wants.data;
	size_t n;

	a->edits.n = 0;
	if (a->wants.n)
		qsort(w, a->wants.n, sizeof(*w), compare);
	for (size_t i = 0; i < a->wants.n; i += n) {
		n = run_length(&w[i], a->wants.n - i);
		if (!join_one(a, &w[i], n))
			return bh_err_oom(err);
	}
	if (!join_owners(a))
		return bh_err_oom(err);
	sort_edits(a);
	return 0;
}
