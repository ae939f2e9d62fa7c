/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pictures.h"

/*
 * In layers: a node's column is the longest way to it along what is allowed, edges that close a circle
 * left out. A band is the nodes outside of boxes, or those of one box; in a band the nodes of a column
 * are a cell, put in order by where their neighbours are, and broken into lanes when there are many.
 */
#define LAYERS_MAX 12
#define LANE_ROWS  12
#define ROW        44
#define GAP        80
#define GAP_LABELS 130
#define LANE_GAP   24
#define MARGIN     24
#define BAND_GAP   44 /* with the title of a box in it */
#define SWEEPS     12

struct edge {
	size_t from, to;
	bool back; /* closes a circle */
};

struct node {
	unsigned column, band, mark;
	double want; /* where its neighbours are */
	unsigned row, lane;
};

struct maker {
	const json_t *map;
	struct node *nodes;
	struct edge *edges;
	size_t n, n_edges;
	unsigned bands, columns;
	size_t *order; /* scratch: the nodes of one cell */
	int gap;
};

/* --- reading ---------------------------------------------------------------------------------- */

static unsigned band_of(const json_t *map, const char *box)
{
	const json_t *b;
	size_t i;

	json_array_foreach (fact(map, "boxes"), i, b)
		if (box[0] && fact_equals(b, "name", box))
			return (unsigned)i + 1;
	return 0;
}

static void read_edges(struct maker *m)
{
	const json_t *e;
	size_t i;

	json_array_foreach (fact(m->map, "edges"), i, e) {
		json_int_t from = fact_number(e, "from"), to = fact_number(e, "to");

		if (from < 0 || to < 0 || (size_t)from >= m->n || (size_t)to >= m->n || from == to)
			continue;
		if (fact_equals(e, "state", "allowed"))
			m->edges[m->n_edges++] = (struct edge) { (size_t)from, (size_t)to, false };
	}
}

static int read_map(struct maker *m)
{
	const json_t *nodes = fact(m->map, "nodes");
	const json_t *v;
	size_t i;

	m->n = json_array_size(nodes);
	m->bands = (unsigned)json_array_size(fact(m->map, "boxes")) + 1;
	m->nodes = calloc(m->n + 1, sizeof(*m->nodes));
	m->order = calloc(m->n + 1, sizeof(*m->order));
	m->edges = calloc(json_array_size(fact(m->map, "edges")) + 1, sizeof(*m->edges));
	if (!m->nodes || !m->order || !m->edges)
		return -ENOMEM;
	json_array_foreach (nodes, i, v)
		m->nodes[i].band = band_of(m->map, fact_text(v, "box"));
	read_edges(m);
	return 0;
}

/* --- columns ---------------------------------------------------------------------------------- */

enum { UNSEEN, OPEN, SEEN };

/* Maps have few nodes (BH_REPORT_MAP_MAX), so the depth is bounded. */
static void find_circles(struct maker *m, size_t node)
{
	m->nodes[node].mark = OPEN;
	for (size_t i = 0; i < m->n_edges; i++) {
		struct edge *e = &m->edges[i];

		if (e->from != node)
			continue;
		if (m->nodes[e->to].mark == OPEN)
			e->back = true;
		else if (m->nodes[e->to].mark == UNSEEN)
			find_circles(m, e->to);
	}
	m->nodes[node].mark = SEEN;
}

static bool lengthen(struct maker *m)
{
	bool changed = false;

	for (size_t i = 0; i < m->n_edges; i++) {
		const struct edge *e = &m->edges[i];
		unsigned after = m->nodes[e->from].column + 1;

		if (e->back || after >= LAYERS_MAX || m->nodes[e->to].column >= after)
			continue;
		m->nodes[e->to].column = after;
		changed = true;
	}
	return changed;
}

static void make_columns(struct maker *m)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->nodes[i].mark == UNSEEN)
			find_circles(m, i);
	while (lengthen(m))
		;
	for (size_t i = 0; i < m->n; i++)
		if (m->nodes[i].column >= m->columns)
			m->columns = m->nodes[i].column + 1;
}

/* --- rows ------------------------------------------------------------------------------------- */

static int order_cmp(const void *a, const void *b, void *nodes)
{
	const struct node *sorted = nodes, *x = &sorted[*(const size_t *)a],
			  *y = &sorted[*(const size_t *)b];

	if (x->want != y->want)
		return x->want < y->want ? -1 : 1;
	return *(const size_t *)a < *(const size_t *)b ? -1 : 1;
}

static size_t cell_of(const struct maker *m, unsigned band, unsigned column)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n; i++)
		if (m->nodes[i].band == band && m->nodes[i].column == column)
			m->order[n++] = i;
	return n;
}

/* As even as can be, so that no lane has one alone. */
static unsigned lanes_of(size_t n)
{
	return n ? (unsigned)((n + LANE_ROWS - 1) / LANE_ROWS) : 1;
}

static void place_cell(struct maker *m, size_t n)
{
	unsigned lanes = lanes_of(n);

	if (n)
		qsort_r(m->order, n, sizeof(*m->order), order_cmp, m->nodes);
	for (size_t i = 0; i < n; i++) {
		m->nodes[m->order[i]].row = (unsigned)(i / lanes);
		m->nodes[m->order[i]].lane = (unsigned)(i % lanes);
	}
}

