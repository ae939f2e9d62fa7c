/* SPDX-License-Identifier: GPL-2.0-or-later */
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

#include <cmocka.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/err.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/model/endpoint.h>

static struct endpoint_set *finish(struct endpoint_builder *b)
{
	struct bh_err err = BH_ERR_INIT;
	struct endpoint_set *s = NULL;

	if (endpoint_builder_finish(b, &s, &err) < 0)
		fail_msg("%s", err.msg);
	return s;
}

static void add(struct endpoint_builder *b, const struct endpoint *e)
{
	struct bh_err err = BH_ERR_INIT;

	if (endpoint_builder_add(b, e, &err) < 0)
		fail_msg("%s", err.msg);
}

/* One of nothing but an id and a name. */
static void add_named(struct endpoint_builder *b, const char *id, const char *name)
{
	struct endpoint e = { .id = id, .name = name };

	add(b, &e);
}

/* --- copies --------------------------------------------------------------------------------- */

static void test_copies(void **state)
{
	struct endpoint_builder *b = endpoint_builder_new();
	char id[] = "shop/web", key[] = "app", value[] = "web", port[] = "https", text[] = "text";
	struct label labels[] = { { key, value } }, image_labels[] = { { text, text } };
	struct bh_addr addrs[] = { { AF_INET, { 10, 0, 0, 1 } } };
	struct bh_addr resolvers[] = { { AF_INET, { 10, 0, 0, 53 } } };
	struct endpoint_port ports[] = { { port, 443, IPPROTO_TCP }, { NULL, 80, IPPROTO_TCP } };
	struct endpoint e = {
		.id = id,
		.name = text,
		.namespace = text,
		.runtime = ENDPOINT_PODMAN,
		.image = text,
		.compose_project = text,
		.compose_service = text,
		.labels = labels,
		.n_labels = 1,
		.image_labels = image_labels,
		.n_image_labels = 1,
		.addrs = addrs,
		.n_addrs = 1,
		.ports = ports,
		.n_ports = 2,
		.resolvers = resolvers,
		.n_resolvers = 1,
		.netns = text,
		.netns_ino = 4026531840,
		.pid = 77,
		.obstacle = ENDPOINT_PRIVILEGED,
	};
	struct endpoint_set *s;
	const struct endpoint *got;

	add(b, &e);
	memset(id, 'x', strlen(id)), memset(key, 'x', strlen(key)), memset(value, 'x', 3);
	memset(port, 'x', strlen(port)), memset(text, 'x', strlen(text));
	memset(addrs, 0xff, sizeof(addrs)), memset(resolvers, 0xff, sizeof(resolvers));
	memset(ports, 0xff, sizeof(ports)), memset(labels, 0, sizeof(labels));
	s = finish(b);
	endpoint_builder_free(b); /* the set stands alone */
	assert_int_equal(s->n, 1);
	got = &s->endpoints[0];
	assert_string_equal(got->id, "shop/web");
	assert_string_equal(got->name, "text");
	assert_string_equal(got->namespace, "text");
	assert_string_equal(got->image, "text");
	assert_string_equal(got->compose_project, "text");
	assert_string_equal(got->compose_service, "text");
	assert_string_equal(got->netns, "text");
	assert_int_equal(got->runtime, ENDPOINT_PODMAN);
	assert_int_equal(got->netns_ino, 4026531840);
	assert_int_equal(got->pid, 77);
	assert_int_equal(got->obstacle, ENDPOINT_PRIVILEGED);
	assert_string_equal(endpoint_label(got, "app", false), "web");
	assert_string_equal(endpoint_label(got, "text", true), "text");
	assert_int_equal(got->n_addrs, 1);
	assert_memory_equal(got->addrs[0].b, ((uint8_t[]) { 10, 0, 0, 1 }), 4);
	assert_int_equal(got->n_resolvers, 1);
	assert_int_equal(got->resolvers[0].b[3], 53);
	assert_int_equal(got->n_ports, 2);
	assert_string_equal(got->ports[0].name, "https");
	assert_int_equal(got->ports[0].port, 443);
	assert_null(got->ports[1].name);
	endpoint_set_free(s);
}

