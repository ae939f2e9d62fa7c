/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_TEAMS_H
#define DAEMON_TEAMS_H

#include <bulkhead/ctl/ctl.h>
#include <bulkhead/enforce/site.h>

/*
 * May PEER make NEXT of BEFORE? Who is operator for everything may; a team may change the services of
 * its owners and nothing else (docs/control.md). -EACCES: TELL gets a line, with its place, for every
 * object that is not PEER's (the first BH_FOREIGN_NAMED_MAX; the others are counted). -EAGAIN: the
 * endpoints of NEXT are not known, and what a team's services select cannot be judged.
 */
int teams_judge(const struct ctl_peer *peer, const struct site *before, const struct site *next,
		void (*tell)(const char *line, void *arg), void *arg, struct bh_err *err);

#endif
