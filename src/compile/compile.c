/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/compile/compile.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

#include "follow.h"
#include "names.h"

#define ENDPOINT_TEXT_MAX 100
#define SERVICES_TEXT_MAX 100

/* A namespace that gets a ruleset. Those that agree in all but `home` share one. */
struct subject {
	uint32_t home; /* its first endpoint */
	struct selection_list services;
	struct addr_list resolvers;    /* only when one of the services has `dns: allow` */
	const struct follow_hit *hits; /* only when one of them has `egress: follow` */
	size_t n_hits;
};

struct compiler {
	struct resolver resolver;
	struct live_service *live; /* [service] */
	struct subject *subjects;
	size_t n_subjects;
	struct bh_vec hits; /* struct follow_hit */
	struct ruleset_list *out;
	const char *generation;
	const struct bh_range *known;
	struct bh_err *err;
};

static const struct service *service_at(const struct compiler *c, uint32_t i)
{
	return &c->resolver.in->policies->services[i];
}

static const struct endpoint *endpoint_at(const struct compiler *c, uint32_t i)
{
	return &c->resolver.in->endpoints->endpoints[i];
}

/* --- rules that have not expired -------------------------------------------------------------- */

static int make_live_rule(struct compiler *c, const struct service *s, enum direction d,
			  const struct rule *rule, const char *slug, struct live_rule *ret)
{
	struct bh_arena *arena = c->out->arena;
	int r;

	*ret = (struct live_rule) {
		.slug = slug,
		.piece = {
			.name = names_full(arena, s, d, slug),
			.where = names_where(arena, &rule->loc),
			.direction = d,
			.expires = rule->expires,
			.ports = rule->ports,
			.n_ports = rule->n_ports,
		},
	};
	if (!ret->piece.name || !ret->piece.where)
		return bh_err_oom(c->err);
	r = resolver_rule(&c->resolver, rule, &ret->piece.target, c->err);
	return r < 0 ? bh_err_prefix(c->err, r, "%s", ret->piece.where) : 0;
}

static int make_live_direction(struct compiler *c, const struct service *s, enum direction d,
			       struct live_service *ret)
{
	struct bh_arena *scratch = c->resolver.arena;
	const char **slugs = bh_arena_array(scratch, s->n_rules[d] + 1, sizeof(*slugs));
	size_t n = 0;
	int r = 0;

	ret->rules[d] = bh_arena_array(scratch, s->n_rules[d] + 1, sizeof(*ret->rules[d]));
	if (!slugs || !ret->rules[d] || names_of_rules(scratch, s, d, slugs) < 0)
		return bh_err_oom(c->err);
	for (size_t i = 0; r >= 0 && i < s->n_rules[d]; i++) {
		const struct rule *rule = &s->rules[d][i];

		if (rule->expires && rule->expires <= c->resolver.in->now)
			continue;
		r = make_live_rule(c, s, d, rule, slugs[i], &ret->rules[d][n++]);
	}
	ret->n[d] = n;
	return r;
}

static int make_live_service(struct compiler *c, const struct service *s, struct live_service *ret)
{
	static const struct port_spec dns[] = { { IPPROTO_TCP, 53, 53 }, { IPPROTO_UDP, 53, 53 } };
	int r = 0;

	for (int d = 0; r >= 0 && d < DIRECTIONS; d++)
		r = make_live_direction(c, s, (enum direction)d, ret);
	if (r < 0 || !s->dns)
		return r;
	ret->dns = (struct piece) {
		.name = names_full(c->out->arena, s, DIRECTION_EGRESS, "dns"),
		.where = names_where(c->out->arena, &s->dns_loc),
		.direction = DIRECTION_EGRESS,
		.ports = dns,
		.n_ports = BH_ARRAY_SIZE(dns),
	};
	return ret->dns.name && ret->dns.where ? 0 : bh_err_oom(c->err);
}

static int make_live(struct compiler *c)
{
	const struct policy_set *p = c->resolver.in->policies;
	int r = 0;

	c->live = bh_arena_array(c->resolver.arena, p->n_services + 1, sizeof(*c->live));
	if (!c->live)
		return bh_err_oom(c->err);
	for (size_t k = 0; r >= 0 && k < p->n_services; k++)
		r = make_live_service(c, &p->services[k], &c->live[k]);
	return r;
}

