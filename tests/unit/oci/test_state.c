/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a runtime says of a container that it makes: read strictly, and what is wrong is named. */
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

#include "../../../src/oci/state.h"

#define HEAD "{\"ociVersion\":\"1.0.2\",\"id\":\"web\",\"bundle\":\"/b\",\"status\":\"created\""

static struct oci_state read_good(const char *text)
{
	struct bh_err err = BH_ERR_INIT;
	struct oci_state s;

	if (oci_state_parse(text, strlen(text), &s, &err) < 0)
		fail_msg("%s: %s", text, err.msg);
	return s;
}

static void test_good(void **state)
{
	struct oci_state s = read_good(HEAD ",\"pid\":12,\"annotations\":{\"app\":\"web\"}}");

	assert_string_equal(s.id, "web");
	assert_string_equal(s.bundle, "/b");
	assert_string_equal(s.status, "created");
	assert_int_equal(s.pid, 12);
	assert_string_equal(json_string_value(json_object_get(s.annotations, "app")), "web");
	oci_state_done(&s);

	s = read_good(HEAD ",\"pid\":0,\"annotations\":null,\"of a later version\":[1]}");
	assert_int_equal(s.pid, 0);
	assert_null(s.annotations);
	oci_state_done(&s);
}

static const struct {
	const char *text, *says;
} bad[] = {
	{ "", "it is not JSON" },
	{ "no", "it is not JSON" },
	{ "\xff\xfe{}", "it is not JSON" },
	{ "[]", "it is not a JSON object" },
	{ "{}", "\"id\" must be a name" },
	{ HEAD "}{}", "it is not JSON" },
	{ HEAD ",\"id\":\"twice\"}", "it is not JSON" },
	{ "{\"id\":7}", "\"id\" must be a string" },
	{ "{\"id\":\"\"}", "\"id\" must have 1 to 255 bytes, not 0" },
	{ "{\"id\":\"..\"}", "\"id\" must be a name, without \"/\"" },
	{ "{\"id\":\".\"}", "\"id\" must be a name" },
	{ "{\"id\":\"../../etc/passwd\"}", "\"id\" must be a name, without \"/\"" },
	{ "{\"id\":\"a\\u0000b\"}", "it is not JSON" },
	{ "{\"id\":\"a\"}", "\"bundle\" must be an absolute path" },
	{ "{\"id\":\"a\",\"bundle\":\"b\"}", "\"bundle\" must be an absolute path" },
	{ "{\"id\":\"a\",\"bundle\":[]}", "\"bundle\" must be a string" },
	{ "{\"id\":\"a\",\"bundle\":\"/b\",\"status\":1}", "\"status\" must be a string" },
	{ HEAD ",\"pid\":-1}", "\"pid\" must be the number of a process" },
	{ HEAD ",\"pid\":\"1\"}", "\"pid\" must be the number of a process" },
	{ HEAD ",\"pid\":1.5}", "\"pid\" must be the number of a process" },
	{ HEAD ",\"pid\":4294967296}", "\"pid\" must be the number of a process" },
	{ HEAD ",\"annotations\":[]}", "\"annotations\" must be an object" },
	{ HEAD ",\"annotations\":{\"a\\u001b[2J\":1}}",
	  "\"annotations\": \"a\\x1b[2J\" must be a string" },
};

static void assert_refused(const char *data, size_t len, const char *says)
{
	struct oci_state s = { .pid = 99 };
	struct bh_err err = BH_ERR_INIT;

	assert_int_equal(oci_state_parse(data, len, &s, &err), -EINVAL);
	if (!strstr(err.msg, says))
		fail_msg("%.60s: \"%s\" and not \"%s\"", data, err.msg, says);
	assert_int_equal(s.pid, 99);
}

static void test_bad(void **state)
{
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_refused(bad[i].text, strlen(bad[i].text), bad[i].says);
}

static void test_bounds(void **state)
{
	size_t len = BH_OCI_STATE_BYTES_MAX + 1;
	char *text = malloc(len + 1);
	char deep[2 * BH_OCI_DEPTH_MAX + 8] = "{\"a\":";

	memset(text, ' ', len);
	assert_refused(text, len, "it has more than 1048576 bytes");
	free(text);
	memset(deep + strlen(deep), '[', BH_OCI_DEPTH_MAX);
	assert_refused(deep, strlen(deep), "it is nested more than 64 deep");

	text = malloc(BH_HINT_ID_MAX + 64);
	sprintf(text, "{\"id\":\"%0*d\"}", BH_HINT_ID_MAX + 1, 0);
	assert_refused(text, strlen(text), "\"id\" must have 1 to 255 bytes, not 256");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
