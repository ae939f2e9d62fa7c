/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "k8s.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

/* LabelSelector: matchLabels and matchExpressions, all of which hold. */

struct selecting {
	struct bh_vec match; /* struct label_match */
};

static const char *copy(struct reader *rd, const char *s)
{
	return bh_arena_strdup(rd->arena, s);
}

static int add_line(struct selecting *s, const struct label_match *m)
{
	struct label_match *slot = bh_vec_push(&s->match);

	if (!slot)
		return -ENOMEM;
	*slot = *m;
	return 0;
}

/* --- matchLabels ------------------------------------------------------------------------------ */

static int add_label(struct reader *rd, const struct node *n, void *arg)
{
	const char **value = bh_arena_alloc(rd->arena, sizeof(*value));
	struct label_match m = { copy(rd, n->key->text), LABEL_IN, value, 1 };

	if (!value || !m.key)
		return -ENOMEM;
	*value = copy(rd, n->text);
	return *value ? add_line(arg, &m) : -ENOMEM;
}

static int read_match_labels(struct reader *rd, const struct field *f, const struct node *n,
			     void *out)
{
	return k8s_read_labels(rd, n, add_label, out);
}

/* --- matchExpressions ------------------------------------------------------------------------- */

struct expression {
	const char *key;
	int op; /* enum label_op, or -1 */
	const struct node *values;
	const char **v;
	size_t n;
};

static int read_key(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	const char *why = k8s_label_key_wrong(n->text);
	struct expression *e = out;

	if (!k8s_is_text(rd, n, "\"key\""))
		return 0;
	if (why) {
		mistake(rd, n, "bad-label", why, "bad label key \"%s\"", SHOWN(n->text));
		return 0;
	}
	e->key = copy(rd, n->text);
	return e->key ? 0 : -ENOMEM;
}

static const char *const op_words[] = { [LABEL_IN] = "In",
					[LABEL_NOT_IN] = "NotIn",
					[LABEL_EXISTS] = "Exists",
					[LABEL_DOES_NOT_EXIST] = "DoesNotExist",
					NULL };

static int read_value(struct reader *rd, const struct node *n, struct expression *e)
{
	const char *why;

	if (!k8s_is_text(rd, n, "an entry of values:"))
		return 0;
	why = k8s_label_value_wrong(n->text);
	if (why) {
		mistake(rd, n, "bad-label", why, "bad value \"%s\"", SHOWN(n->text));
		return 0;
	}
	e->v[e->n] = copy(rd, n->text);
	return e->v[e->n++] ? 0 : -ENOMEM;
}

static int read_values(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	struct expression *e = out;
	int r = 0;

	e->values = n;
	if (!node_fits(rd, n, BH_K8S_VALUES_MAX, "values"))
		return 0;
	e->v = bh_arena_array(rd->arena, n->n + 1, sizeof(*e->v));
	if (!e->v)
		return -ENOMEM;
	for (const struct node *c = n->first; r >= 0 && c; c = c->next)
		r = read_value(rd, c, e);
	return r;
}

static const struct field expression_fields[] = {
	{ .key = "key",
	  .takes = TAKES_TEXT,
	  .required = true,
	  .read = read_key,
	  .example = "key: app" },
	{ .key = "operator",
	  .takes = TAKES_TEXT,
	  .required = true,
	  .read = schema_read_word,
	  .offset = offsetof(struct expression, op),
	  .words = op_words,
	  .example = "operator: In" },
	{ .key = "values",
	  .takes = TAKES_LIST,
	  .read = read_values,
	  .example = "values: [web, api]" },
};

static const struct schema expression_schema =
	SCHEMA("an entry of matchExpressions", expression_fields,
	       "{key: app, operator: In, values: [web]}");

static void check_values(struct reader *rd, const struct node *n, const struct expression *e)
{
	static const char *const hints[] = {
		[LABEL_IN] = "add values: [...], or write operator: Exists",
		[LABEL_NOT_IN] = "add values: [...], or remove this entry",
	};
	bool needs = e->op == LABEL_IN || e->op == LABEL_NOT_IN;

	if (e->op < 0)
		return;
	if (needs && (!e->values || !e->values->n))
		mistake(rd, e->values ? e->values : n, "missing-values", hints[e->op],
			"operator %s needs at least one value", op_words[e->op]);
	if (!needs && e->values && e->values->n)
		mistake(rd, e->values, "values-without-use",
			"remove values:, or write operator: In", "operator %s takes no values",
			op_words[e->op]);
}

