/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_CTL_THROTTLE_H
#define BULKHEAD_CTL_THROTTLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <bulkhead/base/limits.h>

/* A token bucket for each user. All zeroes is a good start. */

struct ctl_bucket {
	uid_t uid;
	uint64_t full_at; /* when it will be full again, microseconds of the caller's clock */
};

struct ctl_throttle {
	struct ctl_bucket buckets[BH_CTL_BUCKETS_MAX];
	size_t n;
};

/*
 * Take one token of UID's at NOW, which never goes back; false: none is left. Of more users than
 * there are buckets the one is forgotten whose bucket is the fullest.
 */
bool ctl_throttle_take(struct ctl_throttle *t, uid_t uid, uint64_t now);

#endif
