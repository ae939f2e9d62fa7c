/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "names.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/model/ruleset.h>

/* With the longest service name and a ".1024" behind it, a slug still fits BH_NFT_NAME_MAX. */
#define SLUG_MAX 52

/* --- text ------------------------------------------------------------------------------------ */

/* Printable ASCII stays. nft has no escapes inside quotes, so the rest goes as in a URL. */
static int add_plain(struct bh_buf *b, const char *s, size_t len)
{
	const unsigned char *end = (const unsigned char *)s + len;

	for (const unsigned char *p = (const unsigned char *)s; p < end; p++) {
		if (*p < 0x20 || *p > 0x7e || *p == '"' || *p == '\\' || *p == '%')
			bh_buf_addf(b, "%%%02X", *p);
		else
			bh_buf_add(b, p, 1);
	}
	return bh_buf_error(b);
}

const char *names_text(struct bh_arena *arena, const char *s, size_t max)
{
	struct bh_buf b;
	char *ret = NULL;

	bh_buf_init(&b, 3 * (max + 1) + 1);
	if (add_plain(&b, s, strnlen(s, max + 1)) >= 0) {
		if (b.len <= max)
			ret = bh_arena_strndup(arena, bh_buf_str(&b), b.len);
		else
			ret = bh_arena_printf(arena, "%.*s...", (int)max - 3, bh_buf_str(&b));
	}
	bh_buf_done(&b);
	return ret;
}

const char *names_where_within(struct bh_arena *arena, const struct src_loc *loc, size_t max)
{
	const char *file = loc->file ? loc->file : "policy";
	struct bh_buf b;
	char *ret = NULL;

	bh_buf_init(&b, BH_POLICY_SET_BYTES_MAX);
	add_plain(&b, file, strlen(file));
	if (bh_buf_addf(&b, ":%u", loc->line) >= 0) {
		if (b.len <= max)
			ret = bh_arena_strndup(arena, bh_buf_str(&b), b.len);
		else
			ret = bh_arena_printf(arena, "...%s", b.data + b.len - (max - 3));
	}
	bh_buf_done(&b);
	return ret;
}

const char *names_where(struct bh_arena *arena, const struct src_loc *loc)
{
	return names_where_within(arena, loc, BH_NFT_COMMENT_MAX);
}

/* --- names ----------------------------------------------------------------------------------- */

static uint32_t hash(const char *s)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a */

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * UINT64_C(0x100000001b3);
	return (uint32_t)(h ^ (h >> 32));
}

static void add_query(struct bh_buf *b, const char *what, const struct label_query *q)
{
	static const char *const ops[] = { [LABEL_IN] = "-",
					   [LABEL_NOT_IN] = "-not-",
					   [LABEL_EXISTS] = "-any",
					   [LABEL_DOES_NOT_EXIST] = "-none" };

	bh_buf_addstr(b, what);
	for (size_t i = 0; i < q->n; i++) {
		const struct label_match *m = &q->match[i];

		bh_buf_addf(b, "%s%s%s", i ? "." : "-", m->key, ops[m->op]);
		for (size_t k = 0; k < m->n_values; k++)
			bh_buf_addf(b, "%s%s", k ? "-or-" : "", m->values[k]);
	}
}

/* In the policy's own namespace there is nothing to tell it by. */
static void add_pods(struct bh_buf *b, const struct pods *p)
{
	if (!p->namespace)
		add_query(b, "namespaces", &p->namespaces);
	if (p->namespace || p->labels.n)
		add_query(b, p->namespace ? "pods" : ".pods", &p->labels);
}

static void add_peer(struct bh_buf *b, const struct peer *p)
{
	static const char *const entities[] = {
		[ENTITY_NONE] = "",           [ENTITY_HOST] = "host", [ENTITY_WORLD] = "world",
		[ENTITY_MANAGED] = "managed", [ENTITY_ALL] = "all",
	};
	char text[BH_PREFIX_STR];
	const char *dot = "";

	if (p->service)
		bh_buf_addf(b, "%s", p->service), dot = ".";
	for (size_t i = 0; i < p->n_labels; i++, dot = ".")
		bh_buf_addf(b, "%s%s-%s", dot, p->labels[i].key, p->labels[i].value);
	if (p->pods)
		add_pods(b, p->pods);
	if (p->group)
		bh_buf_addf(b, "%s%s", dot, p->group), dot = ".";
	if (p->scope)
		bh_buf_addf(b, "%sscope-%s", dot, p->scope), dot = ".";
	if (p->not_scope)
		bh_buf_addf(b, "%snot-scope-%s", dot, p->not_scope), dot = ".";
	if (p->has_cidr)
		bh_buf_addf(b, "%s%s", dot, bh_prefix_format(text, &p->cidr)), dot = ".";
	for (size_t i = 0; i < p->n_except; i++)
		bh_buf_addf(b, ".not-%s", bh_prefix_format(text, &p->except[i]));
	if (p->entity != ENTITY_NONE)
		bh_buf_addf(b, "%s%s", dot, entities[p->entity]);
}

