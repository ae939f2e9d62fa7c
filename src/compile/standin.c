/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/compile/compile.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

#include "select.h"

/* --- addresses -------------------------------------------------------------------------------- */

/* Each has room for STANDINS_MAX. The first that the policies do not speak of is taken. */
static const char *const blocks[2][4] = {
	{ "198.18.0.0/15", "100.64.0.0/15", "11.0.0.0/15", "25.0.0.0/15" },
	{ "2001:2::/64", "100::/64", "3ffe::/64", "5f00::/64" },
};

/* A wider prefix means everybody; whoever writes it does not speak of a block. */
static const uint8_t wide[2] = { 4, 12 };

static bool overlap(const struct bh_prefix *a, const struct bh_prefix *b)
{
	return a->addr.family == b->addr.family && a->len >= wide[a->addr.family == AF_INET6] &&
	       (bh_prefix_contains(a, &b->addr) || bh_prefix_contains(b, &a->addr));
}

static bool any_overlaps(const struct bh_prefix *p, size_t n, const struct bh_prefix *block)
{
	for (size_t i = 0; i < n; i++)
		if (overlap(&p[i], block))
			return true;
	return false;
}

static bool rule_speaks_of(const struct rule *r, const struct bh_prefix *block)
{
	for (size_t i = 0; i < r->n_peers; i++)
		if (r->peers[i].has_cidr && overlap(&r->peers[i].cidr, block))
			return true;
	return false;
}

static bool service_speaks_of(const struct service *s, const struct bh_prefix *block)
{
	for (unsigned d = 0; d < DIRECTIONS; d++)
		for (size_t i = 0; i < s->n_rules[d]; i++)
			if (rule_speaks_of(&s->rules[d][i], block))
				return true;
	return false;
}

static bool guardrail_speaks_of(const struct guardrail *g, const struct bh_prefix *block)
{
	for (size_t i = 0; i < g->n_deny; i++)
		if (rule_speaks_of(&g->deny[i].rule, block))
			return true;
	return false;
}

static bool speaks_of(const struct policy_set *p, const struct bh_prefix *block)
{
	for (size_t i = 0; i < p->n_groups; i++)
		if (any_overlaps(p->groups[i].cidrs, p->groups[i].n_cidrs, block))
			return true;
	for (size_t i = 0; i < p->n_services; i++)
		if (service_speaks_of(&p->services[i], block))
			return true;
	for (size_t i = 0; i < p->n_guardrails; i++)
		if (guardrail_speaks_of(&p->guardrails[i], block))
			return true;
	return false;
}

static struct bh_addr choose(const struct policy_set *const *sets, size_t n, unsigned family)
{
	struct bh_prefix block = { 0 };

	for (size_t i = 0; i < BH_ARRAY_SIZE(blocks[family]); i++) {
		bool taken = false;

		bh_prefix_parse(blocks[family][i], &block);
		for (size_t k = 0; k < n; k++)
			taken = taken || speaks_of(sets[k], &block);
		if (!taken)
			break;
	}
	return block.addr;
}

void standin_block_choose(const struct policy_set *const *sets, size_t n, struct standin_block *ret)
{
	*ret = (struct standin_block) { 0 };
	for (unsigned family = 0; family < 2; family++)
		ret->first[family] = choose(sets, n, family);
}

struct bh_addr standin_addr(const struct standin_block *block, uint32_t number, uint8_t family)
{
	struct bh_addr a = block->first[family == AF_INET6];
	size_t at = bh_addr_len(family);

	number += 256; /* not the first of a network, which is nobody's own */
	for (int i = 0; i < 3; i++, number >>= 8)
		a.b[--at] |= (uint8_t)number;
	return a;
}

/* --- endpoints -------------------------------------------------------------------------------- */

/* A text that the glob matches. NULL stays NULL. */
#define STANDIN_DIGEST "0000000000000000000000000000000000000000000000000000000000000000"

