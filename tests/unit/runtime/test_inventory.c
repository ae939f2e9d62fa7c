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
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/runtime/runtime.h>

#define DIGEST "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* The inventory file: what it gives, and every mistake with its place in it. */

static struct endpoint_set *set;
static char *said;
static struct bh_err err;

static int teardown(void **state)
{
	endpoint_set_free(set);
	set = NULL;
	free(said);
	said = NULL;
	return 0;
}

/* Parse LEN bytes; what was said is in SAID, the endpoints in SET when it is valid. */
static int parse_bytes(const char *json, size_t len)
{
	struct endpoint_builder *b = endpoint_builder_new();
	struct diag_list diags;
	size_t size;
	FILE *f;
	int r;

	teardown(NULL);
	assert_non_null(b);
	diag_list_init(&diags);
	err.msg[0] = '\0';
	r = runtime_inventory_parse("i.json", json, len, b, &diags, &err);
	f = open_memstream(&said, &size);
	assert_non_null(f);
	diag_list_print(&diags, f, false);
	fclose(f);
	assert_int_equal(r, diags.errors ? -EINVAL : 0);
	if (r == 0)
		r = endpoint_builder_finish(b, &set, &err);
	diag_list_done(&diags);
	endpoint_builder_free(b);
	return r;
}

static const struct endpoint *valid(const char *json, const char *id)
{
	const struct endpoint *e;

	if (parse_bytes(json, strlen(json)) < 0)
		fail_msg("%s%s", said, err.msg);
	assert_string_equal(said, "");
	e = endpoint_set_find(set, id, NULL);
	assert_non_null(e);
	return e;
}

static void invalid(const char *json, const char *expect)
{
	assert_int_equal(parse_bytes(json, strlen(json)), -EINVAL);
	assert_string_equal(said, expect);
}

/* --- what it gives --------------------------------------------------------------------------- */

static void test_full(void **state)
{
	const struct endpoint *e = valid(
		"{\"namespaces\": {\"shop\": {\"team\": \"retail\"}},"
		" \"host\": {\"addresses\": [\"10.77.0.1/24\", \"fd00::fe\"]},"
		" \"endpoints\": [{\"id\": \"shop/web\", \"name\": \"web\", \"namespace\": "
		"\"shop\","
		"   \"labels\": {\"app\": \"web\", \"tier\": \"front\"},"
		"   \"image_labels\": {\"app\": \"nginx\"}, \"image\": \"shop/web:1\","
		"   \"image_id\": \"" DIGEST "\", \"image_digests\": [\"r:5000/web@" DIGEST "\"],"
		"   \"runtime\": \"docker\", \"compose\": \"shop/web\","
		"   \"addresses\": [\"10.77.1.1\", \"fd00::1\"], \"resolvers\": [\"10.77.0.53\"],"
		"   \"ports\": [{\"name\": \"http\", \"port\": 8080, \"protocol\": \"TCP\"},"
		"             {\"name\": \"dns\", \"port\": 53, \"protocol\": \"UDP\"},"
		"             {\"port\": 1}],"
		"   \"netns\": \"/proc/self/ns/net\"}]}",
		"shop/web");
	struct stat st;

	assert_string_equal(e->name, "web");
	assert_string_equal(e->namespace, "shop");
	assert_string_equal(endpoint_label(e, "tier", false), "front");
	assert_string_equal(endpoint_label(e, "app", true), "web");
	assert_int_equal(e->n_image_labels, 1);
	assert_string_equal(e->image, "shop/web:1");
	assert_string_equal(e->image_id, DIGEST);
	assert_int_equal(e->n_image_digests, 1);
	assert_string_equal(e->image_digests[0], "r:5000/web@" DIGEST);
	assert_int_equal(e->runtime, ENDPOINT_DOCKER);
	assert_string_equal(e->compose_project, "shop");
	assert_string_equal(e->compose_service, "web");
	assert_int_equal(e->n_addrs, 2);
	assert_int_equal(e->addrs[1].family, AF_INET6);
	assert_int_equal(e->n_resolvers, 1);
	assert_int_equal(e->n_ports, 3);
	assert_int_equal(e->ports[1].proto, IPPROTO_UDP);
	assert_int_equal(e->ports[2].proto, IPPROTO_TCP);
	assert_null(e->ports[2].name);
	assert_int_equal(stat("/proc/self/ns/net", &st), 0);
	assert_int_equal(e->netns_ino, st.st_ino);
	assert_int_equal(set->n_host_addrs, 2);
	assert_int_equal(set->n_shared_addrs, 2); /* 10.77.0.0 and 10.77.0.255 */
	assert_int_equal(set->shared_addrs[1].b[3], 255);
	assert_string_equal(endpoint_set_namespace_label(set, "shop", "team"), "retail");
}

