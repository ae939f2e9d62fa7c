/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "flows_match.h"

#include <errno.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

#include "flows_row.h"

/* --- rows ------------------------------------------------------------------------------------- */

static const char *const names[FLOWS_COLUMNS] = {
	[COL_VERDICT] = "verdict",
	[COL_DIRECTION] = "direction",
	[COL_PROTOCOL] = "protocol",
	[COL_HAS_PORT] = "has_port",
	[COL_PORT] = "port",
	[COL_HAS_ICMP] = "has_icmp",
	[COL_ICMP_TYPE] = "icmp_type",
	[COL_AGGREGATED] = "aggregated",
	[COL_RULE_KIND] = "rule_kind",
	[COL_HAS_UID] = "has_uid",
	[COL_UID] = "uid",
	[COL_SERVICE] = "service",
	[COL_ENDPOINT_ID] = "endpoint_id",
	[COL_ENDPOINT_NAME] = "endpoint_name",
	[COL_SOURCE_ENDPOINT] = "source_endpoint",
	[COL_SOURCE_SERVICE] = "source_service",
	[COL_SOURCE_NAME] = "source_name",
	[COL_DESTINATION_ENDPOINT] = "destination_endpoint",
	[COL_DESTINATION_SERVICE] = "destination_service",
	[COL_DESTINATION_NAME] = "destination_name",
	[COL_RULE_NAME] = "rule_name",
	[COL_IMAGE] = "image",
	[COL_OWNER] = "owner",
	[COL_SCOPE] = "scope",
	[COL_REASON] = "reason",
	[COL_COMM] = "comm",
	[COL_EXE] = "exe",
	[COL_UNKNOWN] = "unknown",
	[COL_SOURCE] = "source",
	[COL_DESTINATION] = "destination",
};

void flows_sql_select_rows(struct bh_buf *sql, uint64_t columns)
{
	bh_buf_addstr(sql, "SELECT id");
	for (size_t i = 0; i < FLOWS_COLUMNS; i++)
		if (columns >> i & 1)
			bh_buf_addf(sql, ", %s", names[i]);
	bh_buf_addstr(sql, " FROM flow");
}

void flows_row_read(sqlite3_stmt *s, uint64_t columns, struct flows_row *ret)
{
	int at = 1;

	memset(ret, 0, sizeof(*ret));
	ret->id = sqlite3_column_int64(s, 0);
	for (size_t i = 0; i < COL_SOURCE; i++)
		if (columns >> i & 1)
			ret->v[i] = sqlite3_column_int64(s, at++);
	if (columns & FLOWS_COL(SOURCE))
		flows_address_read(s, at++, &ret->source);
	if (columns & FLOWS_COL(DESTINATION))
		flows_address_read(s, at, &ret->destination);
}

void flows_far_end(const struct flows_row *row, struct flows_far_end *ret)
{
	bool out = row->v[COL_DIRECTION] == DIRECTION_EGRESS;

	ret->service = row->v[out ? COL_DESTINATION_SERVICE : COL_SOURCE_SERVICE];
	ret->name = row->v[out ? COL_DESTINATION_NAME : COL_SOURCE_NAME];
	ret->endpoint = row->v[out ? COL_DESTINATION_ENDPOINT : COL_SOURCE_ENDPOINT];
	ret->addr = out ? &row->destination : &row->source;
}

/* --- texts ------------------------------------------------------------------------------------ */

/* What is found of a text is remembered with it, apart for each question. */
enum memo { MEMO_SERVICE, MEMO_ENDPOINT, MEMO_PEER_SERVICE, MEMO_PEER_NAME, MEMO_RULE };
_Static_assert(MEMO_RULE < FLOWS_MEMOS, "a memo for each question");

typedef bool asks(const struct flows_filter *f, const char *text);

static bool ask(const struct flows_filter *f, struct flows_texts *texts, int64_t id, enum memo memo,
		asks *fn)
{
	struct flows_text *t = flows_texts_get(texts, id);

	if (!t->memo[memo])
		t->memo[memo] = fn(f, t->text) ? 2 : 1;
	return t->memo[memo] == 2;
}