static void want_middle(struct maker *m, bool forward)
{
	for (size_t i = 0; i < m->n; i++) {
		double sum = 0;
		size_t n = 0;

		for (size_t k = 0; k < m->n_edges; k++) {
			const struct edge *e = &m->edges[k];
			size_t self = forward ? e->to : e->from, other = forward ? e->from : e->to;

			if (self != i)
				continue;
			sum += m->nodes[other].row + 100.0 * m->nodes[other].band;
			n++;
		}
		if (n)
			m->nodes[i].want = sum / (double)n;
		else
			m->nodes[i].want = m->nodes[i].row + 100.0 * m->nodes[i].band;
	}
}

static void place_all(struct maker *m)
{
	for (unsigned b = 0; b < m->bands; b++)
		for (unsigned c = 0; c < m->columns; c++)
			place_cell(m, cell_of(m, b, c));
}

static void make_rows(struct maker *m)
{
	for (size_t i = 0; i < m->n; i++)
		m->nodes[i].want = (double)i;
	place_all(m);
	for (int i = 0; i < SWEEPS; i++) {
		want_middle(m, i % 2 == 0);
		place_all(m);
	}
}

/* --- where ------------------------------------------------------------------------------------ */

static int column_width(const struct maker *m, unsigned column)
{
	unsigned lanes = 1;

	for (unsigned b = 0; b < m->bands; b++) {
		unsigned here = lanes_of(cell_of(m, b, column));

		lanes = here > lanes ? here : lanes;
	}
	return (int)(lanes * NODE_WIDTH + (lanes - 1) * LANE_GAP);
}

static unsigned rows_of(const struct maker *m, unsigned band, unsigned column)
{
	size_t n = cell_of(m, band, column);

	return (unsigned)((n + lanes_of(n) - 1) / lanes_of(n));
}

static unsigned band_rows(const struct maker *m, unsigned band)
{
	unsigned rows = 0;

	for (unsigned c = 0; c < m->columns; c++) {
		unsigned here = rows_of(m, band, c);

		rows = here > rows ? here : rows;
	}
	return rows;
}

static void put_cell(const struct maker *m, unsigned band, unsigned column, int x, int y,
		     struct layout *l)
{
	size_t n = cell_of(m, band, column);

	y += (int)(band_rows(m, band) - rows_of(m, band, column)) * ROW / 2;
	for (size_t i = 0; i < n; i++) {
		const struct node *o = &m->nodes[m->order[i]];

		l->nodes[m->order[i]] = (struct spot) {
			x + (int)o->lane * (NODE_WIDTH + LANE_GAP),
			/* lanes are staggered, so that what passes between them is seen */
			y + (int)o->row * ROW + (int)(o->lane % 2) * (ROW / 4), column
		};
	}
}

/* The box of a band: around its nodes, with room for the title. */
static void put_box(const struct maker *m, unsigned band, struct layout *l)
{
	struct box b = { 1 << 30, 1 << 30, 0, 0 };
	int right = 0, bottom = 0;

	for (size_t i = 0; i < m->n; i++) {
		const struct spot *s = &l->nodes[i];

		if (m->nodes[i].band != band)
			continue;
		b.x = s->x < b.x ? s->x : b.x;
		b.y = s->y < b.y ? s->y : b.y;
		right = s->x + NODE_WIDTH > right ? s->x + NODE_WIDTH : right;
		bottom = s->y + NODE_HEIGHT > bottom ? s->y + NODE_HEIGHT : bottom;
	}
	if (!right)
		return;
	l->boxes[band - 1] =
		(struct box) { b.x - 14, b.y - 32, right - b.x + 28, bottom - b.y + 46 };
}

static void put_all(const struct maker *m, struct layout *l)
{
	int x = MARGIN, y;

	for (unsigned c = 0; c < m->columns; c++) {
		y = MARGIN;
		for (unsigned b = 0; b < m->bands; b++) {
			unsigned rows = band_rows(m, b);

			y += b && rows ? BAND_GAP : 0;
			put_cell(m, b, c, x, y, l);
			y += (int)rows * ROW + (b && rows ? MARGIN : 0);
		}
		l->height = y + MARGIN;
		x += column_width(m, c) + (c + 1 < m->columns ? m->gap : MARGIN);
	}
	for (unsigned b = 1; b < m->bands; b++)
		put_box(m, b, l);
	l->width = x + MARGIN;
}

int layout_make(const json_t *map, bool labels, struct layout *ret)
{
	struct maker m = { .map = map, .gap = labels ? GAP_LABELS : GAP };
	int r = read_map(&m);

	*ret = (struct layout) { .n_nodes = m.n, .n_boxes = m.bands - 1 };
	ret->nodes = calloc(m.n + 1, sizeof(*ret->nodes));
	ret->boxes = calloc(m.bands, sizeof(*ret->boxes));
	if (!ret->nodes || !ret->boxes)
		r = -ENOMEM;
	if (r >= 0) {
		make_columns(&m);
		make_rows(&m);
		put_all(&m, ret);
	}
	free(m.nodes);
	free(m.edges);
	free(m.order);
	return r;
}

void layout_done(struct layout *l)
{
	free(l->nodes);
	free(l->boxes);
}
