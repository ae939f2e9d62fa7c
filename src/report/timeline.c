/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>

#include <bulkhead/base/text.h>

#include "pictures.h"
#include "writers.h"

/* Denied packets over time, as bars. */

#define LEFT   64
#define TOP    16
#define WIDTH  780
#define HEIGHT 180
#define ALL    (LEFT + WIDTH + 24)

static json_int_t most_of(const json_t *parts)
{
	const json_t *v;
	json_int_t most = 0;
	size_t i;

	json_array_foreach (parts, i, v)
		most = json_integer_value(v) > most ? json_integer_value(v) : most;
	return most;
}

static void add_axes(struct bh_buf *out, json_int_t most)
{
	for (int i = 0; i <= 2; i++) {
		int y = TOP + HEIGHT - HEIGHT * i / 2;

		bh_buf_addf(out,
			    "<path class=\"grid\" d=\"M%d %dh%d\"/><text class=\"small soft\" "
			    "text-anchor=\"end\" x=\"%d\" y=\"%d\">",
			    LEFT, y, WIDTH, LEFT - 8, y + 4);
		/* between nothing and one there is no packet */
		if (i != 1 || most > 1)
			bh_buf_addf(out, "%" JSON_INTEGER_FORMAT, most / 2 * i + most % 2 * i / 2);
		bh_buf_addstr(out, "</text>\n");
	}
}

static void add_bars(struct bh_buf *out, const json_t *parts, json_int_t most)
{
	size_t n = json_array_size(parts), i;
	const json_t *v;

	json_array_foreach (parts, i, v) {
		json_int_t packets = json_integer_value(v);
		int x = LEFT + (int)(WIDTH * i / n), next = LEFT + (int)(WIDTH * (i + 1) / n);
		int h = (int)((double)packets / (double)most * HEIGHT);

		if (packets <= 0)
			continue;
		h = h < 2 ? 2 : h; /* what is not 0 is never shown as nothing */
		bh_buf_addf(out,
			    "<rect class=\"bar\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\">"
			    "<title>%" JSON_INTEGER_FORMAT " packet%s</title></rect>\n",
			    x + 1, TOP + HEIGHT - h, next - x > 3 ? next - x - 2 : 1, h, packets,
			    bh_s((uint64_t)packets));
	}
}

void picture_time(const json_t *denied, struct bh_buf *out)
{
	const json_t *parts = fact(denied, "timeline");
	json_int_t most = most_of(parts);
	char desc[256];

	if (!most)
		return;
	snprintf(desc, sizeof(desc),
		 "From %.16s to %.16s in %zu parts; the most packets in one part: "
		 "%" JSON_INTEGER_FORMAT ".",
		 fact_text(denied, "from"), fact_text(denied, "to"), json_array_size(parts), most);
	picture_begin(out, "time", ALL, TOP + HEIGHT + 34, "Denied packets over time", desc);
	add_axes(out, most);
	add_bars(out, parts, most);
	bh_buf_addf(out, "<text class=\"small soft\" x=\"%d\" y=\"%d\">", LEFT, TOP + HEIGHT + 20);
	picture_text(out, fact_text(denied, "from"), 24);
	bh_buf_addf(out, "</text><text class=\"small soft\" text-anchor=\"end\" x=\"%d\" y=\"%d\">",
		    LEFT + WIDTH, TOP + HEIGHT + 20);
	picture_text(out, fact_text(denied, "to"), 24);
	bh_buf_addstr(out, "</text>\n</svg>\n");
}
