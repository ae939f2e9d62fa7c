/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "byname.h"

#include "select.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/model/changes.h>

struct namer {
	const struct policy_set *sets[2];
	const struct flowmap *maps;
	struct bh_arena *arena;
	struct bh_vec out; /* struct named_change */
};

static int add(struct namer *n, const char *kind, const char *name, const char *what,
	       const struct src_loc *before, const struct src_loc *after)
{
	struct named_change *c = what ? bh_vec_push(&n->out) : NULL;

	if (!c)
		return -ENOMEM;
	*c = (struct named_change) { .kind = kind, .name = name, .what = what };
	if (before)
		c->before = *before;
	if (after)
		c->after = *after;
	return 0;
}

/* --- settings of a service -------------------------------------------------------------------- */

static void say_mode(const struct service *s, struct bh_buf *out)
{
	bh_buf_addstr(out, mode_name(s->mode));
}

static void say_on_deny(const struct service *s, struct bh_buf *out)
{
	bh_buf_addstr(out, s->on_deny == ON_DENY_REJECT ? "reject" : "drop");
}

static void say_log_denied(const struct service *s, struct bh_buf *out)
{
	bh_buf_addstr(out, s->log_denied ? "true" : "false");
}

static void say_log_allowed(const struct service *s, struct bh_buf *out)
{
	bh_buf_addstr(out, s->log_allowed ? "true" : "false");
}

static void say_owner(const struct service *s, struct bh_buf *out)
{
	bh_buf_addstr(out, s->owner ? s->owner : "nobody");
}

static void say_scope(const struct service *s, struct bh_buf *out)
{
	bh_buf_addstr(out, s->scope ? s->scope : "none");
}

static int label_cmp(const void *a, const void *b)
{
	return strcmp(((const struct label *)a)->key, ((const struct label *)b)->key);
}

static void say_labels(const struct selector *s, struct bh_buf *out)
{
	bh_autofree struct label *l = calloc(s->n_labels + 1, sizeof(*l));

	if (!l) {
		out->error = -ENOMEM;
		return;
	}
	for (size_t i = 0; i < s->n_labels; i++)
		l[i] = s->labels[i];
	qsort(l, s->n_labels, sizeof(*l), label_cmp);
	for (size_t i = 0; i < s->n_labels; i++)
		bh_buf_addf(out, "%s%s=%s", i ? ", " : "labels ", l[i].key, l[i].value);
}

static void say_select(const struct service *s, struct bh_buf *out)
{
	const struct {
		const char *key, *value;
	} lines[] = {
		{ "compose", s->select.compose },
		{ "name", s->select.name },
		{ "image", s->select.image },
		{ "runtime", s->select.runtime },
	};

	say_labels(&s->select, out);
	for (size_t i = 0; i < BH_ARRAY_SIZE(lines); i++)
		if (lines[i].value)
			bh_buf_addf(out, "%s%s %s", out->len ? ", " : "", lines[i].key,
				    lines[i].value);
}

static void say_raw_sockets(const struct service *s, struct bh_buf *out)
{
	bh_buf_addstr(out, s->denies_raw ? "deny" : "keep");
}

static const struct {
	const char *key;
	void (*say)(const struct service *s, struct bh_buf *out);
} settings[] = {
	{ "select", say_select },
	{ "mode", say_mode },
	{ "on-deny", say_on_deny },
	{ "scope", say_scope },
	{ "owner", say_owner },
	{ "log denied", say_log_denied },
	{ "log allowed", say_log_allowed },
	{ "raw-sockets", say_raw_sockets },
};

static int compare_settings(struct namer *n, const struct service *before,
			    const struct service *after)
{
	struct bh_buf a, b;
	int r = 0;

	bh_buf_init(&a, 1 << 22);
	bh_buf_init(&b, 1 << 22);
	for (size_t i = 0; r >= 0 && i < BH_ARRAY_SIZE(settings); i++) {
		bh_buf_reset(&a);
		bh_buf_reset(&b);
		settings[i].say(before, &a);
		settings[i].say(after, &b);
		if (bh_buf_error(&a) || bh_buf_error(&b))
			r = -ENOMEM;
		else if (strcmp(bh_buf_str(&a), bh_buf_str(&b)) != 0)
			r = add(n, "service", after->name,
				bh_arena_printf(n->arena, "%s: %s, before: %s", settings[i].key,
						bh_buf_str(&b), bh_buf_str(&a)),
				&before->loc, &after->loc);
	}
	bh_buf_done(&a);
	bh_buf_done(&b);
	return r;
}

/* --- what is there and what is not -------------------------------------------------------------- */

/* Namespaces by labels that only a host knows, and ports by names that only containers have. */
static bool is_not_compared(const struct rule *r)
{
	for (size_t i = 0; i < r->n_peers; i++)
		if (r->peers[i].pods && !standin_fits_pods(r->peers[i].pods))
			return true;
	return r->n_named > 0;
}

static bool has_more(const struct service *s)
{
	for (unsigned d = 0; d < DIRECTIONS; d++)
		for (size_t i = 0; i < s->n_rules[d]; i++)
			if (is_not_compared(&s->rules[d][i]))
				return true;
	return false;
}

static bool selects_other_pods(const struct service *a, const struct service *b)
{
	const struct pods *x = a->select.pods, *y = b->select.pods;

	return x && y ? pods_cmp(x, y) != 0 : x != y;
}

