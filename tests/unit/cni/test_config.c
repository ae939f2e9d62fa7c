/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fixture.h"

/* What stands on a plugin's standard input, and what it answers with. */

struct bad {
	enum cni_command command;
	const char *text;
	enum cni_code code;
	const char *says;
};

static const struct bad bads[] = {
	{ CNI_ADD, "", CNI_UNDECODABLE, "no JSON object" },
	{ CNI_ADD,
	  "\x7f"
	  "ELF",
	  CNI_UNDECODABLE, "no JSON object" },
	{ CNI_ADD, "[]", CNI_UNDECODABLE, "something else" },
	{ CNI_ADD, WITH("\"type\":\"a\""), CNI_UNDECODABLE, "duplicate" },
	{ CNI_ADD, "{" HEAD "} x", CNI_UNDECODABLE, "end of file" },
	{ CNI_ADD, "{\"cniVersion\":7}", CNI_UNDECODABLE, "must be a string" },
	{ CNI_ADD, "{}", CNI_INCOMPATIBLE_VERSION, "there is none" },
	{ CNI_ADD, "{\"cniVersion\":\"0.2.0\"}", CNI_INCOMPATIBLE_VERSION, "0.2.0" },
	{ CNI_ADD, "{\"cniVersion\":\"2.0.0\\u001b[31m\"}", CNI_INCOMPATIBLE_VERSION,
	  "2.0.0\\x1b[31m" },
	{ CNI_CHECK, "{\"cniVersion\":\"0.3.1\"}", CNI_INCOMPATIBLE_VERSION, "this command" },
	{ CNI_GC, "{\"cniVersion\":\"1.0.0\"}", CNI_INCOMPATIBLE_VERSION, "this command" },
	{ CNI_STATUS, "{\"cniVersion\":\"0.4.0\"}", CNI_INCOMPATIBLE_VERSION, "this command" },
	{ CNI_ADD, "{" HEAD "}", CNI_INVALID_CONFIG, "\"prevResult\" is missing" },
	{ CNI_CHECK, "{" HEAD "}", CNI_INVALID_CONFIG, "\"prevResult\" is missing" },
	{ CNI_ADD, "{" HEAD ",\"prevResult\":[]}", CNI_INVALID_CONFIG, "must be an object" },
	{ CNI_ADD, "{" HEAD ",\"prevResult\":{\"cniVersion\":\"0.4.0\"}}", CNI_INVALID_CONFIG,
	  "of the configuration's version, 1.1.0" },
	{ CNI_ADD, "{\"cniVersion\":\"1.0.0\",\"prevResult\":{}}", CNI_INVALID_CONFIG,
	  "\"name\" must be there" },
	{ CNI_ADD, "{\"cniVersion\":\"1.0.0\",\"name\":\"../net\"}", CNI_INVALID_CONFIG,
	  "\"name\" must be" },
	{ CNI_GC, "{" HEAD "}", CNI_INVALID_CONFIG, "valid-attachments" },
	{ CNI_GC, "{" HEAD ",\"cni.dev/attachments\":[{\"containerID\":\"../a\"}]}",
	  CNI_INVALID_CONFIG, "with a containerID" },
	{ CNI_GC, "{" HEAD ",\"cni.dev/attachments\":{}}", CNI_INVALID_CONFIG, "a list" },
	{ CNI_ADD, WITH("\"sockett\":\"/run/x\""), CNI_UNSUPPORTED_FIELD,
	  "\"sockett\": \"/run/x\" (did you mean \"socket\"?)" },
	{ CNI_STATUS, "{" HEAD ",\"ipam\":{\"type\":\"dhcp\"}}", CNI_UNSUPPORTED_FIELD,
	  "\"ipam\": {\"type\":\"dhcp\"}" },
	{ CNI_ADD, WITH("\"socket\":\"run/x\""), CNI_INVALID_CONFIG, "an absolute path" },
	{ CNI_ADD, WITH("\"wait\":\"0s\""), CNI_INVALID_CONFIG, "a time from" },
	{ CNI_ADD, WITH("\"wait\":10"), CNI_INVALID_CONFIG, "a time from" },
	{ CNI_ADD, WITH("\"withoutDaemon\":\"open\""), CNI_INVALID_CONFIG, "\"quarantine\"" },
	{ CNI_ADD, WITH("\"runtime\":\"docker\""), CNI_INVALID_CONFIG, "\"podman\"" },
	{ CNI_ADD, WITH("\"args\":[]"), CNI_INVALID_CONFIG, "\"args\" must be an object" },
	{ CNI_ADD, WITH("\"runtimeConfig\":7"), CNI_INVALID_CONFIG, "must be an object" },
	{ CNI_ADD, WITH("\"runtimeConfig\":{\"io.kubernetes.cri.pod-annotations\":[]}"),
	  CNI_INVALID_CONFIG, "pod-annotations" },
	{ CNI_ADD, WITH("\"annotationLabels\":[1]"), CNI_INVALID_CONFIG, "a list of patterns" },
};