static void test_defaults(void **state)
{
	struct endpoint_builder *b = endpoint_builder_new();
	struct endpoint_set *s;

	add_named(b, "only-an-id", NULL);
	s = finish(b);
	assert_string_equal(s->endpoints[0].name, "only-an-id");
	assert_string_equal(s->endpoints[0].namespace, "default");
	assert_null(s->endpoints[0].image);
	assert_null(s->endpoints[0].netns);
	assert_null(endpoint_label(&s->endpoints[0], "app", true));
	endpoint_set_free(s);
	endpoint_builder_free(b);
}

/* The label that Kubernetes gives, else the Compose project; none that an image bakes in. */
static void test_namespace(void **state)
{
	static const struct label pod[] = { { "io.kubernetes.pod.namespace", "shop" } };
	const struct endpoint e[] = {
		{ .id = "a", .labels = pod, .n_labels = 1, .compose_project = "project" },
		{ .id = "b",
		  .image_labels = pod,
		  .n_image_labels = 1,
		  .compose_project = "project" },
		{ .id = "c", .image_labels = pod, .n_image_labels = 1 },
		{ .id = "d", .labels = pod, .n_labels = 1, .namespace = "said" },
	};
	static const char *const want[] = { "shop", "project", "default", "said" };
	struct endpoint_builder *b = endpoint_builder_new();
	struct endpoint_set *s;

	for (size_t i = 0; i < 4; i++)
		add(b, &e[i]);
	s = finish(b);
	for (size_t i = 0; i < 4; i++)
		assert_string_equal(s->endpoints[i].namespace, want[i]);
	endpoint_set_free(s);
	endpoint_builder_free(b);
}

static void test_namespace_labels(void **state)
{
	static const struct namespace_label first[] = { { "shop", "team", "retail" },
							{ "a", "x", "1" } };
	static const struct namespace_label later[] = { { "shop", "env", "prod" },
							{ "shop", "team", "other" } };
	struct endpoint_builder *b = endpoint_builder_new();
	struct endpoint_set *s, *none;

	assert_int_equal(endpoint_builder_add_namespace_labels(b, first, 2, NULL), 0);
	assert_int_equal(endpoint_builder_add_namespace_labels(b, later, 2, NULL), 0);
	s = finish(b);
	assert_int_equal(s->n_namespace_labels, 3);
	assert_string_equal(endpoint_set_namespace_label(s, "shop", "team"), "retail");
	assert_string_equal(endpoint_set_namespace_label(s, "shop", "env"), "prod");
	assert_null(endpoint_set_namespace_label(s, "shop", "x"));
	assert_null(endpoint_set_namespace_label(s, "b", "x"));
	assert_string_equal(endpoint_set_namespace_label(s, "b", "kubernetes.io/metadata.name"),
			    "b");
	none = finish(b); /* it began anew */
	assert_int_equal(none->n_namespace_labels, 0);
	assert_null(endpoint_set_namespace_label(none, "shop", "team"));
	assert_false(endpoint_set_equal(s, none));
	endpoint_set_free(s);
	endpoint_set_free(none);
	endpoint_builder_free(b);
}

static void test_too_many_namespace_labels(void **state)
{
	static const struct namespace_label l = { "shop", "team", "retail" };
	struct endpoint_builder *b = endpoint_builder_new();
	struct bh_err err = BH_ERR_INIT;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < BH_NAMESPACE_LABELS_MAX; i++)
		r = endpoint_builder_add_namespace_labels(b, &l, 1, &err);
	assert_int_equal(r, 0);
	assert_int_equal(endpoint_builder_add_namespace_labels(b, &l, 1, &err), -E2BIG);
	assert_string_equal(err.msg, "more than 65536 labels of namespaces");
	endpoint_builder_free(b);
}

