/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <nettle/base64.h>
#include <nettle/sha2.h>

#include "pictures.h"
#include "writers.h"

/*
 * The page: one file, that loads nothing and runs nothing. Its policy (Content-Security-Policy) allows
 * this one style sheet, by its hash, and all else is refused: should text of others ever come through as
 * markup, it would be dead.
 */

static const char page_style[] =
	"*{box-sizing:border-box}"
	"body{margin:0 auto;padding:24px;max-width:1180px;background:var(--paper);color:var(--ink);"
	"font:15px/1.5 system-ui,sans-serif}"
	"h1{font-size:26px;margin:0 0 4px}h2{font-size:20px;margin:36px 0 8px;"
	"border-bottom:1px solid var(--line);padding-bottom:4px}h3{font-size:16px;margin:20px 0 "
	"4px}"
	"p{margin:4px 0 10px}.soft,figcaption{color:var(--soft)}"
	"a{color:var(--allow)}code{font:13px ui-monospace,monospace;overflow-wrap:anywhere}"
	"dl{display:grid;grid-template-columns:max-content 1fr;gap:2px 16px;margin:12px 0}"
	"dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}"
	".sum{display:flex;gap:12px;flex-wrap:wrap;margin:16px 0;padding:0;list-style:none}"
	".sum li{border:1px solid var(--line);border-left-width:6px;border-radius:6px;"
	"padding:8px 16px;background:var(--card)}.sum b{font-size:22px;margin-right:6px}"
	".met{border-left-color:var(--ok)!important}.finding{border-left-color:var(--deny)!"
	"important}"
	".not-assessed{border-left-color:var(--warn)!important}"
	".verdict{font-weight:600;white-space:nowrap}.verdict.met{color:var(--ok)}"
	".verdict.finding{color:var(--deny)}.verdict.not-assessed{color:var(--warn)}"
	".wide{overflow-x:auto;margin:8px 0 20px}"
	"table{border-collapse:collapse;width:100%;font-size:13px}"
	"th,td{text-align:left;vertical-align:top;padding:5px 8px;border-bottom:1px solid "
	"var(--line);overflow-wrap:anywhere;min-width:64px}"
	"th{background:var(--card);white-space:nowrap}caption{text-align:left;color:var(--soft)}"
	"article{border:1px solid var(--line);border-left-width:6px;border-radius:6px;"
	"padding:4px 16px 10px;margin:12px 0}article h3{margin-top:8px}"
	"article ul{margin:2px 0 8px;padding-left:22px}"
	"figure{margin:12px 0 24px;overflow-x:auto}"
	"svg{display:block;max-width:100%;height:auto}svg.map{max-width:none}"
	"@page{size:A4;margin:14mm}@page wide{size:A4 landscape;margin:10mm}"
	"@page tall{size:A4;margin:10mm}"
	"@media print{body{max-width:none;padding:0;font-size:10.5pt}.wide{overflow:visible}"
	"table{font-size:8pt;table-layout:auto}th,td{padding:2px 4px;min-width:0}tr,article "
	"li{break-inside:avoid}"
	"h2,h3{break-after:avoid}figure{overflow:visible;break-inside:avoid}"
	"figure.page,#pictures{page:wide}figure.page{break-after:page}"
	"figure.page svg{max-width:100%;max-height:148mm;margin:0 auto}"
	"figure.tall{page:tall}figure.tall svg{width:100%;max-height:255mm}"
	"figcaption{break-before:avoid}"
	"nav{display:none}a{color:inherit;text-decoration:none}}";

void html_add(struct bh_buf *b, const char *s)
{
	for (; *s; s++) {
		size_t plain = strcspn(s, "&<>\"'");

		bh_buf_add(b, s, plain);
		s += plain;
		if (!*s)
			return;
		bh_buf_addf(b, "&#%d;", *s);
	}
}

static const struct style look = {
	.text = html_add,
	.list = "<p class=\"soft\">",
	.items = "</p><ul>\n",
	.item = "<li>",
	.item_end = "</li>\n",
	.list_end = "</ul>\n",
	.row = "<tr>",
	.cell = "<td>",
	.cell_end = "</td>",
	.row_end = "</tr>\n",
};

/* --- pieces ----------------------------------------------------------------------------------- */

static void add_pair(struct bh_buf *b, const char *term, const char *s, const char *more)
{
	if (!s[0])
		return;
	bh_buf_addf(b, "<dt>%s</dt><dd>", term);
	html_add(b, s);
	if (more[0])
		bh_buf_addstr(b, ", ");
	html_add(b, more);
	bh_buf_addstr(b, "</dd>\n");
}