static void refuses(void **state)
{
	for (size_t i = 0; i < BH_ARRAY_SIZE(bads); i++) {
		struct cni_config c;
		int r = parse_as(bads[i].command, bads[i].text, &c);

		if (r == 0 || error.code != bads[i].code || !strstr(error.err.msg, bads[i].says))
			fail_msg("%s: %d, code %d: %s", bads[i].text, r, error.code, error.err.msg);
		assert_null(c.root);
	}
}

static void refuses_more_than_its_limit(void **state)
{
	char *text = malloc(BH_CNI_CONFIG_MAX + 1);
	struct cni_config c;

	memset(text, ' ', BH_CNI_CONFIG_MAX + 1);
	memcpy(text, "{}", 2);
	assert_true(cni_config_parse(text, BH_CNI_CONFIG_MAX + 1, CNI_ADD, &c, NULL, &error) < 0);
	assert_int_equal(error.code, CNI_UNDECODABLE);
	assert_non_null(strstr(error.err.msg, "more than"));
	assert_true(cni_config_parse(text, BH_CNI_CONFIG_MAX, CNI_ADD, &c, NULL, &error) < 0);
	assert_int_equal(error.code, CNI_INCOMPATIBLE_VERSION);
	free(text);
}

static void takes_all_fields(void **state)
{
	struct cni_config c;

	assert_int_equal(
		parse_as(CNI_ADD,
			 WITH("\"capabilities\":{\"x\":true},\"cni.dev/later\":1,"
			      "\"socket\":\"/run/s\",\"hostFile\":\"/etc/h\",\"wait\":\"2m\","
			      "\"withoutDaemon\":\"quarantine\",\"runtime\":\"podman\","
			      "\"runtimeConfig\":{\"portMappings\":[]},"
			      "\"args\":{\"cni\":{\"labels\":[]}}"),
			 &c),
		0);
	assert_string_equal(c.version->name, "1.1.0");
	assert_string_equal(c.network, "net");
	assert_string_equal(c.socket, "/run/s");
	assert_string_equal(c.host_file, "/etc/h");
	assert_int_equal(c.wait_ms, 120000);
	assert_int_equal(c.without, CNI_QUARANTINE_WITHOUT);
	assert_int_equal(c.runtime, ENDPOINT_PODMAN);
	assert_non_null(c.labels);
	assert_null(c.annotations);
	cni_config_done(&c);
	assert_int_equal(parse_as(CNI_ADD, "{" HEAD "," PREV "}", &c), 0);
	assert_int_equal(c.runtime, ENDPOINT_CNI);
	assert_int_equal(c.wait_ms, 0);
	assert_int_equal(c.without, CNI_AS_HOST_SAYS);
	assert_null(c.socket);
	cni_config_done(&c);
}

/* What takes something away is not kept from it by what else is wrong. */
static void del_is_lenient(void **state)
{
	static const char text[] = "{" HEAD ",\"sockett\":1,\"prevResult\":[],\"runtimeConfig\":0}";
	struct cni_config c;

	assert_true(parse_as(CNI_ADD, text, &c) < 0);
	assert_int_equal(parse_as(CNI_DEL, text, &c), 0);
	cni_config_done(&c);
	assert_true(parse_as(CNI_DEL, "{" HEAD ",\"socket\":\"x\"}", &c) < 0);
}

static void gc_knows_both_names(void **state)
{
	static const char *const keys[] = { "cni.dev/attachments", "cni.dev/valid-attachments" };
	char text[256];

	for (size_t i = 0; i < BH_ARRAY_SIZE(keys); i++) {
		struct cni_config c;

		snprintf(text, sizeof(text),
			 "{%s,\"%s\":[{\"containerID\":\"a\",\"ifname\":\"eth0\"}]}", HEAD,
			 keys[i]);
		assert_int_equal(parse_as(CNI_GC, text, &c), 0);
		assert_true(cni_config_attached(&c, "a"));
		assert_false(cni_config_attached(&c, "b"));
		cni_config_done(&c);
	}
}

