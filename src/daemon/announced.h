/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_ANNOUNCED_H
#define DAEMON_ANNOUNCED_H

#include "announcement.h"
#include "controller.h"

/*
 * Containers that their starters told of (`protect`): a source of endpoints beside the engines. One of
 * OCI or CNI, which nobody lists, is known as long as its namespace is there; one of an engine until
 * the engine lists it. They are kept in a file of the store, so that the next daemon knows them.
 */
struct announced;

/* Those of the last daemon are there again, as far as they live. */
int announced_new(struct controller *c, struct announced **ret, struct bh_err *err);
void announced_free(struct announced *n); /* takes NULL; the file stays */

/*
 * Denies all in its namespace at once, if nothing of ours stands there and nobody is known to live in it, and
 * takes A over, whose netns_ino is set. Errors of announced_life_begin() and the kernel, and -E2BIG. What A has is the table's then, or stays
 * the caller's on failure. The store has it after the next announced_look(): announced_unwritten().
 */
int announced_take(struct announced *n, struct announcement *a, struct bh_err *err);
/* Why the store has not what is known, after the last try; NULL: it has. */
const char *announced_unwritten(const struct announced *n);

/* What the one who says that a container is gone knows of it; 0 and NULL: nothing. */
struct announced_life {
	int pid;
	const char *netns;
	uint64_t netns_ino;
};
/*
 * The container is gone. What nobody lists is not let go of before its namespace is gone, too: it stays
 * denied. False: it was not known, or it is another one that has the id now: one whose process runs, or in
 * another namespace.
 */
bool announced_release(struct announced *n, enum endpoint_runtime runtime, const char *id,
		       const struct announced_life *life);
/* So are those for which KEEP (ARG) is false. How many they are. */
size_t announced_retain(struct announced *n,
			bool (*keep)(const struct announcement *a, const void *arg),
			const void *arg);

/* Those that are over are forgotten. */
void announced_look(struct announced *n);

/*
 * Word of one that was quarantined, as its starter left it. 1: it is known now; 0: it was; -EINVAL: it is wrong;
 * others as announced_life_begin(), and -E2BIG.
 */
int announced_note(struct announced *n, json_t *request, struct bh_err *err);

/* The endpoints that they are, for those POLICIES. For site_options, before fresh_add(). */
int announced_add(struct announced *n, const struct policy_set *policies,
		  struct endpoint_builder *b, struct diag_list *diags, struct bh_err *err);

/* Namespaces that were found held when nobody remembered for whom, and of which that is not known yet. */
size_t announced_doubts(const struct announced *n);
size_t announced_count(const struct announced *n);
/* The namespaces of all announced_count() of them. */
void announced_list(const struct announced *n, uint64_t *ret_inos);

#endif
