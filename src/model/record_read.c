/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/model/record.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>

/* Hostile bytes to a record: what flow_record_json() wrote, and nothing that it cannot have written. */

struct reading {
	struct flow_record *rec;
	struct bh_err *err;
};

static int wrong(struct reading *rd, const char *key, const char *what)
{
	return bh_err_set(rd->err, -EINVAL, "\"%s\" %s", key, what);
}

/* --- values ---------------------------------------------------------------------------------- */

/* Each byte of a text that is no UTF-8 was written as four, \xNN. */
#define ESCAPED_MAX 4

/*
 * Absent is "". What was escaped may not fit any more, and is cut, but never within a character: whoever
 * chooses the name of a program must not keep its records from being read.
 */
static int get_text(struct reading *rd, const json_t *o, const char *key, char *out, size_t cap)
{
	const json_t *v = json_object_get(o, key);
	const char *s = json_string_value(v);
	size_t len = v ? json_string_length(v) : 0;

	out[0] = '\0';
	if (!v)
		return 0;
	if (!s)
		return wrong(rd, key, "is no text");
	if (len > ESCAPED_MAX * (cap - 1))
		return wrong(rd, key, "is too long");
	if (len >= cap)
		len = cap - 1;
	while (len && ((unsigned char)s[len] & 0xc0) == 0x80)
		len--;
	memcpy(out, s, len);
	out[len] = '\0';
	return 0;
}

#define GET_TEXT(rd, o, key, array) get_text(rd, o, key, array, sizeof(array))

/* 1 when it is there, 0 when not. */
static int get_number(struct reading *rd, const json_t *o, const char *key, uint64_t max,
		      uint64_t *ret)
{
	const json_t *v = json_object_get(o, key);

	if (!v)
		return 0;
	if (!json_is_integer(v))
		return wrong(rd, key, "is no whole number");
	if (json_integer_value(v) < 0 || (uint64_t)json_integer_value(v) > max)
		return wrong(rd, key, "is out of range");
	*ret = (uint64_t)json_integer_value(v);
	return 1;
}

/* Both are marked *always* in docs/record.md. */
static int need_number(struct reading *rd, const json_t *o, const char *key, uint64_t *ret)
{
	int r = get_number(rd, o, key, INT64_MAX, ret);

	return r == 0 ? wrong(rd, key, "is missing") : r;
}

/* NULL: absent or wrong; *ret_r tells. */
static const json_t *get_object(struct reading *rd, const json_t *o, const char *key, bool must,
				int *ret_r)
{
	const json_t *v = json_object_get(o, key);

	*ret_r = 0;
	if (!v && must)
		*ret_r = wrong(rd, key, "is missing");
	else if (v && !json_is_object(v))
		*ret_r = wrong(rd, key, "is no object");
	return *ret_r < 0 ? NULL : v;
}

static int get_bool(struct reading *rd, const json_t *o, const char *key, bool *ret)
{
	const json_t *v = json_object_get(o, key);

	if (v && !json_is_boolean(v))
		return wrong(rd, key, "is neither true nor false");
	*ret = json_is_true(v);
	return 0;
}

/* One of N words, as its index. */
static int need_word(struct reading *rd, const json_t *o, const char *key,
		     const char *(*word)(unsigned i), unsigned n, unsigned *ret)
{
	const char *s = json_string_value(json_object_get(o, key));

	for (*ret = 0; s && *ret < n; ++*ret)
		if (strcmp(s, word(*ret)) == 0)
			return 0;
	return wrong(rd, key, "is missing, or none of the words that it may be");
}

static const char *verdict_word(unsigned i)
{
	return record_verdict_name((enum record_verdict)i);
}

static const char *kind_word(unsigned i)
{
	return record_rule_kind_name((enum record_rule_kind)i);
}

static const char *direction_word(unsigned i)
{
	return direction_name((enum direction)i);
}

static int need_time(struct reading *rd, const json_t *o, const char *key, int64_t *ret)
{
	const char *s = json_string_value(json_object_get(o, key));
	size_t len = s ? strlen(s) : 0;
	uint64_t ms = 0;
	char fraction[4];
	int64_t t;

	if (len != strlen("2026-11-23T09:00:01.204Z") || s[len - 5] != '.' ||
	    bh_parse_time(s, &t) < 0)
		return wrong(rd, key, "is no time as 2026-11-23T09:00:01.204Z");
	memcpy(fraction, s + len - 4, 3);
	fraction[3] = '\0';
	if (bh_parse_u64(fraction, 0, 999, &ms) < 0)
		return wrong(rd, key, "is no time as 2026-11-23T09:00:01.204Z");
	*ret = t * 1000000 + (int64_t)ms * 1000;
	return 0;
}

