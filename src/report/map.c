/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/report/report.h>

#include "pictures.h"
#include "writers.h"

/* The service map: who may open what to whom, and who has tried what is denied. */

#define NAME_COLUMNS  20
#define LABEL_COLUMNS 18
#define LABELS_MAX    28 /* edges; with more, the ports are in the tables alone */
#define LABEL_COLUMN  7  /* of a character */
#define LABEL_HEIGHT  12
#define BOX_NAME      26 /* height of its line */
#define BOX_COLUMN    8
#define LEGEND        34
#define WIDTH_MIN     560

struct kind {
	const char *state, *class, *word;
};
/* In the order of the legend; drawn in that of `order`: what was denied lies on top. */
static const struct kind kinds[] = {
	{ "allowed", "", "may be opened" },
	{ "denied", "deny", "was tried and denied" },
	{ "one-sided", "half", "one end alone allows it: nothing passes" },
};
static const size_t order[] = { 2, 0, 1 };

struct rect {
	int x, y, width, height;
};

struct drawing {
	const json_t *map;
	struct layout layout;
	struct bh_buf *out, texts; /* labels: over all edges, under the nodes */
	unsigned *outs, *ins;      /* edges of each node, of those that are drawn */
	unsigned *used_outs, *used_ins;
	bool labels;
	struct rect placed[LABELS_MAX]; /* labels */
	size_t n_labels;
};

static size_t count(const json_t *map, const char *state)
{
	const json_t *e;
	size_t i, n = 0;

	json_array_foreach (fact(map, "edges"), i, e)
		n += fact_equals(e, "state", state);
	return n;
}

/* --- edges ------------------------------------------------------------------------------------ */

/* Where an edge meets a node: all of a side have places of their own. */
static int place(const struct spot *s, unsigned *used, unsigned all)
{
	return s->y + (int)(++*used) * NODE_HEIGHT / (int)(all + 1);
}

struct line {
	int x1, y1, x2, y2, bend1, bend2;
};

/* To the right it leaves on the right and comes in on the left; else it turns on one side. */
static struct line line_of(struct drawing *d, size_t from, size_t to)
{
	const struct spot *a = &d->layout.nodes[from], *b = &d->layout.nodes[to];
	struct line l = { .y1 = place(a, &d->used_outs[from], d->outs[from]),
			  .y2 = place(b, &d->used_ins[to], d->ins[to]) };
	bool right = b->x >= a->x + NODE_WIDTH, left = a->x >= b->x + NODE_WIDTH;
	int reach;

	l.x1 = left ? a->x : a->x + NODE_WIDTH;
	l.x2 = right ? b->x : b->x + NODE_WIDTH;
	reach = abs(l.x2 - l.x1) / 2;
	reach = right || left ? (reach < 30 ? 30 : reach) : 46;
	l.bend1 = l.x1 + (left ? -reach : reach);
	l.bend2 = l.x2 + (right ? -reach : reach);
	return l;
}

static void add_tip(struct drawing *d, const struct line *l, const char *class)
{
	int back = l->bend2 < l->x2 ? -8 : 8;

	bh_buf_addf(d->out, "<path class=\"tip %s\" d=\"M%d %dl%d -4v8z\"/>\n", class, l->x2, l->y2,
		    back);
}

/* A point of the curve, so many eighths of the way along. */
static int along(int a, int b, int c, int d, int t)
{
	int u = 8 - t;

	return (u * u * u * a + 3 * u * u * t * b + 3 * u * t * t * c + t * t * t * d) / 512;
}

/* How many columns the name of a box has room for. */
static unsigned name_columns(const struct box *at)
{
	return (unsigned)(at->width - 20) / BOX_COLUMN;
}

static int name_width(const struct drawing *d, size_t box)
{
	const struct box *at = &d->layout.boxes[box];
	size_t len = strlen(fact_text(json_array_get(fact(d->map, "boxes"), box), "title"));

	if (!at->width)
		return 0;
	return 12 + BOX_COLUMN * (int)(len < name_columns(at) ? len : name_columns(at));
}

