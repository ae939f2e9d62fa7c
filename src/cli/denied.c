/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/enforce/follow.h>

#include "cli.h"
#include "denied_signals.h"

#define RECORD_BYTES_MAX (64u << 10)

struct printer {
	struct bh_buf line;
	bool json, colour;
	struct denied_signals signals;
};

static int on_record(const struct flow_record *rec, void *arg)
{
	struct printer *p = arg;
	int r = p->json ? flow_record_json(rec, &p->line)
			: flow_record_text(rec, &p->line, p->colour);

	if (r < 0)
		return r;
	if (cli_flush(&p->line) != CLI_YES)
		return -EPIPE;
	return denied_signals_record(&p->signals, rec);
}

static void on_ready(size_t n, void *arg)
{
	fprintf(stderr, "bulkhead: following %zu %s; interrupt to end with a sum\n", n,
		n == 1 ? "namespace" : "namespaces");
}

static void on_notice(const char *sentence, void *arg)
{
	fprintf(stderr, "bulkhead: %s\n", sentence);
}

static int follow(struct site *s, const struct cli_options *o)
{
	struct printer p = { .json = o->json, .colour = cli_colour(stdout) };
	const struct follow_callbacks cb = { on_record, on_ready, on_notice, &p };
	struct bh_err err = BH_ERR_INIT;
	struct follow_sums sums;
	int r;

	r = denied_signals_begin(&p.signals, o);
	if (r != CLI_YES)
		return r;
	bh_buf_init(&p.line, RECORD_BYTES_MAX);
	r = follow_run(s, &cb, &sums, &err);
	bh_buf_done(&p.line);
	denied_signals_end(&p.signals);
	if (r < 0)
		return cli_fail(CLI_FAILED, "denied: %s", err.msg);
	fprintf(stderr,
		"bulkhead: denied %" PRIu64 " = recorded %" PRIu64 " + not recorded %" PRIu64 "\n",
		sums.denied, sums.recorded, sums.not_recorded);
	if (sums.log_lost)
		fprintf(stderr,
			"bulkhead: %" PRIu64 " log messages were lost; their packets are "
			"counted above\n",
			sums.log_lost);
	if (sums.cut_short)
		return cli_fail(CLI_FAILED, "denied: %zu %s could not be followed to the end",
				sums.cut_short, sums.cut_short == 1 ? "namespace" : "namespaces");
	return CLI_YES;
}

int cmd_denied(struct cli_options *o)
{
	bool with_policies = o->policies_given || o->inventory;
	struct site s;
	int code;

	if (!o->follow)
		return cli_fail(CLI_USAGE, "denied: --follow is the one way there is; records are "
					   "not kept by this version");
	code = cli_load(&s, o,
			with_policies ? NEED_POLICIES | NEED_ENDPOINTS | NEED_RULESETS
				      : NEED_ENDPOINTS);
	if (code == CLI_YES)
		code = follow(&s, o);
	site_done(&s);
	return code;
}
