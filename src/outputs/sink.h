/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef OUTPUTS_SINK_H
#define OUTPUTS_SINK_H

#include <stdbool.h>
#include <sys/types.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/base/err.h>
#include <bulkhead/outputs/outputs.h>

#include "facts.h"

/*
 * One output. What fails in a kind of sink comes back as -errno; what follows of it (counting, telling,
 * trying again) is in sink.c alone.
 */

struct sink;

struct message {
	struct facts facts;
	const char *line; /* in the format of the output, newline included */
	size_t len;
};

struct sink_ops {
	/* Put it there. Opens what is not open. 0 or -errno; then nothing of it is there. */
	int (*put)(struct sink *s, const struct message *m);
	/* Open what is not open; see what others have done to the place meanwhile. FORCE: now. */
	int (*look)(struct sink *s, bool force);
	void (*close)(struct sink *s); /* what was opened; PUT opens it again */
};

extern const struct sink_ops file_ops, journal_ops, syslog_ops;

struct sink {
	const struct sink_ops *ops;
	struct host_output cfg; /* its texts are the sink's */
	const struct outputs_options *opts;
	char *path, *name;
	/* what failed, and since when */
	bool failing;
	int64_t since;        /* usec: when it began */
	int64_t retry_at;     /* not tried before */
	int64_t backoff_usec; /* before the next try but one */
	int64_t good_since;   /* usec: of the first put that went well since then; 0 = none */
	uint64_t written, lost, lost_before; /* LOST_BEFORE: when it began */
	char why_text[128];
	/* of the kinds */
	int fd;  /* file: -1: closed */
	int dir; /* file: its directory; -1: closed */
	dev_t dev;
	ino_t ino;
	uint64_t size;
	bool torn; /* file: it ends in the middle of a line */
	int64_t looked;
	struct bh_buf scratch;
};

int64_t sink_now(const struct sink *s);

/* CFG is copied. S must not move. -ENOMEM. */
int sink_init(struct sink *s, const struct host_output *cfg, const struct outputs_options *opts,
	      struct bh_err *err);
void sink_done(struct sink *s);

/* It failed, and is not tried yet: what was to be put is counted as lost, and need not be made. */
bool sink_waits(struct sink *s);
/* Put, or count as lost. */
void sink_put(struct sink *s, const struct message *m);
/* R < 0: M could not even be made. */
void sink_lose(struct sink *s, int r);
void sink_tick(struct sink *s);
void sink_reopen(struct sink *s);

/* For sockets. They are looked up at each datagram, so there is nothing to open and to close. */
int sink_find(struct sink *s, bool force); /* for look() */
void sink_keep(struct sink *s);            /* for close() */
/* All of S->scratch as one datagram to the path of S, without waiting. */
int sink_send(struct sink *s);

#endif
