/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/base/limits.h>

#include <bulkhead/base/arena.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/runtime/runtime.h>

#include "../../../src/runtime/docker.h"
#include "documents.h"

/* Documents of one container to the endpoint that they make. */

struct made {
	struct endpoint_set *set;
	const struct endpoint *e; /* NULL: none was added */
	struct bh_err err;
	int r;
};

static struct made make_n(const char *container, size_t len, const char *image, size_t image_len)
{
	struct endpoint_builder *b = endpoint_builder_new();
	struct made m = { 0 };

	assert_non_null(b);
	m.r = runtime_docker_parse(container, len, image, image_len, ENDPOINT_DOCKER, b, &m.err);
	assert_int_equal(endpoint_builder_finish(b, &m.set, NULL), 0);
	endpoint_builder_free(b);
	assert_true(m.set->n <= 1);
	assert_true(m.r >= 0 || (m.set->n == 0 && m.err.msg[0]));
	m.e = m.set->n ? &m.set->endpoints[0] : NULL;
	return m;
}

static struct made make(const char *container, const char *image)
{
	return make_n(container, strlen(container), image, image ? strlen(image) : 0);
}

/* DOC with FROM, which it has once, replaced. The caller frees it. */
static char *edited(const char *doc, const char *from, const char *to)
{
	const char *at = strstr(doc, from);
	size_t n = strlen(doc) + strlen(to) + 1;
	char *out = malloc(n);

	assert_non_null(at);
	assert_null(strstr(at + 1, from));
	assert_non_null(out);
	snprintf(out, n, "%.*s%s%s", (int)(at - doc), doc, to, at + strlen(from));
	return out;
}

static struct made make_edited(const char *doc, const char *from, const char *to)
{
	char *text = edited(doc, from, to);
	struct made m = make(text, image_docker);

	free(text);
	return m;
}

static void refused(const char *doc, const char *from, const char *to, const char *why)
{
	struct made m = make_edited(doc, from, to);

	assert_int_equal(m.r, -EBADMSG);
	assert_string_equal(m.err.msg, why);
	endpoint_set_free(m.set);
}

static void has_addr(const struct endpoint *e, size_t i, const char *want)
{
	char s[BH_ADDR_STR];

	assert_true(i < e->n_addrs);
	assert_string_equal(bh_addr_format(s, &e->addrs[i]), want);
}

static void test_a_container(void **state)
{
	struct made m = make(docker_one, image_docker);

	assert_int_equal(m.r, 0);
	assert_string_equal(m.e->id,
			    "46595034ab726a221c23da037cde1dbce23d1def4895f89af4d4439464376b3d");
	assert_string_equal(m.e->name, "one");
	assert_string_equal(m.e->namespace, "default");
	assert_string_equal(m.e->image, "bb:1");
	assert_int_equal(m.e->runtime, ENDPOINT_DOCKER);
	assert_int_equal(m.e->pid, 14136);
	assert_string_equal(m.e->netns, "/var/run/docker/netns/eaa596a62387");
	assert_int_equal(m.e->n_addrs, 1);
	has_addr(m.e, 0, "172.17.0.2");
	assert_int_equal(m.e->obstacle, ENDPOINT_RAW_SOCKETS);
	assert_null(m.e->compose_project);
	endpoint_set_free(m.set);
}

static void test_networks_and_compose(void **state)
{
	struct made m = make(docker_two, image_docker);

	assert_int_equal(m.r, 0);
	assert_int_equal(m.e->n_addrs, 3);
	has_addr(m.e, 0, "10.99.0.2");
	has_addr(m.e, 1, "10.98.0.2");
	has_addr(m.e, 2, "fd98::2");
	assert_string_equal(m.e->compose_project, "shop");
	assert_string_equal(m.e->compose_service, "two");
	assert_string_equal(m.e->namespace, "shop");
	endpoint_set_free(m.set);
}

static void test_podman(void **state)
{
	struct made m = make(podman_one, image_podman);

	assert_int_equal(m.r, 0);
	assert_string_equal(m.e->name, "pone");
	assert_string_equal(m.e->image, "localhost/bb:1");
	assert_string_equal(m.e->netns, "/run/netns/netns-2aa50b5e-4e23-1b8d-6d9d-b08dbb24bfd8");
	has_addr(m.e, 0, "10.88.0.2");
	assert_string_equal(endpoint_label(m.e, "app", false), "one");
	assert_null(endpoint_label(m.e, "tier", false));
	endpoint_set_free(m.set);
}

