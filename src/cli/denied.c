/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include <bulkhead/enforce/follow.h>

#include "cli.h"
#include "denied.h"
#include "denied_signals.h"
#include "printer.h"

struct following {
	struct printer out;
	unsigned verdicts; /* that are printed */
	struct denied_signals signals;
};

static int on_record(const struct flow_record *rec, void *arg)
{
	struct following *f = arg;
	int r = f->verdicts >> rec->verdict & 1 ? printer_record(&f->out, rec) : 0;

	return r < 0 ? r : denied_signals_record(&f->signals, rec);
}

static int on_drained(void *arg)
{
	struct following *f = arg;

	return printer_flush(&f->out);
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

static int say_sums(const struct follow_sums *sums, bool allowed)
{
	fprintf(stderr,
		"bulkhead: denied %" PRIu64 " = recorded %" PRIu64 " + not recorded %" PRIu64 "\n",
		sums->denied, sums->recorded, sums->not_recorded);
	if (allowed && sums->allowed)
		fprintf(stderr,
			"bulkhead: allowed connections %" PRIu64 " = recorded %" PRIu64
			" + not recorded %" PRIu64 "\n",
			sums->allowed, sums->allowed_recorded, sums->allowed_not_recorded);
	if (sums->log_lost)
		fprintf(stderr,
			"bulkhead: %" PRIu64 " log messages were lost; their packets are "
			"counted above\n",
			sums->log_lost);
	if (sums->cut_short)
		return cli_fail(CLI_FAILED, "denied: %zu %s could not be followed to the end",
				sums->cut_short, sums->cut_short == 1 ? "namespace" : "namespaces");
	return CLI_YES;
}

static int follow(struct site *s, struct following *f, const struct cli_options *o)
{
	const struct follow_callbacks cb = { on_record, on_drained, on_ready, on_notice, f };
	struct bh_err err = BH_ERR_INIT;
	struct follow_sums sums;
	int r = denied_signals_begin(&f->signals, o, &f->out);

	if (r != CLI_YES)
		return r;
	r = follow_run(s, &cb, &sums, &err);
	denied_signals_end(&f->signals);
	if (r >= 0 && printer_flush(&f->out) < 0)
		return CLI_FAILED;
	return r < 0 ? cli_fail(CLI_FAILED, "denied: %s", err.msg)
		     : say_sums(&sums, f->verdicts >> RECORD_ALLOW & 1);
}

static int load_and_follow(struct following *f, const struct cli_options *o)
{
	bool with_policies = o->policies_given || o->inventory;
	struct site s;
	int code = cli_load(&s, o,
			    with_policies ? NEED_POLICIES | NEED_ENDPOINTS | NEED_RULESETS
					  : NEED_ENDPOINTS);

	if (code == CLI_YES)
		code = follow(&s, f, o);
	site_done(&s);
	return code;
}

static int follow_live(const struct cli_options *o, const struct denied_ask *a)
{
	struct following f;
	int code;

	if (a->filters)
		return cli_fail(CLI_FAILED, "denied: --follow with a filter looks at the history, "
					    "and nobody keeps one");
	f.verdicts = a->filter.verdicts;
	code = printer_begin(&f.out, o);
	printer_gather(&f.out);
	if (code == CLI_YES)
		code = load_and_follow(&f, o);
	return printer_end(&f.out, code);
}

static int64_t now_usec(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int cmd_denied(struct cli_options *o)
{
	static struct denied_ask ask;
	struct denied_store store = { .dir = -1 };
	int code = denied_parse(o, now_usec(), &ask);

	if (code != CLI_YES)
		return code;
	if (o->follow && !denied_has_history(o))
		return follow_live(o, &ask);
	code = o->follow    ? denied_follow(o, &ask, &store)
	       : o->summary ? denied_summary(o, &ask, &store)
	       : o->by.n    ? denied_groups(o, &ask, &store)
			    : denied_list(o, &ask, &store);
	denied_close(&store);
	return code;
}
