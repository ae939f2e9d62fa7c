/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "format.h"

#include <errno.h>

/*
 * A comment on a line of its own is about what comes next, unless it stands further right than that:
 * then it is the end of what came before. One behind something is about that.
 */

/* Where a value begins (with its key), or where it ends if that can be told. In order of the text. */
struct event {
	unsigned line, column;
	struct node *node;
	struct node *parent;
	struct event *parent_event; /* where PARENT begins; NULL: it is a root */
	size_t doc;
	bool begins;
};

struct attaching {
	struct formatted *f;
	struct bh_vec events; /* never grows once its pointers are taken */
};

static struct event *add_event(struct attaching *a, const struct event *e)
{
	struct event *new = bh_vec_push(&a->events);

	if (new)
		*new = *e;
	return new;
}

static size_t count_events(const struct node *n)
{
	size_t count = 0;

	for (const struct node *c = n->first; c; c = c->next)
		count += 2 + count_events(c);
	return count;
}

static bool is_first_of_line(const struct attaching *a, unsigned line)
{
	const struct event *e = a->events.data;

	return !a->events.n || e[a->events.n - 1].line != line;
}

static int add_note(struct attaching *a, struct node *n)
{
	unsigned line = n->key ? n->key->loc.line : n->loc.line;
	bool first = is_first_of_line(a, line);

	n->note = bh_arena_alloc(a->f->arena, sizeof(*n->note));
	if (!n->note)
		return -ENOMEM;
	n->note->blank = first && line > 1 && format_is_blank(a->f, line - 1);
	return 0;
}

static int add_events(struct attaching *a, struct node *parent, struct event *parent_event,
		      size_t doc)
{
	int r = 0;

	for (struct node *n = parent->first; r >= 0 && n; n = n->next) {
		const struct src_loc *at = n->key ? &n->key->loc : &n->loc;
		struct event e = { at->line, at->column, n, parent, parent_event, doc, true };
		struct event *begin;

		r = add_note(a, n);
		begin = add_event(a, &e);
		if (!begin)
			r = -ENOMEM;
		if (r >= 0)
			r = add_events(a, n, begin, doc);
		e.begins = false;
		e.line = n->end_line;
		e.column = n->end_column;
		if (r >= 0 && (n->flow || (n->kind == NODE_TEXT && !n->literal)) &&
		    !add_event(a, &e))
			r = -ENOMEM;
	}
	return r;
}

static int collect(struct attaching *a)
{
	struct node **roots = a->f->docs.data;
	size_t max = 1;
	int r = 0;

	for (size_t i = 0; i < a->f->docs.n; i++)
		max += count_events(roots[i]);
	/* At once, so that what is in it stays where it is. */
	bh_vec_init(&a->events, sizeof(struct event), max);
	a->events.data = calloc(max, sizeof(struct event));
	if (!a->events.data)
		return -ENOMEM;
	a->events.cap = max;
	for (size_t i = 0; r >= 0 && i < a->f->docs.n; i++) {
		r = add_note(a, roots[i]);
		if (r >= 0)
			r = add_events(a, roots[i], NULL, i);
	}
	return r;
}

/* --- places ------------------------------------------------------------------------------------ */

static void append(struct comments *list, struct comment *c)
{
	if (list->last)
		list->last->next = c;
	else
		list->first = c;
	list->last = c;
}

/* 1-based: of the dash, or of the keys. */
static unsigned block_column(const struct node *n)
{
	return n->kind == NODE_MAP && n->first ? n->first->key->loc.column : n->loc.column;
}

static bool is_behind(const struct node *n, const struct comment *c)
{
	return n->end_line > c->line || (n->end_line == c->line && n->end_column > c->column);
}

static bool has_part_between(const struct formatted *f, unsigned after, unsigned until)
{
	const unsigned *lines = f->parts.data;

	for (size_t i = 0; i < f->parts.n; i++)
		if (lines[i] > after && lines[i] <= until)
			return true;
	return false;
}

/* A collection that is not at its end yet: its node, and where it begins. */
struct open {
	struct node *node;
	struct event *event; /* NULL: a root */
};