static bool overlap(const struct rect *a, const struct rect *b)
{
	return a->x < b->x + b->width && b->x < a->x + a->width && a->y < b->y + b->height &&
	       b->y < a->y + a->height;
}

/* Neither another label lies there, nor a node, nor the name of a box. */
static bool is_free(const struct drawing *d, const struct rect *r)
{
	const struct layout *a = &d->layout;
	bool free = true;

	for (size_t i = 0; i < d->n_labels; i++)
		free = free && !overlap(r, &d->placed[i]);
	for (size_t i = 0; i < a->n_nodes; i++)
		free = free && !overlap(r, &(struct rect) { a->nodes[i].x, a->nodes[i].y,
							    NODE_WIDTH, NODE_HEIGHT });
	for (size_t i = 0; i < a->n_boxes; i++)
		free = free && !overlap(r, &(struct rect) { a->boxes[i].x, a->boxes[i].y,
							    name_width(d, i), BOX_NAME });
	return free;
}

/* Where there is room along the edge, the middle first; with no room in the middle. */
static struct rect place_label(struct drawing *d, const struct line *l, size_t columns)
{
	static const int places[] = { 4, 3, 5, 2, 6, 1, 7, 4 };
	struct rect r = { .width = (int)columns * LABEL_COLUMN, .height = LABEL_HEIGHT };

	for (size_t i = 0; i < BH_ARRAY_SIZE(places); i++) {
		r.x = along(l->x1, l->bend1, l->bend2, l->x2, places[i]) - r.width / 2;
		r.y = along(l->y1, l->y1, l->y2, l->y2, places[i]) + 3 - LABEL_HEIGHT;
		if (is_free(d, &r))
			break;
	}
	if (d->n_labels < BH_ARRAY_SIZE(d->placed))
		d->placed[d->n_labels++] = r;
	return r;
}

static void add_label(struct drawing *d, const struct line *l, const json_t *e, const char *class)
{
	size_t len = strlen(fact_text(e, "ports"));
	struct rect r = place_label(d, l, len < LABEL_COLUMNS ? len : LABEL_COLUMNS);

	bh_buf_addf(&d->texts, "<text class=\"label %s\" text-anchor=\"middle\" x=\"%d\" y=\"%d\">",
		    class, r.x + r.width / 2, r.y + r.height);
	picture_text(&d->texts, fact_text(e, "ports"), LABEL_COLUMNS);
	bh_buf_addstr(&d->texts, "</text>\n");
}

static const char *name_of(const struct drawing *d, size_t node)
{
	return fact_text(json_array_get(fact(d->map, "nodes"), node), "name");
}

static void add_curve(struct drawing *d, int x1, int y1, int x2, int y2)
{
	int reach = (x2 - x1) / 2;

	bh_buf_addf(d->out, "C%d %d %d %d %d %d", x1 + reach, y1, x2 - reach, y2, x2, y2);
}

/* By the gaps of OWNER in the columns between, to the right or back. L then is its last piece. */
static void add_path(struct drawing *d, size_t from, size_t to, size_t owner, struct line *l)
{
	const struct layout *a = &d->layout;
	int last = (int)a->nodes[to].column, first = (int)a->nodes[from].column;
	int step = last < first ? -1 : 1;

	bh_buf_addf(d->out, "M%d %d", l->x1, l->y1);
	for (int c = first + step; first != last && c != last; c += step) {
		int y = a->ways[owner * a->n_columns + (unsigned)c], width = a->widths[c];

		if (y < 0)
			continue;
		add_curve(d, l->x1, l->y1, a->columns[c] + (step < 0 ? width : 0), y);
		bh_buf_addf(d->out, "h%d", step * width);
		l->x1 = a->columns[c] + (step < 0 ? 0 : width);
		l->y1 = y;
	}
	if (first != last) {
		l->bend1 = l->bend2 = (l->x1 + l->x2) / 2;
		add_curve(d, l->x1, l->y1, l->x2, l->y2);
	} else {
		bh_buf_addf(d->out, "C%d %d %d %d %d %d", l->bend1, l->y1, l->bend2, l->y2, l->x2,
			    l->y2);
	}
}

