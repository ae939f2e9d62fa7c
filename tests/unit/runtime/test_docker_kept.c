/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <bulkhead/base/arena.h>
#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

#include "../../../src/runtime/docker_kept.h"

/* What dockerd 20.10 keeps of a container and its image, and what may be wrong with it. */

#define ID     "7ecc13385f1384803fade8574fc9a42f488dc2f99a7882a1bfd130dcc0591106"
#define HEX    "78006090ba1c7ea88fa6c1f64449957883c677a28d90a24c777126037c01875b"
#define IMAGE  "sha256:" HEX
#define DIGEST "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

#define CONFIG                                                                                     \
	"{\"StreamConfig\":{},\"State\":{\"Running\":true,\"Pid\":562},\"ID\":\"" ID               \
	"\",\"Config\":{\"Image\":\"box:1\",\"Labels\":{\"app\":\"web\",\"baked\":\"yes\","        \
	"\"com.docker.compose.project\":\"p\",\"com.docker.compose.service\":\"s\"}},\"Image\":"   \
	"\"" IMAGE "\",\"NetworkSettings\":{\"Networks\":{\"bridge\":{\"IPAddress\":"              \
	"\"172.17.0.2\"}}},\"Name\":\"/web\",\"Driver\":\"overlay2\"}"
#define HOST   "{\"NetworkMode\":\"default\",\"CapDrop\":[\"NET_RAW\"],\"Dns\":[\"192.0.2.99\"]}"
#define IMAGED "{\"config\":{\"Labels\":{\"baked\":\"yes\"}},\"rootfs\":{}}"
#define NAMES                                                                                      \
	"{\"Repositories\":{\"box\":{\"box:1\":\"" IMAGE "\",\"box@" DIGEST "\":\"" IMAGE          \
	"\"},\"other\":{\"other@" DIGEST "\":\"sha256:1\"}}}"

#define CONFIG_AT "containers/" ID "/config.v2.json"
#define HOST_AT   "containers/" ID "/hostconfig.json"
#define IMAGE_AT  "image/overlay2/imagedb/content/sha256/" HEX
#define NAMES_AT  "image/overlay2/repositories.json"

static char root[32];

static void put(const char *at, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", root, at);
	for (char *p = path + strlen(root) + 1; (p = strchr(p, '/')) != NULL; p++) {
		*p = '\0';
		(void)mkdir(path, 0700);
		*p = '/';
	}
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void take(const char *at)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", root, at);
	assert_int_equal(unlink(path), 0);
}

static int setup(void **state)
{
	strcpy(root, "/tmp/bulkhead-kept-XXXXXX");
	assert_non_null(mkdtemp(root));
	put(CONFIG_AT, CONFIG);
	put(HOST_AT, HOST);
	put(IMAGE_AT, IMAGED);
	put(NAMES_AT, NAMES);
	return 0;
}

static int teardown(void **state)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", root);
	return system(command);
}

static int read_it(const char *id)
{
	struct bh_arena *arena = bh_arena_new();
	struct docker_container c;
	int r = docker_kept(root, id, arena, &c);

	bh_arena_free(arena);
	return r;
}

static void test_all(void **state)
{
	struct bh_arena *arena = bh_arena_new();
	struct docker_container c;

	assert_int_equal(docker_kept(root, ID, arena, &c), 0);
	assert_string_equal(c.e.id, ID);
	assert_string_equal(c.e.name, "web");
	assert_string_equal(c.e.image, "box:1");
	assert_string_equal(c.e.image_id, IMAGE);
	assert_int_equal(c.e.n_image_digests, 1);
	assert_string_equal(c.e.image_digests[0], "box@" DIGEST);
	assert_string_equal(endpoint_label(&c.e, "app", false), "web");
	assert_null(endpoint_label(&c.e, "baked", false));
	assert_string_equal(endpoint_label(&c.e, "baked", true), "yes");
	assert_string_equal(c.e.compose_project, "p");
	assert_string_equal(c.e.compose_service, "s");
	assert_int_equal(c.e.obstacle, ENDPOINT_HOLDABLE);
	assert_int_equal(c.n_dns, 1);
	assert_int_equal(c.e.n_addrs, 0); /* of its last run */
	assert_int_equal(c.e.pid, 0);
	bh_arena_free(arena);
}