/* --- who gets a ruleset ----------------------------------------------------------------------- */

static bool is_subject(const struct compiler *c, uint32_t i, bool all)
{
	const struct endpoint *e = endpoint_at(c, i);

	return e->obstacle != ENDPOINT_HOST_NETWORK && (all || e->netns);
}

static int u32_cmp(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* The services of all endpoints in one namespace, ascending, each once. */
static int union_services(struct compiler *c, const uint32_t *members, size_t n,
			  struct selection_list *ret)
{
	const struct selection_list *of = c->resolver.selection->services_of;
	size_t total = 0, out = 0;
	uint32_t *v;

	*ret = of[members[0]];
	if (n == 1)
		return 0;
	for (size_t i = 0; i < n; i++)
		total += of[members[i]].n;
	v = bh_arena_array(c->resolver.arena, total + 1, sizeof(*v));
	if (!v)
		return bh_err_oom(c->err);
	total = 0;
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < of[members[i]].n; k++)
			v[total++] = of[members[i]].i[k];
	}
	qsort(v, total, sizeof(*v), u32_cmp);
	for (size_t i = 0; i < total; i++) {
		if (!out || v[out - 1] != v[i])
			v[out++] = v[i];
	}
	*ret = (struct selection_list) { v, out };
	return 0;
}

static int union_resolvers(struct compiler *c, const uint32_t *members, size_t n,
			   struct addr_list *ret)
{
	struct bh_addr *a;
	size_t total = 0;

	for (size_t i = 0; i < n; i++)
		total += endpoint_at(c, members[i])->n_resolvers;
	a = bh_arena_array(c->resolver.arena, total + 1, sizeof(*a));
	if (!a)
		return bh_err_oom(c->err);
	total = 0;
	for (size_t i = 0; i < n; i++) {
		const struct endpoint *e = endpoint_at(c, members[i]);

		for (size_t k = 0; k < e->n_resolvers; k++)
			a[total++] = e->resolvers[k];
	}
	*ret = resolver_tidy(&c->resolver, a, total);
	return 0;
}

/* No service at all: quarantine if the host file says so. Only `mode: off`: nothing. */
static bool gets_ruleset(const struct compiler *c, const struct selection_list *services)
{
	const struct host_config *host = c->resolver.in->host;

	for (size_t i = 0; i < services->n; i++) {
		if (service_at(c, services->i[i])->mode != MODE_OFF)
			return true;
	}
	return !services->n && host && host->unmanaged == UNMANAGED_QUARANTINE;
}

static int add_subject(struct compiler *c, const uint32_t *members, size_t n)
{
	struct subject s = { .home = members[0] };
	bool dns = false;
	int r = union_services(c, members, n, &s.services);

	if (r < 0 || !gets_ruleset(c, &s.services))
		return r;
	for (size_t i = 0; i < s.services.n; i++)
		dns |= service_at(c, s.services.i[i])->dns;
	if (dns)
		r = union_resolvers(c, members, n, &s.resolvers);
	c->subjects[c->n_subjects++] = s;
	return r;
}

struct member {
	uint32_t home, endpoint;
};

static int member_cmp(const void *a, const void *b)
{
	const struct member *x = a, *y = b;
	int r = u32_cmp(&x->home, &y->home);

	return r ? r : u32_cmp(&x->endpoint, &y->endpoint);
}

static int make_subjects(struct compiler *c, bool all)
{
	size_t n = c->resolver.in->endpoints->n, count = 0, size;
	bh_autofree struct member *m = calloc(n + 1, sizeof(*m));
	bh_autofree uint32_t *members = calloc(n + 1, sizeof(*members));
	int r = 0;

	c->subjects = bh_arena_array(c->resolver.arena, n + 1, sizeof(*c->subjects));
	if (!m || !members || !c->subjects)
		return bh_err_oom(c->err);
	for (uint32_t i = 0; i < n; i++) {
		if (is_subject(c, i, all))
			m[count++] = (struct member) { c->resolver.claims.namespace_of[i], i };
	}
	qsort(m, count, sizeof(*m), member_cmp);
	for (size_t i = 0; r >= 0 && i < count; i += size) {
		for (size = 0; i + size < count && m[i + size].home == m[i].home; size++)
			members[size] = m[i + size].endpoint;
		r = add_subject(c, members, size);
	}
	return r;
}

