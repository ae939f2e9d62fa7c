/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ENFORCE_MEMBERS_H
#define ENFORCE_MEMBERS_H

#include <bulkhead/enforce/site.h>

/*
 * Who shares a network namespace with whom: containers of one pod, or joined with `--network
 * container:`. One table holds them all, so what weakens one weakens all.
 */
struct members {
	const struct site *site;
	uint64_t host_ino; /* of the host's own namespace */
	uint32_t *start; /* [endpoint] -> where its namespace begins in `of`; one more at the end */
	uint32_t *of;    /* endpoints, those of one namespace side by side, ascending */
};

struct member_list {
	const uint32_t *i;
	size_t n;
};

/* SITE is compiled. -ENOMEM. */
int members_init(struct members *m, const struct site *site, struct bh_err *err);
void members_done(struct members *m);

/* All of the endpoint's namespace, itself included. */
struct member_list members_of(const struct members *m, size_t endpoint);

/* What keeps this one from being held, the host's namespace known by its inode, too. */
enum endpoint_obstacle members_own_obstacle(const struct members *m, size_t endpoint);
/* The gravest one in its namespace; *ret_whose: the member that has it, itself if it does. */
enum endpoint_obstacle members_obstacle(const struct members *m, size_t endpoint,
					size_t *ret_whose);

/* Do the services of one member allow it anything that those of another do not speak of? */
bool members_differ(const struct members *m, size_t endpoint);

/*
 * One sentence on the sharing, for the endpoint's status: with whom, and what comes of it. "" for
 * one that is alone. Returns OUT.
 */
const char *members_sentence(const struct members *m, size_t endpoint, char *out, size_t cap);

#endif
