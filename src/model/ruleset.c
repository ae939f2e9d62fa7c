/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/model/ruleset.h>

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/arena.h>

/* Kernel and clock may disagree by this much on when an element ends. */
#define EXPIRES_SLACK_S 2

void ruleset_free(struct ruleset *r)
{
	if (r)
		bh_arena_free(r->arena); /* R itself lives in it */
}

struct ruleset_share {
	size_t refs;
	struct bh_arena *arena;
	struct ruleset_share *needs[RULESET_SHARE_NEEDS];
	max_align_t data[];
};

struct ruleset_share *ruleset_share_new(size_t size, struct bh_arena *arena)
{
	struct ruleset_share *s = NULL;

	if (size <= SIZE_MAX - sizeof(*s))
		s = calloc(1, sizeof(*s) + size);
	if (s) {
		s->refs = 1;
		s->arena = arena;
	}
	return s;
}

void *ruleset_share_data(struct ruleset_share *s)
{
	return s->data;
}

struct ruleset_share *ruleset_share_get(struct ruleset_share *s)
{
	s->refs++;
	return s;
}

void ruleset_share_put(struct ruleset_share *s)
{
	if (!s || --s->refs)
		return;
	for (size_t i = 0; i < RULESET_SHARE_NEEDS; i++)
		ruleset_share_put(s->needs[i]);
	bh_arena_free(s->arena);
	free(s);
}

void ruleset_share_need(struct ruleset_share *s, struct ruleset_share *other)
{
	for (size_t i = 0; i < RULESET_SHARE_NEEDS; i++)
		if (!s->needs[i]) {
			s->needs[i] = ruleset_share_get(other);
			return;
		}
}

void ruleset_list_free(struct ruleset_list *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < l->n_shares; i++)
		ruleset_share_put(l->shares[i]);
	bh_arena_free(l->arena); /* L itself lives in it */
}

static int item_cmp(const void *key, const void *b)
{
	size_t home = *(const size_t *)key;
	const struct ruleset_item *item = b;

	return home < item->endpoint ? -1 : home > item->endpoint;
}

struct ruleset_share *ruleset_list_share(const struct ruleset_list *l,
					 const struct ruleset_item *item)
{
	return l->n_shares == l->n ? l->shares[item - l->items] : NULL;
}

const struct ruleset_item *ruleset_list_find(const struct ruleset_list *l, size_t endpoint)
{
	size_t home = l->home_of[endpoint];

	return bsearch(&home, l->items, l->n, sizeof(*l->items), item_cmp);
}

int entry_cmp(const struct entry *a, const struct entry *b)
{
	int r = bh_addr_cmp(&a->addr.lo, &b->addr.lo);

	if (r == 0)
		r = bh_addr_cmp(&a->addr.hi, &b->addr.hi);
	if (r == 0)
		r = a->proto_lo - b->proto_lo;
	if (r == 0)
		r = a->proto_hi - b->proto_hi;
	if (r == 0)
		r = a->port_lo - b->port_lo;
	return r ? r : a->port_hi - b->port_hi;
}

bool ruleset_rule_is_guard(const struct ruleset_rule *r)
{
	return strncmp(r->name, RULESET_GUARD_PREFIX, sizeof(RULESET_GUARD_PREFIX) - 1) == 0;
}

const char *ruleset_guard_name(const struct ruleset_rule *r, char out[RULESET_GUARD_STR])
{
	const char *name =
		r->name + (ruleset_rule_is_guard(r) ? sizeof(RULESET_GUARD_PREFIX) - 1 : 0);

	snprintf(out, RULESET_GUARD_STR, "%.*s", (int)strcspn(name, "."), name);
	return out;
}

bool ruleset_has_guards(const struct ruleset *r)
{
	for (int d = 0; d < DIRECTIONS; d++)
		for (int k = 0; k < GUARD_KINDS; k++)
			if (r->guards[d][k].n)
				return true;
	return false;
}

/* --- equality ----------------------------------------------------------------------------- */

static bool same_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

static bool say(char *out, size_t cap, const char *what)
{
	if (out && cap)
		snprintf(out, cap, "%s", what);
	return false;
}

static bool list_uses(const struct entry_list *l, uint32_t rule)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->e[i].rule == rule)
			return true;
	return false;
}

