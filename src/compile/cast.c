/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "flowmap.h"

#include "select.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

/* Who there is to speak of: services, and those of them with further labels that some peer names. */

struct label_list {
	const struct label *labels; /* by key */
	size_t n;
};

struct collector {
	struct bh_arena *arena;
	struct bh_vec names;  /* const char * */
	struct bh_vec labels; /* struct label_list */
	struct bh_vec pods;   /* const struct pods * */
};

static int label_cmp(const void *a, const void *b)
{
	return strcmp(((const struct label *)a)->key, ((const struct label *)b)->key);
}

static int labels_cmp(const void *a, const void *b)
{
	const struct label_list *x = a, *y = b;

	for (size_t i = 0; i < x->n && i < y->n; i++) {
		int r = strcmp(x->labels[i].key, y->labels[i].key);

		r = r ? r : strcmp(x->labels[i].value, y->labels[i].value);
		if (r)
			return r;
	}
	return (x->n > y->n) - (x->n < y->n);
}

static int add_labels(struct collector *c, const struct label *labels, size_t n)
{
	struct label_list *slot;
	struct label *copy;

	if (!n)
		return 0;
	copy = bh_arena_memdup(c->arena, labels, n * sizeof(*labels));
	slot = copy ? bh_vec_push(&c->labels) : NULL;
	if (!slot)
		return c->labels.n == c->labels.max ? -E2BIG : -ENOMEM;
	qsort(copy, n, sizeof(*copy), label_cmp);
	*slot = (struct label_list) { copy, n };
	return 0;
}

static int pods_ptr_cmp(const void *a, const void *b)
{
	return pods_cmp(*(const struct pods *const *)a, *(const struct pods *const *)b);
}

static int add_pods(struct collector *c, const struct pods *p)
{
	const struct pods **slot = bh_vec_push(&c->pods);

	if (!slot)
		return c->pods.n == c->pods.max ? -E2BIG : -ENOMEM;
	*slot = p;
	return 0;
}

static int add_rule(struct collector *c, const struct rule *rule)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < rule->n_peers; i++) {
		r = add_labels(c, rule->peers[i].labels, rule->peers[i].n_labels);
		if (r >= 0 && rule->peers[i].pods)
			r = add_pods(c, rule->peers[i].pods);
	}
	return r;
}

static int add_service(struct collector *c, const struct service *s)
{
	const char **name = bh_vec_push(&c->names);
	int r = name ? 0 : -ENOMEM;

	if (name)
		*name = s->name;
	for (unsigned d = 0; d < DIRECTIONS; d++)
		for (size_t i = 0; r >= 0 && i < s->n_rules[d]; i++)
			r = add_rule(c, &s->rules[d][i]);
	return r;
}

static int add_guardrail(struct collector *c, const struct guardrail *g)
{
	int r = add_labels(c, g->labels, g->n_labels);

	for (size_t i = 0; r >= 0 && i < g->n_deny; i++) {
		r = add_rule(c, &g->deny[i].rule);
		for (size_t k = 0; r >= 0 && k < g->deny[i].n_unless; k++)
			r = add_labels(c, g->deny[i].unless[k].peer.labels,
				       g->deny[i].unless[k].peer.n_labels);
	}
	return r;
}

static int add_set(struct collector *c, const struct policy_set *p)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < p->n_services; i++)
		r = add_service(c, &p->services[i]);
	for (size_t i = 0; r >= 0 && i < p->n_guardrails; i++)
		r = add_guardrail(c, &p->guardrails[i]);
	return r;
}