/* app was overridden at creation; tier was repeated, which cannot be told from the image's. */
static void test_whose_label(void **state)
{
	struct made m = make(docker_one, image_docker);

	assert_int_equal(m.e->n_labels, 1);
	assert_string_equal(endpoint_label(m.e, "app", false), "one");
	assert_null(endpoint_label(m.e, "tier", false));
	assert_int_equal(m.e->n_image_labels, 1);
	assert_string_equal(endpoint_label(m.e, "tier", true), "back");
	endpoint_set_free(m.set);
	m = make(docker_two, image_docker);
	assert_null(endpoint_label(m.e, "app", false));
	assert_string_equal(endpoint_label(m.e, "app", true), "baked");
	endpoint_set_free(m.set);
}

/* Nothing proves which labels were given at creation: none selects, nor does Compose. */
static void test_image_is_gone(void **state)
{
	struct made m = make(docker_two, NULL);

	assert_int_equal(m.r, 0);
	assert_int_equal(m.e->n_labels, 0);
	assert_int_equal(m.e->n_image_labels, 4);
	assert_null(m.e->compose_service);
	assert_string_equal(m.e->namespace, "default");
	endpoint_set_free(m.set);
}

/* An image that says it is a service of a Compose project is not believed. */
static void test_image_claims_compose(void **state)
{
	char *image = edited(image_docker, "\"app\": \"baked\"",
			     "\"com.docker.compose.project\": \"shop\", "
			     "\"com.docker.compose.service\": \"two\"");
	struct made m = make(docker_two, image);

	assert_null(m.e->compose_project);
	assert_null(m.e->compose_service);
	assert_string_equal(m.e->namespace, "default");
	assert_string_equal(endpoint_label(m.e, "app", false), "baked");
	endpoint_set_free(m.set);
	free(image);
}

#define PORTS_OF(json)                                                                             \
	make_edited(docker_one, "\"app\": \"one\"",                                                \
		    "\"app\": \"one\", \"annotation.io.kubernetes.container.ports\": \"" json      \
		    "\"")

/* What Kubernetes says of ports is in a label; whatever else is in it names none. */
static void test_port_names(void **state)
{
	struct made m = PORTS_OF(
		"[{\\\"name\\\":\\\"http\\\",\\\"containerPort\\\":8080,\\\"protocol\\\":"
		"\\\"TCP\\\"},"
		"{\\\"containerPort\\\":1},{\\\"name\\\":\\\"x\\\",\\\"containerPort\\\":65536},"
		"{\\\"name\\\":\\\"y\\\",\\\"containerPort\\\":2,\\\"protocol\\\":\\\"ICMP\\\"},7,"
		"{\\\"name\\\":\\\"dns\\\",\\\"containerPort\\\":53,\\\"protocol\\\":\\\"UDP\\\"}"
		"]");

	assert_int_equal(m.r, 0);
	assert_int_equal(m.e->n_ports, 2);
	assert_string_equal(m.e->ports[0].name, "http");
	assert_int_equal(m.e->ports[0].port, 8080);
	assert_int_equal(m.e->ports[0].proto, IPPROTO_TCP);
	assert_string_equal(m.e->ports[1].name, "dns");
	assert_int_equal(m.e->ports[1].proto, IPPROTO_UDP);
	endpoint_set_free(m.set);
	m = PORTS_OF("[{");
	assert_int_equal(m.r, 0);
	assert_int_equal(m.e->n_ports, 0);
	endpoint_set_free(m.set);
	m = PORTS_OF("{\\\"name\\\":\\\"http\\\"}");
	assert_int_equal(m.e->n_ports, 0);
	endpoint_set_free(m.set);
}

static void test_image_without_labels(void **state)
{
	char *image = edited(image_docker, "{ \"app\": \"baked\", \"tier\": \"back\" }", "null");
	struct made m = make(docker_one, image);

	assert_int_equal(m.e->n_labels, 2);
	assert_int_equal(m.e->n_image_labels, 0);
	endpoint_set_free(m.set);
	free(image);
}

static void has_obstacle(struct made m, enum endpoint_obstacle want)
{
	assert_int_equal(m.r, 0);
	assert_non_null(m.e);
	assert_int_equal(m.e->obstacle, want);
	endpoint_set_free(m.set);
}