static struct open around(struct attaching *a, const struct open *o)
{
	struct node **roots = a->f->docs.data;

	if (!o->event)
		return (struct open) { NULL, NULL };
	if (!o->event->parent_event)
		return (struct open) { roots[o->event->doc], NULL };
	return (struct open) { o->event->parent, o->event->parent_event };
}

/* The lists and mappings that LAST is in or is, from the inside out. */
static struct open innermost(struct attaching *a, struct event *last)
{
	struct open o = { last->node, last };

	return last->node->kind == NODE_TEXT ? around(a, &o) : o;
}

/* In [...] or {...}: in front of its next entry, or behind its last. */
static bool place_in_flow(struct attaching *a, struct event *last, struct event *next,
			  struct comment *c)
{
	for (struct open o = innermost(a, last); o.node; o = around(a, &o)) {
		if (!o.node->flow || !is_behind(o.node, c))
			continue;
		append(next && next->parent == o.node ? &next->node->note->head
						      : &o.node->note->foot,
		       c);
		return true;
	}
	return false;
}

/* A list whose dashes stand right below its key: what stands there is no part of it. */
static bool is_flush(struct attaching *a, const struct open *o)
{
	struct open outer = around(a, o);

	return outer.node && !outer.node->flow && block_column(outer.node) == block_column(o->node);
}

static void place_in_block(struct attaching *a, struct event *last, struct event *next,
			   struct comment *c)
{
	struct node **roots = a->f->docs.data;

	for (struct open o = innermost(a, last); o.node; o = around(a, &o)) {
		if (next && o.node == next->parent)
			break;
		if (o.node->flow || !o.node->first || is_flush(a, &o) ||
		    block_column(o.node) > c->column ||
		    (next && block_column(next->parent) >= c->column))
			continue;
		append(&o.node->note->foot, c);
		return;
	}
	append(next ? &next->node->note->head : &roots[last->doc]->note->foot, c);
}

/* LAST and NEXT: the events around the comment, NULL when there is none. */
static void place_line(struct attaching *a, struct event *last, struct event *next,
		       struct comment *c)
{
	if (last && next && last->doc != next->doc) {
		if (has_part_between(a->f, c->line, next->line))
			next = NULL;
		else
			last = NULL;
	}
	if (!last) /* then there is a next one: a text without values is no concern of ours */
		append(&next->node->note->head, c);
	else if (!place_in_flow(a, last, next, c))
		place_in_block(a, last, next, c);
}

/* Something stands before it on its line: it is about the last value there. */
static bool place_behind(struct attaching *a, struct event *last, struct event *next,
			 struct comment *c)
{
	struct note *note = last ? last->node->note : NULL;

	if (note && last->line == c->line && !note->tail)
		note->tail = c;
	else if (note && last->line == c->line && last->node->kind != NODE_TEXT)
		append(&note->foot, c);
	else if (next && !has_part_between(a->f, c->line, next->line)) /* a dash, a [, a --- */
		append(&next->node->note->head, c);
	else
		return false;
	return true;
}

static void place(struct attaching *a, struct event *last, struct event *next, struct comment *c)
{
	if (c->own_line || !place_behind(a, last, next, c))
		place_line(a, last, next, c);
}

int format_attach(struct formatted *f)
{
	struct attaching a = { .f = f };
	struct comment *comments = f->comments.data;
	struct event *events;
	size_t at = 0;
	int r = collect(&a);

	events = a.events.data;
	for (size_t i = 0; r >= 0 && a.events.n && i < f->comments.n; i++) {
		struct comment *c = &comments[i];
		size_t next;

		while (at < a.events.n &&
		       (events[at].line < c->line ||
			(events[at].line == c->line && events[at].column <= c->column)))
			at++;
		for (next = at; next < a.events.n && !events[next].begins;)
			next++;
		place(&a, at ? &events[at - 1] : NULL, next < a.events.n ? &events[next] : NULL, c);
	}
	bh_vec_done(&a.events);
	return r;
}