/* The id alone: a peer without a namespace, named by its id. */
static void test_least(void **state)
{
	const struct endpoint *e = valid("{\"endpoints\": [{\"id\": \"x\"}]}", "x");

	assert_string_equal(e->name, "x");
	assert_string_equal(e->namespace, "default");
	assert_int_equal(e->runtime, ENDPOINT_INVENTORY);
	assert_int_equal(e->n_addrs + e->n_labels + e->n_ports + e->n_resolvers, 0);
	assert_null(e->netns);
	assert_int_equal(e->netns_ino, 0);
}

static void test_empty(void **state)
{
	assert_int_equal(parse_bytes("{}", 2), 0);
	assert_int_equal(set->n, 0);
	assert_int_equal(parse_bytes("{\"endpoints\": []}", 17), 0);
	assert_int_equal(set->n, 0);
}

/* A namespace that is not there now, or is none: who enforces will say so. */
static void test_absent_namespace(void **state)
{
	assert_int_equal(valid("{\"endpoints\": [{\"id\": \"x\", \"netns\": \"/nowhere\"}]}", "x")
				 ->netns_ino,
			 0);
	assert_int_equal(valid("{\"endpoints\": [{\"id\": \"x\", \"netns\": \"/dev/null\"}]}", "x")
				 ->netns_ino,
			 0);
}

/* Hostile strings are kept as they are; whoever shows them escapes them. */
static void test_hostile_strings(void **state)
{
	const struct endpoint *e =
		valid("{\"endpoints\": [{\"id\": \"\\u001b[31m\", \"name\": \"\\u202e\\n\","
		      " \"labels\": {\"\\\"; drop\": \"%s%n\"}}]}",
		      "\033[31m");

	assert_string_equal(e->name, "\xe2\x80\xae\n");
	assert_string_equal(endpoint_label(e, "\"; drop", false), "%s%n");
}

/* --- mistakes -------------------------------------------------------------------------------- */

