/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef REPORT_PICTURES_H
#define REPORT_PICTURES_H

#include <bulkhead/base/buf.h>

#include "facts.h"

/*
 * Pictures as SVG, each with a title and a description for screen readers. Colours are classes, whose
 * meaning is in picture_style: light, dark and printed.
 */
extern const char picture_style[];

/* "map": nodes {name, kind, box, inside, mode}, boxes {name, title}, edges {from, to, state, ports}. */
int picture_map(const json_t *map, struct bh_buf *out); /* 0 or -ENOMEM */
/* The same as a matrix: from whom, to whom. */
void picture_matrix(const json_t *map, struct bh_buf *out);
/* "denied": packets over time. */
void picture_time(const json_t *denied, struct bh_buf *out);

/* <svg ...><title>...<desc>...: ID is unique in a page, TITLE and DESC are text. */
void picture_begin(struct bh_buf *out, const char *id, int width, int height, const char *title,
		   const char *desc);
/* S in so many columns at most, "…" at the end when it was cut. */
void picture_text(struct bh_buf *out, const char *s, unsigned columns);

/* --- layout ----------------------------------------------------------------------------------- */

#define NODE_WIDTH  150
#define NODE_HEIGHT 30

struct spot {
	int x, y; /* of the upper left corner */
	unsigned column;
};

struct box {
	int x, y, width, height; /* width 0: nobody is in it */
};

struct layout {
	struct spot *nodes;
	struct box *boxes;
	int *columns, *widths; /* of each column: where it begins, and how wide it is */
	int *ways; /* [node * n_columns + column]: where edges pass that column; < 0: nowhere */
	size_t *owners; /* [edge of the map]: the node whose ways it takes */
	size_t n_nodes, n_boxes;
	unsigned n_columns;
	int width, height;
};

/*
 * Columns from left to right, so that what may be opened mostly leads to the right; services of a box
 * lie in a band of their own. LABELS: room for text between columns. 0 or -ENOMEM.
 */
int layout_make(const json_t *map, bool labels, struct layout *ret);
void layout_done(struct layout *l);

#endif
