/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

#include <bulkhead/base/limits.h>
#include <bulkhead/runtime/early.h>

#include "engine.h"

#define ONE   "46595034ab726a221c23da037cde1dbce23d1def4895f89af4d4439464376b3d"
#define TWO   "32d3c7cda020e90a2af50758760f1f71e2c294be07366df9b17d6bf94ac6ec10"
#define IMAGE "sha256:25e77d8e9d682df7d4f808910e4fd5c59f470b38d33e106dd57e12ee30c733ff"
#define NET   "522992e4c38b7c7bcb8e4005477292a55baff8d95df0468597e8948840d5431a"

#define MAC  "02:42:ac:12:00:02"
#define MAC2 "02:42:ac:12:00:03"

/* As Docker says it of one that is not started. */
#define CONTAINER(id, name, state)                                                                 \
	"{\"Id\":\"" id "\",\"Name\":\"/" name "\",\"Image\":\"" IMAGE "\",\"ResolvConfPath\":"    \
	"\"\",\"State\":" state                                                                    \
	",\"HostConfig\":{\"NetworkMode\":\"n1\",\"CapDrop\":[\"NET_RAW\"],"                       \
	"\"Dns\":[\"192.0.2.99\"]},\"Config\":{\"Image\":\"box:1\",\"Labels\":{\"app\":\"" name    \
	"\",\"baked\":\"yes\"}},\"NetworkSettings\":{\"SandboxKey\":\"\",\"Networks\":{\"n1\":"    \
	"{\"IPAddress\":\"\",\"MacAddress\":\"\"}}}}"
#define CREATED "{\"Status\":\"created\",\"Running\":false,\"Pid\":0}"
#define RUNNING "{\"Status\":\"running\",\"Running\":true,\"Pid\":7}"
#define DIGEST  "box@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define LABELS  "{\"Config\":{\"Labels\":{\"baked\":\"yes\"}},\"RepoDigests\":[\"" DIGEST "\"]}"
#define LISTED                                                                                     \
	"[{\"Id\":\"" ONE "\",\"Names\":[\"/one\"],\"Image\":\"box:1\",\"ImageID\":\"" IMAGE       \
	"\",\"Labels\":{\"app\":\"one\",\"baked\":\"yes\"},\"State\":\"created\"}]"
#define IN_NET(id, mac, v4)                                                                        \
	"\"" id "\":{\"Name\":\"x\",\"MacAddress\":\"" mac "\",\"IPv4Address\":\"" v4              \
	"/16\",\"IPv6Address\":\"\"}"
#define NETWORK(members) "{\"Id\":\"" NET "\",\"Containers\":{" members "}}"

struct world {
	struct engine engine;
	struct runtime_early *early;
	struct runtime_images *images;
	char known[RUNTIME_ID_SIZE];
	size_t n_known;
};

static void on_known(const char *container, void *arg)
{
	struct world *w = arg;

	snprintf(w->known, sizeof(w->known), "%s", container);
	w->n_known++;
}

static struct world *start_of(enum endpoint_runtime runtime)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	engine_init(&w->engine);
	assert_int_equal(runtime_images_new(&w->images, NULL), 0);
	assert_int_equal(runtime_early_new(w->engine.event, w->engine.path, runtime, w->images,
					   on_known, w, &w->early, NULL),
			 0);
	return w;
}

static struct world *start(void)
{
	return start_of(ENDPOINT_DOCKER);
}

static void stop(struct world *w)
{
	runtime_early_free(w->early);
	runtime_images_free(w->images);
	engine_done(&w->engine);
	free(w);
}

static void tell(struct world *w, enum runtime_event_kind kind, const char *container)
{
	struct runtime_event e = { .kind = kind };
	bool network = kind == RUNTIME_EVENT_CONNECT || kind == RUNTIME_EVENT_DISCONNECT;

	snprintf(e.container, sizeof(e.container), "%s", container);
	snprintf(e.network, sizeof(e.network), "%s", network ? NET : "");
	runtime_early_event(w->early, &e);
}

static void is_asked(struct world *w, int fd, const char *want)
{
	char path[512];

	engine_read(&w->engine, fd, path);
	assert_string_equal(path, want);
}

