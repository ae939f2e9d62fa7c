/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/runtime/runtime.h>

#include "../../../src/runtime/docker.h"
#include "documents.h"

/*
 * The listing against an engine that is none: a child that answers from a table. It listens on a
 * socket of its own and runs until the test ends it.
 */

#define ONE   "46595034ab726a221c23da037cde1dbce23d1def4895f89af4d4439464376b3d"
#define TWO   "32d3c7cda020e90a2af50758760f1f71e2c294be07366df9b17d6bf94ac6ec10"
#define IMAGE "sha256:25e77d8e9d682df7d4f808910e4fd5c59f470b38d33e106dd57e12ee30c733ff"

#define ENDLESS ((const char *)1) /* a body without an end */
#define HANG    ((const char *)2) /* no answer at all */

struct answer {
	const char *path;
	int status;
	const char *body;
	const char *headers; /* further ones, or NULL */
};

struct engine {
	char dir[32], path[64];
	pid_t pid;
	unsigned *asked; /* how often, by answer; shared with the child */
};

static void send_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		data += n;
		len -= (size_t)n;
	}
}

/* Until the other side has enough. */
static void send_endless(int fd)
{
	static char block[65536];

	memset(block, ' ', sizeof(block));
	for (size_t i = 0; i < 2 * (BH_RUNTIME_REPLY_BYTES_MAX / sizeof(block)); i++)
		if (send(fd, block, sizeof(block), MSG_NOSIGNAL) != sizeof(block))
			return;
}

static bool respond(int fd, const struct answer *a)
{
	size_t len = a->body == ENDLESS || a->body == HANG ? 1u << 30 : strlen(a->body);
	char head[512];
	int n;

	while (a->body == HANG)
		pause();
	n = snprintf(head, sizeof(head), "HTTP/1.1 %d X\r\n%sContent-Length: %zu\r\n\r\n",
		     a->status, a->headers ? a->headers : "", len);

	send_all(fd, head, (size_t)n);
	if (a->body == ENDLESS)
		send_endless(fd);
	else
		send_all(fd, a->body, len);
	return a->body != ENDLESS;
}

/* Requests without a body, one after the other on one connection. */
static void serve(int fd, const struct answer *answers, unsigned *asked)
{
	static const struct answer none = { "", 404, "{\"message\": \"no such thing\"}", NULL };
	char request[4096], path[512];
	size_t len = 0;

	for (;;) {
		ssize_t n = recv(fd, request + len, sizeof(request) - 1 - len, 0);
		const struct answer *a = answers;

		if (n <= 0)
			return;
		len += (size_t)n;
		request[len] = '\0';
		if (!strstr(request, "\r\n\r\n"))
			continue;
		if (sscanf(request, "GET %511s HTTP/1.1", path) != 1)
			return;
		while (a->path && strcmp(a->path, path) != 0)
			a++;
		asked[a - answers]++;
		if (!respond(fd, a->path ? a : &none))
			return;
		len = 0;
	}
}

static void engine_start(struct engine *e, const struct answer *answers)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(e->dir, "/tmp/bulkhead-api-XXXXXX");
	assert_non_null(mkdtemp(e->dir));
	snprintf(e->path, sizeof(e->path), "%s/socket", e->dir);
	strcpy(sa.sun_path, e->path);
	e->asked = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(e->asked != MAP_FAILED);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 8), 0);
	e->pid = fork();
	assert_true(e->pid >= 0);
	if (e->pid == 0) {
		for (;;) {
			int conn = accept(fd, NULL, NULL);

			serve(conn, answers, e->asked);
			close(conn);
		}
	}
	close(fd);
}

static void engine_stop(struct engine *e)
{
	assert_int_equal(kill(e->pid, SIGKILL), 0);
	assert_int_equal(waitpid(e->pid, NULL, 0), e->pid);
	assert_int_equal(unlink(e->path), 0);
	assert_int_equal(rmdir(e->dir), 0);
	munmap(e->asked, 4096);
}

struct listed {
	struct endpoint_set *set;
	struct diag_list diags;
	struct bh_err err;
	int r;
};

static struct listed list_socket(const char *path)
{
	struct endpoint_builder *b = endpoint_builder_new();
	struct listed l = { 0 };

	diag_list_init(&l.diags);
	l.r = runtime_docker_list(path, ENDPOINT_DOCKER, b, &l.diags, &l.err);
	assert_int_equal(endpoint_builder_finish(b, &l.set, NULL), 0);
	endpoint_builder_free(b);
	return l;
}