static void test_labels(void **state)
{
	static const struct label given[] = { { "app", "web" }, { "empty", "" } };
	static const struct label baked[] = { { "app", "from-image" }, { "vendor", "acme" } };
	static const struct endpoint e = { .id = "x",
					   .labels = given,
					   .n_labels = 2,
					   .image_labels = baked,
					   .n_image_labels = 2 };

	assert_string_equal(endpoint_label(&e, "app", false), "web");
	assert_string_equal(endpoint_label(&e, "app", true), "web"); /* given ones win */
	assert_string_equal(endpoint_label(&e, "empty", false), "");
	assert_null(endpoint_label(&e, "vendor", false)); /* an image does not select itself */
	assert_string_equal(endpoint_label(&e, "vendor", true), "acme");
	assert_null(endpoint_label(&e, "APP", true));
	assert_null(endpoint_label(&e, "", true));
}

/* --- finding -------------------------------------------------------------------------------- */

static void assert_found(const struct endpoint_set *s, const char *what, const char *id,
			 bool ambiguous)
{
	bool told = !ambiguous;
	const struct endpoint *e = endpoint_set_find(s, what, &told);

	if (id)
		assert_string_equal(e ? e->id : "nothing", id);
	else
		assert_null(e);
	assert_int_equal(told, ambiguous);
	assert_ptr_equal(endpoint_set_find(s, what, NULL), e);
}

static void test_find(void **state)
{
	struct endpoint_builder *b = endpoint_builder_new();
	struct endpoint_set *s;

	s = finish(b);
	assert_int_equal(s->n, 0);
	assert_found(s, "web", NULL, false);
	endpoint_set_free(s);
	add_named(b, "shop/web", "web");
	add_named(b, "bank/web", "web");
	add_named(b, "shop/db", "db");
	add_named(b, "db-2", "shop/web"); /* its name is the id of another */
	add_named(b, "\x1b[2J", "\xff\n");
	s = finish(b);
	assert_found(s, "shop/db", "shop/db", false);
	assert_found(s, "db", "shop/db", false);
	assert_found(s, "shop/web", "shop/web", false); /* the id counts */
	assert_found(s, "web", NULL, true);
	assert_found(s, "we", NULL, false);
	assert_found(s, "webs", NULL, false);
	assert_found(s, "\xff\xff", NULL, false); /* behind all */
	assert_found(s, "", NULL, false);
	assert_found(s, "\xff\n", "\x1b[2J", false);
	endpoint_set_free(s);
	endpoint_builder_free(b);
}

/* In whatever order they come, the set is sorted by id, and each is found by id and name. */
static void test_order(void **state)
{
	enum { N = 500 };
	struct endpoint_builder *b = endpoint_builder_new();
	struct endpoint_set *s;
	char id[32], name[32];
	unsigned order[N];

	srandom(1);
	for (unsigned i = 0; i < N; i++) {
		unsigned j = (unsigned)random() % (i + 1);

		order[i] = order[j];
		order[j] = i;
	}
	for (unsigned i = 0; i < N; i++) {
		snprintf(id, sizeof(id), "id-%u", order[i]);
		snprintf(name, sizeof(name), "name-%u", (order[i] * 7919) % N);
		add_named(b, id, name);
	}
	s = finish(b);
	assert_int_equal(s->n, N);
	for (unsigned i = 0; i < N; i++) {
		if (i)
			assert_true(strcmp(s->endpoints[i - 1].id, s->endpoints[i].id) < 0);
		snprintf(id, sizeof(id), "id-%u", i);
		snprintf(name, sizeof(name), "name-%u", (i * 7919) % N);
		assert_found(s, id, id, false);
		assert_found(s, name, id, false);
	}
	endpoint_set_free(s);
	endpoint_builder_free(b);
}

/* --- what is refused ------------------------------------------------------------------------ */

