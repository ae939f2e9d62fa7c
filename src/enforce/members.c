/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "members.h"

#include <stdio.h>
#include <stdlib.h>

#include <bulkhead/base/limits.h>
#include <bulkhead/sys/netns.h>

int members_init(struct members *m, const struct site *site, struct bh_err *err)
{
	const uint32_t *home_of = site->rulesets->home_of;
	size_t n = site->endpoints->n;
	uint32_t *next = calloc(n + 1, sizeof(*next));

	*m = (struct members) { .site = site, .host_ino = netns_own_ino() };
	m->start = calloc(n + 2, sizeof(*m->start));
	m->of = calloc(n + 1, sizeof(*m->of));
	if (!next || !m->start || !m->of) {
		free(next);
		members_done(m);
		return bh_err_oom(err);
	}
	for (size_t i = 0; i < n; i++)
		m->start[home_of[i] + 1]++;
	for (size_t i = 0; i < n; i++) {
		m->start[i + 1] += m->start[i];
		next[i] = m->start[i];
	}
	for (size_t i = 0; i < n; i++)
		m->of[next[home_of[i]]++] = (uint32_t)i;
	free(next);
	return 0;
}

void members_done(struct members *m)
{
	free(m->start);
	free(m->of);
	*m = (struct members) { 0 };
}

struct member_list members_of(const struct members *m, size_t endpoint)
{
	uint32_t home = m->site->rulesets->home_of[endpoint];

	return (struct member_list) { m->of + m->start[home], m->start[home + 1] - m->start[home] };
}

static const struct endpoint *endpoint_of(const struct members *m, size_t i)
{
	return &m->site->endpoints->endpoints[i];
}

enum endpoint_obstacle members_own_obstacle(const struct members *m, size_t endpoint)
{
	const struct endpoint *e = endpoint_of(m, endpoint);

	return e->netns_ino && e->netns_ino == m->host_ino ? ENDPOINT_HOST_NETWORK : e->obstacle;
}

/* How much is lost: who can take the table away before who can go round it. */
static unsigned gravity(enum endpoint_obstacle o)
{
	static const unsigned of[] = {
		[ENDPOINT_HOLDABLE] = 0,  [ENDPOINT_XDP_SOCKETS] = 1, [ENDPOINT_RAW_SOCKETS] = 2,
		[ENDPOINT_OWN_STACK] = 3, [ENDPOINT_NO_NETNS] = 4,    [ENDPOINT_UNREADABLE] = 5,
		[ENDPOINT_NET_ADMIN] = 6, [ENDPOINT_PRIVILEGED] = 7,  [ENDPOINT_HOST_NETWORK] = 8,
	};

	return of[o];
}

enum endpoint_obstacle members_obstacle(const struct members *m, size_t endpoint, size_t *ret_whose)
{
	struct member_list all = members_of(m, endpoint);
	enum endpoint_obstacle worst = members_own_obstacle(m, endpoint);

	*ret_whose = endpoint;
	for (size_t k = 0; k < all.n; k++) {
		enum endpoint_obstacle o = members_own_obstacle(m, all.i[k]);

		if (gravity(o) > gravity(worst)) {
			worst = o;
			*ret_whose = all.i[k];
		}
	}
	return worst;
}

/* The next service of an endpoint that has a say, from position *AT on; -1 at the end. */
static int64_t next_service(const struct site *s, size_t endpoint, size_t *at)
{
	const struct selection_list *l = &s->selection->services_of[endpoint];

	while (*at < l->n) {
		uint32_t k = l->i[(*at)++];

		if (s->policies->services[k].mode != MODE_OFF)
			return k;
	}
	return -1;
}

static bool same_services(const struct site *s, size_t a, size_t b)
{
	size_t at_a = 0, at_b = 0;
	int64_t x, y;

	do {
		x = next_service(s, a, &at_a);
		y = next_service(s, b, &at_b);
	} while (x == y && x >= 0);
	return x == y;
}

bool members_differ(const struct members *m, size_t endpoint)
{
	struct member_list all = members_of(m, endpoint);

	for (size_t k = 1; k < all.n; k++)
		if (!same_services(m->site, all.i[0], all.i[k]))
			return true;
	return false;
}

static void name_others(const struct members *m, size_t endpoint, char *out, size_t cap)
{
	struct member_list all = members_of(m, endpoint);
	size_t len = 0, named = 0;
	char who[128];

	out[0] = '\0';
	for (size_t k = 0; k < all.n && named < BH_STATUS_MEMBERS_NAMED_MAX && len < cap; k++) {
		if (all.i[k] == endpoint)
			continue;
		endpoint_format(who, sizeof(who), endpoint_of(m, all.i[k]));
		len += (size_t)snprintf(out + len, cap - len, "%s%s", named ? ", " : "", who);
		named++;
	}
	if (all.n - 1 > named && len < cap)
		snprintf(out + len, cap - len, " and %zu more", all.n - 1 - named);
}

const char *members_sentence(const struct members *m, size_t endpoint, char *out, size_t cap)
{
	const struct ruleset_item *item = site_item_of(m->site, endpoint);
	char others[BH_STATUS_MEMBERS_NAMED_MAX * 128 + 32];

	out[0] = '\0';
	if (members_of(m, endpoint).n < 2)
		return out;
	name_others(m, endpoint, others, sizeof(others));
	if (item && members_differ(m, endpoint))
		snprintf(out, cap,
			 "its network namespace is shared with %s, and their services differ: each "
			 "of them may do what any of %s allows",
			 others, item->ruleset->services);
	else
		snprintf(out, cap, "its network namespace is shared with %s", others);
	return out;
}
