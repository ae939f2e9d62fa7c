/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_DENIED_SIGNALS_H
#define CLI_DENIED_SIGNALS_H

#include <bulkhead/flow/signals.h>

#include "cli.h"
#include "printer.h"

/* denied --follow --signals: signals on stdout, each behind the record that gave rise to it. */
struct denied_signals {
	struct signals *signals; /* NULL: they were not asked for */
	struct printer *out;
};

/*
 * OUT stays the caller's. CLI_YES, or the exit code after the reason was printed. The caller calls
 * denied_signals_end().
 */
int denied_signals_begin(struct denied_signals *d, const struct cli_options *o,
			 struct printer *out);
/* A record was printed. 0, or -errno: -EPIPE when stdout is gone. */
int denied_signals_record(struct denied_signals *d, const struct flow_record *rec);
/* Says on stderr what was kept back. */
void denied_signals_end(struct denied_signals *d);

#endif
