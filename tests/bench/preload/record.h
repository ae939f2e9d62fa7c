/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BENCH_RECORD_H
#define BENCH_RECORD_H

#include <stdint.h>

/* One batch that was sent; LEN bytes follow. */
struct record {
	uint64_t netns_ino; /* the namespace of the socket */
	uint64_t len;
	uint64_t when; /* ns of CLOCK_REALTIME: the kernel had taken it */
};

#endif
