/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>

#include "junit.h"

#define BAR_CELLS   30
#define BAR_EACH_MS 100

/* --- while it runs ------------------------------------------------------------------------------- */

struct watching {
	struct probe_trail trail;
	bool on_terminal;
	int64_t shown_ms;
};

static int begin(uint16_t port, size_t packets, void *arg, struct bh_err *err)
{
	struct watching *w = arg;

	return probe_trail_begin(&w->trail, port, packets, err);
}

static void draw(size_t done, size_t all)
{
	char bar[BAR_CELLS + 1];
	size_t full = all ? done * BAR_CELLS / all : BAR_CELLS;

	for (size_t i = 0; i < BAR_CELLS; i++)
		bar[i] = i < full ? '#' : '.';
	bar[BAR_CELLS] = '\0';
	fprintf(stderr, "\r[%s] %3zu%%  %zu of %zu packet%s", bar, all ? done * 100 / all : 100,
		done, all, bh_s(all));
}

static void progress(size_t done, size_t all, void *arg)
{
	struct watching *w = arg;
	struct timespec t;
	int64_t now;

	clock_gettime(CLOCK_MONOTONIC, &t);
	now = (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
	if (!w->on_terminal || (w->shown_ms && now - w->shown_ms < BAR_EACH_MS))
		return;
	w->shown_ms = now;
	draw(done, all);
}

static void wipe(const struct watching *w)
{
	if (w->shown_ms)
		fprintf(stderr, "\r%*s\r", BAR_CELLS + 50, "");
}

/* --- what was asked for -------------------------------------------------------------------------- */

struct question {
	struct explain_party from, to;
	struct port_spec port;
};

static int parse(const struct site *s, const struct cli_options *o, struct question *q,
		 struct probe_options *ret, struct bh_err *err)
{
	const char *why = "";
	char shown[64];
	int r = 0;

	if (o->from) {
		r = explain_party_parse(s->endpoints, o->from, &q->from, err);
		if (r >= 0 && !q->from.is_endpoint)
			r = bh_err_set(err, -EINVAL,
				       "--from takes an endpoint: packets are sent from "
				       "inside its namespace");
		ret->from = &q->from;
	}
	if (r >= 0 && o->to) {
		r = explain_party_parse(s->endpoints, o->to, &q->to, err);
		ret->to = &q->to;
	}
	if (r >= 0 && o->port) {
		r = port_spec_parse(o->port, &q->port, &why);
		if (r < 0)
			bh_err_set(err, r, "--port '%s': %s",
				   bh_escape_str(shown, sizeof(shown), o->port), why);
		ret->port = &q->port;
	}
	return r;
}

static int take_rate(const struct cli_options *o, unsigned *ret)
{
	uint64_t rate = BH_PROBE_RATE;
	char shown[64];

	if (o->rate && bh_parse_u64(o->rate, 1, BH_PROBE_RATE_MAX, &rate) < 0)
		return cli_fail(CLI_USAGE, "probe: --rate takes 1 to %d packets a second, not '%s'",
				BH_PROBE_RATE_MAX, bh_escape_str(shown, sizeof(shown), o->rate));
	*ret = (unsigned)rate;
	return CLI_YES;
}

/* --- what came of it ----------------------------------------------------------------------------- */

static int say(const struct probe_report *rep)
{
	const char *file = rep->o->junit;
	struct bh_buf xml;
	int code = CLI_YES;

	if (file) {
		bh_buf_init(&xml, 1u << 30);
		probe_junit(rep, &xml);
		code = junit_write(&xml, file, "probe");
		bh_buf_done(&xml);
	}
	if (!file || strcmp(file, "-") != 0)
		probe_print(rep);
	return code != CLI_YES ? code : probe_is_clean(rep->run) ? CLI_YES : CLI_NO;
}

static int explain_and_say(const struct site *s, const struct probe_run *run,
			   const struct cli_options *o)
{
	const struct compile_input in = { s->policies, s->endpoints, &s->host, s->now };
	struct probe_report rep = { .run = run, .o = o };
	struct bh_err err = BH_ERR_INIT;
	struct explainer *x = NULL;
	int code;

	if (explainer_new(&in, s->rulesets, &x, &err) < 0)
		return cli_fail(CLI_FAILED, "probe: %s", err.msg);
	rep.explainer = x;
	code = say(&rep);
	explainer_free(x);
	return code;
}

static int code_of(int r)
{
	return r == -EINVAL || r == -E2BIG || r == -ENOENT || r == -EEXIST || r == -ERANGE ||
			       r == -EDOM
		       ? CLI_USAGE
		       : CLI_FAILED;
}

static int run_and_say(struct site *s, const struct probe_options *po, struct watching *w,
		       const struct cli_options *o)
{
	struct bh_err err = BH_ERR_INIT;
	struct probe_run run;
	int r = probe_run(s, po, &run, &err), code;

	wipe(w);
	if (r < 0) {
		probe_done(&run);
		return cli_fail(code_of(r), "probe: %s", err.msg);
	}
	code = explain_and_say(s, &run, o);
	if (probe_trail_end(&w->trail, &run, &err) < 0)
		code = cli_fail(code == CLI_YES ? CLI_FAILED : code,
				"it was done, and could not be written down: %s", err.msg);
	probe_done(&run);
	return code;
}

static int probe(struct site *s, const struct cli_options *o, unsigned rate)
{
	struct watching w = { .on_terminal = isatty(STDERR_FILENO) };
	struct probe_options po = {
		.listen_only = o->listen_only,
		.rate = rate,
		.begin = begin,
		.progress = progress,
		.arg = &w,
	};
	struct bh_err err = BH_ERR_INIT;
	struct question q;
	int code;

	if (parse(s, o, &q, &po, &err) < 0)
		return cli_fail(CLI_USAGE, "probe: %s", err.msg);
	code = probe_trail_open(&w.trail, s, o);
	if (code == CLI_YES)
		code = run_and_say(s, &po, &w, o);
	probe_trail_close(&w.trail);
	return code;
}

int cmd_probe(struct cli_options *o)
{
	unsigned rate = 0;
	struct site s;
	int code = take_rate(o, &rate);

	if (code != CLI_YES)
		return code;
	code = cli_load(&s, o, NEED_POLICIES | NEED_ENDPOINTS | NEED_RULESETS | NEED_ALL_SUBJECTS);
	if (code == CLI_YES)
		code = probe(&s, o, rate);
	site_done(&s);
	return code;
}