bool flows_is_joined(const char *text, const char *word)
{
	size_t len = strlen(word);

	while (len && *text) {
		size_t n = strcspn(text, ",");

		if (n == len && memcmp(text, word, n) == 0)
			return true;
		text += n + (text[n] == ',');
	}
	return false;
}

static bool in_services(const struct flows_filter *f, const char *text)
{
	for (size_t i = 0; i < f->n_services; i++)
		if (flows_is_joined(text, f->services[i]))
			return true;
	return false;
}

static bool is_endpoint(const struct flows_filter *f, const char *text)
{
	for (size_t i = 0; i < f->n_endpoints; i++)
		if (strcmp(text, f->endpoints[i]) == 0)
			return true;
	return false;
}

static bool is_endpoint_id(const struct flows_filter *f, const char *text)
{
	for (size_t i = 0; i < f->n_endpoints; i++) {
		size_t len = strlen(f->endpoints[i]);

		if (strncmp(text, f->endpoints[i], len) == 0 &&
		    (len >= BH_FLOWS_ID_PREFIX_MIN || !text[len]))
			return true;
	}
	return false;
}

static bool in_peer_services(const struct flows_filter *f, const char *text)
{
	for (size_t i = 0; i < f->n_peers; i++)
		if (f->peers[i].word && flows_is_joined(text, f->peers[i].word))
			return true;
	return false;
}

static bool is_peer_name(const struct flows_filter *f, const char *text)
{
	for (size_t i = 0; i < f->n_peers; i++)
		if (text[0] && f->peers[i].word && strcmp(text, f->peers[i].word) == 0)
			return true;
	return false;
}

static bool is_rule(const struct flows_filter *f, const char *text)
{
	for (size_t i = 0; i < f->n_rules; i++)
		if (strcmp(text, f->rules[i]) == 0)
			return true;
	return false;
}

/* --- questions -------------------------------------------------------------------------------- */

typedef bool question(const struct flows_filter *f, struct flows_texts *t,
		      const struct flows_row *row);

static bool by_service(const struct flows_filter *f, struct flows_texts *t,
		       const struct flows_row *row)
{
	return ask(f, t, row->v[COL_SERVICE], MEMO_SERVICE, in_services);
}

/* An id may be somebody's name: two questions, and one memo for each text would mix them up. */
static bool by_endpoint(const struct flows_filter *f, struct flows_texts *t,
			const struct flows_row *row)
{
	return ask(f, t, row->v[COL_ENDPOINT_NAME], MEMO_ENDPOINT, is_endpoint) ||
	       is_endpoint_id(f, flows_texts_get(t, row->v[COL_ENDPOINT_ID])->text);
}

static bool by_address(const struct flows_filter *f, const struct bh_addr *a)
{
	for (size_t i = 0; a->family && i < f->n_peers; i++)
		if (!f->peers[i].word && bh_prefix_contains(&f->peers[i].prefix, a))
			return true;
	return false;
}

static bool by_peer(const struct flows_filter *f, struct flows_texts *t,
		    const struct flows_row *row)
{
	struct flows_far_end e;

	flows_far_end(row, &e);
	return by_address(f, e.addr) || ask(f, t, e.service, MEMO_PEER_SERVICE, in_peer_services) ||
	       ask(f, t, e.name, MEMO_PEER_NAME, is_peer_name) ||
	       ask(f, t, e.endpoint, MEMO_PEER_NAME, is_peer_name);
}

/* What the far end of a flow without ports has in their place. Aggregated ones have neither. */
static bool by_port(const struct flows_filter *f, struct flows_texts *t,
		    const struct flows_row *row)
{
	const int64_t *v = row->v;
	bool whole = !v[COL_HAS_PORT] && !v[COL_HAS_ICMP];
	uint16_t proto = (uint16_t)v[COL_PROTOCOL];
	uint16_t port = (uint16_t)(v[COL_HAS_PORT] ? v[COL_PORT] : v[COL_ICMP_TYPE]);

	for (size_t i = 0; !v[COL_AGGREGATED] && i < f->n_ports; i++) {
		const struct port_spec *p = &f->ports[i];

		if (whole ? p->proto == PROTO_ANY || (p->proto == proto && p->lo == 0)
			  : port_spec_contains(p, proto, port))
			return true;
	}
	return false;
}