/* All of them in one go, each with its place. */
static void test_all_mistakes(void **state)
{
	invalid("{\"endpoint\": [], \"host\": {\"adresses\": []}, \"namespaces\": {\"a\": 3, "
		"\"b\": {\"kubernetes.io/metadata.name\": \"c\"}}, \"endpoints\": ["
		"  {\"id\": \"a\", \"lables\": {}, \"addresses\": [\"10.0.0.1/8\", 7, "
		"\"10.0.0.2\"]},"
		"  {\"name\": \"no id\"},"
		"  {\"id\": \"b\", \"labels\": {\"x\": 1}, \"runtime\": \"lxc\", \"compose\": "
		"\"a\"},"
		"  {\"id\": \"c\", \"ports\": [{\"port\": 70000}, {\"port\": 80, \"protocol\": "
		"\"tcp\"},"
		"     {\"prot\": 80}, 443]},"
		"  {\"id\": 7},"
		"  \"d\"]}",
		"i.json: error: endpoint: there is no such key (did you mean endpoints?) "
		"[unknown-key]\n"
		"i.json: error: host.adresses: there is no such key (did you mean addresses?) "
		"[unknown-key]\n"
		"i.json: error: namespaces.a: must be an object of at most 256 labels "
		"[wrong-type]\n"
		"i.json: error: namespaces.b: label kubernetes.io/metadata.name is the "
		"namespace's own name (leave it out: every namespace has it) [bad-label]\n"
		"i.json: error: endpoints[0].lables: there is no such key (did you mean labels?) "
		"[unknown-key]\n"
		"i.json: error: endpoints[0].addresses[0]: '10.0.0.1/8' is not an IPv4 or IPv6 "
		"address (write it without a prefix length, as in 10.77.1.1) [bad-address]\n"
		"i.json: error: endpoints[0].addresses[1]: must be a string [wrong-type]\n"
		"i.json: error: endpoints[1]: has no id (add \"id\") [missing-id]\n"
		"i.json: error: endpoints[2].labels.x: must be a string [wrong-type]\n"
		"i.json: error: endpoints[2].runtime: must be netns, docker, podman, cni, oci or "
		"inventory [bad-runtime]\n"
		"i.json: error: endpoints[2].compose: must be PROJECT/SERVICE [bad-compose]\n"
		"i.json: error: endpoints[3].ports[0].port: must be a number from 1 to 65535 "
		"[bad-port]\n"
		"i.json: error: endpoints[3].ports[1].protocol: must be TCP, UDP or SCTP "
		"[bad-protocol]\n"
		"i.json: error: endpoints[3].ports[2].prot: there is no such key (did you mean "
		"port?) [unknown-key]\n"
		"i.json: error: endpoints[3].ports[2]: has no port [missing-port]\n"
		"i.json: error: endpoints[3].ports[3]: must be an object [wrong-type]\n"
		"i.json: error: endpoints[4].id: must be a string [wrong-type]\n"
		"i.json: error: endpoints[5]: must be an object [wrong-type]\n");
}

static void test_image_mistakes(void **state)
{
	invalid("{\"endpoints\":[{\"id\":\"a\",\"image_id\":\"sha256:12\",\"image_digests\":["
		"\"app@" DIGEST "\",\"app:1@" DIGEST
		"\",7]},{\"id\":\"b\",\"image_digests\":\"app@" DIGEST
		"\"},{\"id\":\"c\",\"image_digests\":[\"app\"],\"image_id\":\"app@" DIGEST "\"}]}",
		"i.json: error: endpoints[0].image_id: must be sha256: and 64 hexadecimal digits "
		"[bad-image]\n"
		"i.json: error: endpoints[0].image_digests[1]: must be NAME@sha256: and 64 "
		"hexadecimal digits (leave a tag out) [bad-image]\n"
		"i.json: error: endpoints[0].image_digests[2]: must be a string [wrong-type]\n"
		"i.json: error: endpoints[1].image_digests: must be a list of at most 64 digests "
		"[wrong-type]\n"
		"i.json: error: endpoints[2].image_digests[0]: must be NAME@sha256: and 64 "
		"hexadecimal digits (leave a tag out) [bad-image]\n"
		"i.json: error: endpoints[2].image_id: must be sha256: and 64 hexadecimal digits "
		"[bad-image]\n");
}