static int get_address(struct reading *rd, const json_t *o, const char *key, struct bh_addr *ret)
{
	char text[BH_ADDR_STR];
	int r = GET_TEXT(rd, o, key, text);

	*ret = (struct bh_addr) { 0 };
	if (r < 0 || !text[0])
		return r;
	return bh_addr_parse(text, ret) < 0 ? wrong(rd, key, "is no IPv4 or IPv6 address") : 0;
}

static const struct {
	const char *name;
	uint16_t proto;
} protocols[] = {
	{ "tcp", IPPROTO_TCP },   { "udp", IPPROTO_UDP },       { "sctp", IPPROTO_SCTP },
	{ "icmp", IPPROTO_ICMP }, { "icmpv6", IPPROTO_ICMPV6 },
};

/* A name, else the number as text. */
static int need_protocol(struct reading *rd, const json_t *o, uint16_t *ret)
{
	const char *s = json_string_value(json_object_get(o, "protocol"));
	uint64_t n;

	if (!s)
		return wrong(rd, "protocol", "is missing, or no text");
	for (size_t i = 0; i < BH_ARRAY_SIZE(protocols); i++) {
		if (strcmp(s, protocols[i].name) != 0)
			continue;
		*ret = protocols[i].proto;
		return 0;
	}
	if (bh_parse_u64(s, 0, 255, &n) < 0)
		return wrong(rd, "protocol", "is neither a name nor a number up to 255");
	*ret = (uint16_t)n;
	return 0;
}

/* --- parts ----------------------------------------------------------------------------------- */

static int read_end(struct reading *rd, const json_t *o, const char *key, struct record_end *ret)
{
	uint64_t port = 0;
	int r;
	const json_t *e = get_object(rd, o, key, true, &r);

	if (r >= 0)
		r = get_address(rd, e, "address", &ret->addr);
	if (r >= 0)
		r = get_number(rd, e, "port", UINT16_MAX, &port);
	if (r < 0)
		return r;
	ret->has_port = r;
	ret->port = (uint16_t)port;
	r = GET_TEXT(rd, e, "endpoint", ret->endpoint);
	if (r >= 0)
		r = GET_TEXT(rd, e, "name", ret->name);
	if (r >= 0)
		r = GET_TEXT(rd, e, "service", ret->service);
	return r < 0 ? r : GET_TEXT(rd, e, "scope", ret->scope);
}

static int read_icmp(struct reading *rd, const json_t *o)
{
	uint64_t type = 0, code = 0;
	int r;
	const json_t *icmp = get_object(rd, o, "icmp", false, &r);

	if (!icmp)
		return r;
	if (rd->rec->proto != IPPROTO_ICMP && rd->rec->proto != IPPROTO_ICMPV6)
		return wrong(rd, "icmp", "goes with the protocols icmp and icmpv6");
	r = get_number(rd, icmp, "type", UINT8_MAX, &type);
	if (r == 0)
		r = wrong(rd, "type", "is missing");
	if (r > 0)
		r = get_number(rd, icmp, "code", UINT8_MAX, &code);
	rd->rec->has_icmp = r > 0;
	rd->rec->icmp_type = (uint8_t)type;
	rd->rec->icmp_code = (uint8_t)code;
	return r == 0 ? wrong(rd, "code", "is missing") : r;
}

/* SIZE bytes in hexadecimal, with BETWEEN between two of them; nothing else. */
static bool read_hex(const char *s, char between, uint8_t *out, size_t size)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < size; i++) {
		const char *hi = s[0] ? strchr(digits, s[0]) : NULL;
		const char *lo = hi && s[1] ? strchr(digits, s[1]) : NULL;

		if (!lo)
			return false;
		out[i] = (uint8_t)((hi - digits) << 4 | (lo - digits));
		s += 2;
		if (between && i + 1 < size && *s++ != between)
			return false;
	}
	return !*s;
}

