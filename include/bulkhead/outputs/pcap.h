/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_OUTPUTS_PCAP_H
#define BULKHEAD_OUTPUTS_PCAP_H

#include <stdint.h>
#include <stdio.h>

#include <bulkhead/base/err.h>
#include <bulkhead/model/record.h>

/*
 * The packets of records, as far as they were kept (BH_NFLOG_COPY_RANGE bytes), as a pcap file of
 * LINKTYPE_RAW: each begins at its IP header. Nothing is made up: a record that was made from counts has no
 * packet, and neither has a frame without an IP packet (ARP) a place in it. Both are counted as left out.
 */
struct pcap_writer;

struct pcap_writer_sums {
	uint64_t written;
	uint64_t no_bytes;  /* records that were made from counts, or kept without their packet */
	uint64_t no_packet; /* frames in which there is no IP packet */
};

/* FILE is replaced; "-" is stdout. */
int pcap_writer_open(const char *file, struct pcap_writer **ret, struct bh_err *err);
/* At once, so that a reader at the other end of a pipe sees it. 0 also when it is left out; -EPIPE, ... */
int pcap_writer_record(struct pcap_writer *w, const struct flow_record *r);
void pcap_writer_sums(const struct pcap_writer *w, struct pcap_writer_sums *ret);
/* The error that a last write met, or 0. Takes NULL. */
int pcap_writer_close(struct pcap_writer *w, struct bh_err *err);

#endif