static void assert_not_added(struct endpoint_builder *b, const struct endpoint *e, int r,
			     const char *sentence)
{
	struct bh_err err = BH_ERR_INIT;

	assert_int_equal(endpoint_builder_add(b, e, &err), r);
	assert_string_equal(err.msg, sentence);
	assert_int_equal(endpoint_builder_add(b, e, NULL), r);
}

static void test_no_id(void **state)
{
	struct endpoint_builder *b = endpoint_builder_new();
	struct endpoint none = { .name = "web" }, empty = { .id = "", .name = "web" };
	struct endpoint_set *s;

	assert_not_added(b, &none, -EINVAL, "an endpoint has no id");
	assert_not_added(b, &empty, -EINVAL, "an endpoint has no id");
	s = finish(b);
	assert_int_equal(s->n, 0);
	endpoint_set_free(s);
	endpoint_builder_free(b);
}

/* To the last one of each: the cap fits, one more does not. */
static void test_caps_of_one(void **state)
{
	static struct label labels[BH_LABELS_MAX + 1];
	static struct bh_addr addrs[BH_ENDPOINT_ADDRS_MAX + 1];
	static struct endpoint_port ports[BH_ENDPOINT_PORTS_MAX + 1];
	struct endpoint_builder *b = endpoint_builder_new();
	struct endpoint e = {
		.id = "full",
		.labels = labels,
		.n_labels = BH_LABELS_MAX,
		.image_labels = labels,
		.n_image_labels = BH_LABELS_MAX,
		.addrs = addrs,
		.n_addrs = BH_ENDPOINT_ADDRS_MAX,
		.ports = ports,
		.n_ports = BH_ENDPOINT_PORTS_MAX,
		.resolvers = addrs,
		.n_resolvers = BH_ENDPOINT_RESOLVERS_MAX,
	};
	struct endpoint_set *s;

	for (size_t i = 0; i < BH_ARRAY_SIZE(labels); i++)
		labels[i] = (struct label) { "k", "v" };
	add(b, &e);
	e.n_labels++;
	assert_not_added(b, &e, -E2BIG, "endpoint full has too many labels");
	e.n_labels--, e.n_image_labels++;
	assert_not_added(b, &e, -E2BIG, "endpoint full has too many labels");
	e.n_image_labels--, e.n_addrs++;
	assert_not_added(b, &e, -E2BIG, "endpoint full has too many addresses");
	e.n_addrs--, e.n_ports++;
	assert_not_added(b, &e, -E2BIG, "endpoint full has too many ports");
	e.n_ports--, e.n_resolvers++;
	e.id = "\x1b[2J";
	assert_not_added(b, &e, -E2BIG, "endpoint \\x1b[2J has too many resolvers");
	s = finish(b);
	assert_int_equal(s->n, 1); /* what was refused is not there */
	assert_int_equal(s->endpoints[0].n_labels, BH_LABELS_MAX);
	endpoint_set_free(s);
	endpoint_builder_free(b);
}

static void test_cap_of_all(void **state)
{
	struct endpoint_builder *b = endpoint_builder_new();
	struct endpoint_set *s;
	char id[32];
	struct endpoint e = { .id = id };

	for (unsigned i = 0; i < BH_ENDPOINTS_MAX; i++) {
		snprintf(id, sizeof(id), "%u", i);
		add(b, &e);
	}
	snprintf(id, sizeof(id), "too many");
	assert_not_added(b, &e, -E2BIG, "more than 100000 endpoints");
	s = finish(b);
	assert_int_equal(s->n, BH_ENDPOINTS_MAX);
	assert_found(s, "99999", "99999", false);
	assert_found(s, "too many", NULL, false);
	endpoint_set_free(s);
	endpoint_builder_free(b);
}

static void test_duplicates(void **state)
{
	struct endpoint_builder *b = endpoint_builder_new();
	struct endpoint_set *s = (void *)0x1;
	struct bh_err err = BH_ERR_INIT;

	add_named(b, "b", "one");
	add_named(b, "we\x1b[2Jb", "two");
	add_named(b, "a", "three");
	add_named(b, "we\x1b[2Jb", "four");
	assert_int_equal(endpoint_builder_finish(b, &s, &err), -EEXIST);
	assert_ptr_equal(s, (void *)0x1);
	assert_string_equal(err.msg, "two endpoints have the id we\\x1b[2Jb");
	endpoint_builder_free(b);
	endpoint_builder_free(NULL);
	endpoint_set_free(NULL);
}