static int read_frame(struct reading *rd, const json_t *o)
{
	char source[18], destination[18], type[7];
	uint8_t t[2] = { 0 };
	int r;
	const json_t *f = get_object(rd, o, "frame", false, &r);

	if (!f)
		return r;
	r = GET_TEXT(rd, f, "source", source);
	if (r >= 0)
		r = GET_TEXT(rd, f, "destination", destination);
	if (r >= 0)
		r = GET_TEXT(rd, f, "type", type);
	if (r < 0)
		return r;
	if (!read_hex(source, ':', rd->rec->frame_source, 6) ||
	    !read_hex(destination, ':', rd->rec->frame_destination, 6) ||
	    strncmp(type, "0x", 2) != 0 || !read_hex(type + 2, '\0', t, 2))
		return wrong(rd, "frame", "is no Ethernet header");
	rd->rec->has_frame = true;
	rd->rec->frame_type = (uint16_t)(t[0] << 8 | t[1]);
	return 0;
}

static int read_sample(struct reading *rd, const json_t *o, struct record_sample *ret)
{
	uint64_t port = 0;
	int r = get_address(rd, o, "peer", &ret->peer);

	if (r >= 0 && !ret->peer.family)
		r = wrong(rd, "peer", "is missing");
	if (r >= 0)
		r = need_protocol(rd, o, &ret->proto);
	if (r >= 0)
		r = get_number(rd, o, "port", UINT16_MAX, &port);
	ret->port = (uint16_t)port;
	return r;
}

static int read_aggregated(struct reading *rd, const json_t *o)
{
	const json_t *sample = json_object_get(o, "sample"), *v;
	struct flow_record *rec = rd->rec;
	uint64_t flows = 0;
	int r = get_number(rd, o, "flows", UINT32_MAX, &flows);
	size_t i;

	rec->flows = (uint32_t)flows;
	if (r >= 0 && sample && !json_is_array(sample))
		r = wrong(rd, "sample", "is no list");
	if (r >= 0 && json_array_size(sample) > RECORD_SAMPLES)
		r = wrong(rd, "sample", "is too long");
	if (r < 0)
		return r;
	json_array_foreach (sample, i, v) {
		r = read_sample(rd, v, &rec->samples[i]);
		if (r < 0)
			return r;
		rec->n_samples++;
	}
	return 0;
}

static int read_endpoint(struct reading *rd, const json_t *o)
{
	struct flow_record *rec = rd->rec;
	int r;
	const json_t *e = get_object(rd, o, "endpoint", true, &r);

	if (r >= 0)
		r = GET_TEXT(rd, e, "id", rec->endpoint_id);
	if (r >= 0)
		r = GET_TEXT(rd, e, "name", rec->endpoint_name);
	if (r >= 0)
		r = GET_TEXT(rd, e, "runtime", rec->runtime);
	if (r >= 0)
		r = GET_TEXT(rd, e, "image", rec->image);
	return r < 0 ? r : GET_TEXT(rd, e, "netns", rec->netns);
}

static int read_process(struct reading *rd, const json_t *o)
{
	struct record_process *p = &rd->rec->process;
	uint64_t pid = 0;
	int r;
	const json_t *v = get_object(rd, o, "process", false, &r);

	if (!v)
		return r;
	r = get_number(rd, v, "pid", UINT32_MAX, &pid);
	if (r >= 0)
		r = GET_TEXT(rd, v, "comm", p->comm);
	if (r >= 0)
		r = GET_TEXT(rd, v, "exe", p->exe);
	p->pid = (uint32_t)pid;
	if (!pid)
		p->unknown = "it was not known when this was recorded";
	return r;
}

static int read_rule(struct reading *rd, const json_t *o)
{
	struct flow_record *rec = rd->rec;
	uint64_t line = 0;
	unsigned kind = 0;
	int r;
	const json_t *v = get_object(rd, o, "rule", true, &r);

	if (r >= 0)
		r = need_word(rd, v, "kind", kind_word, RECORD_RULE_KINDS, &kind);
	if (r >= 0)
		r = GET_TEXT(rd, v, "name", rec->rule_name);
	if (r >= 0)
		r = GET_TEXT(rd, v, "file", rec->rule_file);
	if (r >= 0)
		r = get_number(rd, v, "line", UINT32_MAX, &line);
	rec->rule_kind = (enum record_rule_kind)kind;
	rec->rule_line = (unsigned)line;
	return r;
}

/* --- the whole ------------------------------------------------------------------------------- */

static int read_head(struct reading *rd, const json_t *o)
{
	struct flow_record *rec = rd->rec;
	unsigned verdict = 0, direction = 0;
	int r = need_time(rd, o, "first_seen", &rec->first_seen);

	if (r >= 0)
		r = need_time(rd, o, "last_seen", &rec->last_seen);
	if (r >= 0)
		r = need_word(rd, o, "verdict", verdict_word, RECORD_ALLOW + 1, &verdict);
	if (r >= 0)
		r = need_word(rd, o, "direction", direction_word, DIRECTIONS, &direction);
	if (r >= 0)
		r = need_number(rd, o, "packets", &rec->packets);
	if (r >= 0)
		r = need_number(rd, o, "bytes", &rec->bytes);
	rec->verdict = (enum record_verdict)verdict;
	rec->direction = (enum direction)direction;
	return r;
}

