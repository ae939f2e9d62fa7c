/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

#include <bulkhead/base/limits.h>
#include <bulkhead/runtime/events.h>

#include "../../../src/runtime/docker_event.h"
#include "engine.h"

#define ONE "46595034ab726a221c23da037cde1dbce23d1def4895f89af4d4439464376b3d"
#define NET "522992e4c38b7c7bcb8e4005477292a55baff8d95df0468597e8948840d5431a"

#define CONTAINER_EVENT(action)                                                                    \
	"{\"status\":\"" action "\",\"id\":\"" ONE "\",\"from\":\"box:1\",\"Type\":\"container\"," \
	"\"Action\":\"" action "\",\"Actor\":{\"ID\":\"" ONE "\",\"Attributes\":{\"app\":\"}]x\"," \
	"\"image\":\"box:1\",\"name\":\"c1\"}},\"scope\":\"local\",\"time\":1795671676,"           \
	"\"timeNano\":1795671676324361483}\n"
#define NETWORK_EVENT(action)                                                                      \
	"{\"Type\":\"network\",\"Action\":\"" action "\",\"Actor\":{\"ID\":\"" NET                 \
	"\",\"Attributes\":{\"container\":\"" ONE                                                  \
	"\",\"name\":\"bridge\",\"type\":\"bridge\"}},\"timeNano\":7000}"

struct heard {
	struct engine engine;
	struct runtime_events *events;
	struct runtime_event all[256];
	size_t n, connected, lost;
	int r;
	char reason[BH_ERR_MAX];
};

static void on_event(const struct runtime_event *event, void *arg)
{
	struct heard *h = arg;

	assert_true(h->n < 256);
	h->all[h->n++] = *event;
}

static void on_connected(void *arg)
{
	((struct heard *)arg)->connected++;
}

static void on_lost(int r, const char *reason, void *arg)
{
	struct heard *h = arg;

	h->lost++;
	h->r = r;
	snprintf(h->reason, sizeof(h->reason), "%s", reason);
}

static const struct runtime_events_callbacks callbacks = { on_event, on_connected, on_lost };

static struct heard *start(void)
{
	struct heard *h = calloc(1, sizeof(*h));

	assert_non_null(h);
	engine_init(&h->engine);
	assert_int_equal(runtime_events_new(h->engine.event, h->engine.path, ENDPOINT_DOCKER,
					    &callbacks, h, &h->events, NULL),
			 0);
	return h;
}

static void stop(struct heard *h)
{
	runtime_events_free(h->events);
	engine_done(&h->engine);
	free(h);
}

/* The connection of a stream that is followed. */
static int follow(struct heard *h)
{
	int fd = engine_accept(&h->engine);
	size_t before = h->connected;
	char path[512];

	engine_read(&h->engine, fd, path);
	assert_int_equal(strncmp(path, "/events?since=", 14), 0);
	assert_non_null(strstr(path, "&filters=%7B%22type%22%3A%5B%22container%22%2C"));
	assert_int_equal(h->connected, before); /* not before the answer */
	engine_head(fd);
	await(&h->engine, h->connected == before + 1);
	return fd;
}

/* --- what comes -------------------------------------------------------------------------------- */

static void test_events(void **state)
{
	struct heard *h = start();
	int fd = follow(h);

	assert_true(runtime_events_connected(h->events));
	engine_chunk(fd, CONTAINER_EVENT("start"));
	engine_chunk(fd, NETWORK_EVENT("connect"));
	await(&h->engine, h->n == 2);
	assert_int_equal(h->all[0].kind, RUNTIME_EVENT_START);
	assert_string_equal(h->all[0].container, ONE);
	assert_string_equal(h->all[0].network, "");
	assert_int_equal(h->all[0].when_usec, 1795671676324361);
	assert_int_equal(h->all[1].kind, RUNTIME_EVENT_CONNECT);
	assert_string_equal(h->all[1].container, ONE);
	assert_string_equal(h->all[1].network, NET);
	assert_int_equal(h->lost, 0);
	close(fd);
	stop(h);
}

