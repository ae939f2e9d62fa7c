/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "policywatch.h"

/* Editors and tools write many files, each in several steps: they are looked at when all is quiet, */
#define QUIET_USEC 200000
/* or after this, if it never is. */
#define LONGEST_USEC 2000000

#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define MIN(a, b) ((a) < (b) ? (a) : (b))

uint64_t calm_due(struct calm *calm, uint64_t now)
{
	if (!calm->since)
		calm->since = now;
	return MAX(MIN(now + QUIET_USEC, calm->since + LONGEST_USEC), calm->rests_until);
}

bool calm_may_wait(const struct calm *calm, uint64_t now)
{
	return now < calm->since + LONGEST_USEC;
}

/* Whoever writes without end gets half the time. */
void calm_looked(struct calm *calm, uint64_t began, uint64_t now)
{
	calm->since = 0;
	calm->rests_until = now + (now - began);
}