static bool is_used(const struct ruleset *r, uint32_t rule)
{
	for (int d = 0; d < DIRECTIONS; d++) {
		for (int k = 0; k < ENTRY_KINDS; k++)
			if (list_uses(&r->entries[d][k], rule))
				return true;
		for (int k = 0; k < GUARD_KINDS; k++)
			if (list_uses(&r->guards[d][k], rule))
				return true;
	}
	return false;
}

/* Both are sorted by name. */
static bool same_rules(const struct ruleset *want, const struct ruleset *have)
{
	size_t i = 0;

	for (size_t j = 0; j < have->n_rules; j++) {
		const struct ruleset_rule *w = i < want->n_rules ? &want->rules[i] : NULL;
		const struct ruleset_rule *h = &have->rules[j];

		if (w && strcmp(w->name, h->name) == 0) {
			if (strcmp(w->where, h->where) != 0 || w->direction != h->direction)
				return false;
			i++;
		} else if (is_used(have, (uint32_t)j)) {
			return false;
		}
	}
	return i == want->n_rules;
}

bool entry_same_end(int64_t a, int64_t b)
{
	if (!a != !b)
		return false;
	return llabs(a - b) <= EXPIRES_SLACK_S;
}

static bool same_entries(const struct ruleset *a, const struct entry_list *x,
			 const struct ruleset *b, const struct entry_list *y)
{
	if (x->n != y->n)
		return false;
	if (x->e == y->e && a->rules == b->rules)
		return true;
	for (size_t i = 0; i < x->n; i++)
		if (entry_cmp(&x->e[i], &y->e[i]) != 0 ||
		    !entry_same_end(x->e[i].expires, y->e[i].expires) ||
		    strcmp(a->rules[x->e[i].rule].name, b->rules[y->e[i].rule].name) != 0)
			return false;
	return true;
}

static bool has_world(const struct ruleset *r)
{
	for (int d = 0; d < DIRECTIONS; d++)
		if (r->entries[d][ENTRY_WORLD].n || r->entries[d][ENTRY_WORLD_ICMP].n)
			return true;
	return false;
}

static bool same_known(const struct ruleset *a, const struct ruleset *b)
{
	if (!has_world(a) && !has_world(b))
		return true;
	if (a->n_known != b->n_known)
		return false;
	for (size_t i = 0; i < a->n_known; i++)
		if (bh_addr_cmp(&a->known[i].lo, &b->known[i].lo) != 0 ||
		    bh_addr_cmp(&a->known[i].hi, &b->known[i].hi) != 0)
			return false;
	return true;
}

static bool same_flows(const struct ruleset *a, const struct ruleset *b, char *out, size_t cap)
{
	for (int d = 0; d < DIRECTIONS; d++)
		for (int k = 0; k < ENTRY_KINDS; k++)
			if (!same_entries(a, &a->entries[d][k], b, &b->entries[d][k])) {
				snprintf(out, cap, "allowed %s flows differ",
					 direction_name((enum direction)d));
				return false;
			}
	return true;
}

static bool same_guards(const struct ruleset *a, const struct ruleset *b, char *out, size_t cap)
{
	for (int d = 0; d < DIRECTIONS; d++)
		for (int k = 0; k < GUARD_KINDS; k++)
			if (!same_entries(a, &a->guards[d][k], b, &b->guards[d][k])) {
				snprintf(out, cap, "%s flows that guardrails deny differ",
					 direction_name((enum direction)d));
				return false;
			}
	return true;
}

