/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef LOGGER_LOOP_H
#define LOGGER_LOOP_H

#include "logger.h"

/* The logger from its first descriptor to its last; what its process may do is main.c's. */

#define LOGGER_INIT                                                                                \
	{                                                                                          \
		.store_dir = -1, .line = {.fd = -1 }                                               \
	}

/* All that the event loop needs, with the line FD, which L has from then on. On failure: loop_close(). */
int loop_open(struct logger *l, int fd, struct bh_err *err);
/* Write what is known, and let go of all. */
void loop_close(struct logger *l);

#endif
