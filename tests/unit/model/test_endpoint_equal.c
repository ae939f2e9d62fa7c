/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include <bulkhead/model/endpoint.h>

/* Everything that an endpoint has, and what it is changed into, one by one. */
struct one {
	struct endpoint e;
	struct label label, image_label;
	struct bh_addr addr, resolver, host, shared;
	struct endpoint_port port;
	const char *digest;
	struct endpoint_set set;
};

static void fill(struct one *o)
{
	*o = (struct one) {
		.label = { "app", "web" },
		.image_label = { "of", "image" },
		.addr = { AF_INET, { 10, 0, 0, 1 } },
		.resolver = { AF_INET, { 10, 0, 0, 53 } },
		.host = { AF_INET, { 10, 0, 0, 254 } },
		.shared = { AF_INET, { 10, 0, 0, 255 } },
		.digest = "app@sha256:1",
		.port = { "https", 443, IPPROTO_TCP },
	};
	o->e = (struct endpoint) {
		.id = "id",
		.name = "name",
		.namespace = "default",
		.runtime = ENDPOINT_DOCKER,
		.image = "image",
		.image_id = "sha256:1",
		.image_digests = &o->digest,
		.n_image_digests = 1,
		.compose_project = "shop",
		.compose_service = "web",
		.labels = &o->label,
		.n_labels = 1,
		.image_labels = &o->image_label,
		.n_image_labels = 1,
		.addrs = &o->addr,
		.n_addrs = 1,
		.ports = &o->port,
		.n_ports = 1,
		.resolvers = &o->resolver,
		.n_resolvers = 1,
		.netns = "/run/netns/x",
		.netns_ino = 7,
		.pid = 8,
	};
	o->set = (struct endpoint_set) {
		.endpoints = &o->e,
		.n = 1,
		.host_addrs = &o->host,
		.n_host_addrs = 1,
		.shared_addrs = &o->shared,
		.n_shared_addrs = 1,
	};
}

static void test_equal(void **state)
{
	struct one a, b;
	char id[] = "id"; /* equal, and not the same */

	fill(&a);
	fill(&b);
	b.e.id = id;
	assert_true(endpoint_set_equal(&a.set, &b.set));
	assert_true(endpoint_looks_same(&a.e, &b.e));
	a.e.image = b.e.image = NULL;
	assert_true(endpoint_set_equal(&a.set, &b.set));
}

/* One field of B is another: the sets differ, and so do the two to a policy if SEEN. */
#define DIFFER(field, value, seen)                                                                 \
	do {                                                                                       \
		struct one a_, b_;                                                                 \
		fill(&a_);                                                                         \
		fill(&b_);                                                                         \
		b_.field = (value);                                                                \
		assert_false(endpoint_set_equal(&a_.set, &b_.set));                                \
		assert_int_equal(endpoint_looks_same(&a_.e, &b_.e), !(seen));                      \
	} while (0)

static void test_seen(void **state)
{
	DIFFER(e.name, "other", true);
	DIFFER(e.runtime, ENDPOINT_PODMAN, true);
	DIFFER(e.obstacle, ENDPOINT_PRIVILEGED, true);
	DIFFER(e.image, NULL, true);
	DIFFER(e.image_id, NULL, true);
	DIFFER(e.image_id, "other", true);
	DIFFER(e.n_image_digests, 0, true);
	DIFFER(digest, "other", true);
	DIFFER(e.compose_project, "other", true);
	DIFFER(e.compose_service, NULL, true);
	DIFFER(e.netns, NULL, true);
	DIFFER(e.netns_ino, 9, true);
	DIFFER(e.n_labels, 0, true);
	DIFFER(label.key, "other", true);
	DIFFER(label.value, "other", true);
	DIFFER(e.n_image_labels, 0, true);
	DIFFER(image_label.value, "other", true);
	DIFFER(e.n_addrs, 0, true);
	DIFFER(addr.b[3], 9, true);
	DIFFER(e.n_resolvers, 0, true);
	DIFFER(resolver.b[3], 9, true);
	DIFFER(e.namespace, "other", true);
	DIFFER(e.n_ports, 0, true);
	DIFFER(port.port, 80, true);
	DIFFER(port.proto, IPPROTO_UDP, true);
	DIFFER(port.name, NULL, true);
}

static void test_unseen(void **state)
{
	DIFFER(e.id, "other", false);
	DIFFER(e.pid, 9, false);
	DIFFER(set.n, 0, false);
	DIFFER(set.n_host_addrs, 0, false);
	DIFFER(host.b[3], 9, false);
	DIFFER(set.n_shared_addrs, 0, false);
	DIFFER(shared.b[3], 9, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equal),
		cmocka_unit_test(test_seen),
		cmocka_unit_test(test_unseen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
