/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "edit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

/*
 * Each edit becomes splices: bytes of the old text that go, and bytes that come in their place. Those
 * at one place are put in from the inside out.
 */
enum depth { DEPTH_PORT, DEPTH_RULE, DEPTH_KEY };

struct splice {
	size_t at, cut;
	bool is_line; /* whole lines: begins one */
	enum depth depth;
	size_t edit; /* index */
	struct bh_buf text;
};

struct editing {
	struct edit_tree tree;
	struct policy_edit *const *edits;
	size_t n;
	const char *fill;
	struct bh_vec splices;
	const struct service *found; /* whose document the tree has */
};

/* --- splices --------------------------------------------------------------------------------- */

static struct splice *add_splice(struct editing *x, size_t i, enum depth depth, size_t at)
{
	struct splice *s = bh_vec_push(&x->splices);

	if (!s)
		return NULL;
	s->at = at;
	s->depth = depth;
	s->edit = i;
	bh_buf_init(&s->text, BH_POLICY_FILE_BYTES_MAX);
	return s;
}

static int trouble(const struct editing *x, size_t i, const char *what, const yaml_node_t *n)
{
	x->edits[i]->trouble = what;
	x->edits[i]->trouble_line =
		n ? (unsigned)n->start_mark.line + 1 : x->edits[i]->service->loc.line;
	return 0;
}

static const char crowded[] = "something else stands on the line";

/* A splice of whole lines behind the line that NODE ends on; NULL: trouble, or -ENOMEM in *RET_R. */
static struct splice *line_behind(struct editing *x, size_t i, enum depth depth,
				  const yaml_node_t *node, int *ret_r)
{
	struct splice *s;
	size_t at;

	*ret_r = 0;
	if (!edit_tree_next_line(&x->tree, edit_tree_end(&x->tree, node), &at)) {
		trouble(x, i, crowded, node);
		return NULL;
	}
	s = add_splice(x, i, depth, at);
	if (s)
		s->is_line = true;
	else
		*ret_r = -ENOMEM;
	return s;
}

/* --- ports ----------------------------------------------------------------------------------- */

static yaml_node_t *find_rule(struct editing *x, const struct policy_edit *e)
{
	yaml_node_t *list = edit_tree_value(&x->tree, edit_tree_root(&x->tree),
					    direction_name(e->direction), NULL);
	const yaml_node_item_t *i;

	if (!list || list->type != YAML_SEQUENCE_NODE)
		return NULL;
	for (i = list->data.sequence.items.start; i < list->data.sequence.items.top; i++) {
		yaml_node_t *rule = edit_tree_node(&x->tree, *i);

		if (rule && edit_node_at(rule, &e->rule->loc))
			return rule;
	}
	return NULL;
}

static int ports_in_flow(struct editing *x, size_t i, const yaml_node_t *last)
{
	struct splice *s = add_splice(x, i, DEPTH_PORT, edit_tree_end(&x->tree, last));
	const struct policy_edit *e = x->edits[i];

	if (!s)
		return -ENOMEM;
	for (size_t k = 0; k < e->n_ports; k++) {
		bh_buf_addstr(&s->text, ", ");
		edit_put_port(&s->text, &e->ports[k]);
	}
	return 0;
}

static int ports_in_lines(struct editing *x, size_t i, const yaml_node_t *list,
			  const yaml_node_t *last)
{
	const struct policy_edit *e = x->edits[i];
	struct splice *s;
	int r;

	if (!edit_tree_is_first(&x->tree, edit_tree_begin(&x->tree, list)))
		return trouble(x, i, crowded, list);
	s = line_behind(x, i, DEPTH_PORT, last, &r);
	for (size_t k = 0; s && k < e->n_ports; k++) {
		bh_buf_addf(&s->text, "%*s- ", (int)list->start_mark.column, "");
		edit_put_port(&s->text, &e->ports[k]);
		bh_buf_addstr(&s->text, edit_tree_eol(&x->tree));
	}
	return r;
}

static int edit_ports(struct editing *x, size_t i)
{
	yaml_node_t *rule = find_rule(x, x->edits[i]);
	yaml_node_t *list = edit_tree_value(&x->tree, rule, "ports", NULL);
	const yaml_node_t *last = NULL;

	if (list && list->type == YAML_SEQUENCE_NODE)
		last = edit_tree_last(&x->tree, list);
	if (!last)
		return trouble(x, i, "its ports: is not where it was read", rule);
	return edit_is_flow(list) ? ports_in_flow(x, i, last) : ports_in_lines(x, i, list, last);
}