static void add_edge(struct drawing *d, size_t number, const json_t *e, const struct kind *k)
{
	size_t from = (size_t)fact_number(e, "from"), to = (size_t)fact_number(e, "to");
	struct line l;

	if (from >= d->layout.n_nodes || to >= d->layout.n_nodes || from == to)
		return;
	l = line_of(d, from, to);
	bh_buf_addf(d->out, "<path class=\"edge %s\" d=\"", k->class);
	add_path(d, from, to, d->layout.owners[number], &l);
	bh_buf_addstr(d->out, "\"><title>");
	html_add(d->out, name_of(d, from));
	bh_buf_addstr(d->out, " to ");
	html_add(d->out, name_of(d, to));
	bh_buf_addf(d->out, " %s: ", k->word);
	html_add(d->out, fact_text(e, "ports"));
	bh_buf_addstr(d->out, "</title></path>\n");
	add_tip(d, &l, k->class);
	if (d->labels)
		add_label(d, &l, e, k->class);
}

/* --- nodes ------------------------------------------------------------------------------------ */

static void add_node(struct drawing *d, const json_t *n, const struct spot *s)
{
	bool service = fact_equals(n, "kind", "service");
	const char *mode = fact_text(n, "mode");

	bh_buf_addf(d->out, "<g><title>%s ", service ? "service" : "outside:");
	html_add(d->out, fact_text(n, "name"));
	if (mode[0])
		bh_buf_addstr(d->out, ", mode ");
	html_add(d->out, mode);
	bh_buf_addf(d->out,
		    "</title><rect class=\"node%s%s\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" "
		    "rx=\"%d\"/><text text-anchor=\"middle\" x=\"%d\" y=\"%d\">",
		    fact_is(n, "inside") ? " inside" : "", service ? "" : " outside", s->x, s->y,
		    NODE_WIDTH, NODE_HEIGHT, service ? 4 : NODE_HEIGHT / 2, s->x + NODE_WIDTH / 2,
		    s->y + 19);
	picture_text(d->out, fact_text(n, "name"), NAME_COLUMNS);
	bh_buf_addstr(d->out, "</text></g>\n");
}

static void add_boxes(struct drawing *d)
{
	for (size_t i = 0; i < d->layout.n_boxes; i++) {
		const struct box *at = &d->layout.boxes[i];

		if (!at->width)
			continue;
		bh_buf_addf(d->out,
			    "<rect class=\"box\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" "
			    "rx=\"10\"/>\n",
			    at->x, at->y, at->width, at->height);
	}
}

/* Over the edges, so that they can be read. */
static void add_box_names(struct drawing *d)
{
	const json_t *b;
	size_t i;

	json_array_foreach (fact(d->map, "boxes"), i, b) {
		const struct box *at = &d->layout.boxes[i];

		if (!at->width)
			continue;
		bh_buf_addf(d->out, "<text class=\"boxname\" x=\"%d\" y=\"%d\">", at->x + 12,
			    at->y + 19);
		picture_text(d->out, fact_text(b, "title"), name_columns(at));
		bh_buf_addstr(d->out, "</text>\n");
	}
}

/* --- all of it -------------------------------------------------------------------------------- */

static void add_legend(struct drawing *d, int y)
{
	int x = 24;

	for (size_t i = 0; i < BH_ARRAY_SIZE(kinds); i++) {
		const struct kind *k = &kinds[i];

		if (!count(d->map, k->state))
			continue;
		bh_buf_addf(d->out,
			    "<path class=\"edge %s\" d=\"M%d %dh34\"/><path class=\"tip %s\" "
			    "d=\"M%d %dl-8 -4v8z\"/><text class=\"small soft\" x=\"%d\" "
			    "y=\"%d\">%s</text>\n",
			    k->class, x, y, k->class, x + 38, y, x + 46, y + 4, k->word);
		x += 66 + 6 * (int)strlen(k->word);
	}
}

