/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ENFORCE_JUDGE_H
#define ENFORCE_JUDGE_H

#include <bulkhead/enforce/enforce.h>

#include "members.h"

/* What is known -> a state and its reason. Pure: nothing is read here. */

/*
 * What no look into the namespace can change: nobody wants it held, or it has none that a table
 * could go to. True when that decides; ST->endpoint is set by the caller.
 */
bool judge_endpoint(const struct members *m, struct endpoint_status *st);

/* Its namespace cannot be entered or read: WHY. */
void judge_unreachable(const struct members *m, const char *why, struct endpoint_status *st);

/*
 * What keeps the wanted table from meaning what it says: somebody in the namespace can get round
 * it, or it allows one member what is meant for another. True when there is such a thing.
 * FRAMES_HELD: there is a table netdev, too.
 */
bool judge_hold(const struct members *m, bool frames_held, struct endpoint_status *st);

/* The kernel's tables against the wanted ones. */
void judge_table(const struct members *m, const struct nft_want *want, const struct nft_state *have,
		 struct endpoint_status *st);

/* Last: what is held otherwise, but has privileges that its service denies, is weak. */
void judge_privileges(struct endpoint_status *st);

/* R, KERNEL, ERR: what nft_probe() answered. Without the right to ask, nothing is said. */
void judge_kernel(int r, const struct nft_kernel *kernel, const struct bh_err *err,
		  struct kernel_status *ret);

#endif
