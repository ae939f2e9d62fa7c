/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ENFORCE_XDP_H
#define ENFORCE_XDP_H

#include <bulkhead/enforce/site.h>

/*
 * Can nobody in the endpoint's namespace open a socket of AF_XDP? The kernel has none, or all queues
 * of its devices are held.
 */
bool xdp_is_closed(const struct site *s, size_t endpoint);

/* Why a daemon that holds its namespace could not close it; NULL: none holds it, or it is closed. */
const char *xdp_why_open(const struct site *s, size_t endpoint);

#endif
