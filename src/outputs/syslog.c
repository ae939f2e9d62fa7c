/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sink.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>

#include "params.h"

/* RFC 5424 over a datagram socket of this host. */

/* The number of RFC 5612, for examples: Bulkhead has none of its own. */
#define SD_ID      "bulkhead@32473"
#define SD_MAX     (BH_OUTPUT_SYSLOG_MAX - 1536) /* so that the sentence has room */
#define HOST_MAX   255
#define BOM        "\xef\xbb\xbf"
#define PARAM_ROOM (2 * BH_OUTPUT_SYSLOG_VALUE_MAX + 64) /* of one, all of it escaped */

/* HOSTNAME: of what RFC 5424 calls PRINTUSASCII, or "-". */
static void add_host(struct bh_buf *b, const char *host)
{
	size_t len = strlen(host);

	for (size_t i = 0; i < len; i++)
		if (host[i] <= ' ' || host[i] >= 0x7f)
			len = 0;
	if (len == 0 || len > HOST_MAX)
		bh_buf_addstr(b, "-");
	else
		bh_buf_add(b, host, len);
}

static bool continues(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* The longest beginning of at most MAX bytes that cuts no character. */
static size_t cut(const char *s, size_t len, size_t max)
{
	if (len <= max)
		return len;
	while (max && continues(s[max]))
		max--;
	return max;
}

/* 6.3.3: a backslash before these three, and before no other. */
static void add_escaped(struct bh_buf *b, const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (s[i] == '"' || s[i] == '\\' || s[i] == ']')
			bh_buf_addstr(b, "\\");
		bh_buf_add(b, &s[i], 1);
	}
}

struct params {
	struct bh_buf *out;
	struct bh_buf tame;
	bool left_out;
};

/* What does not fit is left out as a whole. */
static int add_param(const char *name, const char *value, size_t len, void *arg)
{
	struct params *p = arg;

	if (p->out->len + PARAM_ROOM > SD_MAX) {
		p->left_out = true;
		return 0;
	}
	bh_buf_reset(&p->tame);
	bh_tame(&p->tame, value, len);
	bh_buf_addf(p->out, " %s=\"", name);
	add_escaped(p->out, bh_buf_str(&p->tame),
		    cut(bh_buf_str(&p->tame), p->tame.len, BH_OUTPUT_SYSLOG_VALUE_MAX));
	bh_buf_addstr(p->out, "\"");
	return bh_buf_error(p->out);
}

static int add_structured(struct bh_buf *b, const struct facts *f)
{
	struct params p = { .out = b };
	int r;

	bh_buf_init(&p.tame, BH_OUTPUT_LINE_MAX);
	bh_buf_addstr(b, "[" SD_ID);
	r = params_each(f, add_param, &p);
	bh_buf_addstr(b, p.left_out ? " left_out=\"true\"]" : "]");
	bh_buf_done(&p.tame);
	return r;
}

/* 6.4: what is not ASCII is announced as UTF-8. */
static void add_message(struct bh_buf *b, const char *line, size_t len)
{
	bool ascii = true;

	for (size_t i = 0; i < len; i++)
		ascii = ascii && (unsigned char)line[i] < 0x80;
	bh_buf_addstr(b, ascii ? " " : " " BOM);
	bh_buf_add(b, line, cut(line, len, BH_OUTPUT_SYSLOG_MAX - b->len));
}

static int put(struct sink *s, const struct message *m)
{
	const struct facts *f = &m->facts;
	struct bh_buf *b = &s->scratch;
	char when[BH_TIME_STR];
	int r;

	bh_buf_reset(b);
	bh_format_time_usec(when, f->s ? f->s->when : f->r->last_seen);
	bh_buf_addf(b, "<%u>1 %s ", s->cfg.facility * 8 + (unsigned)params_severity(f), when);
	add_host(b, f->r->host);
	bh_buf_addf(b, " bulkhead %d %s ", (int)getpid(),
		    f->s ? signal_kind_name(f->s->kind) : record_verdict_name(f->r->verdict));
	r = add_structured(b, f);
	if (r < 0)
		return r;
	add_message(b, m->line, m->len ? m->len - 1 : 0);
	return sink_send(s);
}

const struct sink_ops syslog_ops = { .put = put, .look = sink_find, .close = sink_keep };
