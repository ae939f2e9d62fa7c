/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_KEEPING_H
#define DAEMON_KEEPING_H

#include <limits.h>

#include <bulkhead/store/inforce.h>

#include "controller.h"

/* What was in force is kept on disk, whole, and what is in force, and whether it waits. */

struct keeping {
	char generations[PATH_MAX]; /* where they are */
	struct in_force now;        /* as it stands on disk */
	char unkept[BH_ERR_MAX];    /* why what is in force could not be kept; "" = it is */
	/* The confirmation that is waited for: confirm.c. */
	sd_event_source *timer;
	char trouble[BH_ERR_MAX]; /* why it could not be taken back when the time was over */
};

/* Reads what is on disk. What cannot be read is told, and counts as nothing. */
int keeping_new(struct controller *c, struct keeping **ret, struct bh_err *err);
void keeping_free(struct keeping *k); /* takes NULL */

/* What becomes of it that something waits to be confirmed. */
enum settling {
	SETTLING_NONE,    /* it goes on waiting, if it does */
	SETTLING_BACK,    /* somebody went to another generation */
	SETTLING_EXPIRED, /* nobody confirmed it in time */
};

/*
 * The policies of C->site are in force, by PEER (NULL: by the daemon itself): keep them. A failure
 * stops nothing; TELL and the log hear it, and it stands in keeping.unkept.
 */
void keeping_keep(struct controller *c, const struct ctl_peer *peer, enum settling settling,
		  void (*tell)(const char *line, void *arg), void *arg);

/*
 * A generation of those that are kept, under the host file that is in force: without endpoints. The
 * caller frees RET with site_done() in any case. -EINVAL when it is not valid, and TELL hears why.
 */
int keeping_site(struct controller *c, const struct generation *g, struct site *ret,
		 void (*tell)(const char *line, void *arg), void *arg, struct bh_err *err);

/* Who is asked to keep what is in the policy directory before it is replaced. */
struct generation_keeper keeping_keeper(const struct controller *c, const struct ctl_peer *peer);

/* The one directory that the policies are in; NULL: they are not in one. */
const char *keeping_policy_dir(const struct controller *c);

/*
 * "policies" (their digest), "generation", "state", "finding", "why", "confirm": docs/control.md. OPENLY:
 * with names and reasons, which are not for everybody.
 */
json_t *keeping_report(const struct controller *c, bool openly);

#endif