static const char *without_wildcards(struct bh_arena *arena, const char *glob)
{
	struct bh_buf b;
	char *s;

	if (!glob)
		return NULL;
	bh_buf_init(&b, 16 * BH_YAML_SCALAR_MAX);
	for (; *glob; glob++)
		if (*glob == '*')
			bh_buf_addstr(&b, "stand-in");
		else
			bh_buf_add(&b, *glob == '?' ? "x" : glob, 1);
	s = bh_buf_error(&b) ? NULL : bh_arena_strdup(arena, bh_buf_str(&b));
	bh_buf_done(&b);
	return s;
}

/* One that has the digest: of a registry's, any will do. */
static int take_image(struct bh_arena *arena, const char *pattern, struct endpoint *e)
{
	const char *at = pattern ? strchr(pattern, '@') : NULL, **digests;
	struct bh_buf b;

	e->image = without_wildcards(arena, pattern);
	if (!at)
		return !pattern || e->image ? 0 : -ENOMEM;
	bh_buf_init(&b, 16 * BH_YAML_SCALAR_MAX);
	bh_buf_addf(&b, "%.*s", e->image ? (int)strcspn(e->image, "@") : 0,
		    e->image ? e->image : "");
	bh_buf_addf(&b, "@sha256:%s", strchr(at, '*') ? STANDIN_DIGEST : at + strlen("@sha256:"));
	digests = bh_arena_array(arena, 1, sizeof(*digests));
	if (digests && !bh_buf_error(&b))
		digests[0] = bh_arena_strdup(arena, bh_buf_str(&b));
	bh_buf_done(&b);
	if (!e->image || !digests || !digests[0])
		return -ENOMEM;
	e->image = digests[0];
	e->image_digests = digests;
	e->n_image_digests = 1;
	return 0;
}

static enum endpoint_runtime runtime_of(const char *word)
{
	for (int i = 0; word && i < ENDPOINT_UNKNOWN; i++)
		if (strcmp(endpoint_runtime_name((enum endpoint_runtime)i), word) == 0)
			return (enum endpoint_runtime)i;
	return ENDPOINT_INVENTORY;
}

static const char *label_value(const struct label *l, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(l[i].key, key) == 0)
			return l[i].value;
	return NULL;
}

/* Both lists as one. False: they say different things of one key. */
static bool join_labels(const struct selector *s, const struct label *more, size_t n_more,
			struct label *out, size_t *ret_n)
{
	size_t n = s->n_labels;

	for (size_t i = 0; i < n; i++)
		out[i] = s->labels[i];
	for (size_t i = 0; i < n_more; i++) {
		const char *value = label_value(s->labels, s->n_labels, more[i].key);

		if (value && strcmp(value, more[i].value) != 0)
			return false;
		if (!value)
			out[n++] = more[i];
	}
	*ret_n = n;
	return true;
}

static bool is_ruled_out(const struct label_query *q, const char *key, const char *value)
{
	for (size_t i = 0; i < q->n; i++) {
		if (q->match[i].op != LABEL_NOT_IN || strcmp(q->match[i].key, key) != 0)
			continue;
		for (size_t k = 0; k < q->match[i].n_values; k++)
			if (strcmp(q->match[i].values[k], value) == 0)
				return true;
	}
	return false;
}

/* A value that the line takes; NULL: the line wants none. */
static const char *value_for(const struct label_query *q, const struct label_match *m)
{
	if (m->op == LABEL_EXISTS)
		return "stand-in";
	for (size_t k = 0; m->op == LABEL_IN && k < m->n_values; k++)
		if (!is_ruled_out(q, m->key, m->values[k]))
			return m->values[k];
	return NULL;
}

/* Labels that fit the selector of a NetworkPolicy. */
static size_t pod_labels(const struct label_query *q, struct label *out)
{
	size_t n = 0;

	for (unsigned pass = LABEL_IN; pass <= LABEL_EXISTS; pass++)
		for (size_t i = 0; i < q->n; i++) {
			const char *value =
				q->match[i].op == pass ? value_for(q, &q->match[i]) : NULL;

			if (value && !label_value(out, n, q->match[i].key))
				out[n++] = (struct label) { q->match[i].key, value };
		}
	return n;
}

/* The namespace that they are in, or one that may be meant; NULL: it takes labels that nobody knows. */
static const char *namespace_of(const struct pods *p)
{
	const struct label_query *q = &p->namespaces;

	if (p->namespace)
		return p->namespace;
	if (!q->n)
		return "default";
	if (q->n == 1 && q->match[0].op == LABEL_IN &&
	    strcmp(q->match[0].key, "kubernetes.io/metadata.name") == 0)
		return q->match[0].values[0];
	return NULL;
}