static void test_obstacles(void **state)
{
	struct made m = make(docker_host, image_docker);

	assert_null(m.e->netns);
	assert_int_equal(m.e->n_addrs, 0);
	has_obstacle(m, ENDPOINT_HOST_NETWORK);
	has_obstacle(make(docker_net_admin, image_docker), ENDPOINT_NET_ADMIN);
	has_obstacle(make_edited(docker_one, "\"CapAdd\": null", "\"CapAdd\": [\"all\"]"),
		     ENDPOINT_NET_ADMIN);
	has_obstacle(make_edited(docker_one, "\"CapAdd\": null", "\"CapAdd\": [\"NET_ADMIN\"]"),
		     ENDPOINT_NET_ADMIN);
	has_obstacle(make_edited(docker_one, "\"CapAdd\": null", "\"CapAdd\": [\"NET_RAW\", 3]"),
		     ENDPOINT_RAW_SOCKETS);
	has_obstacle(
		make_edited(docker_one, "\"CapDrop\": null", "\"CapDrop\": [3, \"cap_net_raw\"]"),
		ENDPOINT_HOLDABLE);
	has_obstacle(make_edited(docker_one, "\"CapDrop\": null", "\"CapDrop\": [\"ALL\"]"),
		     ENDPOINT_HOLDABLE);
	has_obstacle(make_edited(docker_one, "\"CapDrop\": null", "\"CapDrop\": [\"MKNOD\"]"),
		     ENDPOINT_RAW_SOCKETS);
	has_obstacle(make_edited(docker_one, "\"CapAdd\": null, \"CapDrop\": null",
				 "\"CapAdd\": [\"NET_RAW\"], \"CapDrop\": [\"ALL\"]"),
		     ENDPOINT_RAW_SOCKETS);
	has_obstacle(make_edited(docker_one, "\"CapAdd\": null, \"CapDrop\": null",
				 "\"CapAdd\": [\"NET_ADMIN\"], \"CapDrop\": [\"NET_RAW\"]"),
		     ENDPOINT_NET_ADMIN);
	has_obstacle(make(podman_one, image_podman), ENDPOINT_HOLDABLE);
	has_obstacle(make_edited(docker_one, "\"Privileged\": false", "\"Privileged\": true"),
		     ENDPOINT_PRIVILEGED);
	has_obstacle(make_edited(docker_one, "\"runc\"", "\"io.containerd.runsc.v1\""),
		     ENDPOINT_OWN_STACK);
	has_obstacle(make_edited(docker_one, "\"runc\"", "\"kata-qemu\""), ENDPOINT_OWN_STACK);
}

static void test_namespace_path(void **state)
{
	char *text, *twice;
	struct made m = make(docker_joined, image_docker);

	assert_string_equal(m.e->netns, "/proc/14570/ns/net");
	endpoint_set_free(m.set);
	m = make_edited(docker_one, "\"/var/run/docker/netns/eaa596a62387\"", "\"not/absolute\"");
	assert_string_equal(m.e->netns, "/proc/14136/ns/net");
	endpoint_set_free(m.set);
	text = edited(docker_joined, "\"Pid\": 14570", "\"Pid\": 0");
	m = make(text, image_docker);
	assert_null(m.e->netns);
	has_obstacle(m, ENDPOINT_NO_NETNS);
	twice = edited(text, "\"Running\": true, \"Paused\": false",
		       "\"Running\": false, \"Paused\": true");
	has_obstacle(make(twice, image_docker), ENDPOINT_NO_NETNS);
	free(twice);
	twice = edited(text, "\"Running\": true", "\"Running\": false");
	m = make(twice, image_docker);
	assert_int_equal(m.r, 0);
	assert_null(m.e);
	endpoint_set_free(m.set);
	free(twice);
	free(text);
}

