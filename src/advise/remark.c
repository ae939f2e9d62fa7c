/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "adviser.h"

#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/text.h>

/* --- scopes ---------------------------------------------------------------------------------- */

static bool same(const char *a, const char *b)
{
	return a && b && strcmp(a, b) == 0;
}

/* INSIDE is in a scope: does the flow leave it? */
static int remark_scope(struct adviser *a, const struct chosen *f, const struct service *inside,
			const struct service *other, struct bh_err *err)
{
	const struct scope *s = policy_set_scope(a->in->policies, inside->scope);
	bool stays = other && same(other->scope, inside->scope);
	char file[RECORD_STR];

	if (!s)
		return 0;
	return note(a, err, "%s %s scope %s (%s:%u)", f->text, stays ? "is within" : "crosses",
		    s->name, bh_escape_str(file, sizeof(file), s->loc.file), s->loc.line);
}

/* A review was of the ports that a rule had. */
static int remark_review(struct adviser *a, const struct want *w, const struct service *s,
			 struct bh_err *err)
{
	char file[RECORD_STR];

	if (!w->rule || !w->rule->reviewed)
		return 0;
	return note(a, err,
		    "the rule at %s:%u was reviewed at %s, without what is added: write today's "
		    "date there when you have looked at it",
		    bh_escape_str(file, sizeof(file), s->loc.file), w->rule->loc.line,
		    w->rule->reviewed);
}

/* --- addresses ------------------------------------------------------------------------------- */

static const struct {
	const char *prefix, *what;
} special[] = {
	{ "169.254.169.254/32", "the metadata service of most clouds: who reaches it can get the "
				"machine's credentials" },
	{ "100.100.100.200/32", "the metadata service of Alibaba Cloud: who reaches it can get the "
				"machine's credentials" },
	{ "192.0.0.192/32", "the metadata service of Oracle Cloud: who reaches it can get the "
			    "machine's credentials" },
	{ "168.63.129.16/32", "Azure's platform address" },
	{ "fd00:ec2::254/128", "the metadata service of AWS: who reaches it can get the machine's "
			       "credentials" },
	{ "fd20:ce::254/128", "the metadata service of Google Cloud: who reaches it can get the "
			      "machine's credentials" },
	{ "169.254.0.0/16", "a link-local address: it means another machine on every link" },
	{ "fe80::/10", "a link-local address: it means another machine on every link" },
	{ "224.0.0.0/4", "a multicast group: whoever is in it gets what is sent" },
	{ "ff00::/8", "a multicast group: whoever is in it gets what is sent" },
	{ "255.255.255.255/32", "the broadcast address: everybody on the link gets what is sent" },
};

static bool is_among(const struct bh_addr *list, size_t n, const struct bh_addr *addr)
{
	for (size_t i = 0; i < n; i++)
		if (bh_addr_cmp(&list[i], addr) == 0)
			return true;
	return false;
}

static int remark_address(struct adviser *a, const struct bh_addr *addr, struct bh_err *err)
{
	const struct endpoint_set *set = a->in->endpoints;
	char text[BH_ADDR_STR];
	struct bh_prefix p;

	bh_addr_format(text, addr);
	if (is_among(set->host_addrs, set->n_host_addrs, addr))
		return note(a, err,
			    "%s is an address of the host: entity: host would mean all of them, "
			    "also when they change",
			    text);
	if (is_among(set->shared_addrs, set->n_shared_addrs, addr))
		return note(a, err, "%s is a broadcast or anycast address of a subnet of the host",
			    text);
	for (size_t i = 0; i < BH_ARRAY_SIZE(special); i++)
		if (bh_prefix_parse(special[i].prefix, &p) >= 0 && bh_prefix_contains(&p, addr))
			return note(a, err, "%s is %s", text, special[i].what);
	return 0;
}

static int remark(struct adviser *a, const struct want *w, struct bh_err *err)
{
	const struct chosen *f = &((const struct chosen *)a->flows.data)[w->flow];
	const struct service *s = &a->in->policies->services[w->service];
	const struct service *peer = w->peer == NONE ? NULL : &a->in->policies->services[w->peer];
	int r = 0;

	if (w->dns)
		return 0;
	if (s->scope)
		r = remark_scope(a, f, s, peer, err);
	if (r >= 0 && peer && peer->scope && !same(s->scope, peer->scope))
		r = remark_scope(a, f, peer, s, err);
	if (r >= 0)
		r = remark_review(a, w, s, err);
	if (r >= 0 && !peer)
		r = remark_address(a, &w->addr, err);
	return r;
}

int remark_wants(struct adviser *a, struct bh_err *err)
{
	const struct want *w = a->wants.data;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < a->wants.n; i++)
		r = remark(a, &w[i], err);
	return r;
}