/* --- namespaces of engines ------------------------------------------------------------------ */

static void add_in(struct endpoint_builder *b, const char *id, enum endpoint_runtime runtime,
		   uint64_t ino)
{
	struct endpoint e = { .id = id, .runtime = runtime, .netns = "/run/x", .netns_ino = ino };
	const struct label name = { "netns", id };

	if (runtime == ENDPOINT_NETNS) {
		e.labels = &name;
		e.n_labels = 1;
	}
	add(b, &e);
}

/* `ip netns` sees what engines keep there; such a one is listed once, as the container. */
static void test_engine_namespaces(void **state)
{
	struct endpoint_builder *b = endpoint_builder_new();
	struct endpoint_set *s;

	add_in(b, "ns-docker", ENDPOINT_NETNS, 11);
	add_in(b, "container-d", ENDPOINT_DOCKER, 11);
	add_in(b, "container-p", ENDPOINT_PODMAN, 12);
	add_in(b, "container-p2", ENDPOINT_PODMAN, 12); /* a pod: both share it */
	add_in(b, "ns-podman", ENDPOINT_NETNS, 12);
	add_in(b, "ns-own", ENDPOINT_NETNS, 13);
	add_in(b, "ns-unknown", ENDPOINT_NETNS, 0); /* not known is not equal */
	add_in(b, "container-unknown", ENDPOINT_DOCKER, 0);
	add_in(b, "inventory", ENDPOINT_INVENTORY, 13);
	s = finish(b);
	assert_int_equal(s->n, 7);
	assert_found(s, "ns-docker", NULL, false);
	assert_found(s, "ns-podman", NULL, false);
	assert_found(s, "ns-own", "ns-own", false);
	assert_found(s, "ns-unknown", "ns-unknown", false);
	assert_found(s, "container-unknown", "container-unknown", false);
	assert_found(s, "inventory", "inventory", false);
	endpoint_set_free(s);
	endpoint_builder_free(b);
}

/* An inventory that says more of a namespace than its name means it: its policy shall be there. */
static void test_said_of_namespace(void **state)
{
	const struct label app = { "app", "web" };
	const struct endpoint said = { .id = "ns",
				       .runtime = ENDPOINT_NETNS,
				       .netns = "/run/x",
				       .netns_ino = 11,
				       .labels = &app,
				       .n_labels = 1 };
	struct endpoint_builder *b = endpoint_builder_new();
	struct endpoint_set *s;

	add(b, &said);
	add_in(b, "container", ENDPOINT_OCI, 11);
	s = finish(b);
	assert_int_equal(s->n, 2);
	assert_found(s, "ns", "ns", false);
	endpoint_set_free(s);
	endpoint_builder_free(b);
}

/* Podman names a namespace as it names a container: no duplicate, it is one thing. */
static void test_engine_namespace_of_same_id(void **state)
{
	struct endpoint_builder *b = endpoint_builder_new();
	struct endpoint_set *s;

	add_in(b, "web", ENDPOINT_NETNS, 11);
	add_in(b, "web", ENDPOINT_PODMAN, 11);
	s = finish(b);
	assert_int_equal(s->n, 1);
	assert_int_equal(s->endpoints[0].runtime, ENDPOINT_PODMAN);
	endpoint_set_free(s);
	endpoint_builder_free(b);
}