static int name_cmp(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sort, and keep one of each. */
static void make_unique(struct bh_vec *v, int (*cmp)(const void *, const void *))
{
	char *data = v->data;
	size_t n = 0;

	if (v->n)
		qsort(data, v->n, v->size, cmp);
	for (size_t i = 0; i < v->n; i++)
		if (!n || cmp(data + (n - 1) * v->size, data + i * v->size) != 0)
			memmove(data + n++ * v->size, data + i * v->size, v->size);
	v->n = n;
}

/* --- parties ---------------------------------------------------------------------------------- */

static const char *labelled_name(struct bh_arena *arena, const char *service,
				 const struct label_list *l)
{
	const char *name = bh_arena_printf(arena, "%s {", service);

	for (size_t i = 0; name && i < l->n; i++)
		name = bh_arena_printf(arena, "%s%s%s=%s", name, i ? ", " : "", l->labels[i].key,
				       l->labels[i].value);
	return name ? bh_arena_printf(arena, "%s}", name) : NULL;
}

static int add_parties(struct cast *c, const char *service, const struct label_list *labels,
		       size_t n_labels)
{
	uint32_t base = (uint32_t)c->n;

	c->parties[c->n++] = (struct party) { PARTY_SERVICE, service, service, NULL, 0, base };
	c->parties[c->n++] = (struct party) { PARTY_ANOTHER, service, service, NULL, 0, base };
	for (size_t i = 0; i < n_labels; i++) {
		const char *name = labelled_name(c->arena, service, &labels[i]);

		if (!name)
			return -ENOMEM;
		c->parties[c->n++] = (struct party) {
			PARTY_LABELLED, name, service, labels[i].labels, labels[i].n, base,
		};
	}
	return 0;
}

static void say_query(const struct label_query *q, const char *lead, struct bh_buf *out)
{
	static const char *const ops[] = { [LABEL_IN] = "=",
					   [LABEL_NOT_IN] = "!=",
					   [LABEL_EXISTS] = "",
					   [LABEL_DOES_NOT_EXIST] = "" };

	for (size_t i = 0; i < q->n; i++) {
		const struct label_match *m = &q->match[i];

		bh_buf_addf(out, "%s%s%s%s", i ? ", " : lead,
			    m->op == LABEL_DOES_NOT_EXIST ? "no " : "", m->key, ops[m->op]);
		for (size_t k = 0; k < m->n_values; k++)
			bh_buf_addf(out, "%s%s", k ? "|" : "", m->values[k]);
	}
}

/* "pods of shop {app=web}" */
static const char *pods_name(struct bh_arena *arena, const struct pods *p)
{
	const char *name = NULL;
	struct bh_buf b;

	bh_buf_init(&b, 1 << 24);
	bh_buf_addf(&b, "pods of %s", p->namespace ? p->namespace : "namespaces");
	if (!p->namespace)
		say_query(&p->namespaces, " with ", &b);
	bh_buf_addstr(&b, " {");
	say_query(&p->labels, "", &b);
	bh_buf_addstr(&b, "}");
	if (!bh_buf_error(&b))
		name = bh_arena_strdup(arena, bh_buf_str(&b));
	bh_buf_done(&b);
	return name;
}

static int add_pod_parties(struct cast *c, const struct bh_vec *pods)
{
	const struct pods *const *p = pods->data;

	for (size_t i = 0; i < pods->n; i++) {
		const char *name = pods_name(c->arena, p[i]);

		if (!name)
			return -ENOMEM;
		c->parties[c->n] = (struct party) {
			.kind = PARTY_PODS,
			.name = name,
			.base = (uint32_t)c->n,
			.pods = p[i],
		};
		c->n++;
	}
	return 0;
}

static int make_parties(struct cast *c, struct collector *from)
{
	const struct label_list *labels = from->labels.data;
	const char **names = from->names.data;
	size_t services, n_labels, room;
	int r = 0;

	make_unique(&from->names, name_cmp);
	make_unique(&from->labels, labels_cmp);
	services = from->names.n;
	n_labels = from->labels.n;
	make_unique(&from->pods, pods_ptr_cmp);
	if (from->pods.n > STANDIN_HOST / 2)
		return -E2BIG;
	room = services ? (STANDIN_HOST - from->pods.n) / services - 2 : 0;
	if (n_labels > room) {
		c->labels_left_out = n_labels - room;
		n_labels = room;
	}
	c->parties = bh_arena_array(c->arena, services * (2 + n_labels) + from->pods.n + 1,
				    sizeof(*c->parties));
	if (!c->parties)
		return -ENOMEM;
	for (size_t i = 0; r >= 0 && i < services; i++)
		r = add_parties(c, names[i], labels, n_labels);
	return r < 0 ? r : add_pod_parties(c, &from->pods);
}

int cast_make(const struct policy_set *const *sets, size_t n, struct cast *ret, struct bh_err *err)
{
	struct collector c = { .arena = bh_arena_new() };
	int r = c.arena ? 0 : -ENOMEM;

	bh_vec_init(&c.names, sizeof(const char *), 2 * BH_SERVICES_MAX);
	bh_vec_init(&c.labels, sizeof(struct label_list), BH_RANGES_MAX);
	bh_vec_init(&c.pods, sizeof(const struct pods *), BH_RANGES_MAX);
	*ret = (struct cast) {
		.arena = c.arena,
		.host = { PARTY_HOST, "the host" },
		.resolver = { PARTY_RESOLVER, "its resolver" },
	};
	for (size_t i = 0; r >= 0 && i < n; i++)
		r = add_set(&c, sets[i]);
	if (r >= 0)
		r = make_parties(ret, &c);
	standin_block_choose(sets, n, &ret->block);
	ret->block.resolver = true;
	bh_vec_done(&c.names);
	bh_vec_done(&c.labels);
	bh_vec_done(&c.pods);
	if (r == -E2BIG)
		return bh_err_set(err, r, "the peers of these policies name too many labels");
	return r < 0 ? bh_err_oom(err) : 0;
}

void cast_done(struct cast *c)
{
	bh_arena_free(c->arena);
	*c = (struct cast) { 0 };
}

struct bh_range cast_block(const struct cast *c, uint8_t family)
{
	return (struct bh_range) { standin_addr(&c->block, 0, family),
				   standin_addr(&c->block, STANDINS_MAX - 1, family) };
}

const struct party *cast_party(const struct cast *c, uint32_t number)
{
	return number == STANDIN_HOST       ? &c->host
	       : number == STANDIN_RESOLVER ? &c->resolver
					    : &c->parties[number];
}

bool party_is_outside(const struct party *p)
{
	return p->kind == PARTY_HOST || p->kind == PARTY_RESOLVER;
}
