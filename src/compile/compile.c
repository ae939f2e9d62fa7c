/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/compile/compile.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

#include "compiler.h"
#include "names.h"

#define SERVICES_TEXT_MAX 100
#define DENY_WHERE_MAX    100 /* stands behind "default-deny ingress" in one comment */

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

static struct addr_list of_families(const struct addr_list *l, uint8_t families)
{
	if (families == FOLLOW_V4)
		return addr_list_family(l, AF_INET);
	return families == FOLLOW_V6 ? addr_list_family(l, AF_INET6) : *l;
}

/* What the named ports of P's rule come to, each number at those who have it. */
static int push_named(struct compiler *c, const struct piece *p, const struct named_list *l,
		      uint8_t families, struct bh_vec *v)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < l->n; i++) {
		struct piece more = *p;

		more.is_more = true;
		more.ports = &l->t[i].port;
		more.n_ports = 1;
		more.target = (struct target) { .singles = of_families(&l->t[i].to, families) };
		r = push_piece(c, v, &more);
	}
	return r;
}

/* May send where the rule of another service lets us in, by the addresses by which it does. */
static int push_follow(struct compiler *c, uint32_t service, const struct follow_hit *h,
		       struct bh_vec *v)
{
	const struct live_rule *rule = &c->live[h->service].rules[DIRECTION_INGRESS][h->rule];
	const struct addr_list *to = &c->resolver.services[h->service];
	struct piece p = rule->piece;
	int r;

	p.name = names_follow(c->out->arena, compiler_service(c, service),
			      compiler_service(c, h->service), rule->slug);
	if (!p.name)
		return bh_err_oom(c->err);
	p.direction = DIRECTION_EGRESS;
	p.target = (struct target) { .singles = of_families(to, h->families) };
	r = push_piece(c, v, &p);
	return r < 0 ? r : push_named(c, &p, &rule->named, h->families, v);
}

static int push_rule(struct compiler *c, const struct subject *s, uint32_t service,
		     enum direction d, uint32_t i, struct bh_vec *v)
{
	const struct live_rule *rule = &c->live[service].rules[d][i];
	struct piece p = rule->piece;
	int r = d == DIRECTION_INGRESS ? named_ports(c, s, service, i, &p) : 0;

	if (r >= 0)
		r = push_piece(c, v, &p);
	if (r >= 0 && d == DIRECTION_EGRESS)
		r = push_named(c, &p, &rule->named, FOLLOW_V4 | FOLLOW_V6, v);
	return r;
}

static int push_service(struct compiler *c, const struct subject *s, uint32_t service,
			struct bh_vec *v)
{
	const struct live_service *live = &c->live[service];
	int r = 0;

	for (int d = 0; d < DIRECTIONS; d++) {
		for (uint32_t i = 0; r >= 0 && i < live->n[d]; i++)
			if (!live->rules[d][i].expired)
				r = push_rule(c, s, service, (enum direction)d, i, v);
	}
	if (r >= 0 && live->dns.name) {
		struct piece p = live->dns;

		p.target.singles = s->resolvers;
		r = push_piece(c, v, &p);
	}
	for (size_t i = 0; r >= 0 && i < s->n_hits && compiler_service(c, service)->egress_follow;
	     i++) {
		if (s->hits[i].service != service)
			r = push_follow(c, service, &s->hits[i], v);
	}
	return r;
}

/* Who makes a direction default-deny; NULL: all that speak leave it alone. */
static const struct service *find_isolating(const struct compiler *c, const struct subject *s,
					    enum direction d)
{
	const struct service *first = NULL;

	for (size_t i = 0; i < s->services.n; i++) {
		const struct service *v = compiler_service(c, s->services.i[i]);

		if (v->mode == MODE_OFF || v->leaves_open[d])
			continue;
		if (!first || (v->mode == MODE_ENFORCE && first->mode != MODE_ENFORCE))
			first = v;
	}
	return first;
}

