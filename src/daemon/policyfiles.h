/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_POLICYFILES_H
#define DAEMON_POLICYFILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <bulkhead/base/err.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/model/digest.h>

/*
 * The files that the policies and the host file are read from, seen from outside: where changes of
 * them can be heard (inotify), and what stat(2) says of them, for where they cannot.
 */

struct policyfiles {
	const char *const *policies; /* paths, as given to the daemon; borrowed */
	size_t n_policies;
	const char *config; /* the host file, or NULL: its default place; borrowed */
};

/* What stat(2) says of all of them. */
struct policyfiles_signature {
	char digest[DIGEST_HEX]; /* equal: nothing has changed, unless it was FRESH */
	/*
	 * One was changed so shortly before that another change may have left no trace: times of
	 * files are as coarse as their filesystem, and two changes may have the same.
	 */
	bool fresh;
};

/* NOW: microseconds since the epoch, before the call. What is missing is a part of it. -ENOMEM. */
int policyfiles_sign(const struct policyfiles *f, int64_t now, struct policyfiles_signature *ret,
		     struct bh_err *err);

/* Directories that an inotify descriptor watches. */
struct policyfiles_watches {
	int wd[BH_POLICY_WATCHES_MAX];
	size_t n;
	int error; /* -errno: not all could be; 0 */
};

/*
 * Watch on INOTIFY what is needed to hear of every change: directories of policies, those that the
 * paths themselves stand in, and those that links lead to; of one that is not there, the nearest
 * above it. Directories of the last time that are not needed any more are let go of. Links in the
 * middle of a path are not followed up: their changes are not heard.
 */
void policyfiles_watch(const struct policyfiles *f, int inotify, struct policyfiles_watches *w);
void policyfiles_unwatch(int inotify, struct policyfiles_watches *w);

/* May an event of such a directory, about NAME ("" = the directory itself), concern them? */
bool policyfiles_concern(const struct policyfiles *f, uint32_t mask, const char *name);

#endif
