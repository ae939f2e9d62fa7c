/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_MODEL_TESTMARK_H
#define BULKHEAD_MODEL_TESTMARK_H

#include <stdbool.h>
#include <stdint.h>

#include <bulkhead/model/record.h>

/*
 * What the packets of a segmentation test have in common, and no program's by chance: docs/probe.md. All
 * of a run have one source port, those of raw sockets the next one; ICMP has them as its id.
 */
#define TESTMARK_SEQ  0x62686270u      /* "bhbp": sequence number of TCP, tag of SCTP's INIT */
#define TESTMARK_TEXT "bulkhead probe" /* where the payload of an ICMP echo begins */

/*
 * Is P a packet of the run whose source port is PORT? Its bytes are hostile, and who has seen a packet of a
 * run can forge the next one. False also when there are too few bytes to tell.
 */
bool testmark_is(const struct record_packet *p, uint16_t port);

#endif