/* One of which nobody has said whose it is: more than a name, less than a container. */
static void test_unknown(void **state)
{
	struct endpoint_builder *b = endpoint_builder_new();
	struct endpoint_set *s;
	char shown[64];

	add_in(b, "net:[11]", ENDPOINT_UNKNOWN, 11);
	add_in(b, "netns-a", ENDPOINT_NETNS, 11);
	add_in(b, "net:[12]", ENDPOINT_UNKNOWN, 12);
	add_in(b, "container", ENDPOINT_DOCKER, 12);
	assert_null(endpoint_builder_find_netns(b, 11));
	assert_string_equal(endpoint_builder_find_netns(b, 12)->id, "container");
	s = finish(b);
	assert_int_equal(s->n, 2);
	assert_found(s, "net:[11]", "net:[11]", false);
	assert_found(s, "container", "container", false);
	assert_string_equal(
		endpoint_format(shown, sizeof(shown), endpoint_set_find(s, "net:[11]", NULL)),
		"net:[11] (unknown)");
	endpoint_set_free(s);
	endpoint_builder_free(b);
}

/* --- some of a set --------------------------------------------------------------------------- */

static bool is_not(const struct endpoint *e, const void *id)
{
	return strcmp(e->id, id) != 0;
}

static void test_add_set(void **state)
{
	struct endpoint_builder *b = endpoint_builder_new();
	struct bh_addr host = { AF_INET, { 192, 0, 2, 1 } };
	struct endpoint_set *first, *second;

	add_in(b, "a", ENDPOINT_DOCKER, 11);
	add_in(b, "b", ENDPOINT_DOCKER, 12);
	endpoint_builder_add_host_addr(b, &host);
	first = finish(b);
	assert_int_equal(endpoint_builder_add_set(b, first, is_not, "a", NULL), 0);
	endpoint_set_free(first); /* all of it was copied */
	second = finish(b);
	assert_int_equal(second->n, 1);
	assert_string_equal(second->endpoints[0].id, "b");
	assert_int_equal(second->endpoints[0].netns_ino, 12);
	assert_int_equal(second->n_host_addrs, 1);
	endpoint_set_free(second);
	endpoint_builder_free(b);
}

static void test_drop(void **state)
{
	struct endpoint_builder *b = endpoint_builder_new();
	struct endpoint old = { .id = "a", .pid = 7 }, new = { .id = "a", .pid = 8 };
	struct endpoint_set *s;

	add(b, &old);
	add(b, &new);
	add_in(b, "b", ENDPOINT_DOCKER, 12);
	endpoint_builder_keep_last(b, "a");
	endpoint_builder_drop(b, "a", 7); /* it is gone already */
	s = finish(b);
	assert_int_equal(s->n, 2);
	assert_int_equal(s->endpoints[0].pid, 8);
	endpoint_set_free(s);
	add(b, &old);
	endpoint_builder_drop(b, "a", 7);
	s = finish(b);
	assert_int_equal(s->n, 0);
	endpoint_set_free(s);
	endpoint_builder_free(b);
}

/* --- the host ------------------------------------------------------------------------------- */

static void test_host_addrs(void **state)
{
	struct endpoint_builder *b = endpoint_builder_new();
	struct bh_addr a = { AF_INET6, { 0x20, 1 } };
	struct endpoint_set *s;

	assert_int_equal(endpoint_builder_add_host_addr(b, &a), 0);
	a = (struct bh_addr) { AF_INET, { 10, 0 } };
	for (unsigned i = 1; i < BH_HOST_ADDRS_MAX; i++) {
		a.b[2] = (uint8_t)(i >> 8), a.b[3] = (uint8_t)i;
		assert_int_equal(endpoint_builder_add_host_addr(b, &a), 0);
	}
	assert_int_equal(endpoint_builder_add_host_addr(b, &a), -E2BIG);
	s = finish(b);
	assert_int_equal(s->n, 0);
	assert_int_equal(s->n_host_addrs, BH_HOST_ADDRS_MAX);
	assert_int_equal(s->host_addrs[BH_HOST_ADDRS_MAX - 1].family, AF_INET6);
	endpoint_set_free(s);
	endpoint_builder_free(b);
}