static void test_obstacles(void **state)
{
	static const char *const words[] = { "host-network", "privileged", "net-admin",
					     "raw-sockets",  "own-stack",  "no-netns" };
	char json[128];

	for (size_t i = 0; i < BH_ARRAY_SIZE(words); i++) {
		snprintf(json, sizeof(json),
			 "{\"endpoints\": [{\"id\": \"a\", \"obstacle\": \"%s\"}]}", words[i]);
		assert_string_equal(endpoint_obstacle_word(valid(json, "a")->obstacle), words[i]);
	}
	invalid("{\"endpoints\": ["
		" {\"id\": \"a\", \"obstacle\": \"root\"}, {\"id\": \"b\", \"obstacle\": \"\"},"
		" {\"id\": \"c\", \"obstacle\": \"unreadable\"}, {\"id\": \"d\", \"obstacle\": 1},"
		" {\"id\": \"e\", \"obstacle\": \"no-netns\", \"netns\": \"/run/netns/e\"},"
		" {\"id\": \"f\", \"obstacle\": \"host-network\", \"netns\": \"/run/netns/f\"}]}",
		"i.json: error: endpoints[0].obstacle: must be host-network, privileged, "
		"net-admin, "
		"raw-sockets, own-stack or no-netns [bad-obstacle]\n"
		"i.json: error: endpoints[1].obstacle: must be host-network, privileged, "
		"net-admin, "
		"raw-sockets, own-stack or no-netns [bad-obstacle]\n"
		"i.json: error: endpoints[2].obstacle: must be host-network, privileged, "
		"net-admin, "
		"raw-sockets, own-stack or no-netns [bad-obstacle]\n"
		"i.json: error: endpoints[3].obstacle: must be a string [wrong-type]\n"
		"i.json: error: endpoints[4]: an endpoint without a namespace of its own names one "
		"(leave \"netns\" out) [bad-obstacle]\n"
		"i.json: error: endpoints[5]: an endpoint without a namespace of its own names one "
		"(leave \"netns\" out) [bad-obstacle]\n");
}

static void test_empty_id(void **state)
{
	invalid("{\"endpoints\": [{\"id\": \"\"}]}",
		"i.json: error: endpoints[0]: has no id (add \"id\") [missing-id]\n");
}

static void test_wrong_shapes(void **state)
{
	invalid("[]", "i.json: error: the inventory must be a JSON object with \"endpoints\" "
		      "[wrong-type]\n");
	invalid("{\"endpoints\": {}}",
		"i.json: error: endpoints: must be a list of endpoints [wrong-type]\n");
	invalid("{\"host\": {\"addresses\": [\"10.0.0.1/33\"]}}",
		"i.json: error: host.addresses[0]: '10.0.0.1/33' is not an IPv4 or IPv6 address "
		"(write 10.77.0.254 or 10.77.0.254/24) [bad-address]\n");
	invalid("{\"host\": []}", "i.json: error: host: must be an object [wrong-type]\n");
	invalid("{\"endpoints\": [{\"id\": \"a\", \"addresses\": \"10.0.0.1\"}]}",
		"i.json: error: endpoints[0].addresses: must be a list of addresses "
		"[wrong-type]\n");
	invalid("{\"endpoints\": [{\"id\": \"a\", \"ports\": {}}]}",
		"i.json: error: endpoints[0].ports: must be a list of at most 1024 ports "
		"[wrong-type]\n");
	invalid("{\"endpoints\": [{\"id\": \"a\", \"netns\": null}]}",
		"i.json: error: endpoints[0].netns: must be a string [wrong-type]\n");
}

/* An address of another kind, of the many ways to write one. */
static void test_addresses(void **state)
{
	static const char *const bad[] = { "",          "10.0.0",     "10.0.0.0/8",     "10.0.0.01",
					   "10.0.0.1 ", "fe80::1%lo", "::ffff:1.2.3.4", "host" };
	char json[128];

	for (size_t i = 0; i < BH_ARRAY_SIZE(bad); i++) {
		snprintf(json, sizeof(json),
			 "{\"endpoints\": [{\"id\": \"a\", \"addresses\": [\"%s\"]}]}", bad[i]);
		assert_int_equal(parse_bytes(json, strlen(json)), -EINVAL);
		assert_non_null(strstr(said, "[bad-address]"));
	}
}

/* What is wrong is shown, and cannot harm a terminal. */
static void test_hostile_mistakes(void **state)
{
	invalid("{\"endpoints\": [{\"id\": \"a\", \"\\u001b[31m\": 1,"
		" \"addresses\": [\"\\u0007\"]}]}",
		"i.json: error: endpoints[0].\\x1b[31m: there is no such key [unknown-key]\n"
		"i.json: error: endpoints[0].addresses[0]: '\\x07' is not an IPv4 or IPv6 address "
		"(write it without a prefix length, as in 10.77.1.1) [bad-address]\n");
}

