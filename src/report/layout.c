/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "pictures.h"

/*
 * In layers. A node's column is the longest way to it along what is allowed, edges that close a circle
 * left out. A band is the nodes outside of boxes, or those of one box. What leads over a column passes it
 * by a gap, one for all edges of a source, so that no edge lies behind a node. In a band the nodes and
 * gaps of a column are a cell, put in order by where their neighbours are.
 */
#define LAYERS_MAX 7  /* as many as can be read on a page; more are put together */
#define LANES_FROM 15 /* a cell with so many nodes has two lanes, one half a row lower */
#define ROW        44
#define WAY        14
#define GAP        84
#define GAP_LABELS 130
#define LANE_GAP   26
#define MARGIN     24
#define TURN       40 /* on the right: what leads from the last column to itself */
#define BAND_GAP   48 /* with the title of a box in it */
#define SWEEPS     14

struct edge {
	size_t number;          /* in the map */
	size_t from, to, owner; /* OWNER: whose gaps it goes by */
	bool back;              /* closes a circle */
	bool shown; /* it was tried, but is not allowed: it moves nobody to another column */
};

struct item {
	bool gap;
	unsigned column, band, mark;
	double want; /* where its neighbours are */
	int y, lane; /* in its band, the upper end */
};

/* From an item to one of the next column: what pulls them together. */
struct link {
	size_t from, to;
};

struct maker {
	const json_t *map;
	struct item *items; /* the nodes, then the gaps */
	struct edge *edges;
	struct link *links;
	size_t n, n_items, n_edges, n_links;
	size_t *gaps;  /* [node * LAYERS_MAX + column]: the item + 1; 0: none */
	size_t *order; /* scratch: the items of one cell */
	int *heights;  /* of bands */
	unsigned bands, columns;
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
		m->edges[m->n_edges++] =
			(struct edge) { i, (size_t)from, (size_t)to, (size_t)from,
					.shown = !fact_equals(e, "state", "allowed") };
	}
}

static int read_map(struct maker *m)
{
	const json_t *nodes = fact(m->map, "nodes"), *v;
	size_t edges = json_array_size(fact(m->map, "edges")), i;

	m->n = m->n_items = json_array_size(nodes);
	m->bands = (unsigned)json_array_size(fact(m->map, "boxes")) + 1;
	m->items = calloc(m->n * (1 + LAYERS_MAX) + 1, sizeof(*m->items));
	m->order = calloc(m->n * (1 + LAYERS_MAX) + 1, sizeof(*m->order));
	m->gaps = calloc(m->n * LAYERS_MAX + 1, sizeof(*m->gaps));
	m->edges = calloc(edges + 1, sizeof(*m->edges));
	m->links = calloc(edges * LAYERS_MAX + 1, sizeof(*m->links));
	m->heights = calloc(m->bands, sizeof(*m->heights));
	if (!m->items || !m->order || !m->gaps || !m->edges || !m->links || !m->heights)
		return -ENOMEM;
	json_array_foreach (nodes, i, v)
		m->items[i].band = band_of(m->map, fact_text(v, "box"));
	read_edges(m);
	return 0;
}

/* --- columns ---------------------------------------------------------------------------------- */

enum { UNSEEN, OPEN, SEEN };

/* Maps have few nodes (BH_REPORT_MAP_MAX), so the depth is bounded. */
static void find_circles(struct maker *m, size_t node)
{
	m->items[node].mark = OPEN;
	for (size_t i = 0; i < m->n_edges; i++) {
		struct edge *e = &m->edges[i];

		if (e->from != node || e->shown)
			continue;
		if (m->items[e->to].mark == OPEN)
			e->back = true;
		else if (m->items[e->to].mark == UNSEEN)
			find_circles(m, e->to);
	}
	m->items[node].mark = SEEN;
}

/* Of edges that are no circle the longest way is shorter than there are nodes. */
static bool lengthen(struct maker *m)
{
	bool changed = false;

	for (size_t i = 0; i < m->n_edges; i++) {
		const struct edge *e = &m->edges[i];
		unsigned after = m->items[e->from].column + 1;

		if (e->back || e->shown || m->items[e->to].column >= after)
			continue;
		m->items[e->to].column = after;
		changed = true;
	}
	return changed;
}

