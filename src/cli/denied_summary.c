/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <langinfo.h>
#include <stdio.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>
#include <bulkhead/model/json.h>

#include "denied.h"
#include "denied_table.h"

/* denied --summary: the sums of each endpoint, a line over time, who was denied most. */

#define SCHEMA    "bulkhead.denied-summary/1"
#define PARTS     60
#define MOST      10
#define BYTES_MAX (64u << 20)

struct summary {
	const struct denied_ask *ask;
	bool json;
	struct bh_buf out;
	json_t *accounts, *top;
	struct denied_table table;
	uint64_t denied, recorded, not_recorded;
	size_t n_accounts;
	uint64_t packets[PARTS];
	struct flows_timeline timeline;
	struct flows_totals totals;
	struct flows_state state;
};

/* --- the line over time ----------------------------------------------------------------------- */

/* What is not 0 is never shown as nothing. */
static unsigned level(uint64_t v, uint64_t most, unsigned levels)
{
	unsigned n = most ? (unsigned)((double)v / (double)most * levels) : 0;

	return v && !n ? 1 : n > levels ? levels : n;
}

void denied_sparkline(struct bh_buf *b, const uint64_t *values, size_t n, bool blocks)
{
	static const char *const bars[] = { " ",      "\u2581", "\u2582", "\u2583", "\u2584",
					    "\u2585", "\u2586", "\u2587", "\u2588" };
	uint64_t most = 0;

	for (size_t i = 0; i < n; i++)
		most = values[i] > most ? values[i] : most;
	for (size_t i = 0; i < n; i++) {
		if (blocks)
			bh_buf_addstr(b, bars[level(values[i], most, 8)]);
		else
			bh_buf_addf(b, "%u", level(values[i], most, 9));
	}
}

static bool has_blocks(void)
{
	return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

/* --- the sums --------------------------------------------------------------------------------- */

static bool is_one_of(const char *const *words, size_t n, const char *s)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(words[i], s) == 0)
			return true;
	return n == 0;
}

static bool has_service(const struct flows_filter *f, const char *joined)
{
	for (size_t i = 0; i < f->n_services; i++)
		if (flows_is_joined(joined, f->services[i]))
			return true;
	return f->n_services == 0;
}

/* Of the filters, those that a sum can be filtered by. */
static bool is_asked(const struct flows_filter *f, const struct flows_account *a)
{
	bool named = is_one_of(f->endpoints, f->n_endpoints, a->endpoint) ||
		     is_one_of(f->endpoints, f->n_endpoints, a->name);

	for (size_t i = 0; !named && i < f->n_endpoints; i++)
		named = strlen(f->endpoints[i]) >= BH_FLOWS_ID_PREFIX_MIN &&
			strncmp(a->endpoint, f->endpoints[i], strlen(f->endpoints[i])) == 0;
	return named && has_service(f, a->service) &&
	       (!f->directions || f->directions >> a->direction & 1);
}

static void add_account_json(struct summary *s, const struct flows_account *a)
{
	json_t *o = json_object();

	json_put_text(o, "endpoint", a->endpoint);
	json_put_text(o, "name", a->name);
	json_put_text(o, "service", a->service);
	json_put_number(o, "netns", a->netns);
	json_put_text(o, "direction", direction_name(a->direction));
	json_put_number(o, "denied", a->denied);
	json_put_number(o, "recorded", a->recorded);
	json_put_number(o, "not_recorded", a->not_recorded);
	json_put_time(o, "read", a->when);
	json_array_append_new(s->accounts, o);
}

static void add_account_text(struct summary *s, const struct flows_account *a)
{
	char service[21], name[29]; /* as wide as their columns */

	bh_escape_str(service, sizeof(service), a->service[0] ? a->service : "-");
	bh_escape_str(name, sizeof(name), a->name[0] ? a->name : a->endpoint);
	bh_buf_addf(&s->out, "  %-20s %-28s %-9s %12" PRIu64 " = %10" PRIu64 " + %12" PRIu64 "\n",
		    service, name, direction_name(a->direction), a->denied, a->recorded,
		    a->not_recorded);
}

static int on_account(const struct flows_account *a, void *arg)
{
	struct summary *s = arg;

	if (!is_asked(&s->ask->filter, a))
		return 0;
	s->denied += a->denied;
	s->recorded += a->recorded;
	s->not_recorded += a->not_recorded;
	s->n_accounts++;
	if (s->json)
		add_account_json(s, a);
	else
		add_account_text(s, a);
	return bh_buf_error(&s->out);
}

static void add_sum_text(struct summary *s)
{
	bh_buf_addf(&s->out, "  %-59s %12" PRIu64 " = %10" PRIu64 " + %12" PRIu64 "\n", "sum",
		    s->denied, s->recorded, s->not_recorded);
	if (s->denied != s->recorded + s->not_recorded)
		bh_buf_addstr(&s->out, "  THIS DOES NOT ADD UP: the history was altered\n");
}

/* --- what is kept ----------------------------------------------------------------------------- */

static void add_kept_text(struct summary *s)
{
	const struct flows_state *k = &s->state;
	char begun[BH_TIME_STR];

	bh_buf_addf(&s->out, "kept since %s: %" PRIu64 " records of %" PRIu64 " packets",
		    bh_format_time(begun, k->begun), k->records, k->packets);
	if (k->aged_records)
		bh_buf_addf(&s->out, "; %" PRIu64 " of %" PRIu64 " removed for age or size",
			    k->aged_records, k->aged_packets);
	if (k->lost_records || k->lost_signals)
		bh_buf_addf(&s->out,
			    "; %" PRIu64 " records of %" PRIu64 " packets and %" PRIu64
			    " signals could not be written",
			    k->lost_records, k->lost_packets, k->lost_signals);
	bh_buf_addstr(&s->out, "\n");
}