static void test_wrong_types(void **state)
{
	refused(docker_one, "\"Pid\": 14136", "\"Pid\": \"14136\"", "Pid has the wrong type");
	refused(docker_one, "\"Pid\": 14136", "\"Pid\": -1", "Pid is out of range");
	refused(docker_one, "\"Pid\": 14136", "\"Pid\": 4194305", "Pid is out of range");
	refused(docker_one, "\"Running\": true", "\"Running\": 1", "Running has the wrong type");
	refused(docker_one, "\"/one\"", "[\"/one\"]", "Name has the wrong type");
	refused(docker_one, "\"app\": \"one\"", "\"app\": 1",
		"Labels has a value that is no string");
	refused(docker_one, "{ \"app\": \"one\", \"tier\": \"back\" }", "[]",
		"Labels has the wrong type");
	refused(docker_one, "\"NetworkMode\": \"default\"", "\"NetworkMode\": {}",
		"NetworkMode has the wrong type");
	refused(docker_one, "\"Privileged\": false", "\"Privileged\": \"no\"",
		"Privileged has the wrong type");
	refused(docker_one, "\"CapAdd\": null", "\"CapAdd\": \"ALL\"", "CapAdd has the wrong type");
	refused(docker_one, "\"172.17.0.2\"", "\"172.17.0.256\"", "IPAddress is not an address");
	refused(docker_one, "\"172.17.0.2\"", "\"::ffff:172.17.0.2\"",
		"IPAddress is not an address");
	refused(docker_one, "{ \"bridge\": {", "{ \"x\": 7, \"bridge\": {",
		"Networks has a value that is no object");
}

/* What is not an id never gets into a URL. */
static void test_ids(void **state)
{
	static const char id[] = "46595034ab726a221c23da037cde1dbce23d1def4895f89af4d4439464376b3d";
	static const char image[] =
		"sha256:25e77d8e9d682df7d4f808910e4fd5c59f470b38d33e106dd57e12ee"
		"30c733ff";
	char in_doc[128];

	assert_true(docker_id_is_valid(id));
	assert_false(docker_id_is_valid(""));
	assert_false(docker_id_is_valid(id + 1));
	assert_false(docker_id_is_valid("46595034ab72"));
	assert_false(
		docker_id_is_valid("../../images/46595034ab726a221c23da037cde1dbce23d1def4895f8"
				   "9af"));
	assert_false(docker_id_is_valid(image));
	assert_true(docker_image_id_is_valid(image));
	assert_true(docker_image_id_is_valid(image + 7));
	assert_false(docker_image_id_is_valid("sha256:"));
	assert_false(docker_image_id_is_valid("bb:1"));
	snprintf(in_doc, sizeof(in_doc), "\"Id\": \"%s\"", id);
	refused(docker_one, in_doc, "\"Id\": \"../containers/x\"",
		"Id is not 64 hexadecimal digits");
	refused(docker_one, in_doc, "\"Id\": null", "Id is not 64 hexadecimal digits");
}

/* Only Podman makes containers without an image; nobody else is believed. */
static void trusts(const char *image, enum endpoint_runtime runtime, size_t n_labels)
{
	char *a = edited(podman_one,
			 "\"sha256:"
			 "fb56b05ff670ec092c33fbf5a15c377208632cd8506154de04844ab737d0bf1f\"",
			 image);
	char *doc = edited(a, "\"localhost/bb:1\"", "\"\"");
	struct endpoint_builder *b = endpoint_builder_new();
	struct endpoint_set *set;
	struct bh_err err;

	assert_int_equal(runtime_docker_parse(doc, strlen(doc), NULL, 0, runtime, b, &err), 0);
	assert_int_equal(endpoint_builder_finish(b, &set, NULL), 0);
	assert_int_equal(set->endpoints[0].n_labels, n_labels);
	assert_int_equal(set->endpoints[0].n_image_labels, 2 - n_labels);
	endpoint_set_free(set);
	endpoint_builder_free(b);
	free(doc);
	free(a);
}

static void test_no_image(void **state)
{
	trusts("\"sha256:\"", ENDPOINT_PODMAN, 2); /* --rootfs */
	trusts("\"\"", ENDPOINT_PODMAN, 2);
	trusts("\"sha256:\"", ENDPOINT_DOCKER, 0);
	trusts("\"\"", ENDPOINT_DOCKER, 0);
	trusts("\"../../version\"", ENDPOINT_PODMAN, 0);
	trusts("null", ENDPOINT_PODMAN, 0);
	trusts("7", ENDPOINT_PODMAN, 0);
}

#define DIGEST "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ID     "sha256:25e77d8e9d682df7d4f808910e4fd5c59f470b38d33e106dd57e12ee30c733ff"

static struct made made_of_image(const char *repo_digests)
{
	char image[512];

	snprintf(image, sizeof(image), "{\"Config\":{\"Labels\":{}},\"RepoDigests\":%s}",
		 repo_digests);
	return make(docker_one, image);
}