static void listed_done(struct listed *l)
{
	endpoint_set_free(l->set);
	diag_list_done(&l->diags);
}

static struct listed list(const struct answer *answers, unsigned asked[8])
{
	struct engine e = { 0 };
	struct listed l;

	engine_start(&e, answers);
	l = list_socket(e.path);
	if (asked)
		memcpy(asked, e.asked, 8 * sizeof(*asked));
	engine_stop(&e);
	return l;
}

/* The list, and the first container, fail as told. */
static void fails(const struct answer *answers, int r, const char *why)
{
	struct listed l = list(answers, NULL);

	assert_int_equal(l.r, r);
	assert_non_null(strstr(l.err.msg, why));
	assert_int_equal(l.set->n, 0);
	listed_done(&l);
}

#define LIST         "/containers/json?all=1"
#define INSPECT(id)  "/containers/" id "/json"
#define IMAGE_OF(id) "/images/" id "/json"

/* DOC with another process id; the caller frees it. */
static char *with_pid(const char *doc, const char *old, int pid)
{
	const char *at = strstr(doc, old);
	char *copy;

	assert_non_null(at);
	assert_true(asprintf(&copy, "%.*s%d%s", (int)(at - doc), doc, pid, at + strlen(old)) > 0);
	return copy;
}

/* No process of the recorded number may be looked at: it is somebody else's now. */
static char *stopped(const char *doc, const char *pid)
{
	return with_pid(doc, pid, 0);
}

static void test_a_listing(void **state)
{
	bh_autofree char *one = stopped(docker_one, "14136"), *two = stopped(docker_two, "14203");
	const struct answer answers[] = {
		{ LIST, 200, docker_list, NULL },
		{ INSPECT(ONE), 200, one, NULL },
		{ INSPECT(TWO), 200, two, NULL },
		{ IMAGE_OF(IMAGE), 200, image_docker, NULL },
		{ 0 },
	};
	unsigned asked[8];
	struct listed l = list(answers, asked);

	assert_string_equal(l.err.msg[0] && l.r < 0 ? l.err.msg : "", "");
	assert_int_equal(l.r, 0);
	assert_int_equal(l.set->n, 2);
	assert_string_equal(l.set->endpoints[0].name, "two");
	assert_string_equal(l.set->endpoints[1].name, "one");
	assert_string_equal(endpoint_label(&l.set->endpoints[1], "app", false), "one");
	/* Its namespace is not there. */
	assert_int_equal(l.set->endpoints[1].obstacle, ENDPOINT_NO_NETNS);
	assert_null(l.set->endpoints[1].netns);
	/* Both are of one image, which is asked about once. */
	for (int i = 0; i < 4; i++)
		assert_int_equal(asked[i], 1);
	assert_int_equal(asked[4], 0);
	listed_done(&l);
}

/* One that ended after the list was made. */
static void test_ended_meanwhile(void **state)
{
	bh_autofree char *two = stopped(docker_two, "14203");
	const struct answer answers[] = {
		{ LIST, 200, docker_list, NULL },
		{ INSPECT(TWO), 200, two, NULL },
		{ IMAGE_OF(IMAGE), 200, image_docker, NULL },
		{ 0 },
	};
	struct listed l = list(answers, NULL);

	assert_int_equal(l.r, 0);
	assert_int_equal(l.set->n, 1);
	assert_int_equal(l.diags.n, 0);
	listed_done(&l);
}

/* Podman's list has them only when all are asked for, and does not call them running. */
static void test_paused(void **state)
{
	static const char ran[] = "\"running\", \"Running\": true, \"Paused\": false";
	bh_autofree char *two = stopped(docker_two, "14203"), *doc = NULL;
	const char *at = strstr(two, ran);
	struct answer answers[] = {
		{ LIST, 200,
		  "[{\"Id\": \"" ONE "\", \"State\": \"exited\"},"
		  " {\"Id\": \"" TWO "\", \"State\": \"paused\"}]",
		  NULL },
		{ INSPECT(TWO), 200, NULL, NULL },
		{ IMAGE_OF(IMAGE), 200, image_docker, NULL },
		{ INSPECT(ONE), 200, docker_one, NULL },
		{ 0 },
	};
	unsigned asked[8];
	struct listed l;

	assert_non_null(at);
	assert_true(asprintf(&doc, "%.*s\"paused\", \"Running\": false, \"Paused\": true%s",
			     (int)(at - two), two, at + strlen(ran)) > 0);
	answers[1].body = doc;
	l = list(answers, asked);
	assert_int_equal(l.r, 0);
	assert_int_equal(l.set->n, 1);
	assert_string_equal(l.set->endpoints[0].id, TWO);
	assert_int_equal(asked[3], 0); /* it has ended */
	listed_done(&l);
}

