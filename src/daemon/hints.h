/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_HINTS_H
#define DAEMON_HINTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <bulkhead/enforce/site.h>

/*
 * What is to be asked about, because an event named it. An event tells that something begins, not
 * that it is complete: a namespace's file is there before it is mounted on, a process has ended
 * before its engine knows. So each is asked about again, ever later, for a second or two. Times are of
 * CLOCK_MONOTONIC, in microseconds.
 */
struct hints;

struct hints *hints_new(void); /* NULL: out of memory */
void hints_free(struct hints *h);

/*
 * Ask about it at once. ENDED_PID: a process of its that has ended, whatever its engine says; 0: none.
 * -ENOSPC when there are BH_HINTS_MAX, -ENAMETOOLONG, -ENOMEM: then all has to be looked at.
 */
int hints_add(struct hints *h, enum endpoint_runtime runtime, const char *id, int ended_pid,
	      uint64_t now);

/* Those that are due; at most CAP. They borrow, until hints_asked(). */
size_t hints_due(const struct hints *h, uint64_t now, struct site_hint *out, size_t cap);
/* Those that were due have been asked about: later again, or no more. */
void hints_asked(struct hints *h, uint64_t now);
/* Its engine says that it does not run: nothing more comes of it until an event names it anew. */
void hints_drop(struct hints *h, enum endpoint_runtime runtime, const char *id);
/* Those that were due were asked about, and not answered for: they are due at UNTIL. */
void hints_put_off(struct hints *h, uint64_t now, uint64_t until);
/* This container starts, and its engine does not answer for it: it is not due before UNTIL. */
void hints_wait(struct hints *h, enum endpoint_runtime runtime, const char *id, uint64_t until);
/* When the next is due; UINT64_MAX: there is none. */
uint64_t hints_next(const struct hints *h);

#endif
