/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bulkhead/base/text.h>

/* --- what a connection waits for ------------------------------------------------------------- */

static enum wait waits_for(const struct conn *c)
{
	if (c->head || (c->call && c->call->wants_more))
		return WAIT_READER;
	return c->call ? WAIT_VERB : WAIT_REQUEST;
}

/*
 * A request is read only when the one before is answered and its answer is out: what a client sends
 * ahead fills its own socket.
 */
static uint32_t events_of(enum wait w)
{
	switch (w) {
	case WAIT_REQUEST:
		return EPOLLIN;
	case WAIT_READER:
		return EPOLLOUT;
	case WAIT_VERB:
		break;
	}
	return 0; /* hanging up is told all the same */
}

static int set_wait(struct conn *c, enum wait w)
{
	int r = sd_event_source_set_io_events(c->io, events_of(w));

	if (r >= 0 && w == WAIT_VERB)
		return sd_event_source_set_enabled(c->timer, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_source_set_time_relative(
			c->timer, w == WAIT_READER ? c->s->stall_usec : c->s->request_usec);
	return r < 0 ? r : sd_event_source_set_enabled(c->timer, SD_EVENT_ONESHOT);
}

/* PROGRESS: the client did its part, and its time begins anew. */
static void update(struct conn *c, bool progress)
{
	enum wait w = waits_for(c);

	if (c->broken || (w == c->wait && !progress))
		return;
	c->wait = w;
	if (set_wait(c, w) < 0)
		conn_break(c, "the event loop refused it");
}

/* Not freed here: whoever is up the stack may hold it or its call. */
void conn_break(struct conn *c, const char *why)
{
	if (c->broken)
		return;
	c->broken = true;
	sd_event_source_set_enabled(c->io, SD_EVENT_OFF);
	sd_event_source_set_enabled(c->timer, SD_EVENT_OFF);
	if (why)
		server_notice(c->s, &c->peer, why);
	server_reap_soon(c->s);
}

/* --- sending --------------------------------------------------------------------------------- */

static int send_now(int fd, const char *data, size_t len)
{
	ssize_t n;

	do {
		n = send(fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

void conn_farewell(struct conn *c, enum ctl_exit exit, const char *error)
{
	ssize_t n = ctl_end_write(c->s->tx, exit, error);

	if (n > 0)
		send_now(c->fd, c->s->tx, (size_t)n);
}

static int enqueue(struct conn *c, const char *data, size_t len)
{
	size_t cost = len + sizeof(struct queued);
	struct queued *q;

	if (cost > BH_CTL_QUEUE_MAX - c->queued) {
		conn_break(c, "cut off: it does not read its answer");
		return -EPIPE;
	}
	q = malloc(cost);
	if (!q) {
		conn_break(c, "cut off: out of memory");
		return -EPIPE;
	}
	*q = (struct queued) { .len = len };
	memcpy(q->data, data, len);
	*c->tail = q;
	c->tail = &q->next;
	c->queued += cost;
	return 0;
}

static int transmit(struct conn *c, const char *data, size_t len)
{
	int r = -EAGAIN;

	if (c->broken)
		return -EPIPE;
	if (!c->head)
		r = send_now(c->fd, data, len);
	if (r == -EAGAIN)
		return enqueue(c, data, len);
	if (r < 0) {
		conn_break(c, r == -EPIPE || r == -ECONNRESET ? NULL : strerror(-r));
		return -EPIPE;
	}
	return 0;
}

static void drop_first(struct conn *c)
{
	struct queued *q = c->head;

	c->head = q->next;
	c->queued -= q->len + sizeof(*q);
	if (!c->head)
		c->tail = &c->head;
	free(q);
}

/* True when some of the queue went out. */
static bool flush(struct conn *c)
{
	bool progress = false;

	while (c->head) {
		int r = send_now(c->fd, c->head->data, c->head->len);

		if (r == -EAGAIN)
			break;
		if (r < 0) {
			conn_break(c, NULL);
			break;
		}
		drop_first(c);
		progress = true;
	}
	return progress;
}

static void send_end(struct conn *c, enum ctl_exit exit, const char *error)
{
	ssize_t n = ctl_end_write(c->s->tx, exit, error);

	if (n < 0)
		conn_break(c, "cut off: out of memory");
	else
		transmit(c, c->s->tx, (size_t)n);
}

/* --- a call ---------------------------------------------------------------------------------- */

const struct ctl_peer *ctl_call_peer(const struct ctl_call *call)
{
	return &call->conn->peer;
}

void ctl_call_set_data(struct ctl_call *call, void *data)
{
	call->data = data;
}

void *ctl_call_data(const struct ctl_call *call)
{
	return call->data;
}

int ctl_call_item(struct ctl_call *call, json_t *item)
{
	struct conn *c = call->conn;
	ssize_t n;
	int r;

	if (c->broken || (item && !json_is_object(item))) {
		json_decref(item);
		return c->broken ? -EPIPE : -EINVAL;
	}
	n = ctl_item_write(c->s->tx, item);
	if (n < 0)
		return (int)n;
	r = transmit(c, c->s->tx, (size_t)n);
	update(c, false);
	return r;
}

bool ctl_call_has_room(const struct ctl_call *call)
{
	return !call->conn->broken && call->conn->queued < BH_CTL_QUEUE_MAX / 2;
}

void ctl_call_want_more(struct ctl_call *call)
{
	call->wants_more = true;
	update(call->conn, false);
}

static void call_free(struct ctl_call *call)
{
	call->conn->call = NULL;
	ctl_request_done(&call->request);
	free(call);
}

void ctl_call_end(struct ctl_call *call, enum ctl_exit exit, const char *error)
{
	struct conn *c = call->conn;

	send_end(c, exit, error);
	call_free(call);
	update(c, true);
}

static const struct ctl_verb *find_verb(const struct conn *c, const char *name)
{
	for (size_t i = 0; i < c->s->n_verbs; i++)
		if (strcmp(c->s->verbs[i].name, name) == 0)
			return &c->s->verbs[i];
	return NULL;
}

/* On the restricted socket the others are not there; that somebody tried is told all the same. */
static void refuse_unknown(const struct conn *c, const struct ctl_verb *hidden, const char *name,
			   struct bh_err *err)
{
	char safe[96];

	bh_err_set(err, -ENOENT, "there is no request \"%s\"%s",
		   bh_escape_str(safe, sizeof(safe), name),
		   c->peer.restricted ? " on the read-only socket" : "");
	if (hidden)
		server_refuse(c->s, &c->peer, hidden->name, err->msg);
}

/* The verb that is meant, or NULL and why not. */
static const struct ctl_verb *resolve(const struct conn *c, const struct ctl_request *req,
				      enum ctl_exit *ret_exit, struct bh_err *err)
{
	const char *name = json_string_value(req->verb);
	const struct ctl_verb *v = find_verb(c, name);

	*ret_exit = CTL_EXIT_USAGE;
	if (!v || (c->peer.restricted && !v->read_only)) {
		refuse_unknown(c, v, name, err);
		return NULL;
	}
	if (!ctl_peer_may_call(&c->peer, v)) {
		*ret_exit = CTL_EXIT_FAILED;
		bh_err_set(err, -EPERM, "%s needs the role %s%s; user %u has %s", v->name,
			   ctl_role_name(v->least), v->by_owner ? "" : " for everything",
			   c->peer.uid, ctl_role_name(c->peer.role));
		server_refuse(c->s, &c->peer, v->name, err->msg);
		return NULL;
	}
	if (ctl_args_check(req->args, v->args, err) < 0) {
		bh_err_prefix(err, -EINVAL, "%s", v->name);
		return NULL;
	}
	return v;
}

/* Takes what REQ holds. */
static void start_call(struct conn *c, const struct ctl_verb *v, struct ctl_request *req)
{
	struct ctl_call *call = calloc(1, sizeof(*call));

	if (!call) {
		ctl_request_done(req);
		send_end(c, CTL_EXIT_FAILED, "out of memory");
		return;
	}
	*call = (struct ctl_call) { .conn = c, .verb = v, .request = *req };
	c->call = call;
	v->run(call, call->request.args, c->s->arg);
}

/* --- receiving ------------------------------------------------------------------------------- */

static void serve(struct conn *c, size_t len)
{
	struct bh_err err = BH_ERR_INIT;
	struct ctl_request req;
	const struct ctl_verb *v;
	enum ctl_exit exit;
	int r = ctl_request_parse(c->s->rx, len, &req, &err);

	if (r < 0) {
		send_end(c, r == -EINVAL ? CTL_EXIT_USAGE : CTL_EXIT_FAILED, err.msg);
		return;
	}
	v = resolve(c, &req, &exit, &err);
	if (v) {
		start_call(c, v, &req);
		return;
	}
	ctl_request_done(&req);
	send_end(c, exit, err.msg);
}

static bool has_token(struct conn *c)
{
	uint64_t now = 0;

	sd_event_now(c->s->event, CLOCK_MONOTONIC, &now);
	return ctl_throttle_take(&c->s->throttle, c->peer.uid, now);
}

/* An empty message looks like the end and is treated as one. */
static void receive(struct conn *c)
{
	struct iovec iov = { c->s->rx, sizeof(c->s->rx) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n = recvmsg(c->fd, &msg, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		conn_break(c, NULL);
	} else if (!has_token(c)) {
		send_end(c, CTL_EXIT_FAILED, "too many requests");
	} else if (msg.msg_flags & MSG_TRUNC) {
		conn_farewell(c, CTL_EXIT_USAGE, "the message is too long");
		conn_break(c, "cut off: it sent a message that is too long");
	} else {
		serve(c, (size_t)n);
	}
	update(c, true);
}

static void call_more(struct ctl_call *call)
{
	call->wants_more = false;
	if (call->verb->more)
		call->verb->more(call, call->conn->s->arg);
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct conn *c = arg;
	bool progress = false;

	if (revents & (EPOLLHUP | EPOLLERR)) {
		conn_break(c, NULL);
		return 0;
	}
	if (revents & EPOLLIN) {
		receive(c);
		return 0;
	}
	if (c->head)
		progress = flush(c);
	if (!c->head && !c->broken && c->call && c->call->wants_more) {
		progress = true;
		call_more(c->call);
	}
	update(c, progress);
	return 0;
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *arg)
{
	struct conn *c = arg;

	if (c->wait == WAIT_REQUEST) {
		conn_farewell(c, CTL_EXIT_FAILED, "no request came in time");
		conn_break(c, NULL);
	} else {
		conn_break(c, "cut off: it does not read its answer");
	}
	return 0;
}

/* --- a connection's life --------------------------------------------------------------------- */

int conn_judge(struct conn *c, const struct ctl_creds *creds, const struct ctl_grants *grants)
{
	free(c->room);
	c->peer.grants = NULL;
	c->peer.n_grants = 0;
	c->peer.role = c->peer.role_everything = CTL_ROLE_NONE;
	c->room = calloc(ctl_grants_count(grants) + 1, sizeof(*c->room));
	if (!c->room)
		return -ENOMEM;
	ctl_peer_judge(&c->peer, creds, grants, c->room);
	return 0;
}

int conn_new(struct ctl_server *s, int fd, bool restricted, const struct ctl_creds *creds,
	     struct conn **ret)
{
	struct conn *c = calloc(1, sizeof(*c));
	int r;

	if (!c) {
		close(fd);
		return -ENOMEM;
	}
	*c = (struct conn) { .s = s, .fd = fd, .peer.restricted = restricted };
	c->tail = &c->head;
	ctl_peer_name(&c->peer, creds);
	r = conn_judge(c, creds, s->grants);
	if (r < 0) {
		conn_free(c);
		return r;
	}
	*ret = c;
	return 0;
}

int conn_start(struct conn *c)
{
	int size = BH_CTL_SNDBUF, r;

	/* Room for the largest message, whatever the default is. */
	setsockopt(c->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	r = sd_event_add_io(c->s->event, &c->io, c->fd, 0, on_io, c);
	if (r >= 0)
		r = sd_event_add_time_relative(c->s->event, &c->timer, CLOCK_MONOTONIC,
					       c->s->request_usec, 0, on_deadline, c);
	c->wait = WAIT_REQUEST;
	return r < 0 ? r : set_wait(c, c->wait);
}

void conn_free(struct conn *c)
{
	if (!c)
		return;
	c->broken = true;
	if (c->call) {
		if (c->call->verb->gone)
			c->call->verb->gone(c->call, c->s->arg);
		call_free(c->call);
	}
	sd_event_source_disable_unref(c->io);
	sd_event_source_disable_unref(c->timer);
	close(c->fd);
	while (c->head)
		drop_first(c);
	free(c->room);
	free(c);
}
