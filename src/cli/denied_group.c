/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>
#include <bulkhead/model/json.h>

#include "denied.h"
#include "denied_table.h"

/* denied --by: one line a group. */

#define LINE_MAX_BYTES (64u << 10)

/* --- a table, or lines for programs ----------------------------------------------------------- */

void denied_table_begin(struct denied_table *t, const struct denied_ask *a)
{
	*t = (struct denied_table) { .by = a->by,
				     .n_by = a->n_by,
				     .people = isatty(STDOUT_FILENO) };
	bh_buf_init(&t->line, LINE_MAX_BYTES);
}

void denied_table_done(struct denied_table *t)
{
	bh_buf_done(&t->line);
}

/* On a terminal padded, otherwise a tab between. */
static void add_cell(struct denied_table *t, const char *text, int width)
{
	char shown[256];

	bh_escape_str(shown, sizeof(shown), text[0] ? text : "-");
	if (t->people)
		bh_buf_addf(&t->line, "%-*s  ", width, shown);
	else
		bh_buf_addf(&t->line, "%s\t", shown);
}

static int width_of(enum flows_field f)
{
	return f == FLOWS_REASON ? 60 : f == FLOWS_IMAGE ? 32 : f == FLOWS_PORT ? 12 : 20;
}

static void add_number(struct denied_table *t, const char *text)
{
	bh_buf_addf(&t->line, t->people ? "%10s  " : "%s\t", text);
}

int denied_table_head(struct denied_table *t)
{
	if (!t->people)
		return 0;
	for (size_t i = 0; i < t->n_by; i++)
		add_cell(t, flows_field_name(t->by[i]), width_of(t->by[i]));
	add_number(t, "packets");
	add_number(t, "records");
	return bh_buf_addf(&t->line, "%-24s  last\n", "first");
}

int denied_table_row(struct denied_table *t, const struct flows_group *g)
{
	char first[BH_TIME_STR], last[BH_TIME_STR], number[24];

	for (size_t i = 0; i < t->n_by; i++)
		add_cell(t, g->values[i], width_of(t->by[i]));
	snprintf(number, sizeof(number), "%" PRIu64, g->packets);
	add_number(t, number);
	snprintf(number, sizeof(number), "%" PRIu64, g->records);
	add_number(t, number);
	return bh_buf_addf(&t->line, "%s%s%s\n", bh_format_time(first, g->first),
			   t->people ? "  " : "\t", bh_format_time(last, g->last));
}

json_t *denied_group_json(const enum flows_field *by, size_t n, const struct flows_group *g)
{
	json_t *o = json_object();

	for (size_t i = 0; i < n; i++)
		json_put_text(o, flows_field_name(by[i]), g->values[i]);
	json_put_number(o, "packets", g->packets);
	json_put_number(o, "records", g->records);
	json_put_time(o, "first_seen", g->first);
	json_put_time(o, "last_seen", g->last);
	return o;
}

/* --- the verb --------------------------------------------------------------------------------- */

static int flush(struct denied_table *t, int r)
{
	if (r < 0)
		return r;
	return cli_flush(&t->line) == CLI_YES ? 0 : -EPIPE;
}

static int on_row(const struct flows_group *g, void *arg)
{
	return flush(arg, denied_table_row(arg, g));
}

static int on_json(const struct flows_group *g, void *arg)
{
	struct denied_table *t = arg;

	return flush(t, json_take_line(denied_group_json(t->by, t->n_by, g), &t->line));
}

static int print_groups(struct denied_table *t, bool json, const struct denied_ask *a,
			struct denied_store *s)
{
	struct bh_err err = BH_ERR_INIT;
	struct flows_totals totals;
	size_t end = a->order.skip + a->order.limit;
	int r = json ? 0 : flush(t, denied_table_head(t));

	if (r >= 0)
		r = flows_group(s->reader, &a->filter, a->by, a->n_by, &a->order,
				json ? on_json : on_row, t, NULL, &totals, &err);
	if (r < 0)
		return err.msg[0] ? denied_failed(s, &err) : CLI_FAILED;
	if (a->order.limit && totals.groups > end)
		fprintf(stderr, "bulkhead: there are more: --page +%zu\n", end);
	return CLI_YES;
}

int denied_groups(const struct cli_options *o, const struct denied_ask *a, struct denied_store *s)
{
	bool json = o->json || o->format;
	struct denied_table t;
	int code = denied_open(o, s);

	if (code != CLI_YES)
		return code;
	denied_table_begin(&t, a);
	code = print_groups(&t, json, a, s);
	denied_table_done(&t);
	return code;
}
