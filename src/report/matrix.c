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

struct matrix {
	const json_t *map;
	struct bh_buf *out;
	int *index; /* [node]: row and column; -1: not there */
	int n;
};

static const char *name_of(const struct matrix *m, size_t node)
{
	return fact_text(json_array_get(fact(m->map, "nodes"), node), "name");
}

/* Only those who have an edge. */
static void number_nodes(struct matrix *m, size_t nodes)
{
	const json_t *e;
	size_t i;

	for (i = 0; i < nodes; i++)
		m->index[i] = -1;
	json_array_foreach (fact(m->map, "edges"), i, e) {
		json_int_t ends[] = { fact_number(e, "from"), fact_number(e, "to") };

		for (int k = 0; k < 2; k++)
			if (ends[k] >= 0 && (size_t)ends[k] < nodes)
				m->index[ends[k]] = 0;
	}
	for (i = 0; i < nodes; i++)
		if (m->index[i] == 0)
			m->index[i] = m->n < BH_REPORT_MATRIX_MAX ? m->n++ : -1;
}

static void add_labels(struct matrix *m, size_t nodes)
{
	for (size_t i = 0; i < nodes; i++) {
		int at = LABEL + m->index[i] * CELL;

		if (m->index[i] < 0)
			continue;
		bh_buf_addf(m->out, "<text class=\"small\" text-anchor=\"end\" x=\"%d\" y=\"%d\">",
			    LABEL - 6, at + CELL - 5);
		picture_text(m->out, name_of(m, i), NAME_COLUMNS);
		bh_buf_addf(m->out,
			    "</text><text class=\"small\" transform=\"translate(%d %d) "
			    "rotate(-60)\">",
			    at + CELL - 5, LABEL - 6);
		picture_text(m->out, name_of(m, i), NAME_COLUMNS);
		bh_buf_addf(m->out,
			    "</text><rect class=\"self\" x=\"%d\" y=\"%d\" width=\"%d\" "
			    "height=\"%d\"/>\n",
			    at, at, CELL, CELL);
	}
}

static void add_grid(struct matrix *m)
{
	int size = m->n * CELL;

	bh_buf_addstr(m->out, "<path class=\"grid\" d=\"");
	for (int i = 0; i <= m->n; i++)
		bh_buf_addf(m->out, "M%d %dv%dM%d %dh%d", LABEL + i * CELL, LABEL, size, LABEL,
			    LABEL + i * CELL, size);
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

static void add_cell(struct matrix *m, const json_t *e, size_t nodes)
{
	json_int_t from = fact_number(e, "from"), to = fact_number(e, "to");
	bool denied = fact_equals(e, "state", "denied");

	if ((!denied && !fact_equals(e, "state", "allowed")) || from < 0 || to < 0 ||
	    (size_t)from >= nodes || (size_t)to >= nodes || m->index[from] < 0 || m->index[to] < 0)
		return;
	add_shape(m, e, LABEL + m->index[to] * CELL, LABEL + m->index[from] * CELL);
	bh_buf_addstr(m->out, "<title>");
	html_add(m->out, name_of(m, (size_t)from));
	bh_buf_addstr(m->out, " to ");
	html_add(m->out, name_of(m, (size_t)to));
	bh_buf_addstr(m->out, denied ? " was denied: " : " may open: ");
	html_add(m->out, fact_text(e, "ports"));
	bh_buf_addf(m->out, "</title></%s>\n", denied ? "circle" : "rect");
}

static void add_cells(struct matrix *m, size_t nodes, bool denied)
{
	const json_t *e;
	size_t i;

	json_array_foreach (fact(m->map, "edges"), i, e)
		if (fact_equals(e, "state", "denied") == denied)
			add_cell(m, e, nodes);
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
	bh_autofree int *index = calloc(nodes + 1, sizeof(*index));
	struct matrix m = { .map = map, .out = out, .index = index };
	char desc[160];
	int size;

	if (!index) {
		out->error = -ENOMEM;
		return;
	}
	number_nodes(&m, nodes);
	size = LABEL + m.n * CELL;
	snprintf(desc, sizeof(desc),
		 "%d by %d ends: squares where a connection may be opened, discs "
		 "where one was denied. The tables say the same in words.",
		 m.n, m.n);
	picture_begin(out, "matrix", size + 90 < 560 ? 560 : size + 90, size + LEGEND,
		      "Who may reach whom", desc);
	add_labels(&m, nodes);
	add_grid(&m);
	add_cells(&m, nodes, false);
	add_cells(&m, nodes, true);
	add_legend(&m, size + 14);
	bh_buf_addstr(out, "</svg>\n");
}