/* The first that leaves it alone says that all may pass. */
static int push_open(struct compiler *c, const struct subject *s, enum direction d,
		     struct bh_vec *v)
{
	if (find_isolating(c, s, d))
		return 0;
	for (size_t i = 0; i < s->services.n; i++) {
		const struct live_service *live = &c->live[s->services.i[i]];

		if (live->open[d].name)
			return push_piece(c, v, &live->open[d]);
	}
	return 0;
}

/* Enforce wins over audit, drop over reject, logging over silence; `off` has no say. */
static void decide_manner(const struct compiler *c, const struct subject *s, struct ruleset *ret,
			  const struct service **ret_decides)
{
	const struct service *first = NULL;

	ret->mode = MODE_AUDIT;
	ret->on_deny = ON_DENY_REJECT;
	for (size_t i = 0; i < s->services.n; i++) {
		const struct service *v = compiler_service(c, s->services.i[i]);

		if (v->mode == MODE_OFF)
			continue;
		if (!first || (v->mode == MODE_ENFORCE && first->mode != MODE_ENFORCE))
			first = v;
		if (v->mode == MODE_ENFORCE)
			ret->mode = MODE_ENFORCE;
		if (v->on_deny == ON_DENY_DROP)
			ret->on_deny = ON_DENY_DROP;
		ret->log_denied |= v->log_denied;
		ret->log_allowed |= v->log_allowed;
	}
	*ret_decides = first;
}

static const char *services_text(const struct compiler *c, const struct selection_list *l)
{
	struct bh_buf b;
	char *ret;

	bh_buf_init(&b, SERVICES_TEXT_MAX + 1);
	for (size_t i = 0; i < l->n; i++) {
		const char *name = compiler_service(c, l->i[i])->name;
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

bool compiler_says_world(const struct ruleset *r)
{
	for (int d = 0; d < DIRECTIONS; d++)
		if (r->entries[d][ENTRY_WORLD].n || r->entries[d][ENTRY_WORLD_ICMP].n)
			return true;
	return false;
}

static int set_known(struct compiler *c, struct ruleset *ret)
{
	const struct bh_rangeset *known = &c->resolver.known;

	if (!compiler_says_world(ret))
		return 0;
	if (!c->known)
		c->known = bh_arena_memdup(c->out->arena, known->r, known->n * sizeof(*known->r));
	ret->known = c->known;
	ret->n_known = known->n;
	return c->known ? 0 : bh_err_oom(c->err);
}

/* Only guardrails hold it: what they do not deny passes. */
static void leave_open(struct ruleset *ret)
{
	ret->mode = MODE_ENFORCE;
	ret->on_deny = ON_DENY_DROP;
	ret->log_denied = true;
	ret->open = true;
}

static int speak_for_services(struct compiler *c, const struct subject *s, struct ruleset *ret)
{
	const struct service *decides;

	decide_manner(c, s, ret, &decides);
	for (int d = 0; d < DIRECTIONS; d++) {
		const struct service *by = find_isolating(c, s, (enum direction)d);

		by = by ? by : decides;
		ret->deny_where[d] =
			names_where_within(c->out->arena, &by->direction_loc[d], DENY_WHERE_MAX);
		if (!ret->deny_where[d])
			return bh_err_oom(c->err);
	}
	return 0;
}

static int push_guards(struct compiler *c, const struct subject *s, struct bh_vec *v)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < s->guards.n; i++) {
		const struct live_guardrail *g = &c->guards.g[s->guards.i[i]];

		for (size_t k = 0; r >= 0 && k < g->n_deny; k++) {
			struct piece p = guard_piece(&g->deny[k]);

			r = push_piece(c, v, &p);
		}
	}
	return r;
}

int compiler_make_pieces(struct compiler *c, const struct subject *s, struct bh_vec *ret)
{
	int r = 0;

	bh_vec_init(ret, sizeof(struct piece), BH_RULESET_RULES_MAX);
	for (size_t i = 0; r >= 0 && s->speaker == SPEAKER_SERVICES && i < s->services.n; i++)
		r = push_service(c, s, s->services.i[i], ret);
	for (int d = 0; r >= 0 && s->speaker == SPEAKER_SERVICES && d < DIRECTIONS; d++)
		r = push_open(c, s, (enum direction)d, ret);
	return r < 0 ? r : push_guards(c, s, ret);
}

