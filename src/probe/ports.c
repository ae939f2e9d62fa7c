/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ports.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>

/* What nobody should need, what many do, and the commonest of both. */
static const struct ask sample[] = {
	{ IPPROTO_ICMP, 8 }, { IPPROTO_TCP, 23 },  { IPPROTO_TCP, 443 },    { IPPROTO_TCP, 3389 },
	{ IPPROTO_UDP, 53 }, { IPPROTO_UDP, 161 }, { IPPROTO_ICMPV6, 128 },
};

/* Requests that conntrack takes for the beginning of a flow, and that packet.c can make. */
static const struct ask requests[] = {
	{ IPPROTO_ICMP, 8 },
	{ IPPROTO_ICMP, 13 },
	{ IPPROTO_ICMPV6, 128 },
};

static int cmp(const void *a, const void *b)
{
	const struct ask *x = a, *y = b;

	return x->proto != y->proto ? (int)x->proto - y->proto : (int)x->port - y->port;
}

static void add(struct asks *l, uint16_t proto, uint16_t port)
{
	const struct ask a = { proto, port };

	for (size_t i = 0; i < l->n; i++)
		if (cmp(&l->a[i], &a) == 0)
			return;
	if (l->n < BH_PROBE_PORTS_MAX)
		l->a[l->n++] = a;
	else
		l->more++;
}

/* One that is inside, and one on each side that it does not name; zero is no port. */
static void add_around(struct asks *l, uint16_t proto, uint16_t lo, uint16_t hi)
{
	add(l, proto, (uint16_t)(lo + (hi - lo) / 2));
	if (lo > 1)
		add(l, proto, (uint16_t)(lo - 1));
	if (hi < UINT16_MAX)
		add(l, proto, (uint16_t)(hi + 1));
}

static void add_ports(struct asks *l, uint16_t proto, uint16_t lo, uint16_t hi)
{
	add(l, proto, lo);
	if (hi == lo)
		return;
	add(l, proto, hi);
	add_around(l, proto, lo, hi);
}

static void add_requests(struct asks *l, const struct entry *e)
{
	for (size_t i = 0; i < BH_ARRAY_SIZE(requests); i++)
		if (requests[i].proto == e->proto_lo && requests[i].port >= e->port_lo &&
		    requests[i].port <= e->port_hi)
			add(l, requests[i].proto, requests[i].port);
}

static bool has_ports(unsigned proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_SCTP;
}

/* Every protocol, or every port of one, names none: the sample will do. */
static void add_entries(struct asks *l, const struct entry_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct entry *e = &list->e[i];

		if (e->proto_lo != e->proto_hi)
			continue;
		if (!has_ports(e->proto_lo))
			add_requests(l, e);
		else if (e->port_lo != 0 || e->port_hi != 65535)
			add_ports(l, e->proto_lo, e->port_lo, e->port_hi);
	}
}

void asks_of_ruleset(const struct ruleset *r, enum direction d, struct asks *ret)
{
	ret->n = ret->more = 0;
	for (unsigned k = 0; r && k < GUARD_KINDS; k++)
		add_entries(ret, &r->guards[d][k]);
	for (unsigned k = 0; r && k < ENTRY_KINDS; k++)
		add_entries(ret, &r->entries[d][k]);
}

bool asks_is_range(const struct port_spec *p)
{
	return has_ports(p->proto) && p->lo < p->hi && (p->lo != 0 || p->hi != UINT16_MAX);
}

void asks_add_range(struct asks *l, const struct port_spec *p)
{
	add_ports(l, p->proto, p->lo, p->hi);
}

static bool is_asked(const struct ask *a, const struct port_spec *port)
{
	return !port || port_spec_contains(port, a->proto, a->port);
}

static size_t unique(struct ask *a, size_t n)
{
	size_t k = 0;

	qsort(a, n, sizeof(*a), cmp);
	for (size_t i = 0; i < n; i++)
		if (!i || cmp(&a[i], &a[i - 1]) != 0)
			a[k++] = a[i];
	return k;
}

static size_t take(struct ask *out, size_t n, const struct ask *a, size_t n_a,
		   const struct port_spec *port)
{
	for (size_t i = 0; i < n_a; i++)
		if (is_asked(&a[i], port))
			out[n++] = a[i];
	return n;
}

size_t asks_of_pair(const struct asks *source, const struct asks *destination,
		    const struct port_spec *port, struct ask out[ASKS_PAIR_MAX])
{
	size_t n = 0;

	if (port && port->proto != PROTO_ANY && port->lo == port->hi) {
		out[0] = (struct ask) { port->proto, port->lo };
		return 1;
	}
	if (source)
		n = take(out, n, source->a, source->n, port);
	if (destination)
		n = take(out, n, destination->a, destination->n, port);
	n = take(out, n, sample, BH_ARRAY_SIZE(sample), port);
	return unique(out, n);
}

bool ask_is_possible(const struct port_spec *port)
{
	if (port->proto != IPPROTO_ICMP && port->proto != IPPROTO_ICMPV6)
		return port->proto == PROTO_ANY || has_ports(port->proto);
	for (size_t i = 0; i < BH_ARRAY_SIZE(requests); i++)
		if (port_spec_contains(port, requests[i].proto, requests[i].port))
			return true;
	return false;
}

bool ask_fits(const struct ask *a, uint8_t family)
{
	return a->proto != (family == AF_INET ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
}