/* What was handed over is not there a second time. */
static void test_builder_is_empty_afterwards(void **state)
{
	struct endpoint_builder *b = endpoint_builder_new();
	struct bh_addr a = { AF_INET, { 10 } };
	struct endpoint_set *first, *second;

	add_named(b, "a", "a");
	assert_int_equal(endpoint_builder_add_host_addr(b, &a), 0);
	first = finish(b);
	add_named(b, "a", "a");
	second = finish(b);
	assert_int_equal(first->n, 1);
	assert_int_equal(first->n_host_addrs, 1);
	assert_int_equal(second->n, 1);
	assert_int_equal(second->n_host_addrs, 0);
	endpoint_set_free(first);
	assert_found(second, "a", "a", false);
	endpoint_set_free(second);
	endpoint_builder_free(b);
}

static void test_words(void **state)
{
	static const char *const runtimes[] = { "netns", "docker", "podman",
						"cni",   "oci",    "inventory" };

	for (size_t i = 0; i < BH_ARRAY_SIZE(runtimes); i++)
		assert_string_equal(endpoint_runtime_name((enum endpoint_runtime)i), runtimes[i]);
	assert_string_equal(endpoint_obstacle_text(ENDPOINT_HOLDABLE), "");
	assert_string_equal(endpoint_obstacle_word(ENDPOINT_HOLDABLE), "");
	assert_int_equal(endpoint_obstacle_find("nonsense"), ENDPOINT_HOLDABLE);
}

/* No two obstacles may be taken for one another, by a person or by a program. */
static void test_obstacles(void **state)
{
	static const char *const words[] = {
		[ENDPOINT_HOST_NETWORK] = "host-network", [ENDPOINT_PRIVILEGED] = "privileged",
		[ENDPOINT_NET_ADMIN] = "net-admin",       [ENDPOINT_RAW_SOCKETS] = "raw-sockets",
		[ENDPOINT_NO_NETNS] = "no-netns",         [ENDPOINT_OWN_STACK] = "own-stack",
		[ENDPOINT_UNREADABLE] = "unreadable",     [ENDPOINT_XDP_SOCKETS] = "xdp-sockets"
	};

	for (size_t o = ENDPOINT_HOST_NETWORK; o < BH_ARRAY_SIZE(words); o++) {
		const char *text = endpoint_obstacle_text((enum endpoint_obstacle)o);

		assert_true(strlen(text) > 10);
		assert_string_equal(endpoint_obstacle_word((enum endpoint_obstacle)o), words[o]);
		assert_int_equal(endpoint_obstacle_find(words[o]), o);
		for (size_t p = ENDPOINT_HOST_NETWORK; p < o; p++)
			assert_string_not_equal(text,
						endpoint_obstacle_text((enum endpoint_obstacle)p));
	}
}

static void test_format(void **state)
{
	struct endpoint e = { .id = "shop/web", .name = "web" };
	char out[64];

	assert_string_equal(endpoint_format(out, sizeof(out), &e), "shop/web");
	e.id = "0123456789abcdef";
	assert_string_equal(endpoint_format(out, sizeof(out), &e), "web (0123456789ab)");
	e.name = "\033[1m";
	assert_null(strchr(endpoint_format(out, sizeof(out), &e), '\033'));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_copies),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_namespace),
		cmocka_unit_test(test_namespace_labels),
		cmocka_unit_test(test_too_many_namespace_labels),
		cmocka_unit_test(test_labels),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_no_id),
		cmocka_unit_test(test_caps_of_one),
		cmocka_unit_test(test_cap_of_all),
		cmocka_unit_test(test_duplicates),
		cmocka_unit_test(test_engine_namespaces),
		cmocka_unit_test(test_said_of_namespace),
		cmocka_unit_test(test_engine_namespace_of_same_id),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_add_set),
		cmocka_unit_test(test_drop),
		cmocka_unit_test(test_host_addrs),
		cmocka_unit_test(test_builder_is_empty_afterwards),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_obstacles),
		cmocka_unit_test(test_format),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
