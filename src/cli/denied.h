/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_DENIED_H
#define CLI_DENIED_H

#include <bulkhead/store/flows.h>

#include "cli.h"
#include "printer.h"

/* The parts of `denied` that read the history. */

/* What the options ask for. */
struct denied_ask {
	struct flows_filter filter;
	struct flows_order order;
	enum flows_field by[BH_FLOWS_BY_MAX];
	size_t n_by;
	bool filters; /* there is one, beside the verdict */
	/* What FILTER points to. */
	struct flows_peer peers[CLI_WORDS_MAX];
	struct port_spec ports[CLI_WORDS_MAX];
	uint32_t uids[CLI_WORDS_MAX];
};

/* NOW: microseconds since the epoch. CLI_YES, or CLI_USAGE after having said why. */
int denied_parse(const struct cli_options *o, int64_t now, struct denied_ask *ret);

/* The history that is read. */
struct denied_store {
	char path[512]; /* escaped, to be shown */
	int dir;
	struct flows_reader *reader;
};

/* Does a daemon keep a history now, or was one named? Then that is what is followed. */
bool denied_has_history(const struct cli_options *o);
/*
 * Root leaves its rights for those of whom the history belongs to, for good. CLI_YES, or the exit code
 * after the reason was printed; denied_close() in either case.
 */
int denied_open(const struct cli_options *o, struct denied_store *ret);
/* The same for those who say themselves what is wrong. -ENOENT: there is none; -errno. */
int denied_open_quietly(const struct cli_options *o, struct denied_store *ret, struct bh_err *err);
void denied_close(struct denied_store *s);

int denied_list(const struct cli_options *o, const struct denied_ask *a, struct denied_store *s);
int denied_groups(const struct cli_options *o, const struct denied_ask *a, struct denied_store *s);
int denied_summary(const struct cli_options *o, const struct denied_ask *a, struct denied_store *s);
int denied_follow(const struct cli_options *o, const struct denied_ask *a, struct denied_store *s);

/* "denied: ..." of a failed question. */
int denied_failed(const struct denied_store *s, const struct bh_err *err);

#endif