static void test_image_is_gone(void **state)
{
	bh_autofree char *one = stopped(docker_one, "14136"), *two = stopped(docker_two, "14203");
	const struct answer answers[] = {
		{ LIST, 200, docker_list, NULL },
		{ INSPECT(ONE), 200, one, NULL },
		{ INSPECT(TWO), 200, two, NULL },
		{ 0 },
	};
	struct listed l = list(answers, NULL);

	assert_int_equal(l.r, 0);
	assert_int_equal(l.set->n, 2);
	assert_int_equal(l.diags.warnings, 2);
	assert_string_equal(l.diags.d[0].id, "image-gone");
	assert_string_equal(l.err.msg, ""); /* no failure, no sentence */
	assert_int_equal(l.set->endpoints[0].n_labels, 0);
	listed_done(&l);
}

/* A process in the namespace that we are in ourselves: that is the host's. */
static void test_own_namespace(void **state)
{
	bh_autofree char *doc = with_pid(docker_one, "14136", getpid());
	const struct answer answers[] = {
		{ LIST, 200, "[{\"Id\": \"" ONE "\"}]", NULL },
		{ INSPECT(ONE), 200, doc, NULL },
		{ IMAGE_OF(IMAGE), 200, image_docker, NULL },
		{ 0 },
	};
	struct bh_addr said;
	struct listed l;

	assert_int_equal(bh_addr_parse("172.17.0.2", &said), 0);
	l = list(answers, NULL);
	assert_int_equal(l.r, 0);
	assert_int_equal(l.set->endpoints[0].obstacle, ENDPOINT_HOST_NETWORK);
	assert_null(l.set->endpoints[0].netns);
	for (size_t i = 0; i < l.set->endpoints[0].n_addrs; i++) /* not those of the document */
		assert_int_not_equal(bh_addr_cmp(&l.set->endpoints[0].addrs[i], &said), 0);
	listed_done(&l);
}

/* The first of two containers has the document DOC: it is listed, and the other is not held up. */
static void is_remainder(const char *doc, const char *name, const char *why)
{
	bh_autofree char *one = stopped(docker_one, "14136");
	const struct answer answers[] = {
		{ LIST, 200, docker_list, NULL },
		{ INSPECT(TWO), 200, doc, NULL },
		{ INSPECT(ONE), 200, one, NULL },
		{ IMAGE_OF(IMAGE), 200, image_docker, NULL },
		{ 0 },
	};
	struct listed l = list(answers, NULL);
	const struct endpoint *e;

	assert_int_equal(l.r, 0);
	assert_string_equal(l.err.msg, "");
	assert_int_equal(l.set->n, 2);
	e = endpoint_set_find(l.set, TWO, NULL);
	assert_string_equal(e->name, name);
	assert_int_equal(e->runtime, ENDPOINT_DOCKER);
	assert_int_equal(e->obstacle, ENDPOINT_UNREADABLE);
	assert_int_equal(e->n_labels, 0);
	assert_null(e->netns);
	assert_int_equal(l.diags.warnings, 1);
	assert_string_equal(l.diags.d[0].id, "unreadable-container");
	assert_non_null(strstr(l.diags.d[0].text, why));
	assert_string_equal(endpoint_label(endpoint_set_find(l.set, ONE, NULL), "app", false),
			    "one");
	listed_done(&l);
}

static void test_unreadable_container(void **state)
{
	static const char labels[] = "{\"Id\": \"" TWO "\", \"Name\": \"/two\", "
				     "\"State\": {\"Running\": true}, "
				     "\"Config\": {\"Labels\": []}}";

	is_remainder(labels, "two", "container two: Labels has the wrong type");
	is_remainder("no JSON", TWO, "is not JSON");
	is_remainder("{\"Id\": 7, \"Name\": 7, \"State\": 7}", TWO, "Id has the wrong type");
	is_remainder("{\"Id\": \"" ONE "\", \"State\": 7}", TWO, "State has the wrong type");
}

