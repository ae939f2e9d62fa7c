/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_POLICYWATCH_H
#define DAEMON_POLICYWATCH_H

#include "controller.h"

/*
 * Policies that are read anew when their files, or the host file, change: the whole set at once, when
 * the changes have come to rest. Nothing depends on an event: every few seconds stat(2) tells whether
 * something has changed. Only bytes that are neither in force nor refused already are read in. Off
 * while the host file that is in force says `policies: {watch: false}`.
 */
struct policywatch;

int policywatch_new(struct controller *c, struct policywatch **ret, struct bh_err *err);
void policywatch_free(struct policywatch *w); /* takes NULL */

/* The files may have changed, or what kept them from being read in is over. */
void policywatch_touch(struct policywatch *w);

/* --- when to look ------------------------------------------------------------------------------ */

/* Times are microseconds of one clock. */
struct calm {
	uint64_t since;       /* the first change that was not looked at; 0 = there is none */
	uint64_t rests_until; /* not before */
};
/* Something has changed at NOW: when to look, if nothing else comes. */
uint64_t calm_due(struct calm *calm, uint64_t now);
/* May it be waited any longer? */
bool calm_may_wait(const struct calm *calm, uint64_t now);
/* It was looked at, from BEGAN to NOW. */
void calm_looked(struct calm *calm, uint64_t began, uint64_t now);

#endif