static bool follows(const struct compiler *c, const struct subject *s)
{
	for (size_t i = 0; i < s->services.n; i++) {
		if (service_at(c, s->services.i[i])->egress_follow)
			return true;
	}
	return false;
}

static void hand_out_hits(struct compiler *c)
{
	const struct follow_hit *h = c->hits.data;
	size_t at = 0;

	/* both are sorted by namespace */
	for (size_t i = 0; i < c->n_subjects; i++) {
		struct subject *s = &c->subjects[i];
		uint32_t home = c->resolver.claims.namespace_of[s->home];

		while (at < c->hits.n && h[at].home < home)
			at++;
		s->hits = h + at;
		while (at < c->hits.n && h[at].home == home) {
			s->n_hits++;
			at++;
		}
	}
}

static int find_hits(struct compiler *c)
{
	bool *wanted = calloc(c->resolver.in->endpoints->n + 1, sizeof(*wanted));
	bool any = false;
	int r = 0;

	if (!wanted)
		return bh_err_oom(c->err);
	for (size_t i = 0; i < c->n_subjects; i++) {
		if (follows(c, &c->subjects[i]))
			any = wanted[c->resolver.claims.namespace_of[c->subjects[i].home]] = true;
	}
	if (any)
		r = follow_find(&c->resolver, c->live, wanted, &c->hits);
	free(wanted);
	if (r < 0)
		return bh_err_oom(c->err);
	hand_out_hits(c);
	return 0;
}

/* --- one ruleset ------------------------------------------------------------------------------ */

static int push_piece(struct compiler *c, struct bh_vec *v, const struct piece *p)
{
	struct piece *slot = bh_vec_push(v);

	if (slot) {
		*slot = *p;
		return 0;
	}
	if (v->n < v->max)
		return bh_err_oom(c->err);
	return bh_err_set(c->err, -E2BIG,
			  "more than %d rules meet in one container; join rules or let fewer "
			  "services select it",
			  BH_RULESET_RULES_MAX);
}

/* May send where the rule of another service lets us in, by the addresses by which it does. */
static int push_follow(struct compiler *c, uint32_t service, const struct follow_hit *h,
		       struct bh_vec *v)
{
	const struct live_rule *rule = &c->live[h->service].rules[DIRECTION_INGRESS][h->rule];
	const struct addr_list *to = &c->resolver.services[h->service];
	struct piece p = rule->piece;

	p.name = names_follow(c->out->arena, service_at(c, service), service_at(c, h->service),
			      rule->slug);
	if (!p.name)
		return bh_err_oom(c->err);
	p.direction = DIRECTION_EGRESS;
	p.target = (struct target) { .singles = *to };
	if (h->families == FOLLOW_V4)
		p.target.singles = addr_list_family(to, AF_INET);
	else if (h->families == FOLLOW_V6)
		p.target.singles = addr_list_family(to, AF_INET6);
	return push_piece(c, v, &p);
}

static int push_service(struct compiler *c, const struct subject *s, uint32_t service,
			struct bh_vec *v)
{
	const struct live_service *live = &c->live[service];
	int r = 0;

	for (int d = 0; d < DIRECTIONS; d++) {
		for (size_t i = 0; r >= 0 && i < live->n[d]; i++)
			r = push_piece(c, v, &live->rules[d][i].piece);
	}
	if (r >= 0 && live->dns.name) {
		struct piece p = live->dns;

		p.target.singles = s->resolvers;
		r = push_piece(c, v, &p);
	}
	for (size_t i = 0; r >= 0 && i < s->n_hits && service_at(c, service)->egress_follow; i++) {
		if (s->hits[i].service != service)
			r = push_follow(c, service, &s->hits[i], v);
	}
	return r;
}

/* Enforce wins over audit, drop over reject, logging over silence; `off` has no say. */
static void decide_manner(const struct compiler *c, const struct subject *s, struct ruleset *ret,
			  const struct service **ret_decides)
{
	const struct service *first = NULL;

	ret->mode = MODE_AUDIT;
	ret->on_deny = ON_DENY_REJECT;
	for (size_t i = 0; i < s->services.n; i++) {
		const struct service *v = service_at(c, s->services.i[i]);

		if (v->mode == MODE_OFF)
			continue;
		if (!first || (v->mode == MODE_ENFORCE && first->mode != MODE_ENFORCE))
			first = v;
		if (v->mode == MODE_ENFORCE)
			ret->mode = MODE_ENFORCE;
		if (v->on_deny == ON_DENY_DROP)
			ret->on_deny = ON_DENY_DROP;
		ret->log_denied |= v->log_denied;
	}
	*ret_decides = first;
}

