/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_REPORT_BREADTH_H
#define BULKHEAD_REPORT_BREADTH_H

#include <bulkhead/base/addr.h>

/* What is so wide that nobody has said what is needed. Pure. */

/*
 * Has it more than half of the public addresses of a family, however they are cut up? True also when memory
 * is short.
 */
bool report_is_world(const struct bh_rangeset *s);

/*
 * PORTS as flows have them: "443/tcp, icmp", "any but 22/tcp". Are they all, or more than BH_REPORT_PORTS_MAX
 * of one protocol? True also when memory is short.
 */
bool report_is_broad(const char *ports);
/* Have both some port in common? What is no list of ports has all. */
bool report_ports_meet(const char *a, const char *b);

/* RFC 1918, RFC 6598, RFC 4193, loopback and link-local: nobody comes from there by the Internet. */
bool report_is_private(const struct bh_prefix *p);

#endif