static json_t *kept_json(const struct flows_state *k)
{
	json_t *o = json_object();

	json_put_time(o, "begun", k->begun);
	json_put_number(o, "records", k->records);
	json_put_number(o, "packets", k->packets);
	json_put_number(o, "aged_records", k->aged_records);
	json_put_number(o, "aged_packets", k->aged_packets);
	json_put_number(o, "lost_records", k->lost_records);
	json_put_number(o, "lost_packets", k->lost_packets);
	json_put_number(o, "lost_signals", k->lost_signals);
	return o;
}

/* --- all of it -------------------------------------------------------------------------------- */

static void add_time_text(struct summary *s)
{
	char from[BH_TIME_STR], to[BH_TIME_STR];

	if (!s->totals.records) {
		bh_buf_addstr(&s->out, "\nnothing was denied that this asks for\n");
		return;
	}
	bh_buf_addf(&s->out,
		    "\n%" PRIu64 " packets in %" PRIu64 " records, %" PRIu64
		    " pairs and ports\n  %.19sZ ",
		    s->totals.packets, s->totals.records, s->totals.groups,
		    bh_format_time(from, s->timeline.from));
	denied_sparkline(&s->out, s->packets, PARTS, has_blocks());
	bh_buf_addf(&s->out, " %.19sZ\n\ndenied most\n", bh_format_time(to, s->timeline.to));
}

static json_t *timeline_json(const struct summary *s)
{
	json_t *o = json_object(), *all = json_array();

	json_put_time(o, "from", s->timeline.from);
	json_put_time(o, "to", s->timeline.to);
	for (size_t i = 0; i < PARTS; i++)
		json_array_append_new(all, json_integer((json_int_t)s->packets[i]));
	json_object_set_new(o, "packets", all);
	return o;
}

static json_t *sum_json(const struct summary *s)
{
	json_t *o = json_object();

	json_put_number(o, "denied", s->denied);
	json_put_number(o, "recorded", s->recorded);
	json_put_number(o, "not_recorded", s->not_recorded);
	return o;
}

static int print_json(struct summary *s)
{
	json_t *o = json_object();

	json_put_text(o, "schema", SCHEMA);
	json_object_set(o, "endpoints", s->accounts);
	json_object_set_new(o, "sum", sum_json(s));
	json_object_set_new(o, "kept", kept_json(&s->state));
	json_put_number(o, "packets", s->totals.packets);
	json_put_number(o, "records", s->totals.records);
	json_put_number(o, "groups", s->totals.groups);
	if (s->totals.records)
		json_object_set_new(o, "timeline", timeline_json(s));
	json_object_set(o, "most", s->top);
	return json_take_line(o, &s->out);
}

static int on_top(const struct flows_group *g, void *arg)
{
	struct summary *s = arg;

	json_array_append_new(s->top, denied_group_json(s->ask->by, s->ask->n_by, g));
	return 0;
}

static int on_top_text(const struct flows_group *g, void *arg)
{
	return denied_table_row(&((struct summary *)arg)->table, g);
}

static int ask_all(struct summary *s, struct flows_reader *r, struct bh_err *err)
{
	const struct denied_ask *a = s->ask;
	int q = flows_summary(r, &s->state, err);

	if (!s->json)
		bh_buf_addf(&s->out, "  %-20s %-28s %-9s %12s   %10s   %12s\n", "service",
			    "container", "direction", "denied", "recorded", "not recorded");
	if (q >= 0)
		q = flows_sums(r, on_account, s, err);
	if (q >= 0 && !s->json)
		denied_table_head(&s->table);
	return q < 0 ? q
		     : flows_group(r, &a->filter, a->by, a->n_by, &a->order,
				   s->json ? on_top : on_top_text, s, &s->timeline, &s->totals,
				   err);
}

static int print_text(struct summary *s)
{
	add_sum_text(s);
	add_kept_text(s);
	add_time_text(s);
	if (s->totals.records)
		bh_buf_addstr(&s->out, bh_buf_str(&s->table.line));
	return bh_buf_error(&s->out);
}

static int print(struct summary *s, struct denied_store *store)
{
	struct bh_err err = BH_ERR_INIT;
	int r = ask_all(s, store->reader, &err);

	if (r < 0 && err.msg[0])
		return denied_failed(store, &err);
	if (r >= 0)
		r = s->json ? print_json(s) : print_text(s);
	if (r < 0)
		return cli_fail(CLI_FAILED, "denied: %s", strerrordesc_np(-r));
	return cli_flush(&s->out);
}

int denied_summary(const struct cli_options *o, const struct denied_ask *a, struct denied_store *s)
{
	static const enum flows_field by[] = { FLOWS_SERVICE, FLOWS_PEER, FLOWS_PORT };
	struct denied_ask ask = *a;
	struct summary m = { .ask = &ask, .json = o->json || o->format };
	int code = denied_open(o, s);

	if (code != CLI_YES)
		return code;
	memcpy(ask.by, by, sizeof(by));
	ask.n_by = BH_ARRAY_SIZE(by);
	ask.order = (struct flows_order) { .sort = FLOWS_BY_PACKETS, .limit = MOST };
	m.timeline = (struct flows_timeline) {
		.from = a->filter.since, .to = a->filter.until, .n = PARTS, .packets = m.packets
	};
	m.accounts = json_array();
	m.top = json_array();
	bh_buf_init(&m.out, BYTES_MAX);
	denied_table_begin(&m.table, &ask);
	m.table.people = true;
	code = print(&m, s);
	denied_table_done(&m.table);
	bh_buf_done(&m.out);
	json_decref(m.accounts);
	json_decref(m.top);
	return code;
}