/* Cut at every place, several in one chunk, white space and none between them. */
static void test_any_cut(void **state)
{
	static const char both[] = CONTAINER_EVENT("die") "\r\n\t " NETWORK_EVENT("disconnect")
		CONTAINER_EVENT("create");
	struct heard *h = start();
	int fd = follow(h);
	char part[sizeof(both)];

	for (size_t cut = 1; cut < sizeof(both) - 1; cut += 13) {
		h->n = 0;
		snprintf(part, sizeof(part), "%.*s", (int)cut, both);
		engine_chunk(fd, part);
		turn(&h->engine);
		engine_chunk(fd, both + cut);
		await(&h->engine, h->n == 3);
		assert_int_equal(h->all[0].kind, RUNTIME_EVENT_DIE);
		assert_int_equal(h->all[1].kind, RUNTIME_EVENT_DISCONNECT);
		assert_int_equal(h->all[2].kind, RUNTIME_EVENT_CREATE);
	}
	assert_int_equal(h->lost, 0);
	close(fd);
	stop(h);
}

/* One that is complete is told without waiting for the next. */
static void test_half(void **state)
{
	struct heard *h = start();
	int fd = follow(h);

	engine_chunk(fd, CONTAINER_EVENT("start") "{\"Type\":\"contai");
	await(&h->engine, h->n == 1);
	turns(&h->engine, 5);
	assert_int_equal(h->n, 1);
	engine_chunk(fd, "ner\",\"Action\":\"stop\",\"Actor\":{\"ID\":\"" ONE "\"}}");
	await(&h->engine, h->n == 2);
	assert_int_equal(h->all[1].kind, RUNTIME_EVENT_STOP);
	close(fd);
	stop(h);
}

static void test_of_no_interest(void **state)
{
	struct heard *h = start();
	int fd = follow(h);

	engine_chunk(fd,
		     CONTAINER_EVENT("exec_create: sh") CONTAINER_EVENT("health_status: healthy")
			     CONTAINER_EVENT("kill") CONTAINER_EVENT("restart"));
	engine_chunk(fd, "{\"Type\":\"image\",\"Action\":\"pull\",\"Actor\":{\"ID\":\"\"}}");
	engine_chunk(fd, "{\"Type\":\"volume\",\"Action\":\"create\"}");
	engine_chunk(fd, NETWORK_EVENT("create") CONTAINER_EVENT("destroy"));
	await(&h->engine, h->n == 1);
	assert_int_equal(h->all[0].kind, RUNTIME_EVENT_DESTROY);
	close(fd);
	stop(h);
}

/* What cannot be understood may have been anything; those behind it are heard. */
static void test_unreadable(void **state)
{
	static const char *const junk[] = {
		"{}",
		"{\"Type\":7,\"Action\":\"start\"}",
		"{\"Type\":\"container\"}",
		"{\"Type\":\"container\",\"Action\":\"start\"}",
		"{\"Type\":\"container\",\"Action\":\"start\",\"Actor\":{\"ID\":\"../x\"}}",
		"{\"Type\":\"network\",\"Action\":\"connect\",\"Actor\":{\"ID\":\"a/b\","
		"\"Attributes\":{\"container\":\"" ONE "\"}}}",
		"{\"Type\":\"network\",\"Action\":\"connect\",\"Actor\":{\"ID\":\"" NET "\"}}",
		"{\"Type\":\"container\",\"Type\":\"container\"}",
		"{]",
		"{\"\xff\":1}",
	};
	struct heard *h = start();
	int fd = follow(h);

	for (size_t i = 0; i < sizeof(junk) / sizeof(*junk); i++) {
		h->n = 0;
		engine_chunk(fd, junk[i]);
		engine_chunk(fd, CONTAINER_EVENT("start"));
		await(&h->engine, h->n == 2);
		assert_int_equal(h->all[0].kind, RUNTIME_EVENT_UNREADABLE);
		assert_string_equal(h->all[0].container, "");
		assert_int_equal(h->all[1].kind, RUNTIME_EVENT_START);
	}
	assert_int_equal(h->lost, 0);
	close(fd);
	stop(h);
}

