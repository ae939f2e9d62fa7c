/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_HEALTH_H
#define DAEMON_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <bulkhead/base/err.h>
#include <bulkhead/model/diag.h>
#include <bulkhead/policy/policy.h>

/*
 * How the daemon itself stands: which policies are in force and since when, which were refused and
 * why. Plain data: no I/O, no clock; times are microseconds since the epoch.
 */

/* Mistakes of one reading. */
struct mistakes {
	char place[BH_ERR_MAX]; /* FILE:LINE:COLUMN of the first, escaped; "" = it has none */
	char first[BH_ERR_MAX]; /* what it is, escaped */
	size_t n;
};

/* What stands in the files, and is not in force. */
struct refusal {
	bool there;
	struct policy_identity of; /* the last that was refused */
	struct mistakes mistakes;
	int64_t since; /* of the first in a row */
};

struct health {
	struct policy_identity in_force; /* empty before the first */
	int64_t since;
	struct mistakes mistakes; /* of the reading that goes on, or of the last */
	struct refusal refused;
	int64_t checked;  /* the policy files were looked at; 0 = never */
	int64_t compared; /* when everything was last compared with everything; 0 = never */
	uint64_t repairs; /* tables that were put right, since the start */
};

/* A reading has found DIAGS, which are sorted; it may have found none. */
void health_read(struct health *s, const struct diag_list *diags);

/*
 * What that reading found is in force from NOW on; ends a refusal. POLICIES and HOST are the digests of
 * the sets.
 */
void health_accept(struct health *s, const char *policies, const char *host, int64_t now);

/* It was refused: for its mistakes, or else for WHY. OF: what stood in the files before it began. */
void health_refuse(struct health *s, const struct policy_identity *of, const struct bh_err *why,
		   int64_t now);

/* What stands in the files now: nothing new, what was refused, or neither. */
enum health_news { HEALTH_IN_FORCE, HEALTH_REFUSED, HEALTH_NEW };
enum health_news health_compare(const struct health *s, const struct policy_identity *now);

/* What is in force stands in the files again. */
void health_forget_refusal(struct health *s);

/*
 * "PLACE: FIRST, and N more", without FIRST unless OPENLY: policies are not for everybody to read.
 * Returns OUT.
 */
const char *mistakes_format(char *out, size_t cap, const struct mistakes *m, bool openly);

#endif
