/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a bundle says of a container: its network, what it may do, and its annotations as labels. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <bulkhead/base/limits.h>

#include "../../../src/oci/bundle.h"

static struct oci_config read_good(const char *text)
{
	struct bh_err err = BH_ERR_INIT;
	struct oci_config c;

	if (oci_config_parse(text, strlen(text), &c, &err) < 0)
		fail_msg("%s: %s", text, err.msg);
	return c;
}

static const struct {
	const char *text;
	bool own;
	const char *netns;
	enum endpoint_obstacle obstacle;
} good[] = {
	{ "{}", false, NULL, ENDPOINT_HOLDABLE },
	{ "{\"linux\":{\"namespaces\":[{\"type\":\"pid\"}]}}", false, NULL, ENDPOINT_HOLDABLE },
	{ "{\"linux\":{\"namespaces\":[{\"type\":\"network\"}]}}", true, NULL, ENDPOINT_HOLDABLE },
	{ "{\"linux\":{\"namespaces\":[{\"type\":\"network\",\"path\":\"/run/netns/x\"}]}}", true,
	  "/run/netns/x", ENDPOINT_HOLDABLE },
	{ "{\"process\":{\"capabilities\":{\"bounding\":[\"CAP_KILL\",\"CAP_NET_RAW\"]}}}", false,
	  NULL, ENDPOINT_RAW_SOCKETS },
	{ "{\"process\":{\"capabilities\":{\"bounding\":[\"CAP_NET_RAW\"],"
	  "\"ambient\":[\"CAP_NET_ADMIN\"]}}}",
	  false, NULL, ENDPOINT_NET_ADMIN },
	{ "{\"process\":{}}", false, NULL, ENDPOINT_HOLDABLE },
};

static void test_good(void **state)
{
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct oci_config c = read_good(good[i].text);

		assert_int_equal(c.own_network, good[i].own);
		assert_int_equal(c.obstacle, good[i].obstacle);
		if (good[i].netns)
			assert_string_equal(c.netns, good[i].netns);
		else
			assert_null(c.netns);
		oci_config_done(&c);
	}
}

static const struct {
	const char *text, *says;
} bad[] = {
	{ "", "it is not JSON" },
	{ "{\"linux\":7}", "\"linux\" must be an object" },
	{ "{\"linux\":{\"namespaces\":{}}}", "\"namespaces\" must be a list" },
	{ "{\"linux\":{\"namespaces\":[7]}}", "\"namespaces\" must be objects with a \"type\"" },
	{ "{\"linux\":{\"namespaces\":[{}]}}", "\"namespaces\" must be objects with a \"type\"" },
	{ "{\"linux\":{\"namespaces\":[{\"type\":\"network\",\"path\":\"x\"}]}}",
	  "\"path\" must be an absolute path" },
	{ "{\"process\":[]}", "\"process\" must be an object" },
	{ "{\"process\":{\"capabilities\":[]}}", "\"capabilities\" must be an object" },
	{ "{\"annotations\":{\"a\":[]}}", "\"annotations\": \"a\" must be a string" },
};

static void test_bad(void **state)
{
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct bh_err err = BH_ERR_INIT;
		struct oci_config c;

		assert_int_equal(oci_config_parse(bad[i].text, strlen(bad[i].text), &c, &err),
				 -EINVAL);
		if (!strstr(err.msg, bad[i].says))
			fail_msg("%s: \"%s\" and not \"%s\"", bad[i].text, err.msg, bad[i].says);
	}
}

static void test_absent(void **state)
{
	struct bh_err err = BH_ERR_INIT;
	struct oci_config c;

	assert_int_equal(oci_config_read("/nonexistent", &c, &err), -ENOENT);
	assert_non_null(strstr(err.msg, "/nonexistent/config.json"));
}

/* --- labels ----------------------------------------------------------------------------------- */

static json_t *many(size_t n)
{
	json_t *o = json_object();
	char key[32];

	for (size_t i = 0; i < n; i++) {
		snprintf(key, sizeof(key), "key%zu", i);
		json_object_set_new(o, key, json_string("value"));
	}
	return o;
}

static json_t *large(const char *key)
{
	static char value[BH_RUNTIME_LABEL_BYTES_MAX + 2];
	json_t *o = json_object();

	memset(value, 'x', sizeof(value) - 1);
	json_object_set_new(o, key, json_string(value));
	return o;
}

static void assert_labels(json_t *o, int r, size_t n, const char *says)
{
	static struct label labels[BH_LABELS_MAX];
	struct bh_err err = BH_ERR_INIT;
	size_t got = 0;

	assert_int_equal(oci_labels(o, labels, &got, &err), r);
	assert_int_equal(got, n);
	if (!strstr(err.msg, says))
		fail_msg("\"%s\" and not \"%s\"", err.msg, says);
	json_decref(o);
}

static void test_labels(void **state)
{
	assert_labels(NULL, 0, 0, "");
	assert_labels(many(BH_LABELS_MAX), 0, BH_LABELS_MAX, "");
	assert_labels(many(BH_LABELS_MAX + 1), -E2BIG, 0, "\"annotations\" has more than 256");
	assert_labels(large("app"), -EINVAL, 0,
		      "\"annotations\": \"app\" has more than 4096 bytes");
	assert_labels(json_pack("{s:s}", "", "x"), -EINVAL, 0, "\"annotations\": \"\"");
	assert_labels(json_pack("{s:s}", "app=web", ""), 0, 0, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_absent),
		cmocka_unit_test(test_labels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
