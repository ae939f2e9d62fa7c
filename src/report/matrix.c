/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

#include "pictures.h"
#include "writers.h"

/*
 * Who to whom, as a matrix: a square where something may be opened, the darker the more ports; a
 * disc where something was denied, the bigger the more packets.
 */

#define CELL         17
#define LABEL        150
#define NAME_COLUMNS 20
#define LEGEND       40
#define WIDTH_MIN    640

struct matrix {
	const json_t *map;
	struct bh_buf *out;
	int *rows, *columns; /* [node]; -1: none */
	int n_rows, n_columns;
	size_t nodes;
};

static const char *name_of(const struct matrix *m, size_t node)
{
	return fact_text(json_array_get(fact(m->map, "nodes"), node), "name");
}

static bool is_drawn(const json_t *e)
{
	return fact_equals(e, "state", "allowed") || fact_equals(e, "state", "denied");
}

/* Only those who have an edge, as an end of that kind. Returns how many. */
static int number_ends(struct matrix *m, const char *end, int *index)
{
	const json_t *e;
	size_t i;
	int n = 0;

	for (i = 0; i < m->nodes; i++)
		index[i] = -1;
	json_array_foreach (fact(m->map, "edges"), i, e) {
		json_int_t node = fact_number(e, end);

		if (is_drawn(e) && node >= 0 && (size_t)node < m->nodes)
			index[node] = 0;
	}
	for (i = 0; i < m->nodes; i++)
		if (index[i] == 0)
			index[i] = n < BH_REPORT_MATRIX_MAX ? n++ : -1;
	return n;
}

static void add_label(struct matrix *m, const char *place, size_t node)
{
	bh_buf_addf(m->out, "<text class=\"small\" %s>", place);
	picture_text(m->out, name_of(m, node), NAME_COLUMNS);
	bh_buf_addstr(m->out, "</text>\n");
}

static void add_labels(struct matrix *m)
{
	char place[96];

	for (size_t i = 0; i < m->nodes; i++) {
		snprintf(place, sizeof(place), "text-anchor=\"end\" x=\"%d\" y=\"%d\"", LABEL - 6,
			 LABEL + m->rows[i] * CELL + CELL - 5);
		if (m->rows[i] >= 0)
			add_label(m, place, i);
		snprintf(place, sizeof(place), "transform=\"translate(%d %d) rotate(-60)\"",
			 LABEL + m->columns[i] * CELL + CELL - 5, LABEL - 6);
		if (m->columns[i] >= 0)
			add_label(m, place, i);
		if (m->rows[i] >= 0 && m->columns[i] >= 0)
			bh_buf_addf(m->out,
				    "<rect class=\"self\" x=\"%d\" y=\"%d\" width=\"%d\" "
				    "height=\"%d\"/>\n",
				    LABEL + m->columns[i] * CELL, LABEL + m->rows[i] * CELL, CELL,
				    CELL);
	}
}

static void add_grid(struct matrix *m)
{
	bh_buf_addstr(m->out, "<path class=\"grid\" d=\"");
	for (int i = 0; i <= m->n_rows; i++)
		bh_buf_addf(m->out, "M%d %dh%d", LABEL, LABEL + i * CELL, m->n_columns * CELL);
	for (int i = 0; i <= m->n_columns; i++)
		bh_buf_addf(m->out, "M%d %dv%d", LABEL + i * CELL, LABEL, m->n_rows * CELL);
	bh_buf_addstr(m->out, "\"/>\n");
}

static int digits(json_int_t n)
{
	int d = 0;

	for (; n > 0 && d < 9; n /= 10)
		d++;
	return d;
}

static void add_shape(struct matrix *m, const json_t *e, int x, int y)
{
	json_int_t packets = fact_number(e, "packets");

	if (fact_equals(e, "state", "denied")) {
		int tenths = 28 + 5 * digits(packets);

		bh_buf_addf(m->out,
			    "<circle class=\"mark ring\" cx=\"%d.5\" cy=\"%d.5\" r=\"%d.%d\">",
			    x + CELL / 2, y + CELL / 2, (tenths < 80 ? tenths : 80) / 10,
			    (tenths < 80 ? tenths : 80) % 10);
		return;
	}
	bh_buf_addf(m->out,
		    "<rect class=\"cell\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" "
		    "opacity=\"0.%d\">",
		    x + 1, y + 1, CELL - 2, CELL - 2,
		    fact_number(e, "n_ports") > 3 ? 9 : 3 + 2 * (int)fact_number(e, "n_ports"));
}

static void add_cell(struct matrix *m, const json_t *e)
{
	json_int_t from = fact_number(e, "from"), to = fact_number(e, "to");
	bool denied = fact_equals(e, "state", "denied");

	if (from < 0 || to < 0 || (size_t)from >= m->nodes || (size_t)to >= m->nodes ||
	    m->rows[from] < 0 || m->columns[to] < 0)
		return;
	add_shape(m, e, LABEL + m->columns[to] * CELL, LABEL + m->rows[from] * CELL);
	bh_buf_addstr(m->out, "<title>");
	html_add(m->out, name_of(m, (size_t)from));
	bh_buf_addstr(m->out, " to ");
	html_add(m->out, name_of(m, (size_t)to));
	bh_buf_addstr(m->out, denied ? " was denied: " : " may open: ");
	html_add(m->out, fact_text(e, "ports"));
	bh_buf_addf(m->out, "</title></%s>\n", denied ? "circle" : "rect");
}

static void add_cells(struct matrix *m, const char *state)
{
	const json_t *e;
	size_t i;

	json_array_foreach (fact(m->map, "edges"), i, e)
		if (fact_equals(e, "state", state))
			add_cell(m, e);
}

static void add_legend(struct matrix *m, int y)
{
	bh_buf_addf(
		m->out,
		"<rect class=\"cell\" x=\"24\" y=\"%d\" width=\"15\" height=\"15\" "
		"opacity=\"0.7\"/><text class=\"small soft\" x=\"46\" y=\"%d\">may open "
		"(darker: more ports)</text><circle class=\"mark\" cx=\"232\" cy=\"%d\" r=\"5\"/>"
		"<text class=\"small soft\" x=\"244\" y=\"%d\">was denied (bigger: more packets); "
		"from: rows, to: columns</text>\n",
		y, y + 12, y + 8, y + 12);
}

void picture_matrix(const json_t *map, struct bh_buf *out)
{
	size_t nodes = json_array_size(fact(map, "nodes"));
	bh_autofree int *index = calloc(2 * nodes + 2, sizeof(*index));
	struct matrix m = { .map = map, .out = out, .rows = index, .nodes = nodes };
	char desc[160];
	int width, height;

	if (!index) {
		out->error = -ENOMEM;
		return;
	}
	m.columns = index + nodes;
	m.n_rows = number_ends(&m, "from", m.rows);
	m.n_columns = number_ends(&m, "to", m.columns);
	width = LABEL + m.n_columns * CELL + 90;
	height = LABEL + m.n_rows * CELL;
	snprintf(desc, sizeof(desc),
		 "Ends, rows by columns: %d by %d; squares where a connection may be opened, discs "
		 "where one was denied. The tables say the same in words.",
		 m.n_rows, m.n_columns);
	picture_begin(out, "matrix", width < WIDTH_MIN ? WIDTH_MIN : width, height + LEGEND,
		      "Who may reach whom", desc);
	add_labels(&m);
	add_grid(&m);
	add_cells(&m, "allowed");
	add_cells(&m, "denied");
	add_legend(&m, height + 14);
	bh_buf_addstr(out, "</svg>\n");
}