static bool by_rule(const struct flows_filter *f, struct flows_texts *t,
		    const struct flows_row *row)
{
	int64_t kind = row->v[COL_RULE_KIND];

	for (size_t i = 0; i < f->n_rules; i++)
		if (kind >= 0 && kind < RECORD_RULE_KINDS &&
		    strcmp(f->rules[i], record_rule_kind_name((enum record_rule_kind)kind)) == 0)
			return true;
	return ask(f, t, row->v[COL_RULE_NAME], MEMO_RULE, is_rule);
}

static bool by_uid(const struct flows_filter *f, struct flows_texts *t, const struct flows_row *row)
{
	for (size_t i = 0; row->v[COL_HAS_UID] && i < f->n_uids; i++)
		if (row->v[COL_UID] == f->uids[i])
			return true;
	return false;
}

static bool in_mask(unsigned mask, int64_t v)
{
	return v >= 0 && v < 32 && (mask >> v & 1);
}

static bool by_verdict(const struct flows_filter *f, struct flows_texts *t,
		       const struct flows_row *row)
{
	return in_mask(f->verdicts, row->v[COL_VERDICT]);
}

static bool by_direction(const struct flows_filter *f, struct flows_texts *t,
			 const struct flows_row *row)
{
	return in_mask(f->directions, row->v[COL_DIRECTION]);
}

#define ASKED(member)                                                                              \
	offsetof(struct flows_filter, member), sizeof(((struct flows_filter *)0)->member)

/* A question is asked when its number of alternatives, or its mask, is not 0. The cheap ones first. */
static const struct {
	size_t offset, size;
	uint64_t columns;
	question *fn;
} questions[] = {
	{ ASKED(verdicts), FLOWS_COL(VERDICT), by_verdict },
	{ ASKED(directions), FLOWS_COL(DIRECTION), by_direction },
	{ ASKED(n_uids), FLOWS_COL(HAS_UID) | FLOWS_COL(UID), by_uid },
	{ ASKED(n_ports),
	  FLOWS_COL(PROTOCOL) | FLOWS_COL(HAS_PORT) | FLOWS_COL(PORT) | FLOWS_COL(HAS_ICMP) |
		  FLOWS_COL(ICMP_TYPE) | FLOWS_COL(AGGREGATED),
	  by_port },
	{ ASKED(n_services), FLOWS_COL(SERVICE), by_service },
	{ ASKED(n_endpoints), FLOWS_COL(ENDPOINT_ID) | FLOWS_COL(ENDPOINT_NAME), by_endpoint },
	{ ASKED(n_rules), FLOWS_COL(RULE_KIND) | FLOWS_COL(RULE_NAME), by_rule },
	{ ASKED(n_peers), FLOWS_COLS_PEER, by_peer },
};

static bool is_asked(const struct flows_filter *f, size_t i)
{
	const char *p = (const char *)f + questions[i].offset;

	for (size_t n = 0; n < questions[i].size; n++)
		if (p[n])
			return true;
	return false;
}

uint64_t flows_match_columns(const struct flows_filter *f)
{
	uint64_t columns = 0;

	for (size_t i = 0; i < BH_ARRAY_SIZE(questions); i++)
		if (is_asked(f, i))
			columns |= questions[i].columns;
	return columns;
}

bool flows_match(const struct flows_filter *f, struct flows_texts *texts,
		 const struct flows_row *row)
{
	for (size_t i = 0; i < BH_ARRAY_SIZE(questions); i++)
		if (is_asked(f, i) && !questions[i].fn(f, texts, row))
			return false;
	return true;
}

bool flows_match_time(const struct flows_filter *f, int64_t first, int64_t span)
{
	int64_t last;

	if (f->until && first >= f->until)
		return false;
	return !f->since || first >= f->since ||
	       (!__builtin_add_overflow(first, span, &last) && last >= f->since);
}
