/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_LOGGER_H
#define DAEMON_LOGGER_H

#include "controller.h"

/*
 * The controller's half of the logger (docs/logger.md): it starts it, hands it the log of each
 * namespace, asks the kernel for it, and starts it again when it ends or hangs. Nothing of the controller
 * waits for it.
 */
struct logger_link;

/* When the host file is read. The logger itself is started by the event loop. */
int logger_new(struct controller *c, struct logger_link **ret, struct bh_err *err);
/* It gets a moment to write what it knows. Takes NULL. */
/* The daemon ends: what is not on the trail yet of times in which not all was recorded. */
void logger_last_note(struct logger_link *k); /* takes NULL */
void logger_free(struct logger_link *k);

/* What is held, or who is who, may be another: soon, and at once for many. */
void logger_sync(struct logger_link *k);
/* The host file is another; files and sockets are opened anew. */
void logger_reload(struct logger_link *k);

/*
 * Does the logger read the log of this namespace, and has it taken in all that is known? It is told at
 * once, and protect_settle() is called when it answers. *NUMBER is of that question: 0 at first, and the
 * caller's to keep until this is true.
 */
bool logger_listens(struct logger_link *k, uint64_t netns_ino, uint64_t *number);

int64_t logger_link_clock(void); /* CLOCK_MONOTONIC, microseconds */

#define LOGGER_GRACE_S 5
struct logger_state {
	bool runs;
	int64_t since;     /* microseconds since the epoch: when that began; 0 = never */
	unsigned restarts; /* since the start of the daemon */
	size_t listening;  /* namespaces */
	size_t unheard;    /* namespaces whose log another process has */
	uint64_t records, lost_records, denied, recorded, log_lost,
		signals;                    /* lg_stats, over all runs */
	uint64_t allowed, allowed_recorded; /* of this run */
	/* It has not run, or heard some namespace, for LOGGER_GRACE_S: a sentence. "" otherwise. */
	char why[BH_ERR_MAX];
};
void logger_state(const struct logger_link *k, struct logger_state *ret);

#endif