bool ruleset_equal(const struct ruleset *want, const struct ruleset *have, char *out, size_t cap)
{
	char scratch[64];

	if (want == have)
		return true;
	if (!out || !cap) {
		out = scratch;
		cap = sizeof(scratch);
	}
	if (!same_text(want->endpoint, have->endpoint))
		return say(out, cap, "it is for another endpoint");
	if (!same_text(want->services, have->services))
		return say(out, cap, "the services differ");
	if (want->mode != have->mode)
		return say(out, cap, "the mode differs");
	if (want->on_deny != have->on_deny || want->log_denied != have->log_denied)
		return say(out, cap, "what happens to denied packets differs");
	if (want->log_allowed != have->log_allowed)
		return say(out, cap, "whether what is allowed is logged differs");
	if (want->open != have->open)
		return say(out, cap, "what passes when nothing denies it differs");
	if (!same_flows(want, have, out, cap) || !same_guards(want, have, out, cap))
		return false;
	if (!same_known(want, have))
		return say(out, cap, "the addresses outside the world differ");
	if (!same_rules(want, have))
		return say(out, cap, "the policy rules differ");
	if (!same_text(want->deny_where[0], have->deny_where[0]) ||
	    !same_text(want->deny_where[1], have->deny_where[1]))
		return say(out, cap, "the places of the default deny differ");
	if (!same_text(want->generation, have->generation))
		return say(out, cap, "it was made from another version of the policies");
	return true;
}

/* --- looking a flow up -------------------------------------------------------------------- */

static bool has_ports(unsigned proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_SCTP;
}

static bool is_icmp(unsigned proto)
{
	return proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6;
}

static bool is_icmp_kind(enum entry_kind k)
{
	return k == ENTRY_ICMP || k == ENTRY_ICMP_RANGE || k == ENTRY_WORLD_ICMP;
}

/* Does the entry cover protocol and port? The address is the caller's business. */
static bool covers_port(enum entry_kind kind, const struct entry *e, const struct flow_key *k)
{
	bool whole = e->port_lo == 0 && e->port_hi == 65535;

	if (kind == ENTRY_HOST)
		return true;
	if (k->proto < e->proto_lo || k->proto > e->proto_hi)
		return false;
	if (!is_icmp_kind(kind) && !has_ports(k->proto))
		return whole; /* the kernel reads some other two bytes there: only all will do */
	return k->port >= e->port_lo && k->port <= e->port_hi;
}

