/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>

#include "denied.h"

/* From options to a question. */

#define LIMIT_MAX 1000000000
#define SHOWN     128

static int usage(const char *option, const char *value, const char *why)
{
	char shown[SHOWN];

	return cli_fail(CLI_USAGE, "denied: --%s '%s': %s", option,
			bh_escape_str(shown, sizeof(shown), value), why);
}

/* --- time ------------------------------------------------------------------------------------- */

static int parse_time(const char *option, const char *s, int64_t now, int64_t *ret)
{
	if (!s || cli_when_parse(s, now, ret) >= 0)
		return CLI_YES;
	return usage(option, s, CLI_WHEN_HINT);
}

static int parse_times(const struct cli_options *o, int64_t now, struct flows_filter *f)
{
	int code = parse_time("since", o->since, now, &f->since);

	if (code == CLI_YES)
		code = parse_time("until", o->until, now, &f->until);
	if (code == CLI_YES && f->since && f->until && f->since >= f->until)
		return cli_fail(CLI_USAGE, "denied: --until is not after --since");
	return code;
}

/* --- lists ------------------------------------------------------------------------------------ */

static int parse_peer(const char *s, struct flows_peer *ret)
{
	struct bh_addr a;
	int r = bh_prefix_parse(s, &ret->prefix);

	ret->word = NULL;
	if (r >= 0)
		return CLI_YES;
	if (r == -EDOM)
		return usage("peer", s, "bits behind the prefix length are set");
	if (r == -ERANGE)
		return usage("peer", s, "the prefix is too long");
	if (bh_addr_parse(s, &a) >= 0)
		ret->prefix = (struct bh_prefix) { a, (uint8_t)(8 * bh_addr_len(a.family)) };
	else
		ret->word = s;
	return CLI_YES;
}

static int parse_peers(const struct cli_words *w, struct denied_ask *a)
{
	int code = CLI_YES;

	for (size_t i = 0; code == CLI_YES && i < w->n; i++)
		code = parse_peer(w->words[i], &a->peers[i]);
	a->filter.peers = a->peers;
	a->filter.n_peers = w->n;
	return code;
}

static int parse_ports(const struct cli_words *w, struct denied_ask *a)
{
	for (size_t i = 0; i < w->n; i++) {
		const char *why;

		if (port_spec_parse(w->words[i], &a->ports[i], &why) < 0)
			return usage("port", w->words[i], why);
	}
	a->filter.ports = a->ports;
	a->filter.n_ports = w->n;
	return CLI_YES;
}

static int parse_uids(const struct cli_words *w, struct denied_ask *a)
{
	for (size_t i = 0; i < w->n; i++) {
		uint64_t n;

		if (bh_parse_u64(w->words[i], 0, UINT32_MAX, &n) < 0)
			return usage("uid", w->words[i], "not the number of a user");
		a->uids[i] = (uint32_t)n;
	}
	a->filter.uids = a->uids;
	a->filter.n_uids = w->n;
	return CLI_YES;
}

static const char *direction_word(unsigned i)
{
	return i < DIRECTIONS ? direction_name((enum direction)i) : NULL;
}

static const char *verdict_word(unsigned i)
{
	return i <= RECORD_ALLOW ? record_verdict_name((enum record_verdict)i) : NULL;
}

/* Words of an enum, as bits; NAME gives NULL behind its last. */
static int parse_bits(const char *option, const struct cli_words *w, const char *(*name)(unsigned),
		      const char *why, unsigned *ret)
{
	for (size_t i = 0; i < w->n; i++) {
		unsigned bit = 0;

		while (name(bit) && strcmp(name(bit), w->words[i]) != 0)
			bit++;
		if (!name(bit))
			return usage(option, w->words[i], why);
		*ret |= 1u << bit;
	}
	return CLI_YES;
}

/* What only the history can be filtered by: all but the verdict. */
static bool has_filters(const struct cli_options *o)
{
	return o->since || o->until || o->services.n || o->containers.n || o->peers.n ||
	       o->ports.n || o->directions.n || o->rules.n || o->uids.n;
}

static int parse_filter(const struct cli_options *o, int64_t now, struct denied_ask *a)
{
	struct flows_filter *f = &a->filter;
	int code = parse_times(o, now, f);

	f->services = o->services.words;
	f->n_services = o->services.n;
	f->endpoints = o->containers.words;
	f->n_endpoints = o->containers.n;
	f->rules = o->rules.words;
	f->n_rules = o->rules.n;
	a->filters = has_filters(o);
	if (code == CLI_YES)
		code = parse_peers(&o->peers, a);
	if (code == CLI_YES)
		code = parse_ports(&o->ports, a);
	if (code == CLI_YES)
		code = parse_uids(&o->uids, a);
	if (code == CLI_YES)
		code = parse_bits("direction", &o->directions, direction_word, "egress or ingress",
				  &f->directions);
	if (code == CLI_YES)
		code = parse_bits("verdict", &o->verdicts, verdict_word, "deny, audit or allow",
				  &f->verdicts);
	if (!f->verdicts) /* what was allowed is no denial: it is shown to who asks for it */
		f->verdicts = 1u << RECORD_DENY | 1u << RECORD_AUDIT;
	return code;
}