static void test_no_digests(void **state)
{
	struct bh_arena *arena = bh_arena_new();
	struct docker_container c;

	take(NAMES_AT);
	assert_int_equal(docker_kept(root, ID, arena, &c), 0);
	assert_int_equal(c.e.n_image_digests, 0);
	bh_arena_free(arena);
}

/* Half of it is nothing: a label may be the image's, a capability may be there. */
static void test_missing(void **state)
{
	static const char *const files[] = { CONFIG_AT, HOST_AT, IMAGE_AT };
	static const char *const texts[] = { CONFIG, HOST, IMAGED };

	for (size_t i = 0; i < BH_ARRAY_SIZE(files); i++) {
		take(files[i]);
		assert_int_equal(read_it(ID), -ENOENT);
		put(files[i], "[]");
		assert_int_equal(read_it(ID), -ENOENT);
		put(files[i], "{");
		assert_int_equal(read_it(ID), -ENOENT);
		put(files[i], texts[i]);
		assert_int_equal(read_it(ID), 0);
	}
}

static void test_wrong(void **state)
{
	static const char *const wrong[] = {
		"{}",
		"{\"ID\":\"" HEX "\",\"Image\":\"" IMAGE "\",\"Driver\":\"overlay2\"}",
		"{\"ID\":\"" ID "\",\"Image\":7,\"Driver\":\"overlay2\"}",
		"{\"ID\":\"" ID "\",\"Image\":\"sha256:../x\",\"Driver\":\"overlay2\"}",
		"{\"ID\":\"" ID "\",\"Image\":\"" IMAGE "\",\"Driver\":\"../overlay2\"}",
		"{\"ID\":\"" ID "\",\"Image\":\"" IMAGE "\",\"Driver\":\"\"}",
		"{\"ID\":\"" ID "\",\"Image\":\"" IMAGE "\"}",
		"{\"ID\":\"" ID "\",\"Image\":\"" IMAGE "\",\"Driver\":\"overlay2\",\"Config\":[]}",
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(wrong); i++) {
		put(CONFIG_AT, wrong[i]);
		if (read_it(ID) >= 0)
			fail_msg("%s", wrong[i]);
	}
	assert_int_equal(read_it("../containers/x"), -EINVAL);
	assert_int_equal(read_it(HEX), -ENOENT);
}

/* Files of another kind, or without an end, cost no time and no memory. */
static void test_kinds(void **state)
{
	static const char *const files[] = { CONFIG_AT, HOST_AT, IMAGE_AT };
	static const char *const texts[] = { CONFIG, HOST, IMAGED };
	char path[256];

	for (size_t i = 0; i < BH_ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", root, files[i]);
		take(files[i]);
		assert_int_equal(mkfifo(path, 0600), 0); /* nobody writes */
		assert_int_equal(read_it(ID), -ENOENT);
		take(files[i]);
		assert_int_equal(symlink("/dev/zero", path), 0);
		assert_int_equal(read_it(ID), -ENOENT);
		take(files[i]);
		assert_int_equal(mkdir(path, 0700), 0);
		assert_int_equal(read_it(ID), -ENOENT);
		assert_int_equal(rmdir(path), 0);
		put(files[i], texts[i]);
		assert_int_equal(truncate(path, BH_KEPT_BYTES_MAX + 1), 0);
		assert_int_equal(read_it(ID), -ENOENT);
		put(files[i], texts[i]);
		assert_int_equal(read_it(ID), 0);
	}
}

/* Before it is made it has no namespace: its labels are what is asked for. */
static void test_without_namespace(void **state)
{
	struct endpoint_builder *b = endpoint_builder_new();
	struct endpoint_set *set;

	assert_int_equal(docker_kept_add(root, ID, -1, NULL, b, NULL), 1);
	assert_int_equal(docker_kept_add(root, HEX, -1, NULL, b, NULL), 0);
	assert_int_equal(endpoint_builder_finish(b, &set, NULL), 0);
	assert_int_equal(set->n, 1);
	assert_string_equal(endpoint_label(&set->endpoints[0], "app", false), "web");
	assert_null(set->endpoints[0].netns);
	assert_int_equal(set->endpoints[0].n_addrs, 0);
	endpoint_set_free(set);
	endpoint_builder_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_all, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_digests, setup, teardown),
		cmocka_unit_test_setup_teardown(test_missing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wrong, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kinds, setup, teardown),
		cmocka_unit_test_setup_teardown(test_without_namespace, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