/* Many bytes through a socket that holds fewer. */
static void send_through(struct heard *h, int fd, const char *data, size_t len)
{
	for (int i = 0; len && i < 100000; i++) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n > 0) {
			data += n;
			len -= (size_t)n;
		} else if (errno != EAGAIN) {
			return; /* it has had enough */
		}
		assert_true(sd_event_run(h->engine.event, 0) >= 0);
	}
	assert_int_equal(len, 0);
}

static void giant_chunk(struct heard *h, int fd, size_t len)
{
	char *data = malloc(len), size[32];

	assert_non_null(data);
	memset(data, 'x', len);
	memcpy(data, "{\"", 2);
	snprintf(size, sizeof(size), "%zx\r\n", len);
	engine_say(fd, size);
	send_through(h, fd, data, len);
	free(data);
}

static void test_giant(void **state)
{
	struct heard *h = start();
	int fd = follow(h);

	giant_chunk(h, fd, BH_EVENT_BYTES_MAX + 100);
	engine_say(fd, "\r\n");
	engine_chunk(fd, "\":0}" CONTAINER_EVENT("pause"));
	await(&h->engine, h->n == 2);
	assert_int_equal(h->all[0].kind, RUNTIME_EVENT_UNREADABLE);
	assert_int_equal(h->all[1].kind, RUNTIME_EVENT_PAUSE);
	assert_int_equal(h->lost, 0);
	close(fd);
	stop(h);
}

static void test_endless(void **state)
{
	struct heard *h = start();
	int fd = follow(h);

	giant_chunk(h, fd, BH_EVENT_SKIP_MAX + 100);
	await(&h->engine, h->lost == 1);
	assert_int_equal(h->r, -EFBIG);
	close(fd);
	stop(h);
}

/* What came before it is told. */
static void test_junk(void **state)
{
	struct heard *h = start();
	int fd = follow(h);

	engine_chunk(fd, CONTAINER_EVENT("unpause") "<html>" CONTAINER_EVENT("die"));
	await(&h->engine, h->lost == 1);
	assert_int_equal(h->r, -EBADMSG);
	assert_non_null(strstr(h->reason, "Docker sends what is of no use"));
	assert_int_equal(h->n, 1);
	assert_false(runtime_events_connected(h->events));
	close(fd);
	stop(h);
}

/* Since when it is as it is; EVER: whether it was followed before. */
static int64_t since(const struct heard *h, bool ever)
{
	bool was = !ever;
	int64_t usec = runtime_events_since(h->events, &was);

	assert_int_equal(was, ever);
	assert_int_equal(runtime_events_since(h->events, NULL), usec);
	return usec;
}

/* --- when it goes ------------------------------------------------------------------------------ */

static void test_reconnect(void **state)
{
	struct heard *h = start();
	int64_t waited = since(h, false), followed, lost;
	int fd = follow(h);

	followed = since(h, true);
	assert_true(followed > waited);
	close(fd);
	await(&h->engine, h->lost == 1);
	lost = since(h, true);
	assert_true(lost > followed);
	assert_int_equal(h->r, -ECONNRESET);
	assert_string_equal(h->reason, "Docker ended the stream of events");
	fd = follow(h);
	assert_int_equal(h->connected, 2);
	engine_chunk(fd, CONTAINER_EVENT("start"));
	await(&h->engine, h->n == 1);
	engine_say(fd, "0\r\n\r\n"); /* ended in order */
	await(&h->engine, h->lost == 2);
	assert_int_equal(h->r, -ECONNRESET);
	close(fd);
	fd = follow(h);
	/* Half an event of the stream before is no part of this one. */
	engine_chunk(fd, "{\"half\":");
	turns(&h->engine, 2);
	close(fd);
	await(&h->engine, h->lost == 3);
	h->n = 0;
	fd = follow(h);
	engine_chunk(fd, CONTAINER_EVENT("start"));
	await(&h->engine, h->n == 1);
	assert_int_equal(h->all[0].kind, RUNTIME_EVENT_START);
	close(fd);
	stop(h);
}