/* Index of the first entry whose address begins behind A. */
static size_t first_behind(const struct entry_list *l, const struct bh_addr *a)
{
	size_t lo = 0, hi = l->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (bh_addr_cmp(&l->e[mid].addr.lo, a) <= 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

const struct entry *entry_list_at(const struct entry_list *l, const struct bh_addr *a,
				  size_t *ret_n)
{
	size_t end = first_behind(l, a), i = end;

	while (i > 0 && bh_range_contains(&l->e[i - 1].addr, a))
		i--;
	*ret_n = end - i;
	return l->e + i;
}

/* The address intervals of one list are equal or disjoint, so the last begin before A decides. */
static const struct entry *lookup_list(enum entry_kind kind, const struct entry_list *l,
				       const struct flow_key *k, int64_t now)
{
	for (size_t i = first_behind(l, &k->remote); i-- > 0;) {
		const struct entry *e = &l->e[i];

		if (!bh_range_contains(&e->addr, &k->remote))
			return NULL;
		if (covers_port(kind, e, k) && (!e->expires || e->expires > now))
			return e;
	}
	return NULL;
}

static bool is_known(const struct ruleset *r, const struct bh_addr *a)
{
	size_t lo = 0, hi = r->n_known;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (bh_range_contains(&r->known[mid], a))
			return true;
		if (bh_addr_cmp(&r->known[mid].hi, a) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}

const struct entry *ruleset_lookup(const struct ruleset *r, const struct flow_key *k, int64_t now)
{
	uint8_t reply;

	/* Conntrack lets nothing but requests begin an ICMP flow. */
	if (is_icmp(k->proto) && !icmp_reply_type(k->proto, (uint8_t)k->port, &reply))
		return NULL;
	for (int kind = 0; kind < ENTRY_KINDS; kind++) {
		const struct entry_list *l = &r->entries[k->direction][kind];
		bool world = kind == ENTRY_WORLD || kind == ENTRY_WORLD_ICMP;
		const struct entry *e;

		if (is_icmp_kind((enum entry_kind)kind) && !is_icmp(k->proto))
			continue;
		if (l->n == 0 || (world && is_known(r, &k->remote)))
			continue;
		e = lookup_list((enum entry_kind)kind, l, k, now);
		if (e)
			return e;
	}
	return NULL;
}

static bool guard_covers(enum guard_kind kind, const struct entry *e, const struct flow_key *k)
{
	if (k->proto < e->proto_lo || k->proto > e->proto_hi)
		return false;
	return kind == GUARD_NET || (k->port >= e->port_lo && k->port <= e->port_hi);
}

const struct entry *ruleset_guard(const struct ruleset *r, const struct flow_key *k)
{
	for (int kind = 0; kind < GUARD_KINDS; kind++) {
		const struct entry_list *l = &r->guards[k->direction][kind];

		for (size_t i = first_behind(l, &k->remote); i-- > 0;) {
			if (!bh_range_contains(&l->e[i].addr, &k->remote))
				break;
			if (guard_covers((enum guard_kind)kind, &l->e[i], k))
				return &l->e[i];
		}
	}
	return NULL;
}

/* --- the nearest allow ---------------------------------------------------------------------- */

static bool remote_matches(const struct ruleset *r, enum entry_kind kind, const struct entry *e,
			   const struct bh_addr *a)
{
	if (!bh_range_contains(&e->addr, a))
		return false;
	return (kind != ENTRY_WORLD && kind != ENTRY_WORLD_ICMP) || !is_known(r, a);
}

/* How near: smaller is nearer; 4 = not at all. */
static int nearness(const struct ruleset *r, enum entry_kind kind, const struct entry *e,
		    const struct flow_key *k)
{
	bool remote = remote_matches(r, kind, e, &k->remote);
	bool proto = k->proto >= e->proto_lo && k->proto <= e->proto_hi;

	if (is_icmp_kind(kind) && e->port_lo == e->port_hi &&
	    icmp_is_reply(e->proto_lo, (uint8_t)e->port_lo))
		return 4; /* it is there for the request, which has an entry of its own */
	if (remote)
		return proto ? NEAR_PORT : NEAR_PROTOCOL;
	return proto && covers_port(kind, e, k) && kind != ENTRY_HOST ? NEAR_REMOTE : 4;
}

static const struct entry *nearest_in(const struct ruleset *r, const struct flow_key *k,
				      int64_t now, int *ret_nearness)
{
	const struct entry *best = NULL;

	*ret_nearness = 4;
	for (int kind = 0; kind < ENTRY_KINDS; kind++) {
		const struct entry_list *l = &r->entries[k->direction][kind];

		for (size_t i = 0; i < l->n; i++) {
			const struct entry *e = &l->e[i];
			int n = nearness(r, (enum entry_kind)kind, e, k);

			if ((e->expires && e->expires <= now) || n >= *ret_nearness)
				continue;
			*ret_nearness = n;
			best = e;
		}
	}
	return best;
}

/* Everything with everybody, known or not: that is near to nothing. */
static bool allows_all(const struct entry_list *ranges, const struct entry *e)
{
	static const uint8_t lowest[16];
	uint8_t highest[16];
	size_t len = bh_addr_len(e->addr.lo.family);

	memset(highest, 0xff, sizeof(highest));
	return e >= ranges->e && e < ranges->e + ranges->n && e->proto_lo == 0 &&
	       e->proto_hi == 255 && memcmp(e->addr.lo.b, lowest, len) == 0 &&
	       memcmp(e->addr.hi.b, highest, len) == 0;
}

const struct entry *ruleset_near_miss(const struct ruleset *r, const struct flow_key *k,
				      int64_t now, enum near_differs *ret_differs,
				      enum direction *ret_direction)
{
	struct flow_key other = *k;
	int near;
	const struct entry *e = nearest_in(r, k, now, &near);

	*ret_direction = k->direction;
	if (e) {
		*ret_differs = (enum near_differs)near;
		return e;
	}
	other.direction = k->direction == DIRECTION_EGRESS ? DIRECTION_INGRESS : DIRECTION_EGRESS;
	e = ruleset_lookup(r, &other, now);
	if (!e || allows_all(&r->entries[other.direction][ENTRY_RANGE], e))
		return NULL;
	*ret_direction = other.direction;
	*ret_differs = NEAR_DIRECTION;
	return e;
}

void ruleset_deny_all(struct ruleset *ret, const char *endpoint)
{
	*ret = (struct ruleset) {
		.endpoint = endpoint,
		.services = "",
		.generation = "0000000000000000",
		.deny_where = { "host file", "host file" },
		.mode = MODE_ENFORCE,
		.on_deny = ON_DENY_DROP,
		.log_denied = true,
	};
}