int compiler_make_ruleset(struct compiler *c, const struct subject *s, struct ruleset *ret)
{
	struct bh_vec pieces;
	int r = 0;

	*ret = (struct ruleset) { .generation = c->generation };
	ret->services = services_text(c, &s->services);
	if (!ret->services)
		return bh_err_oom(c->err);
	if (s->speaker == SPEAKER_SERVICES)
		r = speak_for_services(c, s, ret);
	else if (s->speaker == SPEAKER_QUARANTINE)
		quarantine(ret);
	else
		leave_open(ret);
	if (r < 0)
		return r;
	r = compiler_make_pieces(c, s, &pieces);
	if (r >= 0)
		r = assemble(c->out->arena, pieces.data, pieces.n, ret, c->err);
	bh_vec_done(&pieces);
	if (r >= 0)
		r = guards_assemble(&c->guards, s->guards.i, s->guards.n, c->out->arena, ret,
				    c->err);
	return r;
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
	for (size_t i = 0; i < c->n_subjects; i++) {
		const struct subject *s = &c->subjects[i];
		const char *id = compiler_endpoint(c, s->home)->id;

		if (i && subject_cmp_content(s - 1, s) == 0)
			rulesets[i] = rulesets[i - 1];
		else
			r = compiler_make_ruleset(c, s, &rulesets[i]);
		if (r >= 0)
			r = set_known(c, &rulesets[i]);
		rulesets[i].endpoint = names_text(arena, id, COMPILER_ENDPOINT_TEXT_MAX);
		if (!rulesets[i].endpoint)
			return bh_err_oom(c->err);
		if (r < 0)
			return bh_err_prefix(c->err, r, "endpoint %s", rulesets[i].endpoint);
		items[i] = (struct ruleset_item) { &rulesets[i], s->home };
	}
	qsort(items, c->n_subjects, sizeof(*items), item_cmp);
	c->out->items = items;
	c->out->n = c->n_subjects;
	c->out->home_of = bh_arena_memdup(arena, c->resolver.claims.namespace_of,
					  c->resolver.in->endpoints->n * sizeof(uint32_t));
	return c->out->home_of ? 0 : bh_err_oom(c->err);
}

/* A container that cannot be held is told apart from one that nobody asks to hold. */
static int list_guarded(struct compiler *c)
{
	size_t n = c->resolver.in->endpoints->n;
	bool *guarded = bh_arena_array(c->out->arena, n + 1, sizeof(*guarded));

	if (!guarded)
		return bh_err_oom(c->err);
	for (size_t i = 0; i < n; i++)
		guarded[i] = guards_select(&c->guards, i);
	c->out->guarded = guarded;
	return 0;
}

static int compile_all(struct compiler *c, bool all_subjects, struct diag_list *diags)
{
	int r;

	c->names = c->out->arena;
	c->plans = c->resolver.arena;
	c->generation = bh_arena_strndup(c->out->arena, c->resolver.in->policies->digest, 16);
	if (!c->generation)
		return bh_err_oom(c->err);
	r = compiler_make_live(c);
	if (r >= 0)
		named_warn(c, diags);
	if (r >= 0)
		r = guards_make(&c->resolver, c->out->arena, &c->guards, c->err);
	if (r >= 0)
		r = compiler_make_subjects(c, all_subjects);
	if (r >= 0)
		r = list_guarded(c);
	return r < 0 ? r : make_items(c);
}

static struct ruleset_list *list_new(void)
{
	struct bh_arena *arena = bh_arena_new();
	struct ruleset_list *l = arena ? bh_arena_alloc(arena, sizeof(*l)) : NULL;

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
			r = compile_all(&c, all_subjects, diags);
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
