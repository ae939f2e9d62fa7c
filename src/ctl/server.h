/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_CTL_SERVER_H
#define BULKHEAD_CTL_SERVER_H

#include <bulkhead/base/limits.h>
#include <bulkhead/ctl/ctl.h>
#include <bulkhead/sys/unixsock.h>

#include "frame.h"
#include "role.h"
#include "throttle.h"

/* The inside of the server: server.c listens and admits, conn.c serves one client. */

struct conn;

struct listener {
	struct ctl_server *s;
	struct unixsock sock;
	bool restricted;
	sd_event_source *io, *resume;
};

enum { LISTENERS_MAX = 2 };

struct ctl_server {
	sd_event *event;
	const struct ctl_verb *verbs;
	size_t n_verbs;
	void *arg;
	void (*notice)(const char *text, void *arg);
	void (*refusal)(const struct ctl_peer *peer, const char *verb, const char *why, void *arg);

	struct listener listeners[LISTENERS_MAX];
	size_t n_listeners;
	struct conn *conns[BH_CTL_CLIENTS_MAX]; /* NULL: a free place */
	sd_event_source *reaper;
	struct ctl_grants *grants;
	struct ctl_throttle throttle;

	/* Constants, but for the tests. */
	uint64_t stall_usec, request_usec;
	int (*creds_read)(int fd, struct ctl_creds *ret);

	char rx[BH_CTL_FRAME_MAX], tx[BH_CTL_FRAME_MAX];
};

struct queued {
	struct queued *next;
	size_t len;
	char data[];
};

struct ctl_call {
	struct conn *conn;
	const struct ctl_verb *verb;
	struct ctl_request request;
	void *data;
	bool wants_more;
};

/* Whom a connection waits for; a deadline for each but the verb. */
enum wait {
	WAIT_REQUEST,
	WAIT_VERB,
	WAIT_READER,
};

struct conn {
	struct ctl_server *s;
	int fd;
	struct ctl_peer peer;
	const struct ctl_grant **room; /* of peer.grants */
	bool broken;                   /* nothing is sent or received any more; the reaper comes */
	enum wait wait;
	struct queued *head, **tail;
	size_t queued; /* bytes, with what each message costs */
	struct ctl_call *call;
	sd_event_source *io, *timer;
};

/* A client of which nothing is known but its names and roles; FD is taken in any case. */
int conn_new(struct ctl_server *s, int fd, bool restricted, const struct ctl_creds *creds,
	     struct conn **ret);
/* Serve it from now on. */
int conn_start(struct conn *c);
/* Tells the verb of a running call. Takes NULL. */
void conn_free(struct conn *c);
/* Its roles by these grants; those it had are forgotten, also on failure. */
int conn_judge(struct conn *c, const struct ctl_creds *creds, const struct ctl_grants *grants);
/* No more of it: WHY for the notice, or NULL when the client went of itself. */
void conn_break(struct conn *c, const char *why);

/* One end message on its way, if the socket takes it. */
void conn_farewell(struct conn *c, enum ctl_exit exit, const char *error);
void server_notice(struct ctl_server *s, const struct ctl_peer *peer, const char *text);
/* VERB NULL: at connect. */
void server_refuse(struct ctl_server *s, const struct ctl_peer *peer, const char *verb,
		   const char *why);
void server_reap_soon(struct ctl_server *s);

#endif