/* Who is nobody's destination stands just before the first that it leads to. */
static void pull(struct maker *m, size_t node)
{
	unsigned first = UINT_MAX;

	for (size_t i = 0; i < m->n_edges; i++) {
		const struct edge *e = &m->edges[i];

		if (e->shown || e->back)
			continue;
		if (e->to == node)
			return;
		if (e->from == node && m->items[e->to].column < first)
			first = m->items[e->to].column;
	}
	if (first < UINT_MAX && first > 0)
		m->items[node].column = first - 1;
}

/* Who has only tried: in front of the first that it tried, else behind the last that tried it. */
static void put_stranger(struct maker *m, size_t node)
{
	unsigned first = UINT_MAX, last = 0;
	bool called = false;

	for (size_t i = 0; i < m->n_edges; i++) {
		const struct edge *e = &m->edges[i];

		if (e->from != node && e->to != node)
			continue;
		if (!e->shown)
			return;
		if (e->from == node && m->items[e->to].column < first)
			first = m->items[e->to].column;
		if (e->to == node && m->items[e->from].column >= last)
			last = m->items[e->from].column;
		called = called || e->to == node;
	}
	if (first < UINT_MAX)
		m->items[node].column = first ? first - 1 : 0;
	else if (called)
		m->items[node].column = last + 1;
}

static void make_columns(struct maker *m)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->items[i].mark == UNSEEN)
			find_circles(m, i);
	while (lengthen(m))
		;
	for (size_t i = 0; i < m->n; i++)
		pull(m, i);
	for (size_t i = 0; i < m->n; i++)
		put_stranger(m, i);
	for (size_t i = 0; i < m->n; i++)
		if (m->items[i].column >= m->columns)
			m->columns = m->items[i].column + 1;
	if (m->columns <= LAYERS_MAX)
		return;
	for (size_t i = 0; i < m->n; i++)
		m->items[i].column = m->items[i].column * LAYERS_MAX / m->columns;
	m->columns = LAYERS_MAX;
}

/* --- gaps ------------------------------------------------------------------------------------- */

static size_t gap_of(struct maker *m, size_t node, unsigned column)
{
	size_t *at = &m->gaps[node * LAYERS_MAX + column];

	if (!*at) {
		m->items[m->n_items] = (struct item) { .gap = true,
						       .column = column,
						       .band = m->items[node].band };
		*at = ++m->n_items;
	}
	return *at - 1;
}

/* How many edges of this end pass over a column. */
static size_t count_long(const struct maker *m, size_t node, bool from)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n_edges; i++) {
		const struct edge *e = &m->edges[i];

		n += (from ? e->from : e->to) == node &&
		     m->items[e->to].column > m->items[e->from].column + 1;
	}
	return n;
}

/*
 * All edges of a source share its gaps, or all to a destination its own: whichever saves more. In
 * another band, those of the source: what leads into a box enters it late.
 */
static size_t owner_of(const struct maker *m, const struct edge *e)
{
	if (m->items[e->from].band != m->items[e->to].band)
		return e->from;
	return count_long(m, e->to, false) > count_long(m, e->from, true) ? e->to : e->from;
}

/* Links go to the right, also those of an edge that leads back. */
static void make_links(struct maker *m)
{
	for (size_t i = 0; i < m->n_edges; i++) {
		struct edge *e = &m->edges[i];
		bool back = m->items[e->to].column < m->items[e->from].column;
		size_t before = back ? e->to : e->from, end = back ? e->from : e->to;
		unsigned last = m->items[end].column;

		if (last == m->items[before].column)
			continue;
		e->owner = owner_of(m, e);
		for (unsigned c = m->items[before].column + 1; c < last; c++) {
			size_t here = gap_of(m, e->owner, c);

			m->links[m->n_links++] = (struct link) { before, here };
			before = here;
		}
		m->links[m->n_links++] = (struct link) { before, end };
	}
}

/* --- rows ------------------------------------------------------------------------------------- */

