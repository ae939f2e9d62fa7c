/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

#include "../../../src/daemon/metrics_http.h"

/* A real listener on 127.0.0.1; its clients are in the same process and never block. */

#define DEADLINE_SEC 20

static sd_event *event;
static struct metrics *metrics;
static struct metrics_http *http;

static int start(void **state)
{
	struct bh_err err = BH_ERR_INIT;
	struct bh_addr addr;

	metrics = metrics_new();
	bh_addr_parse("127.0.0.1", &addr);
	if (sd_event_new(&event) < 0 || !metrics)
		return -1;
	return metrics_http_new(event, &addr, 0, metrics, &http, &err);
}

static int stop(void **state)
{
	metrics_http_free(http);
	metrics_free(metrics);
	sd_event_unref(event);
	return 0;
}

static int dial(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_port = htons(metrics_http_port(http)),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

struct talk {
	int fd;
	const char *data; /* what is still to be sent */
	size_t len;
	bool ended;
	struct bh_buf got;
};

static struct talk talk_with(const char *data, size_t len)
{
	struct talk t = { .fd = dial(), .data = data, .len = len };

	bh_buf_init(&t.got, 4u << 20);
	return t;
}

static void talk_done(struct talk *t)
{
	close(t->fd);
	bh_buf_done(&t->got);
}

/* As much as goes now. An end of any kind is the server's answer, too. */
static void talk_step(struct talk *t)
{
	char data[65536];
	ssize_t n;

	if (t->len) {
		n = send(t->fd, t->data, t->len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0) {
			t->data += n;
			t->len -= (size_t)n;
		} else if (errno != EAGAIN) {
			t->len = 0;
		}
	}
	n = recv(t->fd, data, sizeof(data), MSG_DONTWAIT);
	if (n > 0)
		bh_buf_add(&t->got, data, (size_t)n);
	else if (n == 0 || errno != EAGAIN)
		t->ended = true;
}

static void step(void)
{
	assert_true(sd_event_run(event, 5000) >= 0);
}

static void talk_to_end(struct talk *t)
{
	time_t end = time(NULL) + DEADLINE_SEC;

	while (!t->ended) {
		assert_true(time(NULL) < end);
		step();
		talk_step(t);
	}
}

/* The whole answer to a request; free() it. */
static char *ask_bytes(const char *data, size_t len)
{
	struct talk t = talk_with(data, len);
	char *out;

	talk_to_end(&t);
	out = t.got.len ? bh_buf_steal(&t.got) : strdup("");
	talk_done(&t);
	return out;
}

static char *ask(const char *request)
{
	return ask_bytes(request, strlen(request));
}

#define GET "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"

static void assert_served(void)
{
	char *answer = ask(GET), *body = strstr(answer, "\r\n\r\n");
	struct bh_buf expect;

	bh_buf_init(&expect, BH_METRICS_BYTES_MAX);
	metrics_write(metrics, &expect);
	assert_memory_equal(answer, "HTTP/1.1 200 OK\r\n", 17);
	assert_non_null(body);
	assert_string_equal(body + 4, bh_buf_str(&expect));
	bh_buf_done(&expect);
	free(answer);
}

static void assert_status(const char *request, const char *status)
{
	char *answer = ask(request);

	assert_memory_equal(answer, "HTTP/1.", 7);
	assert_memory_equal(answer + 8, status, strlen(status));
	assert_null(strstr(answer, "bulkhead_"));
	free(answer);
}

static void test_served(void **state)
{
	char *answer;

	metrics_add_denied(metrics, "web", DIRECTION_EGRESS, 5);
	assert_served();
	answer = ask(GET);
	assert_non_null(strstr(answer, "\r\nContent-Type: text/plain; version=0.0.4; "
				       "charset=utf-8\r\n"));
	assert_non_null(strstr(answer, "\r\nConnection: close\r\n"));
	free(answer);
	metrics_add_repairs(metrics, 1); /* the next one sees it */
	assert_served();
	answer = ask("GET /metrics HTTP/1.0\r\n\r\n");
	assert_non_null(strstr(answer, "bulkhead_repairs_total 1\n"));
	free(answer);
}

static void test_nothing_else(void **state)
{
	assert_status("GET / HTTP/1.1\r\nHost: a\r\n\r\n", " 404");
	assert_status("GET /metrics/ HTTP/1.1\r\nHost: a\r\n\r\n", " 404");
	assert_status("GET //metrics HTTP/1.1\r\nHost: a\r\n\r\n", " 404");
	assert_status("GET /metrics%00x HTTP/1.1\r\nHost: a\r\n\r\n", " 404");
	assert_status("HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n", " 405");
	assert_status("DELETE /metrics HTTP/1.1\r\nHost: a\r\n\r\n", " 405");
	assert_status("POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n",
		      " 405");
	assert_status("POST /metrics HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffff",
		      " 405");
	assert_served();
}

/* Two requests at once: the first is answered, and the connection ends. */
static void test_pipeline(void **state)
{
	char *answer = ask(GET GET), *first = strstr(answer, "HTTP/1.1 200");

	assert_non_null(first);
	assert_null(strstr(first + 1, "HTTP/1.1"));
	free(answer);
	assert_served();
}

static void test_long(void **state)
{
	const size_t len = 4u << 20;
	char *data = malloc(len + 1), *answer;

	memset(data, 'A', len);
	data[len] = '\0';
	answer = ask_bytes(data, len); /* no end of a line */
	assert_null(strstr(answer, "200 OK"));
	free(answer);
	memcpy(data, "GET /metrics", 12); /* a URL of 4 MiB */
	answer = ask_bytes(data, len);
	assert_null(strstr(answer, "200 OK"));
	free(answer);
	for (size_t i = 0; i + 6 <= len; i += 6) /* headers without end */
		memcpy(data + i, "a: b\r\n", 6);
	memcpy(data, "GET /metrics HTTP/1.1\r\nX: y\r\n", 29);
	answer = ask_bytes(data, len - len % 6);
	assert_null(strstr(answer, "200 OK"));
	free(answer);
	free(data);
	assert_served();
}

static void test_binary(void **state)
{
	uint64_t seed = 7;
	char data[4096], *answer;

	metrics_http_set_client_usec(http, 100000); /* what looks like half a request waits */
	for (int round = 0; round < 50; round++) {
		for (size_t i = 0; i < sizeof(data); i++) {
			seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
			data[i] = (char)(seed >> 33);
		}
		if (round % 2) /* a good beginning */
			memcpy(data, "GET /metrics HTTP/1.1\r\n", 23);
		answer = ask_bytes(data, sizeof(data));
		assert_null(strstr(answer, "200 OK"));
		free(answer);
	}
	metrics_http_set_client_usec(http, 5000000);
	assert_served();
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void drip(struct talk slow[BH_METRICS_CLIENTS_MAX])
{
	for (size_t i = 0; i < BH_METRICS_CLIENTS_MAX; i++) {
		slow[i].data = "G";
		slow[i].len = 1;
		if (!slow[i].ended)
			talk_step(&slow[i]);
	}
}

/*
 * All places are taken by clients that send a byte now and then, which keeps a timeout of silence
 * from coming: they are cut off by then all the same, and whoever waits is served.
 */
static void test_slow(void **state)
{
	struct talk slow[BH_METRICS_CLIENTS_MAX], good;
	uint64_t begin = now_ms(), end = begin + 1000 * DEADLINE_SEC, sent = 0;

	metrics_http_set_client_usec(http, 300000);
	for (size_t i = 0; i < BH_METRICS_CLIENTS_MAX; i++)
		slow[i] = talk_with("", 0);
	for (int i = 0; i < 20; i++) /* they are in before the good one comes */
		step();
	good = talk_with(GET, strlen(GET));
	while (!good.ended) {
		assert_true(now_ms() < end);
		if (now_ms() - sent >= 20) { /* never so much that it is too long */
			sent = now_ms();
			drip(slow);
		}
		step();
		talk_step(&good);
	}
	assert_true(now_ms() - begin >= 250); /* it did have to wait */
	assert_non_null(strstr(bh_buf_str(&good.got), "200 OK"));
	for (size_t i = 0; i < BH_METRICS_CLIENTS_MAX; i++) {
		talk_to_end(&slow[i]);
		assert_null(strstr(bh_buf_str(&slow[i].got), "200 OK"));
		talk_done(&slow[i]);
	}
	talk_done(&good);
}

/* One that asks and does not read holds its place until its time is over. */
static void test_unread(void **state)
{
	struct talk mute[BH_METRICS_CLIENTS_MAX];
	char name[64];
	int small = 1024;

	for (unsigned i = 0; i < BH_METRICS_SERVICES_MAX; i++) {
		snprintf(name, sizeof(name), "service-with-a-rather-long-name-%u", i);
		metrics_add_denied(metrics, name, DIRECTION_EGRESS, 1);
	}
	metrics_http_set_client_usec(http, 300000);
	for (size_t i = 0; i < BH_METRICS_CLIENTS_MAX; i++) {
		mute[i] = talk_with("", 0);
		setsockopt(mute[i].fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
		assert_int_equal(send(mute[i].fd, GET, strlen(GET), 0), strlen(GET));
	}
	for (int i = 0; i < 20; i++)
		step();
	metrics_http_set_client_usec(http, 5000000);
	assert_served();
	for (size_t i = 0; i < BH_METRICS_CLIENTS_MAX; i++)
		talk_done(&mute[i]);
}

/*
 * Clients that go at once, in the midst of a request or before it, closing or resetting: their places
 * become free, and the loop rests when they are gone.
 */
static void test_hasty(void **state)
{
	unsigned turns = 0;
	uint64_t end;

	metrics_http_set_client_usec(http, 50000);
	for (int i = 0; i < 200; i++) {
		int fd = dial();

		if (i % 2)
			assert_true(send(fd, GET, 10, 0) == 10);
		if (i % 3) {
			struct linger l = { 1, 0 };

			setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
		}
		close(fd);
		if (i % 8 == 7)
			assert_served(); /* it comes after all of them */
	}
	end = now_ms() + 200;
	while (now_ms() < end) {
		assert_true(sd_event_run(event, 20000) >= 0);
		turns++;
	}
	assert_true(turns < 100);
}

/* Freed with clients inside. */
static void test_freed_early(void **state)
{
	struct talk a = talk_with("", 0);
	struct talk b = talk_with("", 0);

	assert_true(send(b.fd, GET, 12, 0) == 12);
	for (int i = 0; i < 5; i++)
		step();
	metrics_http_free(http);
	http = NULL;
	while (!a.ended)
		talk_step(&a);
	talk_done(&a);
	talk_done(&b);
}

static void assert_refused(const char *address, uint16_t port, int r, const char *message)
{
	struct bh_err err = BH_ERR_INIT;
	struct metrics_http *h = (void *)0x1;
	struct bh_addr addr;

	assert_int_equal(bh_addr_parse(address, &addr), 0);
	assert_int_equal(metrics_http_new(event, &addr, port, metrics, &h, &err), r);
	assert_ptr_equal(h, (void *)0x1);
	assert_non_null(strstr(err.msg, message));
}

static void test_places(void **state)
{
	assert_refused("0.0.0.0", 0, -EINVAL, "metrics: 0.0.0.0 is not a loopback address");
	assert_refused("::", 0, -EINVAL, "not a loopback address");
	assert_refused("192.0.2.1", 0, -EINVAL, "not a loopback address");
	assert_refused("127.0.0.1", metrics_http_port(http), -EADDRINUSE, "cannot listen on 127");
	assert_served();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_served, start, stop),
		cmocka_unit_test_setup_teardown(test_nothing_else, start, stop),
		cmocka_unit_test_setup_teardown(test_pipeline, start, stop),
		cmocka_unit_test_setup_teardown(test_long, start, stop),
		cmocka_unit_test_setup_teardown(test_binary, start, stop),
		cmocka_unit_test_setup_teardown(test_slow, start, stop),
		cmocka_unit_test_setup_teardown(test_unread, start, stop),
		cmocka_unit_test_setup_teardown(test_hasty, start, stop),
		cmocka_unit_test_setup_teardown(test_freed_early, start, stop),
		cmocka_unit_test_setup_teardown(test_places, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
