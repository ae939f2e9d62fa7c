/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef STORE_FLOWS_HASH_H
#define STORE_FLOWS_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A failed insertion leaves the table as it was and shows in the handle. */
#define HASH_NONFATAL_OOM 1
/* uthash's own goes byte by byte: half of what a record costs would be that. */
#define HASH_FUNCTION(key, len, hashv) ((hashv) = flows_hash(key, len))

static inline uint64_t flows_hash_mix(uint64_t h, uint64_t word)
{
	h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return h ^ h >> 29;
}

/* Eight bytes at a time. SEED is drawn once: nobody can choose texts that collide. */
extern uint64_t flows_hash_seed;

static inline unsigned flows_hash(const void *key, size_t len)
{
	uint64_t h = flows_hash_seed ^ len, word;
	const char *p = key;

	for (; len >= 8; len -= 8, p += 8) {
		memcpy(&word, p, 8);
		h = flows_hash_mix(h, word);
	}
	word = 0;
	memcpy(&word, p, len);
	h = flows_hash_mix(h, word);
	return (unsigned)(h ^ h >> 32);
}

#include <uthash.h>

/* Before the first table is made. */
void flows_hash_begin(void);

#endif