static int order_cmp(const void *a, const void *b, void *items)
{
	size_t i = *(const size_t *)a, k = *(const size_t *)b;
	const struct item *x = (const struct item *)items + i;
	const struct item *y = (const struct item *)items + k;

	if (x->want != y->want)
		return x->want < y->want ? -1 : 1;
	return (i > k) - (i < k);
}

/* The items of a cell, in ORDER; *RET_NODES (may be NULL): those that are nodes. */
static size_t cell_of(const struct maker *m, unsigned band, unsigned column, size_t *ret_nodes)
{
	size_t n = 0, nodes = 0;

	for (size_t i = 0; i < m->n_items; i++) {
		if (m->items[i].band != band || m->items[i].column != column)
			continue;
		m->order[n++] = i;
		nodes += !m->items[i].gap;
	}
	if (ret_nodes)
		*ret_nodes = nodes;
	return n;
}

/* Gaps that come in the middle of a row of two lanes wait until it is full. Returns the height. */
static int stack(struct maker *m, size_t n, bool lanes)
{
	int y = 0, lane = 0;
	size_t waiting = 0;

	for (size_t i = 0; i <= n; i++) {
		struct item *o = i < n ? &m->items[m->order[i]] : NULL;
		bool full = !o || (!o->gap && !lane);

		for (; full && waiting < i; waiting++) {
			struct item *w = &m->items[m->order[waiting]];

			if (w->gap) {
				w->y = y;
				y += WAY;
			}
		}
		if (!o || o->gap)
			continue;
		o->lane = lane;
		o->y = y + lane * ROW / 2;
		lane = lanes ? !lane : 0;
		y += lane ? 0 : ROW + (lanes ? ROW / 4 : 0);
	}
	return y + (lane ? ROW : 0);
}

/* Put a cell in order, and where its neighbours are, as far as the band goes. */
static void place_cell(struct maker *m, unsigned band, unsigned column)
{
	size_t nodes, n = cell_of(m, band, column, &nodes);
	double mean = 0;
	int height, shift;

	if (!n)
		return;
	qsort_r(m->order, n, sizeof(*m->order), order_cmp, m->items);
	height = stack(m, n, nodes >= LANES_FROM);
	if (height > m->heights[band])
		m->heights[band] = height;
	for (size_t i = 0; i < n; i++)
		mean += m->items[m->order[i]].want / (double)n;
	shift = (int)mean - height / 2;
	if (shift > m->heights[band] - height)
		shift = m->heights[band] - height;
	for (size_t i = 0; shift > 0 && i < n; i++)
		m->items[m->order[i]].y += shift;
}

static int top_of(const struct maker *m, unsigned band)
{
	int y = 0;

	for (unsigned b = 0; b < band; b++)
		y += m->heights[b] + BAND_GAP;
	return y;
}

/* In the coordinates of its own band; others pull to its edges. */
static void want_middle(struct maker *m, bool forward)
{
	for (size_t i = 0; i < m->n_items; i++) {
		double sum = 0;
		size_t n = 0;

		for (size_t k = 0; k < m->n_links; k++) {
			const struct link *l = &m->links[k];
			size_t self = forward ? l->to : l->from, other = forward ? l->from : l->to;

			if (self != i)
				continue;
			sum += m->items[other].y + top_of(m, m->items[other].band);
			n++;
		}
		m->items[i].want =
			n ? sum / (double)n - top_of(m, m->items[i].band) : m->items[i].y;
	}
}

static void place_all(struct maker *m)
{
	for (unsigned b = 0; b < m->bands; b++)
		for (unsigned c = 0; c < m->columns; c++)
			place_cell(m, b, c);
}

static void make_rows(struct maker *m)
{
	for (size_t i = 0; i < m->n_items; i++)
		m->items[i].want = (double)i;
	place_all(m);
	for (int i = 0; i < SWEEPS; i++) {
		want_middle(m, i % 2 == 0);
		place_all(m);
	}
}

/* --- where ------------------------------------------------------------------------------------ */