static void add_table(struct bh_buf *b, const json_t *report, const struct table *t)
{
	const json_t *rows = fact(report, t->rows), *row;
	char more[TABLE_MORE];
	size_t i;

	if (!json_array_size(rows) && !t->none)
		return;
	bh_buf_addf(b, "<h3 id=\"%s\">%s</h3>\n", t->id, t->title);
	if (t->about)
		bh_buf_addf(b, "<p class=\"soft\">%s</p>\n", t->about);
	if (!json_array_size(rows)) {
		bh_buf_addf(b, "<p>%s</p>\n", t->none);
		return;
	}
	bh_buf_addf(b,
		    "<div class=\"wide\" role=\"region\" tabindex=\"0\" aria-labelledby=\"%s\">"
		    "<table><thead><tr>",
		    t->id);
	for (i = 0; i < COLUMNS_MAX && t->columns[i].title; i++)
		bh_buf_addf(b, "<th scope=\"col\">%s</th>", t->columns[i].title);
	bh_buf_addstr(b, "</tr></thead><tbody>\n");
	json_array_foreach (rows, i, row)
		style_row(b, &look, t, row);
	bh_buf_addstr(b, "</tbody></table></div>\n");
	if (table_more(t, report, more)[0])
		bh_buf_addf(b, "<p>%s</p>\n", more);
}

/* --- head ------------------------------------------------------------------------------------- */

static void add_style_hash(struct bh_buf *b, const char *style, size_t len)
{
	uint8_t sum[SHA256_DIGEST_SIZE];
	char text[BASE64_ENCODE_RAW_LENGTH(SHA256_DIGEST_SIZE) + 1] = "";
	struct sha256_ctx ctx;

	sha256_init(&ctx);
	sha256_update(&ctx, len, (const uint8_t *)style);
	sha256_digest(&ctx, sizeof(sum), sum);
	base64_encode_raw(text, sizeof(sum), sum);
	bh_buf_addf(b,
		    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
		    "style-src 'sha256-%s'\">\n",
		    text);
}