/* What is really run: by which digests registries know it, and its id. */
static void test_digests(void **state)
{
	static const char *const none[] = {
		"null",
		"[]",
		"[\"<none>@<none>\", \"<none>@" DIGEST "\"]",
		"[\"app:1@" DIGEST "\", \"" DIGEST "\", 7, null, \"app@sha256:12\"]",
	};
	struct made m = made_of_image("[\"<none>@<none>\", \"app@" DIGEST "\","
				      " \"localhost:5000/app@" DIGEST "\"]");

	assert_string_equal(m.e->image_id, ID);
	assert_int_equal(m.e->n_image_digests, 2);
	assert_string_equal(m.e->image_digests[0], "app@" DIGEST);
	assert_string_equal(m.e->image_digests[1], "localhost:5000/app@" DIGEST);
	endpoint_set_free(m.set);
	for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++) {
		m = made_of_image(none[i]);
		assert_int_equal(m.e->n_image_digests, 0);
		endpoint_set_free(m.set);
	}
	m = make(docker_one, NULL); /* it is gone */
	assert_string_equal(m.e->image_id, ID);
	assert_int_equal(m.e->n_image_digests, 0);
	endpoint_set_free(m.set);
	m = make_edited(docker_one, ID,
			"25e77d8e9d682df7d4f808910e4fd5c59f470b38d33e106dd57e12ee30c733ff");
	assert_string_equal(m.e->image_id, ID);
	endpoint_set_free(m.set);
	m = make_edited(docker_one, ID, "sha256:");
	assert_null(m.e->image_id);
	endpoint_set_free(m.set);
	m = made_of_image("{}");
	assert_int_equal(m.r, -EBADMSG);
	endpoint_set_free(m.set);
}

/* Of too many, the first. */
static void test_many_digests(void **state)
{
	struct bh_buf b;
	struct made m;

	bh_buf_init(&b, 1 << 20);
	bh_buf_addstr(&b, "{\"Config\":{},\"RepoDigests\":[");
	for (int i = 0; i < BH_ENDPOINT_DIGESTS_MAX + 5; i++)
		bh_buf_addf(&b, "%s\"app%d@" DIGEST "\"", i ? "," : "", i);
	bh_buf_addstr(&b, "]}");
	m = make(docker_one, bh_buf_str(&b));
	assert_int_equal(m.e->n_image_digests, BH_ENDPOINT_DIGESTS_MAX);
	endpoint_set_free(m.set);
	bh_buf_done(&b);
}

static void test_missing_keys(void **state)
{
	char doc[256];
	struct made m;

	snprintf(doc, sizeof(doc), "{\"Id\": \"%064d\"}", 0);
	m = make(doc, NULL); /* does not say that it runs */
	assert_int_equal(m.r, 0);
	assert_null(m.e);
	endpoint_set_free(m.set);
	snprintf(doc, sizeof(doc), "{\"Id\": \"%064d\", \"State\": {\"Running\": true}}", 0);
	m = make(doc, NULL);
	assert_string_equal(m.e->name, m.e->id);
	assert_int_equal(m.e->n_addrs, 0);
	has_obstacle(m, ENDPOINT_NO_NETNS);
	m = make("{}", NULL);
	assert_int_equal(m.r, -EBADMSG);
	endpoint_set_free(m.set);
}

static void not_json(const char *doc, size_t len)
{
	struct made m = make_n(doc, len, image_docker, strlen(image_docker));

	assert_int_equal(m.r, -EBADMSG);
	endpoint_set_free(m.set);
}

static void test_junk(void **state)
{
	static const char nul[] = "{\"Name\": \"a\0b\"}", escaped[] = "{\"Name\": \"a\\u0000b\"}";
	static const char latin1[] = "{\"Name\": \"caf\xe9\"}", twice[] = "{\"Id\": 1, \"Id\": 2}";
	size_t deep = 100000;
	char *nest = malloc(deep);

	assert_non_null(nest);
	memset(nest, '[', deep);
	not_json(nest, deep);
	not_json(nest, 1);
	free(nest);
	not_json("", 0);
	not_json("[]", 2);
	not_json(nul, sizeof(nul) - 1);
	not_json(escaped, sizeof(escaped) - 1);
	not_json(latin1, sizeof(latin1) - 1);
	not_json(twice, sizeof(twice) - 1);
	for (size_t len = 0; len < sizeof(docker_two) - 2; len++)
		not_json(docker_two, len);
}

/* N labels, the first of them with a value of LEN bytes, all of them of the image when BAKED. */
static struct made make_labels(size_t n, size_t len, bool baked)
{
	size_t size = n * 40 + len + 4096;
	char *l = malloc(size), *doc, *image;
	size_t at = (size_t)sprintf(l, "{ \"long\": \"%0*d\"", (int)len, 0);
	struct made m;

