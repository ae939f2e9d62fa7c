/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sender.h"

#include <netinet/in.h>
#include <time.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/sys/netns.h>

static bool has_sender(const struct flow_record *rec)
{
	return rec->direction == DIRECTION_EGRESS && !rec->has_frame && rec->source.has_port &&
	       rec->destination.has_port &&
	       (rec->proto == IPPROTO_TCP || rec->proto == IPPROTO_UDP);
}

static int64_t monotonic_usec(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

void sender_fill(struct process_finder *f, const struct nlsock *nl, uint64_t ino,
		 const struct flow_log_event *ev, struct flow_record *rec)
{
	bh_autoclose int netns_fd = -1;
	struct process_question q = {
		.netns_ino = ino,
		.proto = (uint8_t)rec->proto,
		.sport = rec->source.port,
		.dport = rec->destination.port,
		.ifindex = ev->ifindex_out,
		.source = rec->source.addr,
		.destination = rec->destination.addr,
		.has_uid = rec->has_uid,
		.uid = rec->uid,
	};

	if (!has_sender(rec))
		return;
	if (netns_of_socket(nl->fd, &netns_fd, &q.netns_ino, NULL) < 0) {
		rec->process.unknown = "its namespace cannot be entered";
		return;
	}
	q.netns_fd = netns_fd;
	process_of_socket(f, &q, monotonic_usec(), &rec->process);
}
