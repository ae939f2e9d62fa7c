/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "throttle.h"

#define TOKEN_USEC (1000000 / BH_CTL_REQUESTS_PER_S)
#define FULL_USEC  ((uint64_t)TOKEN_USEC * BH_CTL_REQUESTS_BURST)

static struct ctl_bucket *find(struct ctl_throttle *t, uid_t uid)
{
	struct ctl_bucket *fullest = &t->buckets[0];

	for (size_t i = 0; i < t->n; i++) {
		if (t->buckets[i].uid == uid)
			return &t->buckets[i];
		if (t->buckets[i].full_at < fullest->full_at)
			fullest = &t->buckets[i];
	}
	if (t->n < BH_CTL_BUCKETS_MAX)
		fullest = &t->buckets[t->n++];
	*fullest = (struct ctl_bucket) { .uid = uid };
	return fullest;
}

/* A bucket is how far away its being full is: no token is ever put in, time does it. */
bool ctl_throttle_take(struct ctl_throttle *t, uid_t uid, uint64_t now)
{
	struct ctl_bucket *b = find(t, uid);

	if (b->full_at < now)
		b->full_at = now;
	if (b->full_at - now > FULL_USEC - TOKEN_USEC)
		return false;
	b->full_at += TOKEN_USEC;
	return true;
}