static int text_cmp(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void tidy_values(struct expression *e)
{
	size_t n = 0;

	if (e->n)
		qsort(e->v, e->n, sizeof(*e->v), text_cmp);
	for (size_t i = 0; i < e->n; i++)
		if (!n || strcmp(e->v[n - 1], e->v[i]) != 0)
			e->v[n++] = e->v[i];
	e->n = n;
}

static int read_expression(struct reader *rd, const struct node *n, struct selecting *s)
{
	struct expression e = { .op = -1 };
	int r = schema_read(rd, &expression_schema, n, &e);

	if (r < 0 || n->kind != NODE_MAP)
		return r;
	check_values(rd, n, &e);
	if (!e.key || e.op < 0)
		return 0;
	tidy_values(&e);
	return add_line(s, &(struct label_match) { e.key, (enum label_op)e.op, e.v, e.n });
}

static int read_match_expressions(struct reader *rd, const struct field *f, const struct node *n,
				  void *out)
{
	int r = 0;

	if (!node_fits(rd, n, BH_LABELS_MAX, "entries of matchExpressions"))
		return 0;
	for (const struct node *c = n->first; r >= 0 && c; c = c->next)
		r = read_expression(rd, c, out);
	return r;
}

/* --- the whole -------------------------------------------------------------------------------- */

static const struct field fields[] = {
	{ .key = "matchLabels",
	  .takes = TAKES_MAP,
	  .read = read_match_labels,
	  .example = "matchLabels: {app: web}" },
	{ .key = "matchExpressions",
	  .takes = TAKES_LIST,
	  .read = read_match_expressions,
	  .example = "matchExpressions: [{key: app, operator: Exists}]" },
};

static int match_cmp(const void *a, const void *b)
{
	const struct label_match *x = a, *y = b;
	int r = strcmp(x->key, y->key);

	r = r ? r : (int)x->op - (int)y->op;
	for (size_t i = 0; !r && i < x->n_values && i < y->n_values; i++)
		r = strcmp(x->values[i], y->values[i]);
	return r ? r : (x->n_values > y->n_values) - (x->n_values < y->n_values);
}

static int keep(struct reader *rd, struct bh_vec *v, struct label_query *ret)
{
	struct label_match *m = v->data, *out;
	size_t n = 0;

	if (v->n)
		qsort(m, v->n, sizeof(*m), match_cmp);
	for (size_t i = 0; i < v->n; i++)
		if (!n || match_cmp(&m[n - 1], &m[i]) != 0)
			m[n++] = m[i];
	out = bh_arena_memdup(rd->arena, m, n * sizeof(*m));
	*ret = (struct label_query) { out, n };
	return out ? 0 : -ENOMEM;
}

int k8s_read_selector(struct reader *rd, const struct node *n, const char *what,
		      struct label_query *ret)
{
	const struct schema schema = { what, fields, BH_ARRAY_SIZE(fields),
				       "{} to mean all, or {matchLabels: {app: web}}" };
	struct selecting s;
	int r;

	bh_vec_init(&s.match, sizeof(struct label_match), 2 * BH_LABELS_MAX);
	r = schema_read(rd, &schema, n, &s);
	if (r >= 0)
		r = keep(rd, &s.match, ret);
	bh_vec_done(&s.match);
	return r;
}

int k8s_find_exact(struct reader *rd, struct pods *p)
{
	struct label *l = bh_arena_array(rd->arena, p->labels.n + 1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	for (size_t i = 0; i < p->labels.n; i++) {
		const struct label_match *m = &p->labels.match[i];

		if (m->op == LABEL_IN && m->n_values == 1)
			l[p->n_exact++] = (struct label) { m->key, m->values[0] };
	}
	p->exact = l;
	return 0;
}