static void add_head(struct bh_buf *b, const json_t *report)
{
	struct bh_buf style;

	bh_buf_init(&style, sizeof(page_style) + (1 << 16));
	bh_buf_addf(&style, "%s%s", picture_style, page_style);
	bh_buf_addstr(b, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
	add_style_hash(b, bh_buf_str(&style), style.len);
	bh_buf_addstr(b, "<meta name=\"viewport\" content=\"width=device-width\">\n"
			 "<meta name=\"color-scheme\" content=\"light dark\">\n<title>Evidence for "
			 "scope ");
	html_add(b, fact_text(report, "scope.name"));
	bh_buf_addf(b, "</title>\n<style>%s</style>\n</head>\n<body>\n", bh_buf_str(&style));
	bh_buf_done(&style);
}

static void add_title(struct bh_buf *b, const json_t *report, const char *digest)
{
	bh_buf_addstr(b, "<header>\n<h1>Evidence for scope ");
	html_add(b, fact_text(report, "scope.name"));
	bh_buf_addstr(b, "</h1>\n<p class=\"soft\">");
	html_add(b, fact_text(report, "scope.title"));
	bh_buf_addstr(b, "</p>\n<dl>\n");
	style_head(b, add_pair, report, digest);
	bh_buf_addstr(b, "</dl>\n<ul class=\"sum\">\n");
}

static void add_sum(struct bh_buf *b, const json_t *report)
{
	static const char *const verdicts[] = { "met", "finding", "not-assessed" };

	for (size_t i = 0; i < 3; i++) {
		char path[32];

		snprintf(path, sizeof(path), "sum.%s", verdicts[i]);
		bh_buf_addf(b, "<li class=\"%s\"><b>%" JSON_INTEGER_FORMAT "</b>%s</li>\n",
			    verdicts[i], fact_number(report, path),
			    verdict_count(verdicts[i], fact_number(report, path)));
	}
	bh_buf_addstr(b, "</ul>\n</header>\n");
}

/* --- requirements ------------------------------------------------------------------------------ */

static void add_overview(struct bh_buf *b, const json_t *report)
{
	const json_t *q;
	size_t i;

	bh_buf_addstr(b, "<h2 id=\"overview\">Requirements of PCI DSS 4.0.1</h2>\n"
			 "<table><thead><tr><th scope=\"col\">No.</th><th scope=\"col\">what it is "
			 "about</th><th scope=\"col\">verdict</th></tr></thead><tbody>\n");
	json_array_foreach (fact(report, "requirements"), i, q)
		bh_buf_addf(b,
			    "<tr><td><a href=\"#r%s\">%s</a></td><td>%s</td><td class=\"verdict "
			    "%s\">%s</td></tr>\n",
			    fact_text(q, "id"), fact_text(q, "id"), fact_text(q, "title"),
			    fact_text(q, "verdict"), verdict_word(fact_text(q, "verdict")));
	bh_buf_addstr(
		b, "</tbody></table>\n<p class=\"soft\">“Met” is said of what was looked at, "
		   "below; what is not known is never counted as met. The titles are ours and no "
		   "quotation of the standard.</p>\n");
}

static void add_requirement(struct bh_buf *b, const json_t *q)
{
	const char *verdict = fact_text(q, "verdict");

	bh_buf_addf(b,
		    "<article class=\"%s\" id=\"r%s\"><h3>%s %s: <span class=\"verdict %s\">%s"
		    "</span></h3>\n<p><span class=\"soft\">Looked at:</span> %s.</p>\n",
		    verdict, fact_text(q, "id"), fact_text(q, "id"), fact_text(q, "title"), verdict,
		    verdict_word(verdict), fact_text(q, "checked"));
	style_list(b, &look, "Findings", fact(q, "findings"));
	style_list(b, &look, "Not assessed, because", fact(q, "unknown"));
	style_list(b, &look, "Evidence", fact(q, "evidence"));
	if (fact(q, "left"))
		bh_buf_addf(b, "<p class=\"soft\">For people to show: %s</p>\n",
			    fact_text(q, "left"));
	bh_buf_addstr(b, "</article>\n");
}

static void add_requirements(struct bh_buf *b, const json_t *report)
{
	const json_t *q;
	size_t i;

	add_overview(b, report);
	bh_buf_addstr(b, "<h2 id=\"details\">What was found</h2>\n");
	json_array_foreach (fact(report, "requirements"), i, q)
		add_requirement(b, q);
}

static void add_compared(struct bh_buf *b, const json_t *report)
{
	if (!fact(report, "compared"))
		return;
	bh_buf_addstr(b, "<h2 id=\"compared\">Since the report of ");
	html_add(b, fact_text(report, "compared.since"));
	bh_buf_addstr(b, "</h2>\n");
	style_compared(b, &look, report);
	if (!json_array_size(fact(report, "compared.parts")))
		bh_buf_addstr(b, "<p>Nothing that is compared is another.</p>\n");
}

/* --- pictures --------------------------------------------------------------------------------- */

static void add_pictures(struct bh_buf *b, const json_t *report)
{
	const json_t *map = fact(report, "map");

	bh_buf_addstr(b, "<h2 id=\"pictures\">Pictures</h2>\n");
	if (fact_text(map, "why")[0]) {
		bh_buf_addstr(b, "<p>");
		html_add(b, fact_text(map, "why"));
		bh_buf_addstr(b, "</p>\n");
	}
	if (json_array_size(fact(map, "nodes"))) {
		bh_buf_addstr(b, "<figure class=\"page\">\n");
		if (picture_map(map, b) < 0)
			b->error = -ENOMEM;
		bh_buf_addstr(b,
			      "<figcaption>Service map: who may open connections to whom, and who "
			      "tried what is denied.</figcaption></figure>\n");
	}
	if (json_array_size(fact(map, "edges"))) {
		bh_buf_addstr(b, "<figure class=\"page tall\">\n");
		picture_matrix(map, b);
		bh_buf_addstr(b, "<figcaption>The same as a matrix.</figcaption></figure>\n");
	}
	bh_buf_addstr(b, "<figure>\n");
	picture_time(fact(report, "denied"), b);
	bh_buf_addf(b, "<figcaption>%s</figcaption></figure>\n",
		    !fact_equals(report, "denied.state", "read")
			    ? "Denied packets over time: not known."
		    : fact_number(report, "denied.packets") ? "Denied packets over time."
							    : "No packet of the scope was denied.");
}

void html_write(const json_t *report, const char *digest, struct bh_buf *out)
{
	add_head(out, report);
	add_title(out, report, digest);
	add_sum(out, report);
	bh_buf_addstr(out, "<main>\n");
	add_requirements(out, report);
	add_compared(out, report);
	add_pictures(out, report);
	bh_buf_addstr(out, "<h2 id=\"tables\">Tables</h2>\n");
	for (const struct table *t = report_tables; t->id; t++)
		add_table(out, report, t);
	bh_buf_addstr(out,
		      "</main>\n<footer class=\"soft\"><p>The last line of this file seals all "
		      "before it: <code>bulkhead report --check FILE</code>.</p></footer>\n"
		      "</body>\n</html>\n");
}
