/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ENFORCE_PRIVILEGES_H
#define ENFORCE_PRIVILEGES_H

#include <bulkhead/enforce/enforce.h>

/* How an endpoint of a compiled site stands to what its services say of raw sockets; asks the kernel. */
enum raw_sockets privileges_raw_sockets(const struct site *s, size_t endpoint);

#endif
