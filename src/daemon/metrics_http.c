/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "metrics_http.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <microhttpd.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/sys/tcpsock.h>

/* Behind whatever enforces. */
#define PRIORITY (SD_EVENT_PRIORITY_NORMAL + 50)

struct client {
	int fd; /* the library's; -1: a free place */
	uint64_t deadline;
};

struct metrics_http {
	const struct metrics *metrics;
	struct MHD_Daemon *daemon;
	sd_event *event;
	sd_event_source *io, *timer;
	uint16_t port;
	uint64_t client_usec;
	bool again; /* a place has become free: the library looks for who waits when it runs next */
	struct client clients[BH_METRICS_CLIENTS_MAX];
};

/* --- answers --------------------------------------------------------------------------------- */

/* One request a connection: so its whole life can be bounded. Takes RESPONSE, NULL: no memory. */
static enum MHD_Result send_response(struct MHD_Connection *c, unsigned status,
				     struct MHD_Response *response, const char *type)
{
	enum MHD_Result r;

	if (!response)
		return MHD_NO; /* cut off */
	if (MHD_add_response_header(response, "Content-Type", type) == MHD_NO ||
	    MHD_add_response_header(response, "Connection", "close") == MHD_NO)
		r = MHD_NO;
	else
		r = MHD_queue_response(c, status, response);
	MHD_destroy_response(response);
	return r;
}

static enum MHD_Result refuse(struct MHD_Connection *c, unsigned status, const char *text)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(
		strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_PERSISTENT);

	if (response && status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, "Allow", "GET");
	return send_response(c, status, response, "text/plain; charset=utf-8");
}

static enum MHD_Result send_metrics(struct MHD_Connection *c, const struct metrics *m)
{
	struct MHD_Response *response;
	struct bh_buf text;
	size_t len;
	char *data;

	bh_buf_init(&text, BH_METRICS_BYTES_MAX);
	metrics_write(m, &text);
	len = text.len;
	data = bh_buf_steal(&text);
	if (!data)
		return refuse(c, MHD_HTTP_INTERNAL_SERVER_ERROR, "no memory\n");
	response = MHD_create_response_from_buffer(len, data, MHD_RESPMEM_MUST_FREE);
	if (!response)
		free(data);
	return send_response(c, MHD_HTTP_OK, response, METRICS_CONTENT_TYPE);
}

/* The path is compared as it came: unescaped it may hold a NUL byte, and more behind it. */
static size_t keep_escapes(void *arg, struct MHD_Connection *c, char *text)
{
	return strlen(text);
}

/* Called when the head of a request is there; what would follow it is never read. */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *c, const char *url,
				  const char *method, const char *version, const char *data,
				  size_t *data_size, void **request)
{
	const struct metrics_http *h = arg;

	if (strcmp(url, "/metrics") != 0)
		return refuse(c, MHD_HTTP_NOT_FOUND, "there is /metrics here\n");
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0)
		return refuse(c, MHD_HTTP_METHOD_NOT_ALLOWED, "there is GET here\n");
	return send_metrics(c, h->metrics);
}

/* --- connections ----------------------------------------------------------------------------- */

static uint64_t now_usec(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static void remember(struct metrics_http *h, int fd, void **socket_context)
{
	for (size_t i = 0; i < BH_METRICS_CLIENTS_MAX; i++) {
		if (h->clients[i].fd >= 0)
			continue;
		h->clients[i] = (struct client) { fd, now_usec() + h->client_usec };
		*socket_context = &h->clients[i];
		return;
	}
	shutdown(fd, SHUT_RDWR); /* not reached: the library admits no more than that */
}

static void on_connection(void *arg, struct MHD_Connection *c, void **socket_context,
			  enum MHD_ConnectionNotificationCode code)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct metrics_http *h = arg;
	struct client *client = *socket_context;

	if (code == MHD_CONNECTION_NOTIFY_STARTED && info) {
		remember(h, info->connect_fd, socket_context);
	} else if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		h->again = true;
		if (client)
			client->fd = -1;
	}
}

/*
 * The library's own timeout begins anew with every byte, and it does not see the end of a client
 * that closed right behind half a request (its epoll is edge-triggered, and it stops at a short
 * read). A socket that is shut down is a new event and an end. Returns the next deadline.
 */