/* Its namespace is known, so that nobody takes it for a named one. */
static void test_unreadable_with_namespace(void **state)
{
	bh_autofree char *doc = NULL;
	struct answer answers[] = {
		{ LIST, 200, "[{\"Id\": \"" ONE "\"}]", NULL },
		{ INSPECT(ONE), 200, NULL, NULL },
		{ 0 },
	};
	struct listed l;

	assert_true(asprintf(&doc, "{\"Id\": \"" ONE "\", \"State\": {\"Pid\": %d}, \"Config\": 7}",
			     getpid()) > 0);
	answers[1].body = doc;
	l = list(answers, NULL);
	assert_int_equal(l.r, 0);
	assert_int_not_equal(l.set->endpoints[0].netns_ino, 0);
	assert_null(l.set->endpoints[0].netns);
	listed_done(&l);
}

/* As if it were gone. */
static void test_unreadable_image(void **state)
{
	bh_autofree char *one = stopped(docker_one, "14136");
	const struct answer answers[] = {
		{ LIST, 200, "[{\"Id\": \"" ONE "\"}]", NULL },
		{ INSPECT(ONE), 200, one, NULL },
		{ IMAGE_OF(IMAGE), 200, "[]", NULL },
		{ 0 },
	};
	struct listed l = list(answers, NULL);

	assert_int_equal(l.r, 0);
	assert_int_equal(l.set->endpoints[0].n_labels, 0);
	assert_string_equal(l.diags.d[0].id, "image-gone");
	assert_string_equal(l.err.msg, "");
	listed_done(&l);
}

static void test_failures(void **state)
{
	fails((struct answer[]) { { LIST, 500, "{\"message\": \"bad \\u001b day\"}", NULL },
				  { 0 } },
	      -EIO, "Docker: /containers/json?all=1: status 500: {");
	fails((struct answer[]) { { LIST, 200, "no JSON", NULL }, { 0 } }, -EBADMSG, "is not JSON");
	fails((struct answer[]) { { LIST, 200, docker_list, NULL },
				  { INSPECT(TWO), 500, "", NULL },
				  { 0 } },
	      -EIO, "status 500");
}

/* Nowhere else is asked, whatever an answer says. */
static void test_redirect(void **state)
{
	fails((struct answer[]) { { LIST, 301, "", "Location: http://localhost/elsewhere\r\n" },
				  { "/elsewhere", 200, "[]", NULL },
				  { 0 } },
	      -EIO, "status 301");
}

static void test_too_large(void **state)
{
	fails((struct answer[]) { { LIST, 200, ENDLESS, NULL }, { 0 } }, -EFBIG,
	      "its answer to /containers/json?all=1 is larger than 64 MiB");
}

static void test_nobody_there(void **state)
{
	struct listed l = list_socket("/nonexistent/bulkhead.sock");

	assert_int_equal(l.r, -ENOENT);
	assert_string_equal(l.err.msg, "Docker does not answer on /nonexistent/bulkhead.sock: "
				       "No such file or directory");
	listed_done(&l);
}

/* What a daemon that was killed leaves behind. */
static void test_left_behind(void **state)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char dir[] = "/tmp/bulkhead-api-XXXXXX";
	struct listed l;

	assert_non_null(mkdtemp(dir));
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/socket", dir);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	close(fd);
	l = list_socket(sa.sun_path);
	assert_int_equal(l.r, -ECONNREFUSED);
	assert_non_null(strstr(l.err.msg, "say \"runtimes: {docker: false}\" in the host file"));
	listed_done(&l);
	unlink(sa.sun_path);
	assert_int_equal(rmdir(dir), 0);
}

/* --- one of them ------------------------------------------------------------------------------ */

static struct listed one_of(const char *path, const char *id, struct runtime_images *images)
{
	struct endpoint_builder *b = endpoint_builder_new();
	struct listed l = { 0 };

	diag_list_init(&l.diags);
	l.r = runtime_docker_container(path, id, ENDPOINT_DOCKER, images, b, &l.diags, &l.err);
	assert_int_equal(endpoint_builder_finish(b, &l.set, NULL), 0);
	assert_int_equal(l.set->n, l.r == 1);
	endpoint_builder_free(b);
	return l;
}

