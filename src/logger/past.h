/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef LOGGER_PAST_H
#define LOGGER_PAST_H

#include "space_private.h"

/*
 * The sums of each namespace and direction, in the history: so that a logger that was started again
 * goes on from them, and what was denied meanwhile is counted as not recorded.
 */

/* 0 or -ENOMEM. */
int past_open(struct logger *l);
/*
 * Was it read? It is tried here. A history that another logger has still, or that cannot be opened, is
 * waited for for some seconds: no namespace is looked at before.
 */
bool past_is_known(struct logger *l);
void past_close(struct logger *l);

/*
 * At the first look, which found these TOTALS. True: an earlier run has counted here, S goes on from
 * there, and what the kernel has counted until now is not to be recorded again.
 */
bool past_meet(struct space *s, const struct nft_totals *totals);
/* After that: it is known now whose S is, or again. It goes on from what was counted as that one's, too. */
void past_join(struct space *s);
/* It is another's from now on: what was counted until now is kept, and S begins anew. */
void past_part(struct space *s);
/* Put the sums of S where they are kept, unless it is not known yet whose it is. */
void past_keep(struct space *s);
/* Of all that are others than what is kept. */
void past_keep_all(struct logger *l);
/* Packets of a record of L that was written down but could not be kept. */
void past_unrecord(struct logger *l, const struct flow_record *rec);
/* All that was handed over is on the disk. */
void past_committed(struct logger *l);

#endif