/* All that the rule says of flows, in the order in which it says it. */
static void add_content(struct bh_buf *b, const struct rule *r, enum direction d)
{
	char text[PORT_SPEC_STR];

	bh_buf_addstr(b, d == DIRECTION_INGRESS ? "from-" : "to-");
	if (!r->n_peers)
		bh_buf_addstr(b, "nobody");
	for (size_t i = 0; i < r->n_peers; i++) {
		bh_buf_addstr(b, i ? "_" : "");
		add_peer(b, &r->peers[i]);
	}
	for (size_t i = 0; i < r->n_ports; i++)
		bh_buf_addf(b, "%s%s", i ? "_" : ".", port_spec_format(text, &r->ports[i]));
	for (size_t i = 0; i < r->n_named; i++)
		bh_buf_addf(b, "%s%s/%s", i || r->n_ports ? "_" : ".", r->named[i].name,
			    proto_name(text, r->named[i].proto));
}

/* In place, to [a-z0-9._-], runs of '-' as one, none at the end. */
static void sanitise(char *s)
{
	char *out = s;

	for (const char *p = s; *p; p++) {
		char c = *p;

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		else if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
			   c == '_'))
			c = '-';
		if (c != '-' || (out > s && out[-1] != '-'))
			*out++ = c;
	}
	while (out > s && out[-1] == '-')
		out--;
	*out = '\0';
}

static const char *cut(struct bh_arena *arena, const char *s, size_t max, uint32_t h)
{
	return bh_arena_printf(arena, "%.*s-%08" PRIx32, (int)max - 9, s, h);
}

struct slug {
	const char *text;
	uint32_t hash; /* of all that the rule says, expiry included */
	uint32_t rule;
};

static int slug_make(struct bh_arena *arena, const struct rule *r, enum direction d,
		     struct slug *ret)
{
	struct bh_buf content, text;
	int error;

	bh_buf_init(&content, BH_POLICY_SET_BYTES_MAX);
	bh_buf_init(&text, BH_POLICY_SET_BYTES_MAX);
	add_content(&content, r, d);
	bh_buf_addstr(&text, r->name ? r->name : bh_buf_str(&content));
	error = bh_buf_error(&content) < 0 ? bh_buf_error(&content) : bh_buf_error(&text);
	if (error >= 0 && text.len)
		sanitise(text.data);
	if (error >= 0 && !bh_buf_str(&text)[0]) {
		bh_buf_reset(&text);
		error = bh_buf_addstr(&text, bh_buf_str(&content));
		if (error >= 0)
			sanitise(text.data);
	}
	if (error >= 0) {
		bh_buf_addf(&content, "|%s|%" PRId64, r->name ? r->name : "", r->expires);
		error = bh_buf_error(&content);
	}
	if (error >= 0) {
		ret->hash = hash(bh_buf_str(&content));
		ret->text = strlen(bh_buf_str(&text)) <= SLUG_MAX
				    ? bh_arena_strdup(arena, bh_buf_str(&text))
				    : cut(arena, bh_buf_str(&text), SLUG_MAX, ret->hash);
		error = ret->text ? 0 : -ENOMEM;
	}
	bh_buf_done(&text);
	bh_buf_done(&content);
	return error;
}

static int slug_cmp(const void *a, const void *b)
{
	const struct slug *x = a, *y = b;
	int r = strcmp(x->text, y->text);

	return r ? r : (x->rule > y->rule) - (x->rule < y->rule);
}

/* Where several have one name, all of them get the hash of what they say: order plays no part. */
static int tell_apart_by_hash(struct bh_arena *arena, struct slug *v, size_t n,
			      const char *reserved)
{
	size_t count;

	for (size_t i = 0; i < n; i += count) {
		const char *text = v[i].text;

		for (count = 1; i + count < n && strcmp(v[i + count].text, text) == 0; count++)
			;
		if (count == 1 && !(reserved && strcmp(text, reserved) == 0))
			continue;
		for (size_t k = i; k < i + count; k++) {
			v[k].text =
				strlen(text) + 9 <= SLUG_MAX
					? bh_arena_printf(arena, "%s-%08" PRIx32, text, v[k].hash)
					: cut(arena, text, SLUG_MAX, v[k].hash);
			if (!v[k].text)
				return -ENOMEM;
		}
	}
	qsort(v, n, sizeof(*v), slug_cmp);
	return 0;
}

