/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_RECORD_H
#define CLI_RECORD_H

#include <limits.h>

#include <bulkhead/store/audit.h>
#include <bulkhead/store/inforce.h>

#include "cli.h"

/*
 * What is changed without a daemon is kept and written down as the daemon does it: by root, for this
 * host's own policies or where --store says. A run with policies or endpoints of its own is a matter of
 * whoever runs it.
 */
struct record {
	struct audit *trail; /* NULL: nothing is written */
	const char *store;   /* NULL: the default */
	char generations[PATH_MAX];
	struct in_force now; /* as it was before */
};

/*
 * MUST: a store that cannot be used ends it, else only with --store. CLI_YES, or the exit code after the
 * reason was printed. The caller calls record_end() in either case.
 */
int record_begin(struct record *r, const struct cli_options *o, const char *verb, bool must);

/* How it came out: CODE is an exit code. S without policies: all was taken away. Returns CODE. */
int record_end(struct record *r, const char *action, const struct site *s, int code);

/* Who does it, for generation_restore(). */
struct generation_keeper record_keeper(const struct site *s);

#endif