	for (size_t i = 1; i < n; i++)
		at += (size_t)sprintf(l + at, ", \"key%zu\": \"v\"", i);
	sprintf(l + at, " }");
	doc = edited(docker_one, "{ \"app\": \"one\", \"tier\": \"back\" }", l);
	image = edited(image_docker, "{ \"app\": \"baked\", \"tier\": \"back\" }",
		       baked ? l : "{}");
	m = make(doc, image);
	free(image);
	free(doc);
	free(l);
	return m;
}

static void test_many_labels(void **state)
{
	struct made m = make_labels(BH_LABELS_MAX, 10, false);

	assert_int_equal(m.r, 0);
	assert_int_equal(m.e->n_labels, BH_LABELS_MAX);
	endpoint_set_free(m.set);
	m = make_labels(BH_LABELS_MAX + 1, 10, false);
	assert_int_equal(m.r, -E2BIG);
	endpoint_set_free(m.set);
	/* Who makes an image cannot stop the listing, nor slow it down. */
	m = make_labels(50000, 10, true);
	assert_int_equal(m.r, 0);
	assert_int_equal(m.e->n_image_labels, BH_LABELS_MAX);
	endpoint_set_free(m.set);
	/* No policy can name the long one. */
	m = make_labels(3, BH_RUNTIME_LABEL_BYTES_MAX + 1, false);
	assert_int_equal(m.e->n_labels, 2);
	assert_null(endpoint_label(m.e, "long", false));
	endpoint_set_free(m.set);
}

static void test_many_addresses(void **state)
{
	char *nets = malloc(65536), *doc;
	size_t at = (size_t)sprintf(nets, "{ ");
	struct made m;

	for (int i = 0; i <= BH_ENDPOINT_ADDRS_MAX; i++)
		at += (size_t)sprintf(nets + at, "\"n%d\": { \"IPAddress\": \"10.9.%d.%d\" }, ", i,
				      i / 256, i % 256);
	sprintf(nets + at, "\"bridge\": {");
	doc = edited(docker_one, "{ \"bridge\": {", nets);
	m = make(doc, image_docker);
	assert_int_equal(m.r, -EBADMSG);
	endpoint_set_free(m.set);
	free(doc);
	free(nets);
}

static void test_list(void **state)
{
	struct bh_arena *arena = bh_arena_new();
	struct bh_err err = BH_ERR_INIT;
	const char **ids = NULL;
	size_t n = 0;

	assert_int_equal(
		docker_parse_list(docker_list, strlen(docker_list), false, arena, &ids, &n, &err),
		0);
	assert_int_equal(n, 2);
	assert_string_equal(ids[1],
			    "46595034ab726a221c23da037cde1dbce23d1def4895f89af4d4439464376b3d");
	assert_int_equal(docker_parse_list("[]", 2, false, arena, &ids, &n, &err), 0);
	assert_int_equal(n, 0);
	assert_int_equal(docker_parse_list("{}", 2, false, arena, &ids, &n, &err), -EBADMSG);
	assert_int_equal(docker_parse_list("[7]", 3, false, arena, &ids, &n, &err), -EBADMSG);
	assert_int_equal(docker_parse_list("[{}]", 4, false, arena, &ids, &n, &err), -EBADMSG);
	assert_int_equal(docker_parse_list("[{\"Id\": \"a/b\"}]", 15, false, arena, &ids, &n, &err),
			 -EBADMSG);
	bh_arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_digests),        cmocka_unit_test(test_many_digests),
		cmocka_unit_test(test_a_container),    cmocka_unit_test(test_networks_and_compose),
		cmocka_unit_test(test_podman),         cmocka_unit_test(test_whose_label),
		cmocka_unit_test(test_image_is_gone),  cmocka_unit_test(test_image_claims_compose),
		cmocka_unit_test(test_port_names),     cmocka_unit_test(test_image_without_labels),
		cmocka_unit_test(test_obstacles),      cmocka_unit_test(test_namespace_path),
		cmocka_unit_test(test_wrong_types),    cmocka_unit_test(test_ids),
		cmocka_unit_test(test_no_image),       cmocka_unit_test(test_missing_keys),
		cmocka_unit_test(test_junk),           cmocka_unit_test(test_many_labels),
		cmocka_unit_test(test_many_addresses), cmocka_unit_test(test_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
