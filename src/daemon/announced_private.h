/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_ANNOUNCED_PRIVATE_H
#define DAEMON_ANNOUNCED_PRIVATE_H

#include <uthash.h>

#include <bulkhead/base/buf.h>

#include "announced.h"

/* What announced*.c share. */

struct one {
	struct announcement said;
	char *key;  /* runtime and id */
	char *text; /* of it in the file; NULL: not written yet, or it has changed */
	struct announced *in;
	bool ended;            /* its process */
	struct bh_addr *addrs; /* NULL: not read yet */
	size_t n_addrs;
	sd_event_source *process;
	UT_hash_handle hh;
};

struct noted;

struct announced {
	struct controller *c;
	struct one *all;
	struct noted *noted;
	size_t doubts; /* of all: those in doubt */
	bool lost;     /* not all that are in doubt were found: the next daemon looks again */
	bool dirty;    /* the file is not what is known */
	char unwritten[BH_ERR_MAX]; /* why it could not be written, the last time; "" = it could */
	struct bh_buf file;         /* as it is to be */
};

/* What A has is the table's then, and stays the caller's on failure: -E2BIG, -ENOMEM. */
int announced_remember(struct announced *n, struct announcement *a, struct bh_err *err);
/* Those of the last daemon that live; namespaces that are in doubt. */
void announced_restore(struct announced *n);
void announced_forget(struct announced *n, struct one *o);
/* What it says is another now. */
void announced_altered(struct announced *n, struct one *o);
/* What is not written is not known to the next daemon, which may let go of it. */
void announced_save(struct announced *n);

#endif
