/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_DOUBT_H
#define DAEMON_DOUBT_H

#include <jansson.h>

#include <bulkhead/base/err.h>
#include <bulkhead/model/endpoint.h>
#include <bulkhead/model/policy.h>

/* Namespaces that are held when it is not known any more for whom. */

/*
 * FN is called for each namespace that processes are in or that is mounted in NETNS_DIR (NULL: /run/netns), and
 * that has a table of ours, with what stands for it in
 * announced.json: SAID, which is its own, is a container that is gone and in doubt. Its negative return ends it.
 * -E2BIG, -EMFILE, ...: not all could be looked into; of the others it was called.
 */
int doubt_find(const char *netns_dir, int (*fn)(json_t *said, void *arg), void *arg,
	       struct bh_err *err);

/* Does a service of POLICIES (may be NULL) mean this namespace by its name, as `ip netns` lists it? */
bool doubt_is_named(const struct policy_set *policies, const struct endpoint_builder *b,
		    uint64_t netns_ino);

#endif