/* Not JSON: the place is the parser's. */
static void test_not_json(void **state)
{
	invalid("", "i.json:1:1: error: the inventory is not JSON: '[' or '{' expected near end of "
		    "file [bad-json]\n");
	invalid("{\n  \"endpoints\": [,]\n}",
		"i.json:2:17: error: the inventory is not JSON: unexpected token near ',' "
		"[bad-json]\n");
	invalid("{\"endpoints\": [],\n \"endpoints\": []}",
		"i.json:2:12: error: the inventory is not JSON: duplicate object key near "
		"'\"endpoints\"' [bad-json]\n");
	assert_int_equal(parse_bytes("{} {}", 5), -EINVAL);
	assert_int_equal(parse_bytes("{\"a\": \"\\u0000\"}", 15), -EINVAL);
	assert_int_equal(parse_bytes("{\"\xff\": 1}", 8), -EINVAL);
	assert_int_equal(parse_bytes("\x7f"
				     "ELF\0\1\2\3",
				     8),
			 -EINVAL);
	assert_int_equal(parse_bytes("{}\0", 3), -EINVAL);
}

/* Nested without end: refused, not followed. */
static void test_depth(void **state)
{
	char *json = malloc(200001);

	assert_non_null(json);
	memset(json, '[', 200000);
	json[200000] = '\0';
	assert_int_equal(parse_bytes(json, 200000), -EINVAL);
	assert_non_null(strstr(said, "maximum parsing depth reached"));
	free(json);
}

/* --- caps ------------------------------------------------------------------------------------ */

/* {"endpoints": [{"id": "a", KEY: OPEN N x ITEM CLOSE}]} */
static int parse_many(const char *key, const char *open, const char *item, size_t n,
		      const char *close)
{
	size_t len;
	char *json;
	FILE *f = open_memstream(&json, &len);
	int r;

	assert_non_null(f);
	fprintf(f, "{\"endpoints\": [{\"id\": \"a\", \"%s\": %s", key, open);
	for (size_t i = 0; i < n; i++) {
		fputs(i ? ", " : "", f);
		for (const char *p = item; *p; p++)
			if (*p == '#')
				fprintf(f, "%zu", i);
			else
				fputc(*p, f);
	}
	fprintf(f, "%s}]}", close);
	fclose(f);
	r = parse_bytes(json, len);
	free(json);
	return r;
}

static void test_caps(void **state)
{
	static const struct {
		const char *key, *open, *item, *close;
		size_t max;
	} lists[] = {
		{ "addresses", "[", "\"fd00::#\"", "]", BH_ENDPOINT_ADDRS_MAX },
		{ "resolvers", "[", "\"fd00::#\"", "]", BH_ENDPOINT_RESOLVERS_MAX },
		{ "ports", "[", "{\"port\": 80}", "]", BH_ENDPOINT_PORTS_MAX },
		{ "labels", "{", "\"k#\": \"v\"", "}", BH_LABELS_MAX },
		{ "image_labels", "{", "\"k#\": \"v\"", "}", BH_LABELS_MAX },
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(lists); i++) {
		const char *key = lists[i].key;

		assert_int_equal(
			parse_many(key, lists[i].open, lists[i].item, lists[i].max, lists[i].close),
			0);
		assert_int_equal(parse_many(key, lists[i].open, lists[i].item, lists[i].max + 1,
					    lists[i].close),
				 -EINVAL);
		assert_non_null(strstr(said, key));
	}
}

static void test_long_strings(void **state)
{
	char *json = malloc(BH_YAML_SCALAR_MAX + 100);
	int at;

	assert_non_null(json);
	for (int over = 0; over < 2; over++) {
		at = sprintf(json, "{\"endpoints\": [{\"id\": \"");
		memset(json + at, 'x', (size_t)(BH_YAML_SCALAR_MAX + over));
		strcpy(json + at + BH_YAML_SCALAR_MAX + over, "\"}]}");
		assert_int_equal(parse_bytes(json, strlen(json)), over ? -EINVAL : 0);
	}
	assert_string_equal(said, "i.json: error: endpoints[0].id: is too long or has a NUL byte "
				  "[bad-string]\n");
	free(json);
}

