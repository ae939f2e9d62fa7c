/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_RECONCILE_H
#define DAEMON_RECONCILE_H

#include "controller.h"

/* What is wanted against what there is: when it is compared, and that it is mended. */

int reconcile_init(struct controller *c, struct bh_err *err);

/*
 * Something may have changed, it is not known what: everything is looked at soon, once more a little
 * later, and so on.
 */
void reconcile_touch(struct controller *c);
/* This container, or named namespace, is another one now: it alone is asked about, at once. */
void reconcile_hint(struct controller *c, enum endpoint_runtime runtime, const char *id,
		    int ended_pid);
/*
 * Something happened in this namespace: its devices, addresses or tables may be others. ENDED_PID: the
 * process that it was made for has ended; 0: it has not.
 */
void reconcile_namespace(struct controller *c, uint64_t netns_ino, int ended_pid);
/* What has become known without asking (a new namespace, a doubt) is brought about at once. */
void reconcile_changed(struct controller *c);
/* The same, without a rest before: an administrator waits for it. */
void reconcile_urgent(struct controller *c);

/* --- for who changes what is wanted ----------------------------------------------------------- */

struct effort {
	uint64_t wall, cpu; /* microseconds */
};
struct effort reconcile_begin(void);
/* The next comparison is as far off as this one took long. */
void reconcile_end(struct controller *c, const struct effort *began);

/* Who hears of each namespace that was changed. */
struct handing {
	struct controller *c;
	void (*fn)(json_t *applied, void *arg); /* may be NULL */
	void *arg;
	size_t failed; /* namespaces; counted */
};
/* The endpoints of this moment, and what the policies mean for them; nothing is brought about. */
int reconcile_refresh(struct controller *c, struct bh_err *err);
/* The same, or those that are known, while an engine may be waiting for who waits for us. */
int reconcile_refresh_or_known(struct controller *c, struct bh_err *err);
/* A container waits to start: engines are not asked for lists, which would wait for it. */
bool reconcile_makes_way(const struct controller *c);
/* Bring about what C->site wants. */
int reconcile_apply(struct controller *c, struct handing *h, struct bh_err *err);
/* Why the last look failed, said when it begins, changes or is over. */
void reconcile_note_trouble(struct controller *c, const struct bh_err *err);

#endif
