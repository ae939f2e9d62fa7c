/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_MODEL_ROSTER_H
#define BULKHEAD_MODEL_ROSTER_H

#include <bulkhead/base/buf.h>
#include <bulkhead/base/err.h>
#include <bulkhead/model/endpoint.h>
#include <bulkhead/model/ruleset.h>

/*
 * Who is who on this host, and what stands in each namespace: what the controller tells the logger,
 * so that it can explain a record without reading policies or asking anybody. Between two processes
 * of one build on one machine; bytes that are not as they should be are refused all the same.
 */

struct roster_member {
	/* id, name, runtime, image, netns, netns_ino and addrs; all else is empty */
	struct endpoint endpoint;
	const char *services; /* joined with ", "; "" = none */
	const char *owner;    /* NULL = none */
	const char *scope;    /* joined with ", "; "" = none */
};

/* --- telling: each adds to B, and returns as bh_buf_add() ------------------------------------- */

/* From here on all members anew. */
int roster_put_members(struct bh_buf *b);
int roster_put_member(struct bh_buf *b, const struct roster_member *m);
/* R stands in the namespace. */
int roster_put_ruleset(struct bh_buf *b, uint64_t netns_ino, const struct ruleset *r);

/* --- being told -------------------------------------------------------------------------------- */

struct roster;
struct roster *roster_new(void);    /* NULL: out of memory */
void roster_free(struct roster *r); /* takes NULL */

/*
 * Take what the functions above made: as a whole or, on -EBADMSG (it is not such), not at all; on -ENOMEM
 * in part at most, and R is to be told all anew. What was found in R before is no longer to be used.
 */
int roster_take(struct roster *r, const void *data, size_t len, struct bh_err *err);

/* The first member in the namespace; NULL: nobody is known there. R's. */
const struct roster_member *roster_in(const struct roster *r, uint64_t netns_ino);
/* The one of this id in the namespace; NULL: it is not there. R's. */
const struct roster_member *roster_in_as(const struct roster *r, uint64_t netns_ino,
					 const char *id);
/* NULL: none is known. R's. */
const struct ruleset *roster_ruleset(const struct roster *r, uint64_t netns_ino);
/* It is gone. The kernel gives its inode to another one. */
void roster_forget(struct roster *r, uint64_t netns_ino);
/* Who has this address; NULL: nobody here, or two claim it. R's. */
const struct roster_member *roster_at(const struct roster *r, const struct bh_addr *a);

#endif
