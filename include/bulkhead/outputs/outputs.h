/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_OUTPUTS_OUTPUTS_H
#define BULKHEAD_OUTPUTS_OUTPUTS_H

#include <stdint.h>
#include <sys/types.h>

#include <bulkhead/base/err.h>
#include <bulkhead/model/host.h>
#include <bulkhead/model/record.h>
#include <bulkhead/model/signal.h>

/*
 * Records and signals to where others read them: files of lines, journald, syslog (docs/outputs.md).
 * Nothing here waits for anybody, starts anything or ends the process: an output that fails is told
 * once when it begins, once when it is over, tried again later and later, and what it misses counted.
 * Not for several threads.
 *
 * A line in a file is there whole or not at all, but for a crash in the middle of a full disk: the next
 * opening then ends the torn line. A disk that hangs (a network file system) does hold the caller up.
 */

/*
 * Before privileges are dropped: what outputs_open() needs as UID and GID. The directory of each file is
 * made (0750, theirs) when it is missing; its own parent must be there, and belong to the caller. One that
 * is there must belong to UID, and others may not write to it: -EPERM, the sentence says what to do.
 * Files, sockets and journald are not touched: they may come later. LIST: as the host file has it.
 */
int outputs_prepare(const struct host_output *list, size_t n, uid_t uid, gid_t gid,
		    struct bh_err *err);

struct outputs_options {
	/* A sentence for the log, without a full stop; escaped. May be NULL. */
	void (*notice)(const char *sentence, void *arg);
	void *arg;
	int64_t (*now_usec)(void); /* a clock that never goes back; NULL = CLOCK_MONOTONIC */
	/* Of unixsock_datagram(), and the outputs' own from outputs_open() on, also when that
	 * fails; 0 = made there if needed. */
	int socket;
};

struct outputs;
/*
 * LIST is copied. A place that cannot be opened is a failing output, not an error. -ENOMEM, and what
 * socket(2) says where none was given.
 *
 * System calls from here on: openat, fstat, newfstatat, fcntl, lseek, pread64, write, ftruncate, renameat,
 * sendto, getpid, close, clock_gettime. Paths are looked up again whenever a file is opened anew, and with
 * each datagram.
 */
int outputs_open(const struct host_output *list, size_t n, const struct outputs_options *opts,
		 struct outputs **ret, struct bh_err *err);

/* To each output that wants it. */
void outputs_record(struct outputs *o, const struct flow_record *r);
void outputs_signal(struct outputs *o, const struct flow_signal *s);

/*
 * About once a second, and so also when there is nothing to write: files that were moved away are noticed,
 * what failed is tried again, and its end told.
 */
void outputs_tick(struct outputs *o);
/* SIGHUP, or whoever rotates: every file and socket is opened anew. */
void outputs_reopen(struct outputs *o);

size_t outputs_count(const struct outputs *o);

struct output_state {
	const char *name; /* "file /var/log/...", "journal", "syslog /dev/log"; escaped, O's own */
	uint64_t written; /* lines */
	uint64_t lost;    /* records and signals that did not get there */
	bool failing;
	const char *why; /* when FAILING: strerror()'s words or better; O's own. Else "" */
};
void outputs_state(const struct outputs *o, size_t i, struct output_state *ret);
/* All that all outputs have lost together. */
uint64_t outputs_lost(const struct outputs *o);

/* Tells what was lost and is not told yet. Takes NULL. */
void outputs_close(struct outputs *o);

#endif