static bool is_readable(int fd)
{
	char c;

	return recv(fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
}

/* The one of two connections on which something is asked. */
static int asked_on(struct world *w, int a, int b)
{
	await(&w->engine, is_readable(a) || is_readable(b));
	return is_readable(a) ? a : b;
}

#define INSPECT(id)  "/containers/" id "/json"
#define IMAGE_PATH   "/images/" IMAGE "/json"
#define NETWORK_PATH "/networks/" NET
#define TOLD                                                                                       \
	"{\"status\":\"create\",\"id\":\"" ONE "\",\"from\":\"localhost/box:1\",\"Type\":"         \
	"\"container\",\"Action\":\"create\",\"Actor\":{\"ID\":\"" ONE "\",\"Attributes\":{"       \
	"\"app\":\"one\",\"baked\":\"yes\",\"containerExitCode\":\"0\",\"image\":"                 \
	"\"localhost/box:1\",\"name\":\"one\",\"podId\":\"\"}},\"scope\":\"local\"}\n"
#define LIST_ONE "/containers/json?all=1&filters=%7B%22id%22%3A%5B%22" ONE "%22%5D%7D"

/* One is made and known, by a connection that stays. */
static int create_one(struct world *w)
{
	int fd;

	tell(w, RUNTIME_EVENT_CREATE, ONE);
	fd = engine_accept(&w->engine);
	is_asked(w, fd, INSPECT(ONE));
	engine_answer(fd, 200, CONTAINER(ONE, "one", CREATED));
	is_asked(w, fd, IMAGE_PATH);
	engine_answer(fd, 200, LABELS);
	turns(&w->engine, 3);
	assert_int_equal(w->n_known, 0); /* where it will be is not */
	return fd;
}

/* Who the namespace of this number, device and address is for: its endpoint; the caller frees it. */
static struct endpoint_set *match_in(struct world *w, uint64_t number, const uint8_t mac[6],
				     const char *addr, int r)
{
	static struct net_devices devices;
	struct endpoint_builder *b = endpoint_builder_new();
	char id[RUNTIME_ID_SIZE] = "";
	struct endpoint_set *set;
	struct diag_list diags;
	struct bh_addr a;

	devices = (struct net_devices) { .n = 1, .d = { { .index = 2, .ethernet = true } } };
	memcpy(devices.d[0].mac, mac, 6);
	assert_int_equal(bh_addr_parse(addr, &a), 0);
	diag_list_init(&diags);
	assert_int_equal(runtime_early_match(w->early, &devices, &a, 1, "/run/docker/netns/x", 77,
					     number, b, id, &diags, NULL),
			 r);
	assert_int_equal(endpoint_builder_finish(b, &set, NULL), 0);
	assert_int_equal(set->n, r);
	if (r)
		assert_string_equal(set->endpoints[0].id, id);
	endpoint_builder_free(b);
	diag_list_done(&diags);
	return set;
}

static struct endpoint_set *match(struct world *w, const uint8_t mac[6], const char *addr, int r)
{
	return match_in(w, 1, mac, addr, r);
}

static const uint8_t mac[6] = { 2, 0x42, 0xac, 0x12, 0, 2 };
static const uint8_t mac2[6] = { 2, 0x42, 0xac, 0x12, 0, 3 };

static void is_one(struct world *w)
{
	struct endpoint_set *set = match(w, mac, "172.18.0.2", 1);

	assert_string_equal(set->endpoints[0].id, ONE);
	endpoint_set_free(set);
}

static void is_nobody(struct world *w, const uint8_t m[6], const char *addr)
{
	endpoint_set_free(match(w, m, addr, 0));
}

static void connect_one(struct world *w, int fd)
{
	size_t before = w->n_known;

	tell(w, RUNTIME_EVENT_CONNECT, ONE);
	is_asked(w, fd, NETWORK_PATH);
	engine_answer(fd, 200, NETWORK(IN_NET(ONE, MAC, "172.18.0.2")));
	await(&w->engine, w->n_known == before + 1);
	assert_string_equal(w->known, ONE);
}

/* Its namespace is seen, and Docker asked whether that is so. */
static void is_seen(struct world *w, int fd)
{
	size_t before = w->n_known;

	is_nobody(w, mac, "172.18.0.2");
	is_asked(w, fd, NETWORK_PATH);
	is_nobody(w, mac, "172.18.0.2");
	engine_answer(fd, 200, NETWORK(IN_NET(ONE, MAC, "172.18.0.2")));
	await(&w->engine, w->n_known == before + 1);
	assert_string_equal(w->known, ONE);
}

static void test_a_start(void **state)
{
	struct world *w = start();
	int fd = create_one(w);
	struct endpoint_set *set;
	const struct endpoint *e;
	size_t waiting;
	char text[64];

	is_nobody(w, mac, "172.18.0.2");
	connect_one(w, fd);
	assert_int_equal(runtime_early_count(w->early, &waiting), 1);
	assert_int_equal(waiting, 1);
	is_seen(w, fd);
	set = match(w, mac, "172.18.0.2", 1);
	e = &set->endpoints[0];
	assert_string_equal(e->name, "one");
	assert_string_equal(e->image, "box:1");
	assert_int_equal(e->runtime, ENDPOINT_DOCKER);
	assert_int_equal(e->n_labels, 1); /* the other is its image's */
	assert_string_equal(endpoint_label(e, "app", false), "one");
	assert_string_equal(endpoint_label(e, "baked", true), "yes");
	assert_int_equal(e->n_addrs, 1);
	assert_int_equal(e->n_resolvers, 1);
	assert_string_equal(bh_addr_format(text, &e->resolvers[0]), "192.0.2.99");
	assert_string_equal(e->netns, "/run/docker/netns/x");
	assert_int_equal(e->netns_ino, 77);
	assert_int_equal(e->pid, 0);
	assert_int_equal(e->obstacle, ENDPOINT_HOLDABLE);
	endpoint_set_free(set);
	/* Both must agree. */
	is_nobody(w, mac2, "172.18.0.2");
	is_nobody(w, mac, "172.18.0.3");
	tell(w, RUNTIME_EVENT_START, ONE);
	is_nobody(w, mac, "172.18.0.2");
	assert_int_equal(runtime_early_count(w->early, &waiting), 1);
	assert_int_equal(waiting, 0);
	tell(w, RUNTIME_EVENT_DESTROY, ONE);
	assert_int_equal(runtime_early_count(w->early, NULL), 0);
	close(fd);
	stop(w);
}

/* Nothing is asked about what it is: Docker would not answer. */
static void test_restart(void **state)
{
	struct world *w = start();
	int fd = create_one(w);

	connect_one(w, fd);
	tell(w, RUNTIME_EVENT_START, ONE);
	tell(w, RUNTIME_EVENT_DIE, ONE);
	is_nobody(w, mac, "172.18.0.2"); /* where it was is of the past */
	connect_one(w, fd);
	is_seen(w, fd);
	is_one(w);
	tell(w, RUNTIME_EVENT_DISCONNECT, ONE);
	is_nobody(w, mac, "172.18.0.2");
	close(fd);
	stop(w);
}

/* Its document is not answered while it starts, the list is. */
static void test_locked(void **state)
{
	struct world *w = start();
	int locked, list, other, fd;
	struct endpoint_set *set;
	char path[512];

	tell(w, RUNTIME_EVENT_CREATE, ONE);
	locked = engine_accept(&w->engine);
	is_asked(w, locked, INSPECT(ONE));
	tell(w, RUNTIME_EVENT_CONNECT, ONE);
	list = engine_accept(&w->engine);
	other = engine_accept(&w->engine);
	engine_read(&w->engine, list, path);
	if (strcmp(path, LIST_ONE) != 0) { /* in any order */
		fd = list;
		list = other;
		other = fd;
		assert_string_equal(path, NETWORK_PATH);
		is_asked(w, list, LIST_ONE);
	} else {
		is_asked(w, other, NETWORK_PATH);
	}
	engine_answer(list, 200, LISTED);
	is_asked(w, list, IMAGE_PATH);
	engine_answer(list, 200, LABELS);
	engine_answer(other, 200, NETWORK(IN_NET(ONE, MAC, "172.18.0.2")));
	await(&w->engine, w->n_known == 1);
	is_nobody(w, mac, "172.18.0.2");
	fd = asked_on(w, list, other);
	is_asked(w, fd, NETWORK_PATH);
	engine_answer(fd, 200, NETWORK(IN_NET(ONE, MAC, "172.18.0.2")));
	await(&w->engine, w->n_known == 2);
	set = match(w, mac, "172.18.0.2", 1);
	assert_string_equal(set->endpoints[0].name, "one");
	assert_string_equal(endpoint_label(&set->endpoints[0], "app", false), "one");
	assert_null(endpoint_label(&set->endpoints[0], "baked", false));
	/* What is not known is not made up. */
	assert_int_equal(set->endpoints[0].obstacle, ENDPOINT_RAW_SOCKETS);
	assert_int_equal(set->endpoints[0].n_resolvers, 0);
	endpoint_set_free(set);
	close(locked);
	close(list);
	close(other);
	stop(w);
}

static void test_two_with_one_address(void **state)
{
	struct world *w = start();
	int fd = create_one(w);

	tell(w, RUNTIME_EVENT_CREATE, TWO);
	is_asked(w, fd, INSPECT(TWO));
	engine_answer(fd, 200, CONTAINER(TWO, "two", CREATED)); /* its image is known */
	turns(&w->engine, 3);
	tell(w, RUNTIME_EVENT_CONNECT, TWO);
	is_asked(w, fd, NETWORK_PATH);
	engine_answer(fd, 200,
		      NETWORK(IN_NET(ONE, MAC, "172.18.0.2") "," IN_NET(TWO, MAC, "172.18.0.2")));
	await(&w->engine, w->n_known == 2);
	is_nobody(w, mac, "172.18.0.2");
	close(fd);
	stop(w);
}

/*
 * What was heard of it is late: its address was given to the next, of whom nothing was heard yet.
 * That the namespace is its own is asked, and not so.
 */
static void test_address_given_again(void **state)
{
	struct world *w = start();
	int fd = create_one(w);

	connect_one(w, fd);
	is_nobody(w, mac, "172.18.0.2");
	is_asked(w, fd, NETWORK_PATH);
	engine_answer(fd, 200, NETWORK(IN_NET(TWO, MAC, "172.18.0.2")));
	turns(&w->engine, 3);
	is_nobody(w, mac, "172.18.0.2");
	assert_int_equal(w->n_known, 1);
	turns(&w->engine, 3);
	assert_false(is_readable(fd)); /* nor asked again */
	close(fd);
	stop(w);
}

/* Each namespace is asked about; an answer that does not come leaves it nobody's. */
static void test_each_namespace(void **state)
{
	struct world *w = start();
	int fd = create_one(w);

	connect_one(w, fd);
	is_seen(w, fd);
	is_one(w);
	endpoint_set_free(match_in(w, 2, mac, "172.18.0.2", 0));
	is_asked(w, fd, NETWORK_PATH);
	engine_answer(fd, 500, "{}");
	turns(&w->engine, 3);
	endpoint_set_free(match_in(w, 2, mac, "172.18.0.2", 0));
	is_asked(w, fd, NETWORK_PATH);
	engine_answer(fd, 200, NETWORK(IN_NET(ONE, MAC, "172.18.0.2")));
	await(&w->engine, w->n_known == 3);
	endpoint_set_free(match_in(w, 2, mac, "172.18.0.2", 1));
	close(fd);
	stop(w);
}

/* The answer to a question from before a connect need not know of it. */
static void test_connect_while_asked(void **state)
{
	struct world *w = start();
	int fd = create_one(w);

	tell(w, RUNTIME_EVENT_CONNECT, ONE);
	is_asked(w, fd, NETWORK_PATH);
	tell(w, RUNTIME_EVENT_CONNECT, ONE);
	engine_answer(fd, 200, NETWORK(""));
	is_asked(w, fd, NETWORK_PATH);
	engine_answer(fd, 200, NETWORK(IN_NET(ONE, MAC, "172.18.0.2")));
	await(&w->engine, w->n_known == 1);
	is_seen(w, fd);
	is_one(w);
	close(fd);
	stop(w);
}

/* Freed with all questions open. */
static void test_open_questions(void **state)
{
	struct world *w = start();
	int fd = create_one(w), on;
	char path[512];

	tell(w, RUNTIME_EVENT_CONNECT, TWO);
	on = engine_accept(&w->engine);
	engine_read(&w->engine, on, path);
	runtime_early_free(w->early);
	w->early = NULL;
	close(fd);
	close(on);
	stop(w);
}

/* A container that runs is connected to a further network, and nobody has told that it runs. */
static void test_unknown_connects(void **state)
{
	struct world *w = start();
	int fds[3], document = -1;

	tell(w, RUNTIME_EVENT_CONNECT, ONE);
	for (int i = 0; i < 3; i++)
		fds[i] = engine_accept(&w->engine);
	for (int i = 0; i < 3; i++) {
		char path[512];

		engine_read(&w->engine, fds[i], path);
		if (strcmp(path, NETWORK_PATH) == 0)
			engine_answer(fds[i], 200, NETWORK(IN_NET(ONE, MAC, "172.18.0.2")));
		if (strcmp(path, INSPECT(ONE)) == 0)
			document = fds[i];
	}
	turns(&w->engine, 3);
	is_nobody(w, mac, "172.18.0.2");
	engine_answer(document, 200, CONTAINER(ONE, "one", RUNNING));
	turns(&w->engine, 3);
	for (int i = 0; i < 3; i++) /* of its image, on whichever is free */
		if (is_readable(fds[i]))
			engine_answer(fds[i], 200, LABELS);
	turns(&w->engine, 5);
	is_nobody(w, mac, "172.18.0.2");
	assert_int_equal(w->n_known, 0);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
	stop(w);
}

/* Everything anew: who runs is no candidate, who does not is one. */
static void test_resync(void **state)
{
	struct world *w = start();
	int fd = create_one(w), more, on;
	char path[512];

	connect_one(w, fd);
	runtime_early_resync(w->early);
	assert_int_equal(runtime_early_count(w->early, NULL), 0);
	is_asked(w, fd, "/containers/json?all=1");
	engine_answer(fd, 200,
		      "[{\"Id\":\"" ONE "\",\"State\":\"exited\"},{\"Id\":\"" TWO
		      "\",\"State\":\"running\"}]");
	engine_read(&w->engine, fd, path);
	more = engine_accept(&w->engine);
	if (strcmp(path, INSPECT(ONE)) == 0) {
		engine_answer(fd, 200, CONTAINER(ONE, "one", CREATED));
		is_asked(w, more, INSPECT(TWO));
		engine_answer(more, 200, CONTAINER(TWO, "two", RUNNING));
	} else {
		engine_answer(fd, 200, CONTAINER(TWO, "two", RUNNING));
		is_asked(w, more, INSPECT(ONE));
		engine_answer(more, 200, CONTAINER(ONE, "one", CREATED));
	}
	turns(&w->engine, 10);
	tell(w, RUNTIME_EVENT_CONNECT, TWO); /* a further network: nothing is asked */
	tell(w, RUNTIME_EVENT_CONNECT, ONE);
	on = asked_on(w, fd, more);
	is_asked(w, on, NETWORK_PATH);
	engine_answer(on, 200,
		      NETWORK(IN_NET(ONE, MAC, "172.18.0.2") "," IN_NET(TWO, MAC2, "172.18.0.3")));
	await(&w->engine, w->n_known == 2);
	is_seen(w, on);
	is_one(w);
	is_nobody(w, mac2, "172.18.0.3");
	close(fd);
	close(more);
	stop(w);
}

/* Answers that are of no use cost the identity, nothing else. */
static void test_hostile(void **state)
{
	static const char *const networks[] = {
		"[]",
		"{\"Containers\":[]}",
		"{\"Containers\":{\"" ONE "\":7}}",
		"{\"Containers\":{\"" ONE "\":{\"MacAddress\":\"02:42\",\"IPv4Address\":"
		"\"172.18.0.2/16\"}}}",
		"{\"Containers\":{\"" ONE "\":{\"MacAddress\":\"" MAC "\",\"IPv4Address\":"
		"\"fd00::1/64\"}}}",
		"{\"Containers\":{\"" ONE "\":{\"MacAddress\":\"" MAC "\",\"IPv4Address\":\"\"}}}",
		"{\"Containers\":{\"lb-n1\":{\"MacAddress\":\"" MAC "\",\"IPv4Address\":"
		"\"172.18.0.2/16\"}}}",
	};
	struct world *w = start();
	int fd = create_one(w);

	for (size_t i = 0; i < sizeof(networks) / sizeof(*networks); i++) {
		tell(w, RUNTIME_EVENT_CONNECT, ONE);
		is_asked(w, fd, NETWORK_PATH);
		engine_answer(fd, 200, networks[i]);
		turns(&w->engine, 3);
		assert_int_equal(w->n_known, 0);
	}
	connect_one(w, fd);
	tell(w, RUNTIME_EVENT_CREATE, TWO);
	is_asked(w, fd, INSPECT(TWO));
	engine_answer(fd, 200, CONTAINER(ONE, "one", CREATED)); /* not whom it was asked about */
	turns(&w->engine, 3);
	is_seen(w, fd);
	is_one(w);
	close(fd);
	stop(w);
}

/* As many as there may be, and who runs makes room. */
static void test_bounded(void **state)
{
	struct world *w = start();
	char id[RUNTIME_ID_SIZE];

	for (int i = 0; i < BH_EARLY_MAX + 10; i++) {
		snprintf(id, sizeof(id), "%064x", (unsigned)i);
		tell(w, RUNTIME_EVENT_CREATE, id);
	}
	assert_int_equal(runtime_early_count(w->early, NULL), BH_EARLY_MAX);
	snprintf(id, sizeof(id), "%064x", 5u);
	tell(w, RUNTIME_EVENT_START, id);
	tell(w, RUNTIME_EVENT_CREATE, ONE);
	assert_int_equal(runtime_early_count(w->early, NULL), BH_EARLY_MAX);
	tell(w, RUNTIME_EVENT_DESTROY, ONE);
	assert_int_equal(runtime_early_count(w->early, NULL), BH_EARLY_MAX - 1);
	stop(w);
}

/* --- by its id, its start being held ---------------------------------------------------------- */

/* Its endpoint, in the namespace of the test itself; the caller frees it. */
static struct endpoint_set *name(struct world *w, const char *id, int r)
{
	struct endpoint_builder *b = endpoint_builder_new();
	int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	struct endpoint_set *set;
	struct diag_list diags;

	assert_true(fd >= 0);
	diag_list_init(&diags);
	assert_int_equal(runtime_early_named(w->early, id, fd, "/proc/7/ns/net", b, &diags, NULL),
			 r);
	assert_int_equal(endpoint_builder_finish(b, &set, NULL), 0);
	assert_int_equal(set->n, r > 0);
	endpoint_builder_free(b);
	diag_list_done(&diags);
	close(fd);
	return set;
}

static void is_named(struct world *w, bool partial)
{
	struct endpoint_set *set = name(w, ONE, 1);
	const struct endpoint *e = &set->endpoints[0];

	assert_string_equal(e->id, ONE);
	assert_string_equal(e->name, "one");
	assert_string_equal(endpoint_label(e, "app", false), "one");
	assert_null(endpoint_label(e, "baked", false));
	assert_string_equal(endpoint_label(e, "baked", true), "yes");
	assert_string_equal(e->netns, "/proc/7/ns/net");
	assert_string_equal(e->image_id, IMAGE);
	assert_int_equal(e->n_image_digests, 1);
	assert_string_equal(e->image_digests[0], DIGEST);
	assert_int_equal(e->n_resolvers, !partial);
	assert_int_equal(e->obstacle, partial ? ENDPOINT_RAW_SOCKETS : ENDPOINT_HOLDABLE);
	endpoint_set_free(set);
}

static void is_unnamed(struct world *w)
{
	endpoint_set_free(name(w, ONE, 0));
}

/* Where is this asked? One of three, the others stay open. */
static int find_question(struct world *w, const int *fds, int n, const char *begin)
{
	int found = -1;

	for (int i = 0; i < n; i++) {
		char path[512];

		await(&w->engine, is_readable(fds[i]));
		engine_read(&w->engine, fds[i], path);
		if (strncmp(path, begin, strlen(begin)) == 0)
			found = fds[i];
	}
	assert_true(found >= 0);
	return found;
}

static void test_named_known(void **state)
{
	struct world *w = start();
	int fd = create_one(w);

	is_named(w, false);
	tell(w, RUNTIME_EVENT_START, ONE);
	tell(w, RUNTIME_EVENT_DIE, ONE);
	is_named(w, false); /* again, at its restart */
	assert_int_equal(w->n_known, 0);
	tell(w, RUNTIME_EVENT_DESTROY, ONE);
	is_unnamed(w);
	close(fd);
	stop(w);
}

/* Nobody has told of it: after a start of the daemon, or an event that was missed. */
static void test_named_locked(void **state)
{
	struct world *w = start();
	int fds[2], list;

	is_unnamed(w);
	for (int i = 0; i < 2; i++)
		fds[i] = engine_accept(&w->engine);
	list = find_question(w, fds, 2, LIST_ONE);
	is_unnamed(w); /* asked again, once is enough */
	engine_answer(list, 200, LISTED);
	is_asked(w, list, IMAGE_PATH);
	engine_answer(list, 200, LABELS);
	await(&w->engine, w->n_known == 1);
	assert_string_equal(w->known, ONE);
	is_named(w, true);
	for (int i = 0; i < 2; i++)
		close(fds[i]);
	stop(w);
}

/* What is known of it is known, also when its events were missed for a while. */
static void test_named_resync(void **state)
{
	struct world *w = start();
	int fd = create_one(w), more;
	char path[512];

	is_named(w, false);
	runtime_early_resync(w->early);
	is_named(w, false);
	assert_int_equal(runtime_early_count(w->early, NULL), 1);
	engine_read(&w->engine, fd, path);
	more = engine_accept(&w->engine);
	/* Its document says anew what it is: it was called otherwise meanwhile. */
	if (strcmp(path, INSPECT(ONE)) == 0)
		engine_answer(fd, 200, CONTAINER(ONE, "uno", CREATED));
	else
		engine_answer(more, 200, CONTAINER(ONE, "uno", CREATED));
	await(&w->engine, w->n_known == 1);
	{
		struct endpoint_set *set = name(w, ONE, 1);

		assert_string_equal(set->endpoints[0].name, "uno");
		endpoint_set_free(set);
	}
	close(fd);
	close(more);
	stop(w);
}

/* It was asked for when the engine went away, and is when it is there again. */
static void test_named_lost(void **state)
{
	struct world *w = start();
	int fds[3], list;

	engine_deaf(&w->engine);
	is_unnamed(w);
	turns(&w->engine, 5);
	engine_listen(&w->engine);
	runtime_early_resync(w->early);
	for (int i = 0; i < 3; i++)
		fds[i] = engine_accept(&w->engine);
	list = find_question(w, fds, 3, LIST_ONE);
	engine_answer(list, 200, LISTED);
	is_asked(w, list, IMAGE_PATH);
	engine_answer(list, 200, LABELS);
	await(&w->engine, w->n_known == 1);
	is_named(w, true);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
	stop(w);
}

/* There is none: it is not kept. */
static void test_named_nobody(void **state)
{
	struct world *w = start();
	int fds[2];

	is_unnamed(w);
	for (int i = 0; i < 2; i++) {
		fds[i] = engine_accept(&w->engine);
		engine_answer(fds[i], 404, "{}");
	}
	await(&w->engine, runtime_early_count(w->early, NULL) == 0);
	endpoint_set_free(name(w, "../../version", -EINVAL));
	for (int i = 0; i < 2; i++)
		close(fds[i]);
	stop(w);
}

#define TOLD_PATH  "/events?stream=false&since="
#define NAMED_PATH "/images/localhost/box:1/json"

/* Podman says nothing about it, but what it has told of its making. */
static int podman_tells(struct world *w, int fds[2], const char *told)
{
	int list;

	tell(w, RUNTIME_EVENT_CREATE, ONE);
	for (int i = 0; i < 2; i++)
		fds[i] = engine_accept(&w->engine);
	list = find_question(w, fds, 2, TOLD_PATH);
	engine_answer(list, 200, told);
	return list;
}

static void test_named_podman(void **state)
{
	struct world *w = start_of(ENDPOINT_PODMAN);
	int fds[2], list = podman_tells(w, fds, TOLD), other = fds[list == fds[0]];

	is_asked(w, list, NAMED_PATH);
	is_unnamed(w); /* what its labels are, its image decides */
	engine_answer(list, 200,
		      "{\"Id\":\"" IMAGE "\",\"RepoDigests\":[\"" DIGEST
		      "\"],\"Config\":{\"Labels\":{\"baked\":\"yes\"}}}");
	await(&w->engine, w->n_known == 1);
	is_named(w, true);
	/* All that can be known, where it is answered in time. */
	engine_answer(other, 200, CONTAINER(ONE, "one", CREATED));
	await(&w->engine, w->n_known == 2);
	is_named(w, false);
	for (int i = 0; i < 2; i++)
		close(fds[i]);
	stop(w);
}

/* What is not certain makes nobody known: a label may be the image's. */
static void test_named_podman_unsure(void **state)
{
	static const struct {
		const char *told, *image;
		int status;
	} cases[] = {
		{ "", NULL, 0 },
		{ "{}", NULL, 0 },
		{ "[]\n", NULL, 0 },
		{ "{\"Type\":\"container\",\"Action\":\"start\",\"Actor\":{\"ID\":\"" ONE
		  "\",\"Attributes\":{\"image\":\"localhost/box:1\"}}}\n",
		  NULL, 0 },
		{ "{\"Type\":\"container\",\"Action\":\"create\",\"Actor\":{\"ID\":\"" TWO
		  "\",\"Attributes\":{\"image\":\"localhost/box:1\"}}}\n",
		  NULL, 0 },
		{ "{\"Type\":\"container\",\"Action\":\"create\",\"Actor\":{\"ID\":\"" ONE
		  "\",\"Attributes\":{\"image\":\"../version\"}}}\n",
		  NULL, 0 },
		{ "{\"Type\":\"container\",\"Action\":\"create\",\"Actor\":{\"ID\":\"" ONE
		  "\",\"Attributes\":{\"image\":\"\"}}}\n",
		  NULL, 0 },
		{ "{\"Type\":\"container\",\"Action\":\"create\",\"Actor\":{\"ID\":\"" ONE
		  "\",\"Attributes\":{\"image\":\"x\",\"app\":7}}}\n",
		  NULL, 0 },
		{ TOLD, "{}", 404 },
		{ TOLD, "{\"Config\":{\"Labels\":{}}}", 200 },
		{ TOLD, "{\"Id\":\"sha256:1\",\"Config\":{\"Labels\":{}}}", 200 },
		{ TOLD, "no JSON", 200 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct world *w = start_of(ENDPOINT_PODMAN);
		int fds[2], list = podman_tells(w, fds, cases[i].told);

		if (cases[i].image) {
			is_asked(w, list, NAMED_PATH);
			engine_answer(list, cases[i].status, cases[i].image);
		}
		turns(&w->engine, 5);
		is_unnamed(w);
		assert_int_equal(w->n_known, 0);
		for (int k = 0; k < 2; k++)
			close(fds[k]);
		stop(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_start),
		cmocka_unit_test(test_restart),
		cmocka_unit_test(test_locked),
		cmocka_unit_test(test_two_with_one_address),
		cmocka_unit_test(test_address_given_again),
		cmocka_unit_test(test_each_namespace),
		cmocka_unit_test(test_connect_while_asked),
		cmocka_unit_test(test_open_questions),
		cmocka_unit_test(test_unknown_connects),
		cmocka_unit_test(test_resync),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_named_known),
		cmocka_unit_test(test_named_locked),
		cmocka_unit_test(test_named_resync),
		cmocka_unit_test(test_named_lost),
		cmocka_unit_test(test_named_nobody),
		cmocka_unit_test(test_named_podman),
		cmocka_unit_test(test_named_podman_unsure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