/* A path of a mistake has its bound, too. */
static void test_long_path(void **state)
{
	char json[700], key[400];

	memset(key, 'k', sizeof(key) - 1);
	key[sizeof(key) - 1] = '\0';
	snprintf(json, sizeof(json), "{\"endpoints\": [{\"id\": \"a\", \"labels\": {\"%s\": 1}}]}",
		 key);
	assert_int_equal(parse_bytes(json, strlen(json)), -EINVAL);
	assert_true(strlen(said) < 300);
	assert_non_null(strstr(said, "endpoints[0].labels.kkkk"));
}

/* More mistakes than are kept: all of them count. */
static void test_many_mistakes(void **state)
{
	assert_int_equal(parse_many("ports", "[", "{\"port\": 0}", 1024, "]"), -EINVAL);
	assert_non_null(strstr(said, "24 more"));
}

static void test_too_many_host_addresses(void **state)
{
	size_t len;
	char *json;

	for (int over = 0; over < 2; over++) {
		FILE *f = open_memstream(&json, &len);

		assert_non_null(f);
		fputs("{\"host\": {\"addresses\": [", f);
		for (int i = 0; i < BH_HOST_ADDRS_MAX + over; i++)
			fprintf(f, "%s\"10.0.%d.%d\"", i ? "," : "", i / 256, i % 256);
		fputs("]}}", f);
		fclose(f);
		assert_int_equal(parse_bytes(json, len), over ? -EINVAL : 0);
		free(json);
	}
}

static void test_same_id_twice(void **state)
{
	static const char json[] = "{\"endpoints\": [{\"id\": \"a\"}, {\"id\": \"a\"}]}";

	assert_int_equal(parse_bytes(json, strlen(json)), -EEXIST);
	assert_non_null(strstr(err.msg, "a"));
}

/* --- the file -------------------------------------------------------------------------------- */

static int load(const char *path)
{
	struct endpoint_builder *b = endpoint_builder_new();
	struct diag_list diags;
	int r;

	assert_non_null(b);
	diag_list_init(&diags);
	err.msg[0] = '\0';
	r = runtime_inventory_load(path, b, &diags, &err);
	diag_list_done(&diags);
	endpoint_builder_free(b);
	return r;
}

static void test_files(void **state)
{
	char dir[] = "/tmp/bulkhead-inventory-XXXXXX", path[64];
	FILE *f;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/\033.json", dir);
	assert_int_equal(load(path), -ENOENT);
	assert_non_null(strstr(err.msg, "\\x1b.json: No such file or directory"));
	assert_true(load(dir) < 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	alarm(10);
	assert_true(load(path) < 0); /* nobody writes to it */
	alarm(0);
	unlink(path);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs("{\"endpoints\": [{\"id\": \"a\"}]}", f);
	fclose(f);
	assert_int_equal(load(path), 0);
	assert_int_equal(truncate(path, (off_t)BH_INVENTORY_BYTES_MAX + 1), 0);
	assert_int_equal(load(path), -EFBIG);
	unlink(path);
	rmdir(dir);
}

#define CASE(name) cmocka_unit_test_teardown(name, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_full),
		CASE(test_least),
		CASE(test_empty),
		CASE(test_absent_namespace),
		CASE(test_hostile_strings),
		CASE(test_image_mistakes),
		CASE(test_obstacles),
		CASE(test_all_mistakes),
		CASE(test_empty_id),
		CASE(test_wrong_shapes),
		CASE(test_addresses),
		CASE(test_hostile_mistakes),
		CASE(test_not_json),
		CASE(test_depth),
		CASE(test_caps),
		CASE(test_long_strings),
		CASE(test_long_path),
		CASE(test_many_mistakes),
		CASE(test_too_many_host_addresses),
		CASE(test_same_id_twice),
		CASE(test_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