static const char *services_text(const struct compiler *c, const struct selection_list *l)
{
	struct bh_buf b;
	char *ret;

	bh_buf_init(&b, SERVICES_TEXT_MAX + 1);
	for (size_t i = 0; i < l->n; i++) {
		const char *name = service_at(c, l->i[i])->name;
		size_t more = i + 1 < l->n ? sizeof(",...") - 1 : 0;

		if (b.len + (i ? 1 : 0) + strlen(name) + more > SERVICES_TEXT_MAX) {
			bh_buf_addstr(&b, i ? ",..." : "...");
			break;
		}
		bh_buf_addf(&b, "%s%s", i ? "," : "", name);
	}
	ret = bh_buf_error(&b) < 0 ? NULL : bh_arena_strdup(c->out->arena, bh_buf_str(&b));
	bh_buf_done(&b);
	return ret;
}

static void quarantine(struct ruleset *ret)
{
	ret->mode = MODE_ENFORCE;
	ret->on_deny = ON_DENY_DROP;
	ret->log_denied = true;
	ret->deny_where[DIRECTION_EGRESS] = ret->deny_where[DIRECTION_INGRESS] = "host file";
}

static int set_known(struct compiler *c, struct ruleset *ret)
{
	const struct bh_rangeset *known = &c->resolver.known;
	bool world = false;

	for (int d = 0; d < DIRECTIONS; d++)
		world |= ret->entries[d][ENTRY_WORLD].n || ret->entries[d][ENTRY_WORLD_ICMP].n;
	if (!world)
		return 0;
	if (!c->known)
		c->known = bh_arena_memdup(c->out->arena, known->r, known->n * sizeof(*known->r));
	ret->known = c->known;
	ret->n_known = known->n;
	return c->known ? 0 : bh_err_oom(c->err);
}

/* Everything but the endpoint. */
static int make_ruleset(struct compiler *c, const struct subject *s, struct ruleset *ret)
{
	const struct service *decides;
	struct bh_vec pieces;
	int r = 0;

	*ret = (struct ruleset) { .generation = c->generation };
	ret->services = services_text(c, &s->services);
	if (!s->services.n) {
		quarantine(ret);
		return ret->services ? 0 : bh_err_oom(c->err);
	}
	decide_manner(c, s, ret, &decides);
	for (int d = 0; d < DIRECTIONS; d++)
		ret->deny_where[d] = names_where(c->out->arena, &decides->direction_loc[d]);
	if (!ret->services || !ret->deny_where[0] || !ret->deny_where[1])
		return bh_err_oom(c->err);
	bh_vec_init(&pieces, sizeof(struct piece), BH_RULESET_RULES_MAX);
	for (size_t i = 0; r >= 0 && i < s->services.n; i++)
		r = push_service(c, s, s->services.i[i], &pieces);
	if (r >= 0)
		r = assemble(c->out->arena, pieces.data, pieces.n, ret, c->err);
	bh_vec_done(&pieces);
	return r < 0 ? r : set_known(c, ret);
}

/* --- all of them ------------------------------------------------------------------------------ */

static int services_cmp(const struct subject *x, const struct subject *y)
{
	size_t n = x->services.n;

	if (n != y->services.n)
		return n < y->services.n ? -1 : 1;
	return n ? memcmp(x->services.i, y->services.i, n * sizeof(*x->services.i)) : 0;
}

static int resolvers_cmp(const struct subject *x, const struct subject *y)
{
	int r = 0;

	if (x->resolvers.n != y->resolvers.n)
		return x->resolvers.n < y->resolvers.n ? -1 : 1;
	for (size_t i = 0; !r && i < x->resolvers.n; i++)
		r = bh_addr_cmp(&x->resolvers.a[i], &y->resolvers.a[i]);
	return r;
}

