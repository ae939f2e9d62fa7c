/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sender.h"

#include <netinet/in.h>
#include <time.h>

#include <bulkhead/flow/account.h>

static bool has_sender(const struct flow_log_event *ev)
{
	return flow_direction(ev->ifindex_out) == DIRECTION_EGRESS && !ev->has_frame &&
	       ev->has_packet && ev->packet.has_ports &&
	       (ev->packet.proto == IPPROTO_TCP || ev->packet.proto == IPPROTO_UDP);
}

static int64_t monotonic_usec(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

void sender_fill(struct process_finder *f, int netns_fd, uint64_t ino,
		 const struct flow_log_event *ev, struct flow_record *rec)
{
	const struct packet *p = &ev->packet;
	struct process_question q = {
		.netns_fd = netns_fd,
		.netns_ino = ino,
		.proto = p->proto,
		.sport = p->sport,
		.dport = p->dport,
		.ifindex = ev->ifindex_out,
		.source = p->source,
		.destination = p->destination,
		.has_uid = ev->has_uid,
		.uid = ev->uid,
	};

	if (!has_sender(ev))
		return;
	process_of_socket(f, &q, monotonic_usec(), &rec->process);
}