/* Rules that say the very same are numbered. */
static int tell_apart_by_number(struct bh_arena *arena, struct slug *v, size_t n)
{
	size_t count;

	for (size_t i = 0; i < n; i += count) {
		const char *text = v[i].text;

		for (count = 1; i + count < n && strcmp(v[i + count].text, text) == 0; count++) {
			struct slug *s = &v[i + count];

			/* compared before it is changed: the sort put equal ones side by side */
			s->text = bh_arena_printf(arena, "%s.%zu", text, count + 1);
			if (!s->text)
				return -ENOMEM;
		}
	}
	return 0;
}

int names_of_list(struct bh_arena *arena, const struct rule *const *rules, size_t n,
		  enum direction d, const char *reserved, const char **ret)
{
	struct slug *v = calloc(n + 1, sizeof(*v));
	int r = v ? 0 : -ENOMEM;

	for (size_t i = 0; r >= 0 && i < n; i++) {
		v[i].rule = (uint32_t)i;
		r = slug_make(arena, rules[i], d, &v[i]);
	}
	if (r >= 0) {
		qsort(v, n, sizeof(*v), slug_cmp);
		r = tell_apart_by_hash(arena, v, n, reserved);
	}
	if (r >= 0)
		r = tell_apart_by_number(arena, v, n);
	for (size_t i = 0; r >= 0 && i < n; i++)
		ret[v[i].rule] = v[i].text;
	free(v);
	return r;
}

int names_of_rules(struct bh_arena *arena, const struct service *s, enum direction d,
		   const char **ret)
{
	size_t n = s->n_rules[d];
	const struct rule **rules = calloc(n + 1, sizeof(*rules));
	int r;

	for (size_t i = 0; rules && i < n; i++)
		rules[i] = &s->rules[d][i];
	r = rules ? names_of_list(arena, rules, n, d,
				  d == DIRECTION_EGRESS && s->dns ? "dns" : NULL, ret)
		  : -ENOMEM;
	free(rules);
	return r;
}

static const char *capped(struct bh_arena *arena, const char *name)
{
	if (!name || strlen(name) <= BH_NFT_NAME_MAX)
		return name;
	return cut(arena, name, BH_NFT_NAME_MAX, hash(name));
}

#define SERVICE_MAX 64

/*
 * The first part of a name, which has no dot. A service may begin with a digit, a name that nft can parse
 * may not. "k8s:shop/web.api" becomes "k8s_shop_web_api": neither has _ in it.
 */
static const char *first_part(struct bh_arena *arena, const struct service *s)
{
	bool digit = s->name[0] >= '0' && s->name[0] <= '9';
	char *copy = bh_arena_printf(arena, "%s%s", digit ? "_" : "", s->name);

	for (char *p = copy; s->is_k8s && p && *p; p++)
		if (strchr(":/.", *p))
			*p = '_';
	return copy && strlen(copy) > SERVICE_MAX ? cut(arena, copy, SERVICE_MAX, hash(copy))
						  : copy;
}

const char *names_full(struct bh_arena *arena, const struct service *s, enum direction d,
		       const char *slug)
{
	const char *first = first_part(arena, s);

	if (!first)
		return NULL;
	return capped(arena, bh_arena_printf(arena, "%s.%s.%s", first,
					     d == DIRECTION_INGRESS ? "in" : "out", slug));
}

const char *names_follow(struct bh_arena *arena, const struct service *s,
			 const struct service *other, const char *slug)
{
	const char *mine = first_part(arena, s);
	const char *theirs = other->is_k8s ? first_part(arena, other) : other->name;

	if (!mine || !theirs)
		return NULL;
	return capped(arena, bh_arena_printf(arena, "%s.out.follow-%s.%s", mine, theirs, slug));
}

const char *names_guard(struct bh_arena *arena, const struct guardrail *g, enum direction d,
			const char *slug)
{
	return capped(arena, bh_arena_printf(arena, RULESET_GUARD_PREFIX "%s.%s.%s", g->name,
					     d == DIRECTION_INGRESS ? "in" : "out", slug));
}
