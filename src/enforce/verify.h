/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ENFORCE_VERIFY_H
#define ENFORCE_VERIFY_H

#include <bulkhead/base/addr.h>
#include <bulkhead/enforce/verify.h>

#include "handle.h"
#include "members.h"

/* The parts of verify. */

/* What is remembered of an endpoint for its neighbours. */
struct verify_seen {
	bool in_scope;
	bool held;                 /* nothing is wrong with it, or it is nobody's matter here */
	enum endpoint_state state; /* when it was judged */
	bool judged;
	size_t n_networks;
	struct bh_prefix *networks; /* NULL: not known */
};

struct verify {
	struct site *site;
	const struct verify_options *o;
	struct verify_sums *sums;
	struct members members;
	struct handles handles;
	struct verify_seen *seen; /* [endpoint] */
	struct bh_err *err;
};

/* Tell of a finding. A negative return of the callback, or 0. */
int verify_tell(struct verify *v, const char *id, size_t endpoint, uint64_t netns, const char *fmt,
		...) __attribute__((format(printf, 5, 6)));

/* "shop/web" of an endpoint, escaped. Returns OUT. */
const char *verify_name(const struct verify *v, size_t endpoint, char out[128]);

/* Does a daemon say that it holds the queues of that endpoint's devices? */
bool verify_is_ours(const struct verify *v, size_t endpoint);

/* Does -errno of opening a namespace say that it is no more? It was there when it was listed. */
bool verify_has_gone(int r);

/* --- verify_space.c: one namespace --------------------------------------------------------------- */

/* Base chains of others; on every namespace that can be read. */
int verify_foreign(struct verify *v, size_t endpoint, struct nlsock *s);
/* Devices that WANT holds and HAVE does not. */
int verify_devices(struct verify *v, size_t endpoint, const struct nft_want *want,
		   const struct nft_state *have);
/* Do all queues of its devices belong to somebody? WHY (BH_ERR_MAX) gets one that does not. */
bool verify_queues_taken(int netns_fd, char *why);

/* --- verify_near.c: what stands beside it -------------------------------------------------------- */

/* Which networks the endpoint is on. */
int verify_note_networks(struct verify *v, size_t endpoint, int netns_fd);
int verify_neighbours(struct verify *v);
/* Namespaces of the host that no endpoint has. */
int verify_unlisted(struct verify *v);

#endif