/* --- keys ------------------------------------------------------------------------------------ */

/* A key of the service itself, behind the value AFTER; its text is up to the caller. */
static struct splice *key_behind(struct editing *x, size_t i, const yaml_node_t *after, int *ret_r)
{
	yaml_node_t *root = edit_tree_root(&x->tree);
	struct splice *s;

	*ret_r = 0;
	if (edit_is_flow(root)) {
		s = add_splice(x, i, DEPTH_KEY, edit_tree_end(&x->tree, after));
		*ret_r = s ? 0 : -ENOMEM;
		if (s)
			bh_buf_addstr(&s->text, ", ");
		return s;
	}
	if (!edit_tree_is_first(&x->tree, edit_tree_begin(&x->tree, root))) {
		trouble(x, i, crowded, root);
		return NULL;
	}
	s = line_behind(x, i, DEPTH_KEY, after, ret_r);
	if (s)
		bh_buf_addf(&s->text, "%*s", (int)root->start_mark.column, "");
	return s;
}

static int edit_word(struct editing *x, size_t i, const yaml_node_t *after, const char *text)
{
	int r;
	struct splice *s = key_behind(x, i, after, &r);

	if (!s)
		return r;
	bh_buf_addstr(&s->text, text);
	bh_buf_addstr(&s->text, s->is_line ? edit_tree_eol(&x->tree) : "");
	return 0;
}

static int edit_dns(struct editing *x, size_t i)
{
	yaml_node_t *root = edit_tree_root(&x->tree);
	const yaml_node_t *value = edit_tree_value(&x->tree, root, "dns", NULL);
	struct splice *s;

	if (!value)
		return edit_word(x, i, edit_tree_last(&x->tree, root), "dns: allow");
	s = add_splice(x, i, DEPTH_PORT, edit_tree_begin(&x->tree, value));
	if (!s)
		return -ENOMEM;
	s->cut = edit_tree_end(&x->tree, value) - s->at;
	bh_buf_addstr(&s->text, "allow");
	return 0;
}

/* --- rules ----------------------------------------------------------------------------------- */

static bool same_list(const struct policy_edit *a, const struct policy_edit *b)
{
	return a->kind == POLICY_EDIT_RULE && b->kind == POLICY_EDIT_RULE &&
	       a->service == b->service && a->direction == b->direction;
}

/* The first of the rules that go to one list makes room for all. */
static bool is_first(const struct editing *x, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (same_list(x->edits[k], x->edits[i]))
			return false;
	return true;
}

/* As the lists that are there are indented; two spaces where there is none. */
static unsigned list_indent(struct editing *x)
{
	yaml_node_t *root = edit_tree_root(&x->tree);

	for (int d = 0; d < DIRECTIONS; d++) {
		const yaml_node_t *list =
			edit_tree_value(&x->tree, root, direction_name((enum direction)d), NULL);

		if (list && list->type == YAML_SEQUENCE_NODE && !edit_is_flow(list))
			return (unsigned)list->start_mark.column;
	}
	return (unsigned)root->start_mark.column + 2;
}

static struct edit_style style_of(struct editing *x, const yaml_node_t *list)
{
	struct edit_style s = { .dash = 2, .eol = edit_tree_eol(&x->tree), .fill = x->fill };
	const yaml_node_t *last = list ? edit_tree_last(&x->tree, list) : NULL;

	s.indent = last ? (unsigned)list->start_mark.column : list_indent(x);
	if (last && !edit_is_flow(last) && last->start_mark.column > list->start_mark.column + 1)
		s.dash = (unsigned)(last->start_mark.column - list->start_mark.column);
	return s;
}

/* One more item of a list that has lines of its own. */
static int rule_in_lines(struct editing *x, size_t i, const yaml_node_t *list)
{
	const struct edit_style style = style_of(x, list);
	struct splice *s;
	int r;

	if (!edit_tree_is_first(&x->tree, edit_tree_begin(&x->tree, list)))
		return trouble(x, i, crowded, list);
	s = line_behind(x, i, DEPTH_RULE, list, &r);
	if (s)
		edit_put_rule(&s->text, x->edits[i], &style);
	return r;
}

static int rule_in_flow(struct editing *x, size_t i, const yaml_node_t *last)
{
	struct splice *s = add_splice(x, i, DEPTH_RULE, edit_tree_end(&x->tree, last));

	if (!s)
		return -ENOMEM;
	bh_buf_addstr(&s->text, ", ");
	edit_put_flow_rule(&s->text, x->edits[i], x->fill);
	return 0;
}