/* --- the result --------------------------------------------------------------------------------- */

static char *result_of(const char *text)
{
	struct cni_config c;
	struct bh_buf b;
	char *out;

	bh_buf_init(&b, 4 * BH_CNI_CONFIG_MAX);
	assert_int_equal(parse_as(CNI_ADD, text, &c), 0);
	assert_int_equal(cni_result_write(&c, &b), 0);
	cni_config_done(&c);
	out = bh_buf_steal(&b);
	bh_buf_done(&b);
	return out;
}

/* Every field, in every version, those that nobody knows as well; the numbers to the last digit. */
static void result_is_what_came(void **state)
{
	static const char *const versions[] = { "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0" };
	static const char rest[] =
		"\"interfaces\":[{\"name\":\"eth0\",\"mac\":\"02:00:00:00:00:01\",\"mtu\":1450,"
		"\"sandbox\":\"/run/netns/x\",\"socketPath\":\"/s\",\"pciID\":\"0\"}],"
		"\"ips\":[{\"version\":\"4\",\"address\":\"10.0.0.2/24\",\"interface\":0}],"
		"\"routes\":[{\"dst\":\"::/0\",\"gw\":\"fd00::1\",\"table\":4294967295}],"
		"\"dns\":{},\"\xc3\xa9\":[null,true,-9223372036854775808,9223372036854775807,"
		"{\"a\":{\"b\":[[[]]]}},\"\\u001b\\\"\"]}\n";
	char text[2048], want[1024];

	for (size_t i = 0; i < BH_ARRAY_SIZE(versions); i++) {
		bh_autofree char *got = NULL;

		snprintf(want, sizeof(want), "{\"cniVersion\":\"%s\",%s", versions[i], rest);
		snprintf(text, sizeof(text),
			 "{\"cniVersion\":\"%s\",\"name\":\"n\",\"prevResult\":%s}", versions[i],
			 want);
		got = result_of(text);
		for (char *p = got; *p; p++) /* jansson writes hex digits large */
			if (strncmp(p, "\\u001B", 6) == 0)
				p[5] = 'b';
		assert_string_equal(got, want);
	}
}

static void result_gets_its_version(void **state)
{
	bh_autofree char *got =
		result_of("{\"cniVersion\":\"0.4.0\",\"name\":\"n\",\"prevResult\":{\"ips\":[]}}");

	assert_string_equal(got, "{\"ips\":[],\"cniVersion\":\"0.4.0\"}\n");
}

static void version_and_error_objects(void **state)
{
	struct cni_error err = CNI_ERROR_INIT;
	struct bh_buf b;

	bh_buf_init(&b, 4096);
	assert_int_equal(cni_version_write("0.4.0", &b), 0);
	assert_string_equal(bh_buf_str(&b),
			    "{\"cniVersion\":\"0.4.0\",\"supportedVersions\":[\"0.3.0\",\"0.3.1\","
			    "\"0.4.0\",\"1.0.0\",\"1.1.0\"]}\n");
	bh_buf_reset(&b);
	assert_int_equal(cni_version_write("9", &b), 0);
	assert_memory_equal(bh_buf_str(&b), "{\"cniVersion\":\"1.1.0\"", 21);
	bh_buf_reset(&b);
	cni_fail(&err, CNI_NOT_AVAILABLE, "a \"%s\"", "b");
	assert_int_equal(cni_error_write(&err, "1.0.0", &b), 0);
	assert_string_equal(bh_buf_str(&b),
			    "{\"cniVersion\":\"1.0.0\",\"code\":50,\"msg\":\"a \\\"b\\\"\"}\n");
	bh_buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses),
		cmocka_unit_test(refuses_more_than_its_limit),
		cmocka_unit_test(takes_all_fields),
		cmocka_unit_test(del_is_lenient),
		cmocka_unit_test(gc_knows_both_names),
		cmocka_unit_test(result_is_what_came),
		cmocka_unit_test(result_gets_its_version),
		cmocka_unit_test(version_and_error_objects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
