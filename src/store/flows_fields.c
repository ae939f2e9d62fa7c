/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "flows_fields.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <bulkhead/base/cleanup.h>

enum token_kind {
	TOKEN_NONE,
	TOKEN_TEXT,
	TOKEN_NUMBER,
	TOKEN_ADDRESS4,
	TOKEN_ADDRESS6,
	TOKEN_PORT
};

/* --- tokens ----------------------------------------------------------------------------------- */

typedef void tokenize(const struct flows_row *row, struct flows_texts *texts,
		      struct flows_token *ret);

static void put_text(struct flows_texts *texts, int64_t id, struct flows_token *ret)
{
	struct flows_text *t = flows_texts_get(texts, id);

	if (t->text[0])
		*ret = (struct flows_token) { TOKEN_TEXT, (uint64_t)t->same, 0 };
}

static void put_address(const struct bh_addr *a, struct flows_token *ret)
{
	if (!a->family)
		return;
	ret->kind = a->family == AF_INET ? TOKEN_ADDRESS4 : TOKEN_ADDRESS6;
	memcpy(&ret->a, a->b, 8);
	memcpy(&ret->b, a->b + 8, 8);
}

#define TEXT_FIELD(name, column)                                                                   \
	static void name(const struct flows_row *row, struct flows_texts *texts,                   \
			 struct flows_token *ret)                                                  \
	{                                                                                          \
		put_text(texts, row->v[column], ret);                                              \
	}
TEXT_FIELD(service, COL_SERVICE)
TEXT_FIELD(image, COL_IMAGE)
TEXT_FIELD(owner, COL_OWNER)
TEXT_FIELD(scope, COL_SCOPE)
TEXT_FIELD(reason, COL_REASON)

static void container(const struct flows_row *row, struct flows_texts *texts,
		      struct flows_token *ret)
{
	put_text(texts, row->v[COL_ENDPOINT_NAME], ret);
	if (!ret->kind)
		put_text(texts, row->v[COL_ENDPOINT_ID], ret);
}

static void peer(const struct flows_row *row, struct flows_texts *texts, struct flows_token *ret)
{
	struct flows_far_end e;

	flows_far_end(row, &e);
	put_text(texts, e.service, ret);
	if (!ret->kind)
		put_text(texts, e.name, ret);
	if (!ret->kind)
		put_text(texts, e.endpoint, ret);
	if (!ret->kind)
		put_address(e.addr, ret);
}

static void address(const struct flows_row *row, struct flows_texts *texts, struct flows_token *ret)
{
	struct flows_far_end e;

	flows_far_end(row, &e);
	put_address(e.addr, ret);
}

/* What of a flow is none: 0 << 32; with a port: 1 << 32; of ICMP: 2 << 32. */
static void port(const struct flows_row *row, struct flows_texts *texts, struct flows_token *ret)
{
	const int64_t *v = row->v;
	uint64_t form = v[COL_HAS_PORT] ? 1 : v[COL_HAS_ICMP] ? 2 : 0;
	uint64_t value = (uint64_t)(form == 1 ? v[COL_PORT] : form == 2 ? v[COL_ICMP_TYPE] : 0);

	if (v[COL_AGGREGATED] || (!row->source.family && !form))
		return;
	*ret = (struct flows_token) {
		TOKEN_PORT, form << 32 | (v[COL_PROTOCOL] & 0xffff) << 16 | (value & 0xffff), 0
	};
}

static void direction(const struct flows_row *row, struct flows_texts *texts,
		      struct flows_token *ret)
{
	*ret = (struct flows_token) { TOKEN_NUMBER, (uint64_t)row->v[COL_DIRECTION], 1 };
}

static void verdict(const struct flows_row *row, struct flows_texts *texts, struct flows_token *ret)
{
	*ret = (struct flows_token) { TOKEN_NUMBER, (uint64_t)row->v[COL_VERDICT], 2 };
}

static void rule(const struct flows_row *row, struct flows_texts *texts, struct flows_token *ret)
{
	put_text(texts, row->v[COL_RULE_NAME], ret);
	if (!ret->kind)
		*ret = (struct flows_token) { TOKEN_NUMBER, (uint64_t)row->v[COL_RULE_KIND], 3 };
}

static void uid(const struct flows_row *row, struct flows_texts *texts, struct flows_token *ret)
{
	if (row->v[COL_HAS_UID])
		*ret = (struct flows_token) { TOKEN_NUMBER, (uint64_t)row->v[COL_UID], 0 };
}

static void process(const struct flows_row *row, struct flows_texts *texts, struct flows_token *ret)
{
	put_text(texts, row->v[COL_EXE], ret);
	if (!ret->kind)
		put_text(texts, row->v[COL_COMM], ret);
}

