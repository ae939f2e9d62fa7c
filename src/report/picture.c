/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pictures.h"

#include <stdint.h>
#include <string.h>

#include "writers.h"

/* What all pictures share. Light and dark are the reader's choice; paper is light. */
const char picture_style[] =
	":root{--paper:#fff;--ink:#1b1f24;--soft:#57606a;--line:#d0d7de;--card:#f6f8fa;"
	"--allow:#0a5fb4;--deny:#c0261c;--half:#8a6d00;--inside:#e3effb;--ok:#1a7f37;"
	"--warn:#8a6d00}"
	"@media (prefers-color-scheme:dark){:root{--paper:#0d1117;--ink:#e6edf3;--soft:#9da7b3;"
	"--line:#3d444d;--card:#161b22;--allow:#6cb6ff;--deny:#ff7b72;--half:#e3b341;"
	"--inside:#13294a;--ok:#56d364;--warn:#e3b341}}"
	"@media print{:root{--paper:#fff;--ink:#000;--soft:#444;--line:#bbb;--card:#f6f8fa;"
	"--allow:#0a4f96;--deny:#b3180f;--half:#6b5400;--inside:#e9f2fc;--ok:#116329;"
	"--warn:#6b5400}}"
	"svg text{font:12px system-ui,sans-serif;fill:var(--ink)}"
	"svg .soft{fill:var(--soft)}svg .small{font-size:10.5px}"
	"svg .ground{fill:var(--paper)}"
	"svg .node{fill:var(--card);stroke:var(--soft);stroke-width:1.2}"
	"svg .inside{fill:var(--inside);stroke:var(--allow)}"
	"svg .outside{stroke-dasharray:4 3}"
	"svg .box{fill:none;stroke:var(--allow);stroke-width:1.6;stroke-dasharray:9 4}"
	"svg .boxname{font-weight:600;fill:var(--allow);paint-order:stroke;stroke:var(--paper);"
	"stroke-width:5px;stroke-linejoin:round}"
	"svg .edge{fill:none;stroke:var(--allow);stroke-width:1.4;opacity:.75}"
	"svg .edge.half{stroke:var(--half);stroke-dasharray:2 4}"
	"svg .edge.deny{stroke:var(--deny);stroke-width:1.8;stroke-dasharray:7 4;opacity:.95}"
	"svg .tip{fill:var(--allow)}svg .tip.half{fill:var(--half)}svg .tip.deny{fill:var(--deny)}"
	"svg .label{font-size:10.5px;paint-order:stroke;stroke:var(--paper);stroke-width:4px;"
	"stroke-linejoin:round}"
	"svg .label.deny{fill:var(--deny)}"
	"svg .grid{stroke:var(--line);stroke-width:.7;fill:none}"
	"svg .cell{fill:var(--allow)}svg .mark{fill:var(--deny)}"
	"svg .mark.ring{stroke:var(--paper);stroke-width:1}"
	"svg .bar{fill:var(--deny)}svg .self{fill:var(--line)}";

void picture_begin(struct bh_buf *out, const char *id, int width, int height, const char *title,
		   const char *desc)
{
	bh_buf_addf(out,
		    "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"%s\" role=\"img\" "
		    "aria-labelledby=\"%s-title %s-desc\" viewBox=\"0 0 %d %d\" width=\"%d\" "
		    "height=\"%d\">\n<title id=\"%s-title\">",
		    id, id, id, width, height, width, height, id);
	html_add(out, title);
	bh_buf_addf(out, "</title>\n<desc id=\"%s-desc\">", id);
	html_add(out, desc);
	bh_buf_addf(out, "</desc>\n<rect class=\"ground\" width=\"%d\" height=\"%d\"/>\n", width,
		    height);
}

/* Bytes of the character at S, which is well-formed; what is of East Asia or a picture is wide. */
static size_t character(const char *s, unsigned *ret_columns)
{
	uint8_t c = (uint8_t)*s;
	size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

	*ret_columns = c < 0xe1 ? 1 : 2;
	return strnlen(s, n);
}

void picture_text(struct bh_buf *out, const char *s, unsigned columns)
{
	char one[8];
	unsigned used = 0, wide;

	while (*s) {
		size_t n = character(s, &wide);

		if (used + wide + (s[n] ? 1 : 0) > columns) {
			bh_buf_addstr(out, "\u2026");
			return;
		}
		memcpy(one, s, n);
		one[n] = '\0';
		html_add(out, one);
		used += wide;
		s += n;
	}
}