static void test_one(void **state)
{
	bh_autofree char *one = stopped(docker_one, "14136"), *two = stopped(docker_two, "14203");
	const struct answer answers[] = {
		{ INSPECT(ONE), 200, one, NULL },
		{ INSPECT(TWO), 200, two, NULL },
		{ IMAGE_OF(IMAGE), 200, image_docker, NULL },
		{ LIST, 200, docker_list, NULL },
		{ 0 },
	};
	struct runtime_images *images;
	struct listed all, l;
	struct engine e = { 0 };

	assert_int_equal(runtime_images_new(&images, NULL), 0);
	engine_start(&e, answers);
	l = one_of(e.path, ONE, images);
	assert_int_equal(l.r, 1);
	assert_int_equal(e.asked[3], 0); /* nobody else */
	all = list_socket(e.path);
	assert_string_equal(l.set->endpoints[0].name, "one");
	assert_string_equal(endpoint_label(&l.set->endpoints[0], "app", false), "one");
	assert_int_equal(l.set->endpoints[0].obstacle, all.set->endpoints[1].obstacle);
	assert_int_equal(l.set->endpoints[0].n_addrs, all.set->endpoints[1].n_addrs);
	assert_int_equal(l.set->endpoints[0].n_image_labels, all.set->endpoints[1].n_image_labels);
	listed_done(&l);
	l = one_of(e.path, TWO, images); /* of the same image, which is remembered */
	assert_int_equal(l.r, 1);
	assert_int_equal(e.asked[2], 2); /* for the first, and for the list */
	listed_done(&l);
	listed_done(&all);
	engine_stop(&e);
	runtime_images_free(images);
}

/* An engine that has gone says nothing of its containers: they may run on. */
static void test_one_of_nobody(void **state)
{
	struct listed l = one_of("/nonexistent/bulkhead.sock", ONE, NULL);

	assert_int_equal(l.r, -ENOENT);
	assert_string_equal(l.err.msg, "Docker does not answer on /nonexistent/bulkhead.sock: "
				       "No such file or directory");
	listed_done(&l);
}

/* An image that is gone may come again. */
static void test_one_image_is_gone(void **state)
{
	bh_autofree char *one = stopped(docker_one, "14136");
	const struct answer answers[] = {
		{ INSPECT(ONE), 200, one, NULL },
		{ IMAGE_OF(IMAGE), 404, "{}", NULL },
		{ 0 },
	};
	struct runtime_images *images;
	struct engine e = { 0 };
	struct listed l;

	assert_int_equal(runtime_images_new(&images, NULL), 0);
	engine_start(&e, answers);
	for (unsigned i = 1; i <= 2; i++) {
		l = one_of(e.path, ONE, images);
		assert_int_equal(l.r, 1);
		assert_int_equal(l.set->endpoints[0].n_labels, 0);
		assert_string_equal(l.diags.d[0].id, "image-gone");
		assert_int_equal(e.asked[1], i);
		listed_done(&l);
	}
	engine_stop(&e);
	runtime_images_free(images);
}

static void test_none_of_them(void **state)
{
	static const char ended[] = "{\"Id\": \"" ONE "\", \"State\": {\"Running\": false}}";
	const struct answer answers[] = { { INSPECT(ONE), 200, ended, NULL }, { 0 } };
	struct engine e = { 0 };
	struct listed l;

	engine_start(&e, answers);
	l = one_of(e.path, ONE, NULL); /* it has ended */
	assert_int_equal(l.r, 0);
	listed_done(&l);
	l = one_of(e.path, TWO, NULL); /* it is not there */
	assert_int_equal(l.r, 0);
	assert_string_equal(l.err.msg, "");
	listed_done(&l);
	l = one_of(e.path, "../images/json", NULL);
	assert_int_equal(l.r, -EINVAL);
	listed_done(&l);
	engine_stop(&e);
}

