/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TEST_RUNTIME_ENGINE_H
#define TEST_RUNTIME_ENGINE_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <systemd/sd-event.h>

/*
 * An engine that is none, in the process of the test: the test itself accepts, reads and answers
 * between turns of the event loop, so that each byte comes when the test wants it.
 */

struct engine {
	char dir[32], path[64];
	int listening;
	sd_event *event;
};

static void engine_listen(struct engine *e)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	strcpy(sa.sun_path, e->path);
	e->listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(e->listening, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(e->listening, 8), 0);
}

static inline void engine_deaf(struct engine *e)
{
	close(e->listening);
	e->listening = -1;
	unlink(e->path);
}

static void engine_init(struct engine *e)
{
	strcpy(e->dir, "/tmp/bulkhead-eng-XXXXXX");
	assert_non_null(mkdtemp(e->dir));
	snprintf(e->path, sizeof(e->path), "%s/socket", e->dir);
	assert_true(sd_event_new(&e->event) >= 0);
	engine_listen(e);
}

static void engine_done(struct engine *e)
{
	if (e->listening >= 0)
		engine_deaf(e);
	rmdir(e->dir);
	sd_event_unref(e->event);
}

/* One turn of the loop, of at most 10 ms. */
static void turn(struct engine *e)
{
	assert_true(sd_event_run(e->event, 10000) >= 0);
}

/* Turns until CONDITION, at most for some ten seconds. */
#define await(e, condition)                                                                        \
	do {                                                                                       \
		bool met_ = (condition);                                                           \
		for (int i_ = 0; !met_ && i_ < 1000; i_++) {                                       \
			turn(e);                                                                   \
			met_ = (condition);                                                        \
		}                                                                                  \
		assert_true(met_);                                                                 \
	} while (0)

static inline void turns(struct engine *e, int n)
{
	while (n--)
		turn(e);
}

static int engine_accept(struct engine *e)
{
	int fd = -1;

	await(e, (fd = accept4(e->listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0);
	return fd;
}

static bool has_request(int fd, char *buf, size_t size, size_t *len)
{
	ssize_t n = recv(fd, buf + *len, size - 1 - *len, MSG_DONTWAIT);

	*len += n > 0 ? (size_t)n : 0;
	buf[*len] = '\0';
	return strstr(buf, "\r\n\r\n") != NULL;
}

/* The path of the next request on this connection. */
static void engine_read(struct engine *e, int fd, char path[512])
{
	char buf[4096] = "";
	size_t len = 0;

	await(e, has_request(fd, buf, sizeof(buf), &len));
	assert_int_equal(sscanf(buf, "GET %511s HTTP/1.1", path), 1);
	assert_non_null(strstr(buf, "Host: localhost\r\n")); /* not a proxy's absolute form */
}

static void engine_send(int fd, const char *data, size_t len)
{
	assert_int_equal(send(fd, data, len, MSG_NOSIGNAL), (ssize_t)len);
}

static void engine_say(int fd, const char *text)
{
	engine_send(fd, text, strlen(text));
}

static inline void engine_head(int fd)
{
	engine_say(fd, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
		       "Transfer-Encoding: chunked\r\n\r\n");
}

static inline void engine_chunk(int fd, const char *text)
{
	char size[32];

	snprintf(size, sizeof(size), "%zx\r\n", strlen(text));
	engine_say(fd, size);
	engine_say(fd, text);
	engine_say(fd, "\r\n");
}

static inline void engine_answer(int fd, int status, const char *body)
{
	char head[128];

	snprintf(head, sizeof(head), "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n\r\n", status,
		 strlen(body));
	engine_say(fd, head);
	engine_say(fd, body);
}

#endif
