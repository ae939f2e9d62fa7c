/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_UNIT_FLOW_RECORDS_H
#define TESTS_UNIT_FLOW_RECORDS_H

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <bulkhead/model/record.h>

/* Records as flow_explain() leaves them, between parties of a small site. */

#define SECOND INT64_C(1000000)
#define BEGIN  (INT64_C(1795424400) * SECOND) /* 2026-11-23T09:00:00Z */

struct party {
	const char *endpoint, *name, *service, *scope; /* NULL: not of this host */
	uint8_t addr[4];
};

static inline struct record_end end_of(const struct party *p, unsigned port)
{
	struct record_end e = { .addr = { AF_INET, { 0 } },
				.has_port = port,
				.port = (uint16_t)port };

	memcpy(e.addr.b, p->addr, sizeof(p->addr));
	snprintf(e.endpoint, sizeof(e.endpoint), "%s", p->endpoint ? p->endpoint : "");
	snprintf(e.name, sizeof(e.name), "%s", p->name ? p->name : "");
	snprintf(e.service, sizeof(e.service), "%s", p->service ? p->service : "");
	snprintf(e.scope, sizeof(e.scope), "%s", p->scope ? p->scope : "");
	return e;
}

/* The first packet of a connection from A to B, denied at the side that DIRECTION says. */
static inline struct flow_record denied(const struct party *a, const struct party *b, unsigned port,
					enum direction direction, int64_t when)
{
	const struct party *self = direction == DIRECTION_EGRESS ? a : b;
	struct flow_record r = {
		.first_seen = when,
		.last_seen = when,
		.direction = direction,
		.packets = 1,
		.bytes = 60,
		.proto = IPPROTO_TCP,
		.source = end_of(a, 40000),
		.destination = end_of(b, port),
		.has_tcp_flags = true,
		.tcp_flags = 2,
	};

	snprintf(r.endpoint_id, sizeof(r.endpoint_id), "%s", self->endpoint);
	snprintf(r.endpoint_name, sizeof(r.endpoint_name), "%s", self->name);
	snprintf(r.service, sizeof(r.service), "%s", self->service ? self->service : "");
	snprintf(r.scope, sizeof(r.scope), "%s", self->scope ? self->scope : "");
	return r;
}

/* What the kernel counted of that flow afterwards. */
static inline struct flow_record counted_later(struct flow_record r, uint64_t packets)
{
	r.packets = packets;
	r.source.has_port = r.has_tcp_flags = false;
	r.source.port = r.tcp_flags = 0;
	return r;
}

#endif