/* --- order ------------------------------------------------------------------------------------ */

static const char *const sorts[] = {
	[FLOWS_BY_TIME] = "time",
	[FLOWS_BY_PACKETS] = "packets",
	[FLOWS_BY_RECORDS] = "records",
};

static int parse_by(const struct cli_options *o, struct denied_ask *a)
{
	const char *names[FLOWS_FIELDS], *near;
	char shown[SHOWN];

	for (size_t i = 0; i < FLOWS_FIELDS; i++)
		names[i] = flows_field_name((enum flows_field)i);
	if (o->by.n > BH_FLOWS_BY_MAX)
		return cli_fail(CLI_USAGE, "denied: --by takes %d fields at most", BH_FLOWS_BY_MAX);
	for (; a->n_by < o->by.n; a->n_by++) {
		const char *word = o->by.words[a->n_by];

		if (flows_field_parse(word, &a->by[a->n_by]) >= 0)
			continue;
		near = bh_nearest(word, names, FLOWS_FIELDS);
		return cli_fail(CLI_USAGE, "denied: --by '%s': there is no such field%s%s%s",
				bh_escape_str(shown, sizeof(shown), word),
				near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
	}
	return CLI_YES;
}

static int parse_sort(const struct cli_options *o, struct denied_ask *a)
{
	a->order.reverse = o->reverse;
	a->order.sort = o->by.n ? FLOWS_BY_PACKETS : FLOWS_BY_TIME;
	if (!o->sort)
		return CLI_YES;
	for (size_t i = 0; i < BH_ARRAY_SIZE(sorts); i++) {
		if (strcmp(sorts[i], o->sort) != 0)
			continue;
		a->order.sort = (enum flows_sort)i;
		if (i == FLOWS_BY_RECORDS && !o->by.n)
			return cli_fail(CLI_USAGE, "denied: --sort records is for groups (--by)");
		return CLI_YES;
	}
	return usage("sort", o->sort, "time, packets or records");
}

/* "VALUE.ID" of records, "+N" of groups. */
static int parse_page(const struct cli_options *o, struct denied_ask *a)
{
	const char *dot = o->page ? strrchr(o->page, '.') : NULL;
	char value[24];
	uint64_t n, id;

	if (!o->page)
		return CLI_YES;
	if (o->by.n) {
		if (o->page[0] != '+' || bh_parse_u64(o->page + 1, 1, LIMIT_MAX, &n) < 0)
			return usage("page", o->page, "not what a page of groups has ended with");
		a->order.skip = (size_t)n;
		return CLI_YES;
	}
	if (!dot || (size_t)(dot - o->page) >= sizeof(value))
		return usage("page", o->page, "not what a page of records has ended with");
	snprintf(value, sizeof(value), "%.*s", (int)(dot - o->page), o->page);
	if (bh_parse_u64(value, 0, INT64_MAX, &n) < 0 ||
	    bh_parse_u64(dot + 1, 1, INT64_MAX, &id) < 0)
		return usage("page", o->page, "not what a page of records has ended with");
	a->order.after = (struct flows_cursor) { (int64_t)n, (int64_t)id };
	return CLI_YES;
}

static int parse_limit(const struct cli_options *o, struct denied_ask *a)
{
	uint64_t n = 0;

	if (o->limit && bh_parse_u64(o->limit, 1, LIMIT_MAX, &n) < 0)
		return usage("limit", o->limit, "1 to 1000000000");
	a->order.limit = (size_t)n;
	return CLI_YES;
}

static int parse_order(const struct cli_options *o, struct denied_ask *a)
{
	int code = parse_by(o, a);

	if (code == CLI_YES)
		code = parse_sort(o, a);
	if (code == CLI_YES)
		code = parse_limit(o, a);
	return code == CLI_YES ? parse_page(o, a) : code;
}

/* --- what does not go together ---------------------------------------------------------------- */

static int check(const struct cli_options *o, const struct denied_ask *a)
{
	bool ordered = o->sort || o->reverse || o->limit || o->page;
	const struct {
		bool both;
		const char *why;
	} clashes[] = {
		{ o->follow && (o->by.n || o->summary || ordered),
		  "--follow prints records as they come: no --by, --summary, --sort, --reverse, "
		  "--limit, --page" },
		{ o->follow && (o->since || o->until),
		  "--follow prints what comes: no --since, --until" },
		{ o->summary && (o->by.n || ordered), "--summary has an order of its own" },
		{ o->signals && (o->by.n || o->summary), "--signals goes with records" },
		{ o->signals && a->order.sort != FLOWS_BY_TIME,
		  "--signals are shown in the order of time" },
		{ (o->by.n || o->summary) && (o->pcap || (o->format && strcmp(o->format, "json"))),
		  "--by and --summary are printed as text, or with --json" },
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(clashes); i++)
		if (clashes[i].both)
			return cli_fail(CLI_USAGE, "denied: %s", clashes[i].why);
	return CLI_YES;
}

int denied_parse(const struct cli_options *o, int64_t now, struct denied_ask *ret)
{
	int code;

	*ret = (struct denied_ask) { 0 };
	code = parse_filter(o, now, ret);
	if (code == CLI_YES)
		code = parse_order(o, ret);
	return code == CLI_YES ? check(o, ret) : code;
}