static int compare_both(struct namer *n, const struct service *before, const struct service *after)
{
	int r = compare_settings(n, before, after);

	if (r >= 0 && selects_other_pods(before, after))
		r = add(n, "service", after->name, "selects other pods", &before->loc, &after->loc);

	if (r < 0 || (!has_more(before) && !has_more(after)))
		return r;
	return add(
		n, "service", after->name,
		"is worded otherwise, and what it says of namespaces by their labels and of ports "
		"by their names is not compared",
		&before->loc, &after->loc);
}

static int compare_service(struct namer *n, const struct policy_change *c)
{
	const struct service *before = policy_set_service(n->sets[0], c->name);
	const struct service *after = policy_set_service(n->sets[1], c->name);

	if (before && after)
		return compare_both(n, before, after);
	if (after)
		return add(n, "service", c->name,
			   bh_arena_printf(n->arena, "is new, mode %s", mode_name(after->mode)),
			   NULL, &after->loc);
	return add(n, "service", c->name, "is gone: what it held is held no longer by it", &c->loc,
		   NULL);
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool asks_the_same(const struct scope *a, const struct scope *b)
{
	return memcmp(a->require, b->require, sizeof(a->require)) == 0 &&
	       a->review_days == b->review_days && same_text(a->framework, b->framework);
}

static int compare_scope(struct namer *n, const struct policy_change *c)
{
	const struct scope *before = policy_set_scope(n->sets[0], c->name);
	const struct scope *after = policy_set_scope(n->sets[1], c->name);

	if (before && after && asks_the_same(before, after))
		return 0;
	return add(n, "scope", c->name,
		   !before  ? "is new"
		   : !after ? "is gone"
			    : "asks for something else",
		   before ? &before->loc : NULL, after ? &after->loc : NULL);
}

static const struct guardrail *find_guardrail(const struct policy_set *p, const char *name)
{
	for (size_t i = 0; i < p->n_guardrails; i++)
		if (strcmp(p->guardrails[i].name, name) == 0)
			return &p->guardrails[i];
	return NULL;
}

static bool same_outside(const struct bh_vec *a, const struct bh_vec *b)
{
	const struct outside_flow *x = a->data, *y = b->data;

	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (bh_addr_cmp(&x[i].range.lo, &y[i].range.lo) != 0 ||
		    bh_addr_cmp(&x[i].range.hi, &y[i].range.hi) != 0 ||
		    !pieces_equal(&x[i].pieces, &y[i].pieces))
			return false;
	return true;
}

/* 1: guardrails deny the same to PARTY, 0: they do not. */
static int denied_alike(const struct namer *n, uint32_t party)
{
	int r = 1;

	for (unsigned d = 0; r > 0 && d < DIRECTIONS; d++) {
		struct bh_vec v[2] = { 0 };
		int q = flowmap_guarded(&n->maps[0], (enum direction)d, party, &v[0]);

		if (q >= 0)
			q = flowmap_guarded(&n->maps[1], (enum direction)d, party, &v[1]);
		r = q < 0 ? q : same_outside(&v[0], &v[1]);
		outside_done(&v[0]);
		outside_done(&v[1]);
	}
	return r;
}

/* A guardrail that was worded anew is another one only if it denies something else to somebody. */
static int denies_the_same(const struct namer *n)
{
	int r = 1;

	for (uint32_t i = 0; r > 0 && i < n->maps[0].cast->n; i++)
		if (n->maps[0].ruleset_of[i] && n->maps[1].ruleset_of[i])
			r = denied_alike(n, i);
	return r;
}

static int compare_guardrail(struct namer *n, const struct policy_change *c)
{
	const struct guardrail *before = find_guardrail(n->sets[0], c->name);
	const struct guardrail *after = find_guardrail(n->sets[1], c->name);
	int r = before && after ? denies_the_same(n) : 0;

	if (r)
		return r < 0 ? r : 0;
	return add(n, "guardrail", c->name,
		   !before  ? "is new"
		   : !after ? "is gone"
			    : "denies something else",
		   before ? &before->loc : NULL, after ? &after->loc : NULL);
}

static int compare_one(struct namer *n, const struct policy_change *c)
{
	switch (c->kind) {
	case POLICY_SERVICE:
		return compare_service(n, c);
	case POLICY_SCOPE:
		return compare_scope(n, c);
	case POLICY_GUARDRAIL:
		return compare_guardrail(n, c);
	case POLICY_GROUP: /* what it opens and closes is told */
		break;
	}
	return 0;
}

int named_changes(const struct policy_set *before, const struct policy_set *after,
		  const struct flowmap maps[2], struct bh_arena *arena,
		  const struct named_change **ret, size_t *ret_n, struct bh_err *err)
{
	struct namer n = { .sets = { before, after }, .maps = maps, .arena = arena };
	bh_autofree struct policy_change *changes = NULL;
	size_t count = 0;
	int r = policy_changes(before, after, &changes, &count, err);

	bh_vec_init(&n.out, sizeof(struct named_change), BH_RANGES_MAX);
	for (size_t i = 0; r >= 0 && i < count; i++)
		r = compare_one(&n, &changes[i]);
	*ret = r >= 0 ? bh_arena_memdup(arena, n.out.data, n.out.n * sizeof(**ret)) : NULL;
	*ret_n = n.out.n;
	if (r >= 0 && n.out.n && !*ret)
		r = -ENOMEM;
	bh_vec_done(&n.out);
	return r;
}
