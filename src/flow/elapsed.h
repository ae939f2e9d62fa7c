/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FLOW_ELAPSED_H
#define FLOW_ELAPSED_H

#include <stdbool.h>
#include <stdint.h>

/* USEC have passed SINCE then; or the clock was set back by as much, and nobody knows. */
static inline bool has_elapsed(int64_t since, int64_t now, int64_t usec)
{
	return now - since >= usec || since - now >= usec;
}

#endif
