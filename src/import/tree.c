/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "compose.h"

#include <errno.h>
#include <string.h>

#include <bulkhead/base/limits.h>

/*
 * libyaml makes an alias the node that it names and never copies, so what aliases multiply is only what
 * we look at: that is counted. An alias may even be part of what it names; nothing here goes down without
 * end, but for merge keys, whose depth is limited.
 */

static int syntax_error(struct tree *t, const yaml_parser_t *p)
{
	const struct src_loc loc = { t->file, (unsigned)p->problem_mark.line + 1,
				     (unsigned)p->problem_mark.column + 1 };

	if (p->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	diag_add(t->diags, DIAG_ERROR, &loc, "yaml-syntax", NULL, "not YAML: %s",
		 p->problem ? p->problem : "the text cannot be read");
	return -EINVAL;
}

static int load(struct tree *t, yaml_parser_t *p)
{
	yaml_document_t second;
	int r = 0;

	if (!yaml_parser_load(p, &t->doc))
		return syntax_error(t, p);
	if (!tree_root(t)) {
		const struct src_loc loc = { t->file, 0, 0 };

		diag_add(t->diags, DIAG_ERROR, &loc, "compose-empty", NULL, "the file is empty");
		r = -EINVAL;
	} else if (!yaml_parser_load(p, &second)) {
		r = syntax_error(t, p);
	} else {
		const yaml_node_t *root = yaml_document_get_root_node(&second);

		if (root) {
			tree_report(t, DIAG_ERROR, root, "compose-second", COMPOSE_CONFIG,
				    "a second document");
			r = -EINVAL;
		}
		yaml_document_delete(&second);
	}
	if (r < 0)
		yaml_document_delete(&t->doc);
	return r;
}

int tree_open(struct tree *t, const struct policy_source *src, struct bh_arena *arena,
	      struct diag_list *diags)
{
	yaml_parser_t p;
	int r;

	*t = (struct tree) { .file = src->name, .arena = arena, .diags = diags };
	if (src->len > BH_COMPOSE_BYTES_MAX) {
		const struct src_loc loc = { src->name, 0, 0 };

		diag_add(diags, DIAG_ERROR, &loc, "file-too-big", NULL, "larger than %u MiB",
			 BH_COMPOSE_BYTES_MAX >> 20);
		return -EINVAL;
	}
	if (!yaml_parser_initialize(&p))
		return -ENOMEM;
	yaml_parser_set_encoding(&p, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&p, (const unsigned char *)src->data, src->len);
	r = load(t, &p);
	yaml_parser_delete(&p);
	return r;
}

void tree_close(struct tree *t)
{
	yaml_document_delete(&t->doc);
}

const yaml_node_t *tree_root(struct tree *t)
{
	return yaml_document_get_root_node(&t->doc);
}

unsigned tree_line(const yaml_node_t *n)
{
	return (unsigned)n->start_mark.line + 1;
}

bool tree_is_null(const yaml_node_t *n)
{
	static const char *const words[] = { "", "~", "null", "Null", "NULL" };

	if (n->type != YAML_SCALAR_NODE || n->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		return false;
	for (size_t i = 0; i < BH_ARRAY_SIZE(words); i++)
		if (strcmp((const char *)n->data.scalar.value, words[i]) == 0)
			return true;
	return false;
}

const char *tree_text(struct tree *t, const yaml_node_t *n, const char *what)
{
	const char *s;

	if (n->type != YAML_SCALAR_NODE) {
		tree_report(t, DIAG_ERROR, n, "wrong-type", NULL, "%s takes text, not %s", what,
			    n->type == YAML_SEQUENCE_NODE ? "a list" : "a mapping");
		return NULL;
	}
	s = (const char *)n->data.scalar.value;
	if (strlen(s) == n->data.scalar.length && n->data.scalar.length <= BH_COMPOSE_TEXT_MAX)
		return s;
	tree_report(t, DIAG_ERROR, n, "not-text", NULL, "%s holds a NUL byte, or is longer than %u",
		    what, BH_COMPOSE_TEXT_MAX);
	return NULL;
}

/* --- collections -------------------------------------------------------------------------------- */

struct collecting {
	struct tree *t;
	struct bh_vec e; /* struct entry */
	const char *what;
};

/* Compose's own tags (!reset, !override) are about several files. */
static int check_tag(struct tree *t, const yaml_node_t *n)
{
	static const char core[] = "tag:yaml.org,2002:";

	if (!n->tag || strncmp((const char *)n->tag, core, sizeof(core) - 1) == 0)
		return 0;
	tree_report(t, DIAG_ERROR, n, "compose-tag", COMPOSE_CONFIG, "the tag %s",
		    SHOWN((const char *)n->tag));
	return -EINVAL;
}

static int add_entry(struct collecting *c, const struct entry *new)
{
	struct entry *slot;

	c->t->steps += 1 + c->e.n;
	if (c->e.n == BH_COMPOSE_ENTRIES_MAX || c->t->steps > BH_COMPOSE_STEPS_MAX) {
		tree_report(c->t, DIAG_ERROR, new->value, "compose-size", NULL,
			    "%s is too large here, or aliases make it so", c->what);
		return -EINVAL;
	}
	slot = bh_vec_push(&c->e);
	if (!slot)
		return -ENOMEM;
	*slot = *new;
	return check_tag(c->t, new->value);
}

static const struct entry *find(const struct collecting *c, const char *key)
{
	const struct entry *e = c->e.data;

	for (size_t i = 0; i < c->e.n; i++)
		if (strcmp(e[i].key, key) == 0)
			return &e[i];
	return NULL;
}

static bool is_merge(const yaml_node_t *key)
{
	return key->type == YAML_SCALAR_NODE && key->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	       strcmp((const char *)key->data.scalar.value, "<<") == 0;
}

/* Keys of its own come first; of what is merged only those that are new. OWN_FROM: of this mapping. */
static int add_pair(struct collecting *c, const yaml_node_t *key, const yaml_node_t *value,
		    bool merged, size_t own_from)
{
	const char *text = tree_text(c->t, key, "a key");
	const struct entry *known = text ? find(c, text) : NULL;

	if (!text)
		return -EINVAL;
	if (known && merged) {
		c->t->steps += c->e.n;
		return 0;
	}
	if (known && (size_t)(known - (struct entry *)c->e.data) >= own_from) {
		tree_report(c->t, DIAG_ERROR, key, "duplicate-key", NULL,
			    "duplicate key \"%s\", first on line %u", SHOWN(text),
			    tree_line(known->key_node));
		return -EINVAL;
	}
	return add_entry(c, &(struct entry) { text, key, value });
}

static int collect_map(struct collecting *c, const yaml_node_t *n, unsigned depth);

static int merge(struct collecting *c, const yaml_node_t *n, unsigned depth)
{
	int r = 0;

	if (depth > BH_COMPOSE_MERGE_DEPTH) {
		tree_report(c->t, DIAG_ERROR, n, "compose-size", NULL,
			    "merge keys (<<) are nested more than %u deep", BH_COMPOSE_MERGE_DEPTH);
		return -EINVAL;
	}
	if (n->type != YAML_SEQUENCE_NODE)
		return collect_map(c, n, depth);
	for (yaml_node_item_t *i = n->data.sequence.items.start;
	     r >= 0 && i < n->data.sequence.items.top; i++)
		r = collect_map(c, yaml_document_get_node(&c->t->doc, *i), depth);
	return r;
}

static int collect_map(struct collecting *c, const yaml_node_t *n, unsigned depth)
{
	size_t own_from = c->e.n;
	yaml_node_pair_t *p;
	int r = check_tag(c->t, n);

	if (n->type != YAML_MAPPING_NODE) {
		tree_report(c->t, DIAG_ERROR, n, "wrong-type", NULL, "%s takes a mapping", c->what);
		return -EINVAL;
	}
	for (int pass = 0; pass < 2; pass++)
		for (p = n->data.mapping.pairs.start; r >= 0 && p < n->data.mapping.pairs.top;
		     p++) {
			const yaml_node_t *key = yaml_document_get_node(&c->t->doc, p->key);
			const yaml_node_t *value = yaml_document_get_node(&c->t->doc, p->value);

			if (!pass && !is_merge(key))
				r = add_pair(c, key, value, depth > 0, own_from);
			else if (pass && is_merge(key))
				r = merge(c, value, depth + 1);
			if (r >= 0 && ++c->t->steps > BH_COMPOSE_STEPS_MAX)
				r = add_entry(c, &(struct entry) { "", key, value }); /* says so */
		}
	return r;
}

static int finish(struct collecting *c, int r, struct entries *ret)
{
	if (r >= 0) {
		ret->n = c->e.n;
		ret->e = bh_arena_memdup(c->t->arena, c->e.data, c->e.n * sizeof(struct entry));
		r = ret->e || !ret->n ? 0 : -ENOMEM;
	}
	bh_vec_done(&c->e);
	return r;
}

static void start(struct collecting *c, struct tree *t, const char *what)
{
	*c = (struct collecting) { .t = t, .what = what };
	bh_vec_init(&c->e, sizeof(struct entry), BH_COMPOSE_ENTRIES_MAX);
}

int tree_map(struct tree *t, const yaml_node_t *n, const char *what, struct entries *ret)
{
	struct collecting c;

	start(&c, t, what);
	return finish(&c, collect_map(&c, n, 0), ret);
}

int tree_list(struct tree *t, const yaml_node_t *n, const char *what, struct entries *ret)
{
	struct collecting c;
	int r = 0;

	if (n->type != YAML_SEQUENCE_NODE) {
		tree_report(t, DIAG_ERROR, n, "wrong-type", NULL, "%s takes a list", what);
		return -EINVAL;
	}
	start(&c, t, what);
	for (yaml_node_item_t *i = n->data.sequence.items.start;
	     r >= 0 && i < n->data.sequence.items.top; i++) {
		const yaml_node_t *item = yaml_document_get_node(&t->doc, *i);

		c.t->steps -= c.e.n; /* nothing is compared */
		r = add_entry(&c, &(struct entry) { NULL, item, item });
	}
	return finish(&c, r, ret);
}

int tree_names(struct tree *t, const yaml_node_t *n, const char *what, struct entries *ret)
{
	int r = n->type == YAML_MAPPING_NODE ? tree_map(t, n, what, ret)
					     : tree_list(t, n, what, ret);

	for (size_t i = 0; r >= 0 && i < ret->n; i++) {
		if (!ret->e[i].key)
			ret->e[i].key = tree_text(t, ret->e[i].value, what);
		if (!ret->e[i].key)
			r = -EINVAL;
	}
	return r;
}

const yaml_node_t *entries_find(const struct entries *e, const char *key)
{
	for (size_t i = 0; i < e->n; i++)
		if (strcmp(e->e[i].key, key) == 0)
			return e->e[i].value;
	return NULL;
}