static int hits_cmp(const struct subject *x, const struct subject *y)
{
	int r = 0;

	if (x->n_hits != y->n_hits)
		return x->n_hits < y->n_hits ? -1 : 1;
	for (size_t i = 0; !r && i < x->n_hits; i++) {
		const struct follow_hit *a = &x->hits[i], *b = &y->hits[i];

		r = u32_cmp(&a->service, &b->service);
		r = r ? r : u32_cmp(&a->rule, &b->rule);
		r = r ? r : (int)a->families - (int)b->families;
	}
	return r;
}

static int content_cmp(const struct subject *x, const struct subject *y)
{
	int r = services_cmp(x, y);

	r = r ? r : resolvers_cmp(x, y);
	return r ? r : hits_cmp(x, y);
}

static int subject_cmp(const void *a, const void *b)
{
	const struct subject *x = a, *y = b;
	int r = content_cmp(x, y);

	return r ? r : u32_cmp(&x->home, &y->home);
}

static int item_cmp(const void *a, const void *b)
{
	const struct ruleset_item *x = a, *y = b;

	return (x->endpoint > y->endpoint) - (x->endpoint < y->endpoint);
}

/* Namespaces that say the same are compiled once and share all but the endpoint. */
static int make_items(struct compiler *c)
{
	struct bh_arena *arena = c->out->arena;
	struct ruleset_item *items = bh_arena_array(arena, c->n_subjects + 1, sizeof(*items));
	struct ruleset *rulesets = bh_arena_array(arena, c->n_subjects + 1, sizeof(*rulesets));
	int r = 0;

	if (!items || !rulesets)
		return bh_err_oom(c->err);
	qsort(c->subjects, c->n_subjects, sizeof(*c->subjects), subject_cmp);
	for (size_t i = 0; i < c->n_subjects; i++) {
		const struct subject *s = &c->subjects[i];
		const char *id = endpoint_at(c, s->home)->id;

		if (i && content_cmp(s - 1, s) == 0)
			rulesets[i] = rulesets[i - 1];
		else
			r = make_ruleset(c, s, &rulesets[i]);
		rulesets[i].endpoint = names_text(arena, id, ENDPOINT_TEXT_MAX);
		if (!rulesets[i].endpoint)
			return bh_err_oom(c->err);
		if (r < 0)
			return bh_err_prefix(c->err, r, "endpoint %s", rulesets[i].endpoint);
		items[i] = (struct ruleset_item) { &rulesets[i], s->home };
	}
	qsort(items, c->n_subjects, sizeof(*items), item_cmp);
	c->out->items = items;
	c->out->n = c->n_subjects;
	return 0;
}

static int compile_all(struct compiler *c, bool all_subjects)
{
	int r;

	c->generation = bh_arena_strndup(c->out->arena, c->resolver.in->policies->digest, 16);
	if (!c->generation)
		return bh_err_oom(c->err);
	r = make_live(c);
	if (r >= 0)
		r = make_subjects(c, all_subjects);
	if (r >= 0)
		r = find_hits(c);
	return r < 0 ? r : make_items(c);
}

static struct ruleset_list *list_new(void)
{
	struct bh_arena *arena = bh_arena_new();
	struct ruleset_list *l = arena ? calloc(1, sizeof(*l)) : NULL;

	if (!l) {
		bh_arena_free(arena);
		return NULL;
	}
	l->arena = arena;
	return l;
}

int compile_rulesets(const struct compile_input *in, bool all_subjects, struct ruleset_list **ret,
		     struct diag_list *diags, struct bh_err *err)
{
	struct compiler c = { .out = list_new(), .err = err };
	struct bh_arena *scratch = bh_arena_new();
	struct selection *selection = NULL;
	int r;

	if (!c.out || !scratch)
		r = bh_err_oom(err);
	else
		r = selection_new(in->policies, in->endpoints, in->host && in->host->image_labels,
				  &selection, err);
	if (r >= 0) {
		r = resolver_init(&c.resolver, in, selection, scratch, diags, err);
		if (r >= 0)
			r = compile_all(&c, all_subjects);
		resolver_done(&c.resolver);
	}
	bh_vec_done(&c.hits);
	selection_free(selection);
	bh_arena_free(scratch);
	if (r < 0) {
		ruleset_list_free(c.out);
		return r;
	}
	*ret = c.out;
	return 0;
}
