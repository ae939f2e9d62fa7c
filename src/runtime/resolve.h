/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_RESOLVE_H
#define RUNTIME_RESOLVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <bulkhead/base/addr.h>
#include <bulkhead/base/err.h>

/* What the host knows of an endpoint beside what its runtime says. */

/* The inode of the namespace at PATH; 0 when there is none (who enforces will say so). */
uint64_t runtime_netns_ino(const char *path);

/*
 * The nameservers of a resolv.conf, loopback ones left out; *ret_embedded tells that Docker's own
 * server (127.0.0.11) is one of them. Absent or unreadable: none.
 */
void runtime_resolvers(const char *path, struct bh_addr *out, size_t cap, size_t *ret_n,
		       bool *ret_embedded);
/* The same from memory: hostile text. */
void runtime_resolvers_parse(const char *text, struct bh_addr *out, size_t cap, size_t *ret_n,
			     bool *ret_embedded);

#endif
