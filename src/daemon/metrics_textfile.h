/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_METRICS_TEXTFILE_H
#define DAEMON_METRICS_TEXTFILE_H

#include <systemd/sd-event.h>

#include <bulkhead/base/err.h>

#include "metrics.h"

/*
 * The metrics as a file for node_exporter's textfile collector, replaced whole every
 * BH_METRICS_TEXTFILE_MS, mode 0644. It stays when the daemon ends: its age tells.
 */
struct metrics_textfile;

/* Write it once. */
int metrics_textfile_write(const struct metrics *m, const char *path, struct bh_err *err);

/*
 * Write it now and on from then. That a write fails is no failure here: it is tried again. PATH is
 * copied; M must outlive it. NOTICE (may be NULL) hears a sentence when writing begins to fail, and
 * when it works again.
 */
int metrics_textfile_new(sd_event *event, const char *path, const struct metrics *m,
			 void (*notice)(const char *text, void *arg), void *arg,
			 struct metrics_textfile **ret, struct bh_err *err);
void metrics_textfile_free(struct metrics_textfile *t); /* takes NULL */

/* For tests: how long until the next write, and between those after it. */
void metrics_textfile_set_usec(struct metrics_textfile *t, uint64_t usec);

#endif