static uint64_t cut_off_late(struct metrics_http *h)
{
	uint64_t now = now_usec(), next = UINT64_MAX;

	for (size_t i = 0; i < BH_METRICS_CLIENTS_MAX; i++) {
		struct client *c = &h->clients[i];

		if (c->fd < 0 || c->deadline == UINT64_MAX)
			continue;
		if (c->deadline <= now) {
			shutdown(c->fd, SHUT_RDWR);
			c->deadline = UINT64_MAX;
		} else if (c->deadline < next) {
			next = c->deadline;
		}
	}
	return next;
}

/* --- the loop -------------------------------------------------------------------------------- */

static void run(struct metrics_http *h)
{
	uint64_t next = cut_off_late(h), at;
	MHD_UNSIGNED_LONG_LONG ms;

	h->again = false;
	MHD_run(h->daemon);
	at = cut_off_late(h); /* of those that have just come */
	next = at < next ? at : next;
	if (h->again)
		next = 0;
	if (MHD_get_timeout(h->daemon, &ms) == MHD_YES && now_usec() + ms * 1000 < next)
		next = now_usec() + ms * 1000;
	sd_event_source_set_time(h->timer, next);
	sd_event_source_set_enabled(h->timer, next == UINT64_MAX ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	run(arg);
	return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *arg)
{
	run(arg);
	return 0;
}

static int watch(struct metrics_http *h)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	int r;

	if (!info)
		return -ENOTSUP;
	r = sd_event_add_io(h->event, &h->io, info->epoll_fd, EPOLLIN, on_io, h);
	if (r >= 0)
		r = sd_event_add_time(h->event, &h->timer, CLOCK_MONOTONIC, 0, 1000, on_timer, h);
	if (r >= 0)
		r = sd_event_source_set_priority(h->io, PRIORITY);
	if (r >= 0)
		r = sd_event_source_set_priority(h->timer, PRIORITY);
	return r;
}

/* FD is the library's from here on, and is not closed here when it fails: it may have been. */
static int start_daemon(struct metrics_http *h, int fd)
{
	h->daemon = MHD_start_daemon(
		MHD_USE_EPOLL, 0, NULL, NULL, on_request, h, MHD_OPTION_LISTEN_SOCKET, fd,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, h, MHD_OPTION_CONNECTION_LIMIT,
		(unsigned)BH_METRICS_CLIENTS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)BH_METRICS_CLIENT_BYTES, MHD_OPTION_STRICT_FOR_CLIENT, 1,
		MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL, MHD_OPTION_END);
	return h->daemon ? 0 : -ENOMEM;
}

int metrics_http_new(sd_event *event, const struct bh_addr *addr, uint16_t port,
		     const struct metrics *m, struct metrics_http **ret, struct bh_err *err)
{
	struct metrics_http *h = calloc(1, sizeof(*h));
	int fd, r;

	if (!h)
		return bh_err_oom(err);
	h->metrics = m;
	h->event = sd_event_ref(event);
	h->client_usec = UINT64_C(1000) * BH_METRICS_CLIENT_MS;
	for (size_t i = 0; i < BH_METRICS_CLIENTS_MAX; i++)
		h->clients[i].fd = -1;
	r = tcpsock_listen_loopback(addr, port, BH_METRICS_BACKLOG, &fd, err);
	if (r >= 0) {
		h->port = (uint16_t)tcpsock_port(fd);
		r = start_daemon(h, fd);
		if (r >= 0)
			r = watch(h);
		if (r < 0)
			bh_err_errno(err, r, "metrics listener");
	}
	if (r < 0) {
		metrics_http_free(h);
		return bh_err_prefix(err, r, "metrics");
	}
	*ret = h;
	return 0;
}

void metrics_http_free(struct metrics_http *h)
{
	if (!h)
		return;
	sd_event_source_disable_unref(h->io);
	sd_event_source_disable_unref(h->timer);
	if (h->daemon)
		MHD_stop_daemon(h->daemon);
	sd_event_unref(h->event);
	free(h);
}

uint16_t metrics_http_port(const struct metrics_http *h)
{
	return h->port;
}

void metrics_http_set_client_usec(struct metrics_http *h, uint64_t usec)
{
	h->client_usec = usec;
}
