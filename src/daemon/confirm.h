/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_CONFIRM_H
#define DAEMON_CONFIRM_H

#include "controller.h"

/*
 * A change that is taken back unless somebody confirms it in time. That it waits is on the disk before
 * it comes in force, so that no crash makes it a confirmed one.
 */

/* Can NEXT be taken back? -EINVAL or -EIO and a sentence when not. */
int confirm_check(struct controller *c, const struct site *next, struct bh_err *err);
/*
 * What comes in force from now on waits for SECONDS, by PEER. The time is counted anew by
 * confirm_restart(), when it is there. On failure nothing waits.
 */
int confirm_begin(struct controller *c, unsigned seconds, const struct ctl_peer *peer,
		  struct bh_err *err);
void confirm_restart(struct controller *c, unsigned seconds);

/* The timer, as what is on disk says. */
void confirm_arm(struct controller *c);

/*
 * PEER confirms what waits. -ENOENT: nothing does; -ETIMEDOUT: the time is over; -EACCES: it is not
 * PEER's, and TELL hears of what; other errors: it could not be written, and goes on waiting.
 */
int confirm_accept(struct controller *c, const struct ctl_peer *peer,
		   void (*tell)(const char *line, void *arg), void *arg, struct bh_err *err);

/*
 * When NEXT follows on what waits, and ends the waiting: is what differs from before it all PEER's? The
 * caller frees WAS, which is that, with site_done(). Errors as of confirm_accept().
 */
int confirm_judge(struct controller *c, const struct ctl_peer *peer, const struct site *next,
		  struct site *was, void (*tell)(const char *, void *), void *arg,
		  struct bh_err *err);

/* Before the policies are read for the first time: what waited too long is taken out of the files. */
void confirm_at_start(struct controller *c);

#endif
