/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <string.h>

#include "writers.h"

/* Markdown, as code hosts show it. Text of others is escaped so that it stays text on one line. */

static void md_add(struct bh_buf *b, const char *s)
{
	for (; *s; s++) {
		if (strchr("\\`*_{}[]()#+!|~$@", *s))
			bh_buf_addf(b, "\\%c", *s);
		else if (strchr("<>&\"'", *s))
			bh_buf_addf(b, "&#%d;", *s);
		else if (*s == ':' && s[1] == '/')
			bh_buf_addstr(b, "&#58;"); /* no address becomes a link */
		else
			bh_buf_add(b, s, 1);
	}
}

static const struct style look = {
	.text = md_add,
	.list = "",
	.items = ":\n\n",
	.item = "- ",
	.item_end = "\n",
	.list_end = "\n",
	.row = "",
	.cell = "| ",
	.cell_end = " ",
	.row_end = "|\n",
};

static void add_pair(struct bh_buf *b, const char *term, const char *s, const char *more)
{
	if (!s[0])
		return;
	bh_buf_addf(b, "- %s: ", term);
	md_add(b, s);
	if (more[0])
		bh_buf_addstr(b, ", ");
	md_add(b, more);
	bh_buf_addstr(b, "\n");
}

static void add_table(struct bh_buf *b, const json_t *report, const struct table *t)
{
	const json_t *rows = fact(report, t->rows), *row;
	char more[TABLE_MORE];
	size_t i, n = 0;

	if (!json_array_size(rows) && !t->none)
		return;
	bh_buf_addf(b, "### %s\n\n", t->title);
	if (!json_array_size(rows)) {
		bh_buf_addf(b, "%s\n\n", t->none);
		return;
	}
	for (; n < COLUMNS_MAX && t->columns[n].title; n++)
		bh_buf_addf(b, "| %s ", t->columns[n].title);
	bh_buf_addstr(b, "|\n");
	for (i = 0; i < n; i++)
		bh_buf_addstr(b, "|---");
	bh_buf_addstr(b, "|\n");
	json_array_foreach (rows, i, row)
		style_row(b, &look, t, row);
	bh_buf_addstr(b, "\n");
	if (table_more(t, report, more)[0])
		bh_buf_addf(b, "%s\n\n", more);
}

static void add_head(struct bh_buf *b, const json_t *report, const char *digest)
{
	bh_buf_addstr(b, "# Evidence for scope ");
	md_add(b, fact_text(report, "scope.name"));
	bh_buf_addstr(b, "\n\n");
	add_pair(b, "title", fact_text(report, "scope.title"), "");
	style_head(b, add_pair, report, digest);
	bh_buf_addf(b,
		    "\n%" JSON_INTEGER_FORMAT " met, %" JSON_INTEGER_FORMAT
		    " %s, %" JSON_INTEGER_FORMAT " not assessed\n\n",
		    fact_number(report, "sum.met"), fact_number(report, "sum.finding"),
		    verdict_count("finding", fact_number(report, "sum.finding")),
		    fact_number(report, "sum.not-assessed"));
}

static void add_requirement(struct bh_buf *b, const json_t *q)
{
	bh_buf_addf(b, "### %s %s: **%s**\n\nLooked at: %s.\n\n", fact_text(q, "id"),
		    fact_text(q, "title"), verdict_word(fact_text(q, "verdict")),
		    fact_text(q, "checked"));
	style_list(b, &look, "Findings", fact(q, "findings"));
	style_list(b, &look, "Not assessed, because", fact(q, "unknown"));
	style_list(b, &look, "Evidence", fact(q, "evidence"));
	if (fact(q, "left"))
		bh_buf_addf(b, "For people to show: %s\n\n", fact_text(q, "left"));
}

static void add_requirements(struct bh_buf *b, const json_t *report)
{
	const json_t *q;
	size_t i;

	bh_buf_addstr(b,
		      "## Requirements of PCI DSS 4.0.1\n\n| No. | what it is about | verdict |\n"
		      "|---|---|---|\n");
	json_array_foreach (fact(report, "requirements"), i, q)
		bh_buf_addf(b, "| %s | %s | %s |\n", fact_text(q, "id"), fact_text(q, "title"),
			    verdict_word(fact_text(q, "verdict")));
	bh_buf_addstr(b, "\n");
	json_array_foreach (fact(report, "requirements"), i, q)
		add_requirement(b, q);
}

static void add_compared(struct bh_buf *b, const json_t *report)
{
	if (!fact(report, "compared"))
		return;
	bh_buf_addstr(b, "## Since the report of ");
	md_add(b, fact_text(report, "compared.since"));
	bh_buf_addstr(b, "\n\n");
	style_compared(b, &look, report);
	if (!json_array_size(fact(report, "compared.parts")))
		bh_buf_addstr(b, "Nothing that is compared is another.\n\n");
}

void markdown_write(const json_t *report, const char *digest, struct bh_buf *out)
{
	add_head(out, report, digest);
	add_requirements(out, report);
	add_compared(out, report);
	bh_buf_addstr(out, "## Tables\n\n");
	for (const struct table *t = report_tables; t->id; t++)
		add_table(out, report, t);
	bh_buf_addstr(out,
		      "The last line of this file seals all before it: `bulkhead report --check "
		      "FILE`.\n");
}
