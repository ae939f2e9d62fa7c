/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "flows_hash.h"

#include <sys/random.h>
#include <time.h>

uint64_t flows_hash_seed;

void flows_hash_begin(void)
{
	struct timespec t;

	if (flows_hash_seed)
		return;
	if (getrandom(&flows_hash_seed, sizeof(flows_hash_seed), GRND_NONBLOCK) !=
	    sizeof(flows_hash_seed)) {
		clock_gettime(CLOCK_MONOTONIC, &t);
		flows_hash_seed = (uint64_t)t.tv_nsec << 32 ^ (uint64_t)(uintptr_t)&t;
	}
	flows_hash_seed |= 1;
}