/* Whose namespace it has joined is asked, too, and not added; in a circle, there is an end. */
static void test_one_joins(void **state)
{
	static const char joined[] = "{\"Id\": \"" ONE "\", \"State\": {\"Running\": true}, "
				     "\"HostConfig\": {\"NetworkMode\": \"container:" TWO "\"}}";
	static const char circle[] = "{\"Id\": \"" TWO "\", \"State\": {\"Running\": true}, "
				     "\"HostConfig\": {\"NetworkMode\": \"container:" ONE "\"}}";
	const struct answer answers[] = {
		{ INSPECT(ONE), 200, joined, NULL },
		{ INSPECT(TWO), 200, circle, NULL },
		{ 0 },
	};
	struct engine e = { 0 };
	struct listed l;

	engine_start(&e, answers);
	l = one_of(e.path, ONE, NULL);
	assert_int_equal(l.r, 1);
	assert_string_equal(l.set->endpoints[0].id, ONE);
	assert_int_equal(e.asked[0] + e.asked[1], BH_RUNTIME_JOINS_MAX);
	listed_done(&l);
	engine_stop(&e);
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Wherever the engine hangs, it is over at the same time: well before the list's patience. */
static void test_one_hangs(void **state)
{
	bh_autofree char *one = stopped(docker_one, "14136");
	const struct answer at_once[] = { { INSPECT(ONE), 200, HANG, NULL }, { 0 } };
	const struct answer later[] = {
		{ INSPECT(ONE), 200, one, NULL },
		{ IMAGE_OF(IMAGE), 200, HANG, NULL },
		{ 0 },
	};
	const struct answer *const both[] = { at_once, later };

	for (size_t i = 0; i < BH_ARRAY_SIZE(both); i++) {
		struct engine e = { 0 };
		struct listed l;
		int64_t begin;

		engine_start(&e, both[i]);
		begin = now_ms();
		l = one_of(e.path, ONE, NULL);
		assert_int_equal(l.r, -ETIMEDOUT);
		assert_in_range(now_ms() - begin, BH_RUNTIME_ONE_MS - 5, BH_RUNTIME_ONE_MS + 2000);
		assert_non_null(strstr(l.err.msg, "milliseconds"));
		listed_done(&l);
		engine_stop(&e);
	}
}

struct other {
	int pipe[2];
	int64_t called_at;
	unsigned calls;
};

static void on_other(void *arg)
{
	struct other *o = arg;
	char byte;

	assert_int_equal(read(o->pipe[0], &byte, 1), 1);
	o->called_at = now_ms();
	if (++o->calls == 1)
		assert_int_equal(write(o->pipe[1], "y", 1), 1);
}

/* What cannot be put off is done at once, each time, and the answer is waited for as before. */
static void test_while_one_hangs(void **state)
{
	const struct answer hangs[] = { { INSPECT(ONE), 200, HANG, NULL }, { 0 } };
	struct engine e = { 0 };
	struct other o = { 0 };
	struct listed l;
	int64_t begin;

	assert_int_equal(pipe(o.pipe), 0);
	assert_int_equal(write(o.pipe[1], "x", 1), 1);
	runtime_while_waiting(o.pipe[0], on_other, &o);
	engine_start(&e, hangs);
	begin = now_ms();
	l = one_of(e.path, ONE, NULL);
	runtime_while_waiting(-1, NULL, NULL);
	assert_int_equal(l.r, -ETIMEDOUT);
	assert_in_range(now_ms() - begin, BH_RUNTIME_ONE_MS - 5, BH_RUNTIME_ONE_MS + 2000);
	assert_int_equal(o.calls, 2);
	assert_true(o.called_at - begin < BH_RUNTIME_ONE_MS - 50);
	listed_done(&l);
	engine_stop(&e);
	close(o.pipe[0]);
	close(o.pipe[1]);
}

/* Whoever knocks does not wait for one container's sake. */
static void test_makes_way(void **state)
{
	const struct answer hangs[] = { { INSPECT(ONE), 200, HANG, NULL }, { 0 } };
	struct engine e = { 0 };
	struct listed l;
	int64_t begin;
	int door[2];

	assert_int_equal(pipe(door), 0);
	assert_int_equal(write(door[1], "x", 1), 1);
	runtime_patience(door[0]);
	engine_start(&e, hangs);
	begin = now_ms();
	l = one_of(e.path, ONE, NULL);
	runtime_patience(-1);
	assert_int_equal(l.r, -EBUSY);
	assert_in_range(now_ms() - begin, BH_RUNTIME_BRIEF_MS - 1, BH_RUNTIME_ONE_MS - 10);
	listed_done(&l);
	engine_stop(&e);
	close(door[0]);
	close(door[1]);
}

/* A list is waited for longer; not for ever, when somebody is known to wait, who does not knock. */
static void test_hurry(void **state)
{
	const struct answer hangs[] = { { LIST, 200, HANG, NULL },
					{ INSPECT(ONE), 200, HANG, NULL },
					{ 0 } };
	struct engine e = { 0 };
	struct listed l;
	int64_t begin;

	engine_start(&e, hangs);
	runtime_hurry(true);
	l = one_of(e.path, ONE, NULL);
	assert_int_equal(l.r, -ETIMEDOUT); /* it has a deadline that is short enough */
	listed_done(&l);
	begin = now_ms();
	l = list_socket(e.path);
	runtime_hurry(false);
	assert_int_equal(l.r, -EBUSY);
	assert_in_range(now_ms() - begin, BH_RUNTIME_PATIENCE_MS - 5,
			BH_RUNTIME_PATIENCE_MS + 2000);
	listed_done(&l);
	engine_stop(&e);
}

#define NET "522992e4c38b7c7bcb8e4005477292a55baff8d95df0468597e8948840d5431a"

static void test_network(void **state)
{
	static const char doc[] =
		"{\"Id\": \"" NET "\", \"Containers\": {\"" ONE "\": {\"Name\": \"one\", "
		"\"MacAddress\": \"02:42:ac:12:00:0a\", \"IPv4Address\": \"172.18.0.10/16\", "
		"\"IPv6Address\": \"fd00:66::2/64\"}, \"lb-shop\": {\"MacAddress\": \"junk\"}, "
		"\"" TWO "\": {\"MacAddress\": \"\", \"IPv4Address\": \"\"}}}";
	const struct answer answers[] = {
		{ "/networks/" NET, 200, doc, NULL },
		{ "/networks/empty", 200, "{\"Containers\": {}}", NULL },
		{ "/networks/hangs", 200, HANG, NULL },
		{ 0 },
	};
	static const uint8_t mac[6] = { 2, 0x42, 0xac, 0x12, 0, 10 };
	struct runtime_attachment *v = NULL;
	struct engine e = { 0 };
	char text[BH_ADDR_STR];
	size_t n = 7;

	engine_start(&e, answers);
	assert_int_equal(runtime_docker_network(e.path, NET, ENDPOINT_DOCKER, &v, &n, NULL), 0);
	assert_int_equal(n, 2);
	assert_string_equal(v[0].container, ONE);
	assert_true(v[0].has_mac);
	assert_memory_equal(v[0].mac, mac, 6);
	assert_int_equal(v[0].n_addrs, 2);
	assert_string_equal(bh_addr_format(text, &v[0].addrs[0]), "172.18.0.10");
	assert_string_equal(bh_addr_format(text, &v[0].addrs[1]), "fd00:66::2");
	assert_string_equal(v[1].container, TWO);
	assert_false(v[1].has_mac);
	assert_int_equal(v[1].n_addrs, 0);
	free(v);
	assert_int_equal(runtime_docker_network(e.path, "empty", ENDPOINT_DOCKER, &v, &n, NULL), 0);
	assert_int_equal(n, 0);
	assert_null(v);
	assert_int_equal(runtime_docker_network(e.path, "none", ENDPOINT_DOCKER, &v, &n, NULL),
			 -ESRCH);
	assert_int_equal(runtime_docker_network(e.path, "a/b", ENDPOINT_DOCKER, &v, &n, NULL),
			 -EINVAL);
	assert_int_equal(runtime_docker_network(e.path, "..", ENDPOINT_DOCKER, &v, &n, NULL),
			 -EINVAL);
	assert_int_equal(runtime_docker_network(e.path, "hangs", ENDPOINT_DOCKER, &v, &n, NULL),
			 -ETIMEDOUT);
	engine_stop(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_listing),
		cmocka_unit_test(test_ended_meanwhile),
		cmocka_unit_test(test_image_is_gone),
		cmocka_unit_test(test_own_namespace),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_redirect),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_nobody_there),
		cmocka_unit_test(test_left_behind),
		cmocka_unit_test(test_paused),
		cmocka_unit_test(test_unreadable_container),
		cmocka_unit_test(test_unreadable_with_namespace),
		cmocka_unit_test(test_unreadable_image),
		cmocka_unit_test(test_one),
		cmocka_unit_test(test_one_of_nobody),
		cmocka_unit_test(test_one_image_is_gone),
		cmocka_unit_test(test_none_of_them),
		cmocka_unit_test(test_one_joins),
		cmocka_unit_test(test_one_hangs),
		cmocka_unit_test(test_while_one_hangs),
		cmocka_unit_test(test_makes_way),
		cmocka_unit_test(test_hurry),
		cmocka_unit_test(test_network),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
