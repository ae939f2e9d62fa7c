/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/outputs/outputs.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <bulkhead/base/limits.h>
#include <bulkhead/outputs/format.h>
#include <bulkhead/sys/unixsock.h>

#include "sink.h"

#define FORMATS 4

struct outputs {
	struct outputs_options opts;
	struct bh_buf lines[FORMATS]; /* of what is handed out, made when first asked for */
	bool made[FORMATS];
	int why[FORMATS]; /* made, and failed so */
	size_t n;
	struct sink sinks[];
};

/* One socket is enough for all who get datagrams. */
static int need_socket(struct outputs *o, const struct host_output *list, size_t n,
		       struct bh_err *err)
{
	bool needed = false;

	for (size_t i = 0; i < n; i++)
		needed = needed || list[i].kind != OUTPUT_FILE;
	return needed && !o->opts.socket ? unixsock_datagram(&o->opts.socket, err) : 0;
}

int outputs_open(const struct host_output *list, size_t n, const struct outputs_options *opts,
		 struct outputs **ret, struct bh_err *err)
{
	struct outputs *o = calloc(1, sizeof(*o) + n * sizeof(o->sinks[0]));
	int r;

	if (!o) {
		if (opts && opts->socket)
			close(opts->socket);
		return bh_err_oom(err);
	}
	if (opts)
		o->opts = *opts;
	for (int i = 0; i < FORMATS; i++)
		bh_buf_init(&o->lines[i], BH_OUTPUT_LINE_MAX);
	r = need_socket(o, list, n, err);
	for (; r >= 0 && o->n < n; o->n++) {
		r = sink_init(&o->sinks[o->n], &list[o->n], &o->opts, err);
		if (r >= 0)
			sink_tick(&o->sinks[o->n]);
	}
	if (r < 0) {
		outputs_close(o);
		return r;
	}
	*ret = o;
	return 0;
}

void outputs_close(struct outputs *o)
{
	if (!o)
		return;
	for (size_t i = 0; i < o->n; i++)
		sink_done(&o->sinks[i]);
	for (int i = 0; i < FORMATS; i++)
		bh_buf_done(&o->lines[i]);
	if (o->opts.socket)
		close(o->opts.socket);
	free(o);
}

/* --- handing out ------------------------------------------------------------------------------ */

/* Several outputs of one format share the line. */
static int line_of(struct outputs *o, enum output_format format, const struct facts *f)
{
	struct bh_buf *line = &o->lines[format];

	if (o->made[format])
		return o->why[format];
	bh_buf_reset(line);
	o->made[format] = true;
	o->why[format] = f->s ? output_format_signal(format, f->s, line)
			      : output_format_record(format, f->r, line);
	return o->why[format];
}

/* A person reads the journal and syslog; programs have the fields beside it. */
static enum output_format format_of(const struct sink *s)
{
	return s->cfg.kind == OUTPUT_FILE ? s->cfg.format : OUTPUT_TEXT;
}

static void hand_to(struct outputs *o, struct sink *s, const struct facts *f)
{
	enum output_format format = format_of(s);
	int r = line_of(o, format, f);
	const struct message m = {
		.facts = *f,
		.line = bh_buf_str(&o->lines[format]),
		.len = o->lines[format].len,
	};

	if (r < 0)
		sink_lose(s, r);
	else
		sink_put(s, &m);
}

static void hand_out(struct outputs *o, const struct facts *f, enum output_what not_for)
{
	for (int i = 0; i < FORMATS; i++)
		o->made[i] = false;
	for (size_t i = 0; i < o->n; i++)
		if (o->sinks[i].cfg.what != not_for && !sink_waits(&o->sinks[i]))
			hand_to(o, &o->sinks[i], f);
}

void outputs_record(struct outputs *o, const struct flow_record *r)
{
	struct facts f = facts_of_record(r);

	hand_out(o, &f, OUTPUT_SIGNALS);
}

void outputs_signal(struct outputs *o, const struct flow_signal *s)
{
	struct facts f = facts_of_signal(s);

	hand_out(o, &f, OUTPUT_RECORDS);
}

/* --- the others --------------------------------------------------------------------------------- */

void outputs_tick(struct outputs *o)
{
	for (size_t i = 0; i < o->n; i++)
		sink_tick(&o->sinks[i]);
}

void outputs_reopen(struct outputs *o)
{
	for (size_t i = 0; i < o->n; i++)
		sink_reopen(&o->sinks[i]);
}

size_t outputs_count(const struct outputs *o)
{
	return o->n;
}

void outputs_state(const struct outputs *o, size_t i, struct output_state *ret)
{
	const struct sink *s = &o->sinks[i];

	*ret = (struct output_state) {
		.name = s->name,
		.written = s->written,
		.lost = s->lost,
		.failing = s->failing,
		.why = s->why_text,
	};
}

uint64_t outputs_lost(const struct outputs *o)
{
	uint64_t lost = 0;

	for (size_t i = 0; i < o->n; i++)
		lost += o->sinks[i].lost;
	return lost;
}