static void count_edges(struct drawing *d)
{
	const json_t *e;
	size_t i;

	json_array_foreach (fact(d->map, "edges"), i, e) {
		size_t from = (size_t)fact_number(e, "from"), to = (size_t)fact_number(e, "to");

		if (from >= d->layout.n_nodes || to >= d->layout.n_nodes || from == to)
			continue;
		d->outs[from]++;
		d->ins[to]++;
	}
}

static void draw(struct drawing *d)
{
	const json_t *e, *n;
	size_t i;
	char desc[256];
	int width = d->layout.width < WIDTH_MIN ? WIDTH_MIN : d->layout.width;

	snprintf(desc, sizeof(desc),
		 "Services and outside ends: %zu; connections that may be opened: %zu; that were "
		 "tried and denied: %zu. The tables say the same in words.",
		 d->layout.n_nodes, count(d->map, "allowed"), count(d->map, "denied"));
	picture_begin(d->out, "map", width, d->layout.height + LEGEND, "Service map", desc);
	add_boxes(d);
	count_edges(d);
	for (size_t k = 0; k < BH_ARRAY_SIZE(order); k++)
		json_array_foreach (fact(d->map, "edges"), i, e)
			if (fact_equals(e, "state", kinds[order[k]].state))
				add_edge(d, i, e, &kinds[order[k]]);
	bh_buf_add(d->out, d->texts.data, d->texts.len);
	json_array_foreach (fact(d->map, "nodes"), i, n)
		add_node(d, n, &d->layout.nodes[i]);
	add_box_names(d);
	add_legend(d, d->layout.height + LEGEND / 2);
	bh_buf_addstr(d->out, "</svg>\n");
}

int picture_map(const json_t *map, struct bh_buf *out)
{
	size_t n = json_array_size(fact(map, "nodes"));
	bh_autofree unsigned *counts = calloc(4 * n + 4, sizeof(*counts));
	struct drawing d = { .map = map, .out = out };
	int r;

	if (!counts)
		return -ENOMEM;
	d.outs = counts;
	d.ins = counts + n;
	d.used_outs = counts + 2 * n;
	d.used_ins = counts + 3 * n;
	d.labels = json_array_size(fact(map, "edges")) <= LABELS_MAX;
	bh_buf_init(&d.texts, BH_GRAPH_BYTES_MAX);
	r = layout_make(map, d.labels, &d.layout);
	if (r >= 0)
		draw(&d);
	if (r >= 0 && bh_buf_error(&d.texts) < 0)
		r = -ENOMEM;
	bh_buf_done(&d.texts);
	layout_done(&d.layout);
	return r;
}

int report_map_svg(const json_t *map, struct bh_buf *out, struct bh_err *err)
{
	struct bh_buf inner;
	const char *at;
	int r;

	if (json_array_size(fact(map, "nodes")) > BH_REPORT_MAP_MAX)
		return bh_err_set(
			err, -E2BIG,
			"more than %d services and other ends are no picture: take dot or "
			"json",
			BH_REPORT_MAP_MAX);
	bh_buf_init(&inner, BH_GRAPH_BYTES_MAX);
	r = picture_map(map, &inner);
	at = strchr(bh_buf_str(&inner), '>');
	if (r >= 0 && bh_buf_error(&inner) >= 0 && at) {
		bh_buf_add(out, inner.data, (size_t)(at + 1 - inner.data));
		bh_buf_addf(out, "\n<style>%s</style>%s", picture_style, at + 1);
	}
	if (r >= 0)
		r = bh_buf_error(&inner) < 0 ? bh_buf_error(&inner) : bh_buf_error(out);
	bh_buf_done(&inner);
	return r < 0 ? bh_err_errno(err, r, "the picture") : 0;
}