static int column_width(const struct maker *m, unsigned column)
{
	size_t nodes;

	for (unsigned b = 0; b < m->bands; b++) {
		cell_of(m, b, column, &nodes);
		if (nodes >= LANES_FROM)
			return 2 * NODE_WIDTH + LANE_GAP;
	}
	return NODE_WIDTH;
}

/* The box of a band: around its nodes, with room for the title. */
static void put_box(const struct maker *m, unsigned band, struct layout *l)
{
	int left = 1 << 30, top = 1 << 30, right = 0, bottom = 0;

	for (size_t i = 0; i < m->n; i++) {
		const struct spot *s = &l->nodes[i];

		if (m->items[i].band != band)
			continue;
		left = s->x < left ? s->x : left;
		top = s->y < top ? s->y : top;
		right = s->x + NODE_WIDTH > right ? s->x + NODE_WIDTH : right;
		bottom = s->y + NODE_HEIGHT > bottom ? s->y + NODE_HEIGHT : bottom;
	}
	if (right)
		l->boxes[band - 1] =
			(struct box) { left - 14, top - 32, right - left + 28, bottom - top + 46 };
}

static void put_columns(const struct maker *m, struct layout *l)
{
	int x = MARGIN;

	l->n_columns = m->columns;
	for (unsigned c = 0; c < m->columns; c++) {
		l->columns[c] = x;
		l->widths[c] = column_width(m, c);
		x += l->widths[c] + (c + 1 < m->columns ? m->gap : TURN);
	}
	l->width = x;
}

/* Boxes that nobody is in take no room. */
static void put_items(const struct maker *m, struct layout *l)
{
	int top = MARGIN;

	for (unsigned b = 0; b < m->bands; b++) {
		top += m->heights[b] && b ? BAND_GAP : 0;
		for (size_t i = 0; i < m->n; i++) {
			const struct item *o = &m->items[i];

			if (o->band == b)
				l->nodes[i] =
					(struct spot) { l->columns[o->column] +
								o->lane * (NODE_WIDTH + LANE_GAP),
							top + o->y, o->column };
		}
		for (size_t i = 0; i < m->n; i++)
			for (unsigned c = 0; c < m->columns && m->items[i].band == b; c++) {
				size_t way = m->gaps[i * LAYERS_MAX + c];

				l->ways[i * m->columns + c] =
					way ? top + m->items[way - 1].y + WAY / 2 : -1;
			}
		top += m->heights[b];
	}
	l->height = top + MARGIN;
}

static int make(struct maker *m, struct layout *l)
{
	int r = read_map(m);

	if (r < 0)
		return r;
	make_columns(m);
	make_links(m);
	make_rows(m);
	*l = (struct layout) { .n_nodes = m->n, .n_boxes = m->bands - 1 };
	l->nodes = calloc(m->n + 1, sizeof(*l->nodes));
	l->boxes = calloc(m->bands, sizeof(*l->boxes));
	l->columns = calloc(m->columns + 1, sizeof(*l->columns));
	l->widths = calloc(m->columns + 1, sizeof(*l->widths));
	l->ways = calloc(m->n * m->columns + 1, sizeof(*l->ways));
	l->owners = calloc(json_array_size(fact(m->map, "edges")) + 1, sizeof(*l->owners));
	if (!l->nodes || !l->boxes || !l->columns || !l->widths || !l->ways || !l->owners)
		return -ENOMEM;
	for (size_t i = 0; i < m->n_edges; i++)
		l->owners[m->edges[i].number] = m->edges[i].owner;
	put_columns(m, l);
	put_items(m, l);
	for (unsigned b = 1; b < m->bands; b++)
		put_box(m, b, l);
	return 0;
}

int layout_make(const json_t *map, bool labels, struct layout *ret)
{
	struct maker m = { .map = map, .gap = labels ? GAP_LABELS : GAP };
	int r;

	*ret = (struct layout) { 0 };
	r = make(&m, ret);
	free(m.items);
	free(m.edges);
	free(m.links);
	free(m.gaps);
	free(m.order);
	free(m.heights);
	return r;
}

void layout_done(struct layout *l)
{
	free(l->nodes);
	free(l->boxes);
	free(l->columns);
	free(l->widths);
	free(l->ways);
	free(l->owners);
}
