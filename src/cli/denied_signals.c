/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "denied_signals.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>

static int on_signal(const struct flow_signal *s, void *arg)
{
	const struct denied_signals *d = arg;

	return printer_signal(d->out, s);
}

int denied_signals_begin(struct denied_signals *d, const struct cli_options *o, struct printer *out)
{
	struct signals_options so = { .emit = on_signal, .arg = d };
	struct bh_err err = BH_ERR_INIT;

	*d = (struct denied_signals) { .out = out };
	if (!o->signals)
		return CLI_YES;
	if (getrandom(so.key, sizeof(so.key), 0) != sizeof(so.key))
		return cli_fail(CLI_FAILED, "denied: no random bytes");
	if (signals_new(&so, &d->signals, &err) < 0)
		return cli_fail(CLI_FAILED, "denied: %s", err.msg);
	return CLI_YES;
}

int denied_signals_record(struct denied_signals *d, const struct flow_record *rec)
{
	return d->signals ? signals_record(d->signals, rec) : 0;
}

static void say_kept_back(const struct signals *s)
{
	struct signals_stats stats;

	signals_stats(s, &stats);
	for (int k = 0; k < SIGNAL_KINDS; k++)
		if (stats.kept_back[k])
			fprintf(stderr,
				"bulkhead: %" PRIu64 " records gave no %s signal of their own: "
				"there were too many\n",
				stats.kept_back[k], signal_kind_name((enum signal_kind)k));
	if (stats.pairs_forgotten || stats.sources_forgotten || stats.no_memory)
		fprintf(stderr,
			"bulkhead: signals: %" PRIu64 " pairs and %" PRIu64 " sources were "
			"forgotten to make room, %" PRIu64 " for lack of memory\n",
			stats.pairs_forgotten, stats.sources_forgotten, stats.no_memory);
}

void denied_signals_end(struct denied_signals *d)
{
	if (d->signals)
		say_kept_back(d->signals);
	signals_free(d->signals);
	d->signals = NULL;
}
