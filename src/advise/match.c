/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "adviser.h"

#include <string.h>
#include <sys/socket.h>

static bool selects(const struct adviser *a, uint32_t service, uint32_t endpoint)
{
	const struct selection_list *l = &a->before.selection->services_of[endpoint];

	for (size_t i = 0; i < l->n; i++)
		if (l->i[i] == service)
			return true;
	return false;
}

bool match_labels(const struct adviser *a, const struct peer *p, uint32_t endpoint)
{
	const struct endpoint *e = &a->in->endpoints->endpoints[endpoint];

	if (!a->before.selection->services_of[endpoint].n)
		return false; /* unmanaged */
	for (size_t i = 0; i < p->n_labels; i++) {
		const char *v = endpoint_label(e, p->labels[i].key, a->in->host->image_labels);

		if (!v || strcmp(v, p->labels[i].value) != 0)
			return false;
	}
	return true;
}

/* Labels that FAR has, and nobody who is not of its service. */
static bool labels_fit(const struct adviser *a, const struct peer *p, const struct want *w,
		       uint32_t far)
{
	if (w->peer == NONE || far == NONE || !match_labels(a, p, far))
		return false;
	for (uint32_t i = 0; i < a->in->endpoints->n; i++)
		if (match_labels(a, p, i) && !selects(a, w->peer, i))
			return false;
	return true;
}

/* A peer that is one thing alone. */
static bool peer_fits(const struct adviser *a, const struct peer *p, const struct want *w,
		      uint32_t far)
{
	if (p->group || p->scope || p->not_scope || p->n_except || p->entity != ENTITY_NONE)
		return false;
	if (p->service)
		return !p->n_labels && !p->has_cidr && w->peer != NONE &&
		       strcmp(p->service, a->in->policies->services[w->peer].name) == 0;
	if (p->n_labels)
		return !p->has_cidr && labels_fit(a, p, w, far);
	return w->peer == NONE && p->has_cidr &&
	       p->cidr.len == (p->cidr.addr.family == AF_INET ? 32 : 128) &&
	       bh_addr_cmp(&p->cidr.addr, &w->addr) == 0;
}

static bool has_fields(const struct rule *r, const bool need[SCOPE_FIELDS])
{
	return !(need[SCOPE_REASON] && !r->reason) && !(need[SCOPE_TICKET] && !r->ticket) &&
	       !(need[SCOPE_REVIEWED] && !r->reviewed);
}

/* One that ends some day would take what is added with it; one for all ports has them already. */
const struct rule *match_rule(const struct adviser *a, const struct service *service,
			      const struct want *w, uint32_t far)
{
	for (size_t i = 0; i < service->n_rules[w->direction]; i++) {
		const struct rule *r = &service->rules[w->direction][i];

		if (r->n_peers == 1 && !r->expires && r->ports[0].proto != PROTO_ANY &&
		    has_fields(r, w->need) && peer_fits(a, &r->peers[0], w, far))
			return r;
	}
	return NULL;
}

static void require(const struct adviser *a, const char *scope, bool need[SCOPE_FIELDS])
{
	const struct scope *s = policy_set_scope(a->in->policies, scope);

	for (int f = 0; s && f < SCOPE_FIELDS; f++)
		need[f] |= s->require[f];
}

static bool same(const char *x, const char *y)
{
	return x && y && strcmp(x, y) == 0;
}

/* As the lint has it: a rule inside that reaches out, and one outside that names a service inside. */
void match_fields(const struct adviser *a, const struct service *service,
		  const struct service *peer, bool need[SCOPE_FIELDS])
{
	memset(need, 0, SCOPE_FIELDS * sizeof(*need));
	if (service->scope && !(peer && same(peer->scope, service->scope)))
		require(a, service->scope, need);
	if (peer && peer->scope && !same(peer->scope, service->scope))
		require(a, peer->scope, need);
}