bool standin_fits_pods(const struct pods *p)
{
	return namespace_of(p) != NULL;
}

static int make_pod(struct bh_arena *arena, const struct pods *p, const struct label *labels,
		    size_t n_labels, struct endpoint *e)
{
	struct label *own = bh_arena_array(arena, p->labels.n + 1, sizeof(*own));
	struct label *all = bh_arena_array(arena, p->labels.n + n_labels + 1, sizeof(*all));
	struct selector as = { .labels = own };

	if (!own || !all)
		return -ENOMEM;
	as.n_labels = pod_labels(&p->labels, own);
	e->name = "";
	e->namespace = namespace_of(p);
	e->runtime = ENDPOINT_INVENTORY;
	if (!e->namespace || !join_labels(&as, labels, n_labels, all, &e->n_labels))
		return 0;
	e->labels = all;
	return 1;
}

static int make(struct bh_arena *arena, const struct service *s, const struct label *labels,
		size_t n_labels, struct endpoint *e)
{
	const char *slash = s->select.compose ? strchr(s->select.compose, '/') : NULL;
	struct label *all = bh_arena_array(arena, s->select.n_labels + n_labels + 1, sizeof(*all));
	static const struct endpoint_set nobody;

	if (s->select.pods) {
		int r = make_pod(arena, s->select.pods, labels, n_labels, e);

		return r <= 0 ? r : select_matches(&s->select, &nobody, e, false);
	}
	e->name = s->select.name ? without_wildcards(arena, s->select.name) : "";
	if (take_image(arena, s->select.image, e) < 0)
		return -ENOMEM;
	e->runtime = runtime_of(s->select.runtime);
	if (slash) {
		e->compose_project = bh_arena_strndup(arena, s->select.compose,
						      (size_t)(slash - s->select.compose));
		e->compose_service = slash + 1;
	}
	if (!all || !e->name || (slash && !e->compose_project))
		return -ENOMEM;
	if (!join_labels(&s->select, labels, n_labels, all, &e->n_labels))
		return 0;
	e->labels = all;
	return select_matches(&s->select, &nobody, e, false);
}

/* S, or else the pods P. */
static int add(struct endpoint_builder *b, const struct standin_block *block,
	       const struct service *s, const struct pods *p, const struct label *labels,
	       size_t n_labels, uint32_t number, const char *id, struct bh_err *err)
{
	const struct bh_addr addrs[] = { standin_addr(block, number, AF_INET),
					 standin_addr(block, number, AF_INET6) };
	const struct bh_addr resolvers[] = { standin_addr(block, STANDIN_RESOLVER, AF_INET),
					     standin_addr(block, STANDIN_RESOLVER, AF_INET6) };
	struct endpoint e = {
		.id = id,
		.addrs = addrs,
		.n_addrs = BH_ARRAY_SIZE(addrs),
		.resolvers = resolvers,
		.n_resolvers = block->resolver ? BH_ARRAY_SIZE(resolvers) : 0,
	};
	struct bh_arena *arena = bh_arena_new();
	int r = -ENOMEM;

	if (arena)
		r = s ? make(arena, s, labels, n_labels, &e) : make_pod(arena, p, NULL, 0, &e);
	if (r == -ENOMEM)
		bh_err_oom(err);
	if (r > 0) {
		r = endpoint_builder_add(b, &e, err);
		r = r < 0 ? r : 1;
	}
	bh_arena_free(arena);
	return r;
}

int standin_add(struct endpoint_builder *b, const struct standin_block *block,
		const struct service *s, const struct label *labels, size_t n_labels,
		uint32_t number, const char *id, struct bh_err *err)
{
	return add(b, block, s, NULL, labels, n_labels, number, id, err);
}

int standin_add_pods(struct endpoint_builder *b, const struct standin_block *block,
		     const struct pods *p, uint32_t number, const char *id, struct bh_err *err)
{
	return add(b, block, NULL, p, NULL, 0, number, id, err);
}