/* --- the table -------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	uint64_t columns;
	tokenize *fn;
} fields[FLOWS_FIELDS] = {
	[FLOWS_SERVICE] = { "service", FLOWS_COL(SERVICE), service },
	[FLOWS_CONTAINER] = { "container", FLOWS_COL(ENDPOINT_NAME) | FLOWS_COL(ENDPOINT_ID),
			      container },
	[FLOWS_PEER] = { "peer", FLOWS_COLS_PEER, peer },
	[FLOWS_ADDRESS] = { "address",
			    FLOWS_COL(DIRECTION) | FLOWS_COL(SOURCE) | FLOWS_COL(DESTINATION),
			    address },
	[FLOWS_PORT] = { "port",
			 FLOWS_COL(PROTOCOL) | FLOWS_COL(HAS_PORT) | FLOWS_COL(PORT) |
				 FLOWS_COL(HAS_ICMP) | FLOWS_COL(ICMP_TYPE) |
				 FLOWS_COL(AGGREGATED) | FLOWS_COL(SOURCE),
			 port },
	[FLOWS_DIRECTION] = { "direction", FLOWS_COL(DIRECTION), direction },
	[FLOWS_VERDICT] = { "verdict", FLOWS_COL(VERDICT), verdict },
	[FLOWS_RULE] = { "rule", FLOWS_COL(RULE_NAME) | FLOWS_COL(RULE_KIND), rule },
	[FLOWS_UID] = { "uid", FLOWS_COL(HAS_UID) | FLOWS_COL(UID), uid },
	[FLOWS_PROCESS] = { "process", FLOWS_COL(EXE) | FLOWS_COL(COMM), process },
	[FLOWS_IMAGE] = { "image", FLOWS_COL(IMAGE), image },
	[FLOWS_OWNER] = { "owner", FLOWS_COL(OWNER), owner },
	[FLOWS_SCOPE] = { "scope", FLOWS_COL(SCOPE), scope },
	[FLOWS_REASON] = { "reason", FLOWS_COL(REASON), reason },
};

const char *flows_field_name(enum flows_field f)
{
	return fields[f].name;
}

int flows_field_parse(const char *s, enum flows_field *ret)
{
	for (size_t i = 0; i < FLOWS_FIELDS; i++) {
		if (strcmp(fields[i].name, s) != 0)
			continue;
		*ret = (enum flows_field)i;
		return 0;
	}
	return -EINVAL;
}

uint64_t flows_field_columns(enum flows_field f)
{
	return fields[f].columns;
}

void flows_field_token(enum flows_field f, const struct flows_row *row, struct flows_texts *texts,
		       struct flows_token *ret)
{
	*ret = (struct flows_token) { 0 };
	fields[f].fn(row, texts, ret);
}

/* --- texts ------------------------------------------------------------------------------------ */

static const char *address_text(char *out, const struct flows_token *t)
{
	struct bh_addr a = { .family = t->kind == TOKEN_ADDRESS4 ? AF_INET : AF_INET6 };

	memcpy(a.b, &t->a, 8);
	memcpy(a.b + 8, &t->b, 8);
	return bh_addr_format(out, &a);
}

static const char *port_text(char *out, const struct flows_token *t)
{
	uint16_t proto = (uint16_t)(t->a >> 16), value = (uint16_t)t->a;
	char name[PROTO_STR];
	const char *type = t->a >> 32 == 2 ? icmp_type_name(proto, (uint8_t)value) : NULL;

	proto_name(name, proto);
	if (t->a >> 32 == 1)
		snprintf(out, FLOWS_VALUE_STR, "%u/%s", value, proto_name(name, proto));
	else if (type)
		snprintf(out, FLOWS_VALUE_STR, "%s/%s", proto_name(name, proto), type);
	else if (t->a >> 32 == 2)
		snprintf(out, FLOWS_VALUE_STR, "%s/%u", proto_name(name, proto), value);
	else
		snprintf(out, FLOWS_VALUE_STR, "%s", proto_name(name, proto));
	return out;
}

/* B says of what it is the number. */
static const char *number_text(char *out, const struct flows_token *t)
{
	if (t->b == 1 && t->a < DIRECTIONS)
		return direction_name((enum direction)t->a);
	if (t->b == 2 && t->a <= RECORD_ALLOW)
		return record_verdict_name((enum record_verdict)t->a);
	if (t->b == 3 && t->a < RECORD_RULE_KINDS)
		return record_rule_kind_name((enum record_rule_kind)t->a);
	snprintf(out, FLOWS_VALUE_STR, "%" PRIu64, t->a);
	return out;
}

const char *flows_token_text(char out[FLOWS_VALUE_STR], const struct flows_token *t,
			     struct flows_texts *texts)
{
	switch ((enum token_kind)t->kind) {
	case TOKEN_NONE:
		return "";
	case TOKEN_TEXT:
		return flows_texts_get(texts, (int64_t)t->a)->text;
	case TOKEN_NUMBER:
		return number_text(out, t);
	case TOKEN_ADDRESS4:
	case TOKEN_ADDRESS6:
		return address_text(out, t);
	case TOKEN_PORT:
		return port_text(out, t);
	}
	return "";
}