/* All that go to the list of the I-th, within brackets. */
static void put_all_in_flow(struct editing *x, size_t i, struct bh_buf *out)
{
	bool first = true;

	bh_buf_addstr(out, "[");
	for (size_t k = i; k < x->n; k++) {
		if (!same_list(x->edits[k], x->edits[i]))
			continue;
		bh_buf_addstr(out, first ? "" : ", ");
		edit_put_flow_rule(out, x->edits[k], x->fill);
		first = false;
	}
	bh_buf_addstr(out, "]");
}

/* Where there is no list, or an empty one, in a service that is written as {...}. */
static int list_in_flow(struct editing *x, size_t i, const yaml_node_t *empty)
{
	const yaml_node_t *last = edit_tree_last(&x->tree, edit_tree_root(&x->tree));
	struct splice *s;
	size_t at = edit_tree_end(&x->tree, empty ? empty : last);

	if (empty)
		at = edit_tree_begin(&x->tree, empty);
	s = add_splice(x, i, DEPTH_KEY, at);
	if (!s)
		return -ENOMEM;
	if (!is_first(x, i))
		return 0; /* the first has put in all of them */
	if (empty)
		s->cut = edit_tree_end(&x->tree, empty) - at;
	else
		bh_buf_addf(&s->text, ", %s: ", direction_name(x->edits[i]->direction));
	put_all_in_flow(x, i, &s->text);
	return 0;
}

/* "ingress: []" becomes "ingress:", and the rules follow on lines of their own. */
static int take_brackets(struct editing *x, size_t i, const yaml_node_t *list)
{
	size_t begin = edit_tree_begin(&x->tree, list), end = edit_tree_end(&x->tree, list);
	struct splice *s;

	if (memchr(x->tree.text + begin, '\n', end - begin))
		return trouble(x, i, "the empty list is more than [] on one line", list);
	while (begin && x->tree.text[begin - 1] == ' ')
		begin--;
	if (!begin || x->tree.text[begin - 1] != ':')
		return trouble(x, i, "the empty list does not stand beside its key", list);
	s = add_splice(x, i, DEPTH_PORT, begin);
	if (!s)
		return -ENOMEM;
	s->cut = end - begin;
	return 0;
}

static int rule_after_brackets(struct editing *x, size_t i, const yaml_node_t *list)
{
	const struct edit_style style = style_of(x, NULL);
	struct splice *s;
	int r = is_first(x, i) ? take_brackets(x, i, list) : 0;

	if (r < 0 || x->edits[i]->trouble)
		return r;
	s = line_behind(x, i, DEPTH_RULE, list, &r);
	if (s)
		edit_put_rule(&s->text, x->edits[i], &style);
	return r;
}

static int rule_with_key(struct editing *x, size_t i)
{
	const struct edit_style style = style_of(x, NULL);
	int r;
	struct splice *s = key_behind(x, i, edit_tree_last(&x->tree, edit_tree_root(&x->tree)), &r);

	if (!s)
		return r;
	bh_buf_reset(&s->text);
	if (is_first(x, i))
		bh_buf_addf(&s->text, "%*s%s:%s", (int)edit_tree_root(&x->tree)->start_mark.column,
			    "", direction_name(x->edits[i]->direction), style.eol);
	edit_put_rule(&s->text, x->edits[i], &style);
	return 0;
}

static int edit_rule(struct editing *x, size_t i)
{
	yaml_node_t *root = edit_tree_root(&x->tree);
	const yaml_node_t *list =
		edit_tree_value(&x->tree, root, direction_name(x->edits[i]->direction), NULL);
	const yaml_node_t *last = list ? edit_tree_last(&x->tree, list) : NULL;

	if (list && list->type != YAML_SEQUENCE_NODE)
		return trouble(x, i, "it is no list", list);
	if (last)
		return edit_is_flow(list) ? rule_in_flow(x, i, last) : rule_in_lines(x, i, list);
	if (edit_is_flow(root))
		return list_in_flow(x, i, list);
	return list ? rule_after_brackets(x, i, list) : rule_with_key(x, i);
}

/* --- all together ---------------------------------------------------------------------------- */