/* Said once, however often it is tried. */
static void test_socket_comes_later(void **state)
{
	struct heard *h = calloc(1, sizeof(*h));
	int fd;

	assert_non_null(h);
	engine_init(&h->engine);
	engine_deaf(&h->engine);
	assert_int_equal(runtime_events_new(h->engine.event, h->engine.path, ENDPOINT_PODMAN,
					    &callbacks, h, &h->events, NULL),
			 0);
	await(&h->engine, h->lost == 1);
	assert_int_equal(h->r, -ENOENT);
	assert_int_equal(strncmp(h->reason, "Podman does not answer on ", 26), 0);
	turns(&h->engine, 50);
	assert_int_equal(h->lost, 1);
	engine_listen(&h->engine);
	fd = follow(h);
	assert_int_equal(h->connected, 1);
	close(fd);
	stop(h);
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* One that hangs up on everybody is asked more and more seldom. */
static void test_backoff(void **state)
{
	static const int least[] = { 0, 50, 100, 200, 400 };
	struct heard *h = start();
	int64_t last = now_ms();

	for (size_t i = 0; i < 5; i++) {
		int fd = follow(h);
		int64_t now = now_ms();

		assert_true(now - last >= least[i]);
		close(fd);
		await(&h->engine, h->lost == i + 1);
		last = now_ms();
	}
	stop(h);
}

static void test_refusals(void **state)
{
	static const char *const answers[] = {
		"HTTP/1.1 500 X\r\nContent-Length: 3\r\n\r\nno!",
		"HTTP/1.1 301 X\r\nLocation: http://localhost/else\r\nContent-Length: 0\r\n\r\n",
		"not HTTP at all\r\n\r\n",
	};

	for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
		struct heard *h = start();
		int fd = engine_accept(&h->engine);
		char path[512];

		engine_read(&h->engine, fd, path);
		engine_say(fd, answers[i]);
		close(fd);
		await(&h->engine, h->lost == 1);
		assert_int_equal(h->r, -EIO);
		assert_int_equal(h->connected, 0);
		stop(h);
	}
}

/*
 * An engine that hangs, before its answer, and behind it: the loop turns, and a stream on which
 * nothing happens is none that was lost.
 */
static void test_hang(void **state)
{
	struct heard *h = start();
	int fd = engine_accept(&h->engine);
	int64_t begin = now_ms();

	for (int i = 0; i < 50; i++) {
		int64_t before = now_ms();

		turn(&h->engine);
		assert_true(now_ms() - before < 500);
	}
	assert_int_equal(h->lost + h->connected, 0);
	engine_head(fd);
	await(&h->engine, h->connected == 1);
	while (now_ms() - begin < 1500)
		turn(&h->engine);
	assert_int_equal(h->lost, 0);
	engine_chunk(fd, CONTAINER_EVENT("start"));
	await(&h->engine, h->n == 1);
	close(fd);
	stop(h);
}

static void test_podman_words(void **state)
{
	static const char died[] = CONTAINER_EVENT("died"), removed[] = CONTAINER_EVENT("remove");
	struct runtime_event e;

	assert_int_equal(docker_parse_event(died, strlen(died), &e), 1);
	assert_int_equal(e.kind, RUNTIME_EVENT_DIE);
	assert_int_equal(docker_parse_event(removed, strlen(removed), &e), 1);
	assert_int_equal(e.kind, RUNTIME_EVENT_DESTROY);
	assert_string_equal(runtime_event_name(e.kind), "destroy");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_events),     cmocka_unit_test(test_any_cut),
		cmocka_unit_test(test_half),       cmocka_unit_test(test_of_no_interest),
		cmocka_unit_test(test_unreadable), cmocka_unit_test(test_giant),
		cmocka_unit_test(test_endless),    cmocka_unit_test(test_junk),
		cmocka_unit_test(test_reconnect),  cmocka_unit_test(test_socket_comes_later),
		cmocka_unit_test(test_backoff),    cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_hang),       cmocka_unit_test(test_podman_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
