/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_CTL_ROLE_H
#define BULKHEAD_CTL_ROLE_H

#include <bulkhead/ctl/ctl.h>

/* Who a peer is and what it may do. */

/* As the kernel recorded them at connect(). */
struct ctl_creds {
	pid_t pid;
	uid_t uid;
	gid_t gid;
	gid_t *groups; /* supplementary */
	size_t n_groups;
};

int ctl_creds_read(int fd, struct ctl_creds *ret);
void ctl_creds_done(struct ctl_creds *c);

/* All grants of a server, copied: one arena. */
struct ctl_grants;

int ctl_grants_new(const struct ctl_grant *grants, size_t n, struct ctl_grants **ret,
		   struct bh_err *err);
void ctl_grants_free(struct ctl_grants *g);

/*
 * Fill in the roles of a peer, pid and names untouched. ROOM has space for as many grants as G
 * holds (ctl_grants_count()) and becomes the peer's.
 */
size_t ctl_grants_count(const struct ctl_grants *g);
void ctl_peer_judge(struct ctl_peer *peer, const struct ctl_creds *creds,
		    const struct ctl_grants *g, const struct ctl_grant **room);

/* May it call this verb at all? */
bool ctl_peer_may_call(const struct ctl_peer *peer, const struct ctl_verb *verb);

/* pid, uid, gid and the process's name. */
void ctl_peer_name(struct ctl_peer *peer, const struct ctl_creds *creds);

#endif