static int edit_owner(struct editing *x, size_t i)
{
	const yaml_node_t *name =
		edit_tree_value(&x->tree, edit_tree_root(&x->tree), "service", NULL);
	char text[32];

	snprintf(text, sizeof(text), "owner: %s", x->fill ? "tried" : POLICY_PLACEHOLDER);
	return edit_word(x, i, name, text);
}

static int plan_edit(struct editing *x, size_t i)
{
	static int (*const plans[])(struct editing * x, size_t i) = {
		[POLICY_EDIT_PORTS] = edit_ports,
		[POLICY_EDIT_RULE] = edit_rule,
		[POLICY_EDIT_DNS] = edit_dns,
		[POLICY_EDIT_OWNER] = edit_owner,
	};
	struct policy_edit *e = x->edits[i];
	int r = e->service == x->found ? 0 : edit_tree_find(&x->tree, &e->service->loc);

	x->found = r < 0 ? NULL : e->service;
	e->line = e->n_lines = e->trouble_line = 0;
	e->trouble = NULL;
	if (r == -ENOENT)
		return trouble(x, i, "the service is not where it was read", NULL);
	return r < 0 ? r : plans[e->kind](x, i);
}

static int compare(const void *a, const void *b)
{
	const struct splice *s = a, *t = b;

	if (s->at != t->at)
		return s->at < t->at ? -1 : 1;
	if (s->depth != t->depth)
		return s->depth < t->depth ? -1 : 1;
	return s->edit < t->edit ? -1 : s->edit > t->edit;
}

static unsigned count_lines(const char *s, size_t len)
{
	unsigned n = 0;

	for (size_t i = 0; i < len; i++)
		n += s[i] == '\n';
	return n;
}

/* Put together the new text, and tell each edit where it came to stand. */
static int assemble(struct editing *x, struct bh_buf *out)
{
	struct splice *s = x->splices.data;
	size_t from = 0, counted = out->len;
	unsigned line = 1;
	int r = 0;

	for (size_t i = 0; i < x->splices.n; i++) {
		struct policy_edit *e = x->edits[s[i].edit];

		bh_buf_add(out, x->tree.text + from, s[i].at - from);
		if (s[i].is_line && out->len && out->data[out->len - 1] != '\n')
			bh_buf_addstr(out, edit_tree_eol(&x->tree));
		r = bh_buf_error(out) < 0 ? bh_buf_error(out) : bh_buf_error(&s[i].text);
		if (r < 0)
			return r;
		line += count_lines(bh_buf_str(out) + counted, out->len - counted);
		counted = out->len;
		if (!e->line || s[i].is_line) {
			e->line = line;
			e->n_lines = s[i].is_line
					     ? count_lines(bh_buf_str(&s[i].text), s[i].text.len)
					     : 1;
		}
		bh_buf_addstr(out, bh_buf_str(&s[i].text));
		from = s[i].at + s[i].cut;
	}
	bh_buf_add(out, x->tree.text + from, x->tree.len - from);
	return bh_buf_error(out);
}

static int run(struct editing *x, struct bh_buf *out)
{
	bool in_trouble = false;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < x->n; i++) {
		r = plan_edit(x, i);
		in_trouble |= x->edits[i]->trouble != NULL;
	}
	if (r < 0)
		return r;
	if (in_trouble)
		return -ENOTSUP;
	if (x->splices.n)
		qsort(x->splices.data, x->splices.n, sizeof(struct splice), compare);
	return assemble(x, out);
}

static void done(struct editing *x)
{
	struct splice *s = x->splices.data;

	for (size_t i = 0; i < x->splices.n; i++)
		bh_buf_done(&s[i].text);
	bh_vec_done(&x->splices);
	edit_tree_close(&x->tree);
}

int policy_edit(const struct policy_source *src, struct policy_edit *const *edits, size_t n,
		const char *fill, struct bh_buf *out, struct bh_err *err)
{
	size_t mark = src->len >= 3 && memcmp(src->data, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
	struct editing x = { .edits = edits, .n = n, .fill = fill };
	int r = edit_tree_open(&x.tree, src->data + mark, src->len - mark);

	bh_vec_init(&x.splices, sizeof(struct splice), 2 * n + 1);
	bh_buf_add(out, src->data, mark);
	if (r >= 0)
		r = run(&x, out);
	done(&x);
	if (r == -ENOTSUP)
		return bh_err_set(err, r, "the text cannot be edited");
	if (r == -ENOMEM)
		return bh_err_oom(err);
	return r < 0 ? bh_err_set(err, r, "the edited text is too large") : 0;
}
