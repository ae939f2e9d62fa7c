/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_METRICS_HTTP_H
#define DAEMON_METRICS_HTTP_H

#include <stdint.h>

#include <systemd/sd-event.h>

#include <bulkhead/base/addr.h>
#include <bulkhead/base/err.h>

#include "metrics.h"

/*
 * GET /metrics on a loopback address, for a Prometheus on this host. Everything that comes in is
 * hostile: connections are few and short (limits.h), nothing blocks, and the event loop does all
 * else first. Whoever can reach the address may read.
 */
struct metrics_http;

/* M must outlive it. PORT 0: any. -EINVAL, -EADDRINUSE, ... as tcpsock_listen_loopback(). */
int metrics_http_new(sd_event *event, const struct bh_addr *addr, uint16_t port,
		     const struct metrics *m, struct metrics_http **ret, struct bh_err *err);
void metrics_http_free(struct metrics_http *h); /* cuts its connections off; takes NULL */
uint16_t metrics_http_port(const struct metrics_http *h);

/* For tests: how long a new connection may last; BH_METRICS_CLIENT_MS else. */
void metrics_http_set_client_usec(struct metrics_http *h, uint64_t usec);

#endif
