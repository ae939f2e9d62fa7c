/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

/* The text itself, and at most so much beside it for each node. */
#define BYTES_MAX (2 * BH_POLICY_FILE_BYTES_MAX + 64 * BH_YAML_NODES_MAX)

/* F: whose value, or an entry of it, N is; S: what N, or each entry of it, is read by. Or NULL. */
static int put(struct bh_buf *b, const struct node *n, const struct field *f,
	       const struct schema *s);

static int key_cmp(const void *a, const void *b)
{
	const struct node *x = *(const struct node *const *)a, *y = *(const struct node *const *)b;

	return strcmp(x->key->text, y->key->text);
}

/* Keys have no order. */
static int put_map(struct bh_buf *b, const struct node *n, const struct schema *s)
{
	bh_autofree const struct node **values = calloc(n->n + 1, sizeof(struct node *));
	size_t i = 0;
	int r = values ? 0 : -ENOMEM;

	if (r < 0)
		return r;
	for (const struct node *c = n->first; c && i < n->n; c = c->next)
		values[i++] = c;
	qsort(values, i, sizeof(struct node *), key_cmp);
	for (size_t k = 0; r >= 0 && k < i; k++) {
		const struct field *f = schema_field(s, values[k]->key->text);

		r = put(b, values[k]->key, NULL, NULL);
		if (r >= 0)
			r = put(b, values[k], f, f ? f->of : NULL);
	}
	return r;
}

/* A text that has several spellings means the same in all of them, with quotes and without. */
static int put_text(struct bh_buf *b, const struct node *n, const struct field *f)
{
	char out[CANON_MAX];
	const char *canon = f && f->canon ? f->canon(out, n->text) : NULL;
	const char *text = canon ? canon : n->text;

	bh_buf_addf(b, "%c%zu:", n->plain || canon ? 'p' : 'q', strlen(text));
	return bh_buf_addstr(b, text);
}

/* Kinds and lengths stand before what they are of, so that no two trees are written alike. */
static int put(struct bh_buf *b, const struct node *n, const struct field *f,
	       const struct schema *s)
{
	int r;

	switch (n->kind) {
	case NODE_TEXT:
		return put_text(b, n, f);
	case NODE_LIST:
		r = bh_buf_addf(b, "l%zu:", n->n);
		for (const struct node *c = n->first; r >= 0 && c; c = c->next)
			r = put(b, c, f, s);
		return r;
	case NODE_MAP:
		r = bh_buf_addf(b, "m%zu:", n->n);
		return r < 0 ? r : put_map(b, n, s);
	case NODE_BAD:
		break;
	}
	return bh_buf_addstr(b, "b"); /* the set is not valid */
}

int meaning_of(const struct node *root, const struct schema *s, struct meaning *ret)
{
	struct bh_buf b;
	int r;

	bh_buf_init(&b, BYTES_MAX);
	r = put(&b, root, NULL, s);
	if (r >= 0)
		digest_bytes(b.data, b.len, ret->digest);
	bh_buf_done(&b);
	return r < 0 ? -ENOMEM : 0;
}