static int read_flow(struct reading *rd, const json_t *o)
{
	struct flow_record *rec = rd->rec;
	uint64_t flags = 0;
	int r = get_bool(rd, o, "aggregated", &rec->aggregated);

	if (r >= 0)
		r = read_frame(rd, o);
	if (r >= 0)
		r = read_end(rd, o, "source", &rec->source);
	if (r >= 0)
		r = read_end(rd, o, "destination", &rec->destination);
	if (r >= 0 && rec->aggregated)
		r = read_aggregated(rd, o);
	else if (r >= 0 && !(rec->has_frame && !rec->source.addr.family))
		r = need_protocol(rd, o, &rec->proto);
	if (r >= 0)
		r = read_icmp(rd, o);
	if (r >= 0)
		r = get_number(rd, o, "tcp_flags", UINT8_MAX, &flags);
	rec->has_tcp_flags = r > 0;
	rec->tcp_flags = (uint8_t)flags;
	return r;
}

static int read_ids(struct reading *rd, const json_t *o)
{
	struct flow_record *rec = rd->rec;
	uint64_t uid = 0, gid = 0;
	int r = get_number(rd, o, "uid", UINT32_MAX, &uid);

	rec->has_uid = r > 0;
	rec->uid = (uint32_t)uid;
	if (r >= 0)
		r = get_number(rd, o, "gid", UINT32_MAX, &gid);
	rec->has_gid = r > 0;
	rec->gid = (uint32_t)gid;
	return r;
}

#define TEXT_FIELD(key, member)                                                                    \
	{                                                                                          \
		key, offsetof(struct flow_record, member),                                         \
			sizeof(((struct flow_record *)0)->member)                                  \
	}

static const struct {
	const char *key;
	size_t offset, size;
} texts[] = {
	TEXT_FIELD("interface", interface),   TEXT_FIELD("service", service),
	TEXT_FIELD("owner", owner),           TEXT_FIELD("scope", scope),
	TEXT_FIELD("reason", reason),         TEXT_FIELD("near_miss", near_miss),
	TEXT_FIELD("other_side", other_side), TEXT_FIELD("host", host),
	TEXT_FIELD("generation", generation),
};

static int read_texts(struct reading *rd, const json_t *o)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < BH_ARRAY_SIZE(texts); i++)
		r = get_text(rd, o, texts[i].key, (char *)rd->rec + texts[i].offset, texts[i].size);
	return r;
}

static int read_record(struct reading *rd, const json_t *o)
{
	const char *schema = json_string_value(json_object_get(o, "schema"));
	int r;

	if (!schema)
		return wrong(rd, "schema", "is missing, or no text");
	if (strcmp(schema, "bulkhead.flow/1") != 0)
		return bh_err_set(rd->err, -ENOMSG, "it is of another schema");
	r = read_head(rd, o);
	if (r >= 0)
		r = read_flow(rd, o);
	if (r >= 0)
		r = read_endpoint(rd, o);
	if (r >= 0)
		r = read_ids(rd, o);
	if (r >= 0)
		r = read_process(rd, o);
	if (r >= 0)
		r = read_rule(rd, o);
	return r < 0 ? r : read_texts(rd, o);
}

int flow_record_read(const char *line, size_t len, struct flow_record *ret, struct bh_err *err)
{
	bh_autofree struct flow_record *rec = NULL;
	struct reading rd = { .err = err };
	json_error_t e;
	json_t *o;
	int r;

	if (len > BH_RECORD_LINE_MAX)
		return bh_err_set(err, -EINVAL, "longer than %u bytes", BH_RECORD_LINE_MAX);
	rec = calloc(1, sizeof(*rec));
	if (!rec)
		return bh_err_oom(err);
	o = json_loadb(line, len, JSON_REJECT_DUPLICATES, &e);
	if (!json_is_object(o)) {
		json_decref(o);
		return bh_err_set(err, -EINVAL, "it is no JSON object");
	}
	rec->logged = true;
	rd.rec = rec;
	r = read_record(&rd, o);
	json_decref(o);
	if (r < 0)
		return r;
	*ret = *rec;
	return 0;
}
