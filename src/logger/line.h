/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef LOGGER_LINE_H
#define LOGGER_LINE_H

#include <bulkhead/nft/counts.h>

#include "logger.h"

/* The line to the controller. Its end is the logger's end. */

int line_open(struct logger *l, int fd, struct bh_err *err);
/* 0, or the line is of no use any more and the event loop ends. */
int line_send(struct logger *l, const void *m, size_t len);
int line_send_head(struct logger *l, enum lg_type type, uint64_t netns);
int line_ask(struct logger *l, uint64_t netns, enum nft_counts_question q, uint32_t seq);

#endif
