/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include <bulkhead/base/cleanup.h>

#include "../../../src/oci/runc.h"

static struct bh_buf text;

static const struct runc_hook hook = {
	"/usr/sbin/hook", (const char *const[]) { "hook", "--runtime", "docker", NULL }
};
#define HOOK                                                                                       \
	"{\"path\":\"/usr/sbin/hook\",\"args\":[\"hook\",\"--runtime\",\"docker\"],"               \
	"\"env\":[\"PATH=/usr/sbin:/usr/bin:/sbin:/bin\"]}"

static void hold(const char *s)
{
	bh_buf_done(&text);
	bh_buf_init(&text, 1 << 20);
	assert_int_equal(bh_buf_addstr(&text, s), 0);
}

static int tear_down(void **state)
{
	bh_buf_done(&text);
	return 0;
}

/* --- the hook ------------------------------------------------------------------------------------- */

static void test_hook(void **state)
{
	static const struct {
		const char *before, *after;
	} cases[] = {
		{ "{}", "{\"hooks\":{\"createRuntime\":[" HOOK "],\"poststop\":[" HOOK "]}}" },
		/* numbers that no integer holds, and the order of all that is there, stay */
		{ "{\"process\":{\"rlimits\":[{\"hard\":18446744073709551615}]},\"hooks\":"
		  "{\"prestart\":[{\"path\":\"/proc/14/exe\"}]},\"z\":1e400.5}",
		  NULL },
		{ "{\"process\":{\"rlimits\":[{\"hard\":18446744073709551615}]},\"hooks\":"
		  "{\"prestart\":[{\"path\":\"/proc/14/exe\"}]},\"z\":\"\\u00e4\"}",
		  "{\"process\":{\"rlimits\":[{\"hard\":18446744073709551615}]},\"hooks\":"
		  "{\"prestart\":[{\"path\":\"/proc/14/exe\"}],\"createRuntime\":[" HOOK
		  "],\"poststop\":[" HOOK "]},\"z\":\"\\u00e4\"}" },
		{ "{\"hooks\":null,\"a\":1}",
		  "{\"hooks\":{\"createRuntime\":[" HOOK "],\"poststop\":[" HOOK "]},\"a\":1}" },
		{ "{\"hooks\":{\"createRuntime\":[{\"path\":\"/x\"}],\"poststop\":null}}",
		  "{\"hooks\":{\"createRuntime\":[{\"path\":\"/x\"}," HOOK "],\"poststop\":[" HOOK
		  "]}}" },
		{ "{\"hooks\":[]}", NULL },
		{ "{\"hooks\":{\"createRuntime\":{}}}", NULL },
		{ "{\"hooks\":{},\"Hooks\":{}}", NULL },
		{ "{\"hooks\":{\"CreateRuntime\":[]}}", NULL },
		{ "[]", NULL },
		{ "{", NULL },
		{ "", NULL },
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(cases); i++) {
		struct bh_err err = BH_ERR_INIT;
		int r;

		hold(cases[i].before);
		r = runc_config_add_hook(&text, &hook, &err);
		assert_int_equal(r, cases[i].after ? 0 : -EINVAL);
		if (!cases[i].after) {
			assert_non_null(strstr(err.msg, "config.json"));
			continue;
		}
		assert_string_equal(text.data, cases[i].after);
		assert_int_equal(runc_config_add_hook(&text, &hook, &err), 0); /* once is enough */
		assert_string_equal(text.data, cases[i].after);
	}
}

/* Whoever made the bundle does not keep us out by a hook that looks like ours. */
static void test_almost_ours(void **state)
{
	struct bh_err err = BH_ERR_INIT;

	hold("{\"hooks\":{\"createRuntime\":[{\"path\":\"/usr/sbin/hook\",\"args\":[\"hook\","
	     "\"--without-daemon\",\"quarantine\"]}]}}");
	assert_int_equal(runc_config_add_hook(&text, &hook, &err), 0);
	assert_non_null(strstr(text.data, HOOK));
}

/* --- capabilities --------------------------------------------------------------------------------- */

static void test_caps(void **state)
{
	struct bh_err err = BH_ERR_INIT;

	hold("{\"process\":{\"capabilities\":{\"bounding\":[\"CAP_CHOWN\",\"CAP_NET_RAW\","
	     "\"CAP_KILL\"],\"ambient\":[\"cap_net_raw\"],\"inheritable\":null,"
	     "\"permitted\":[]}},\"linux\":{\"seccomp\":{\"defaultAction\":\"SCMP_ACT_KILL\"}}}");
	assert_false(runc_config_denies_raw(text.data, text.len));
	assert_int_equal(runc_config_deny_raw(&text, &err), 0);
	assert_string_equal(text.data,
			    "{\"process\":{\"capabilities\":{\"bounding\":[\"CAP_CHOWN\","
			    "\"CAP_KILL\"],\"ambient\":[],\"inheritable\":null,\"permitted\":[]}},"
			    "\"linux\":{\"seccomp\":{\"defaultAction\":\"SCMP_ACT_KILL\","
			    "\"syscalls\":[]}},"
			    "\"annotations\":{\"bulkhead.raw-sockets\":\"denied\"}}");
	assert_true(runc_config_denies_raw(text.data, text.len));
	hold("{\"args\":[\"sh\"],\"capabilities\":{\"effective\":[\"CAP_NET_RAW\"]}}");
	assert_int_equal(runc_process_deny_raw(&text, &err), 0);
	assert_string_equal(text.data, "{\"args\":[\"sh\"],\"capabilities\":{\"effective\":[]}}");
	hold("{\"capabilities\":{\"effective\":{}}}");
	assert_int_equal(runc_process_deny_raw(&text, &err), -EINVAL);
}

#define ID "83d134ff279647cec29cc8684c17a2d6f7cd6b7cd01786a17ce13695df968522"

static void test_podman_id(void **state)
{
	static const struct {
		const char *config;
		bool found;
	} cases[] = {
		{ "{\"linux\":{\"cgroupsPath\":\"/libpod_parent/libpod-" ID "\"}}", true },
		{ "{\"linux\":{\"cgroupsPath\":\"machine.slice:libpod:" ID "\"}}", true },
		{ "{\"linux\":{\"cgroupsPath\":\"\"},\"mounts\":[{},{\"source\":\"/run/x/" ID
		  "/userdata/.containerenv\"}]}",
		  true },
		{ "{\"linux\":{\"cgroupsPath\":\"/a" ID "\"}}", false },
		{ "{\"linux\":{\"cgroupsPath\":\"/x-0123\"}}", false },
		{ "{\"mounts\":[{\"source\":\"/userdata/.containerenv\"},{\"source\":1}]}", false },
		{ "{}", false },
		{ "[]", false },
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(cases); i++) {
		struct bh_err err = BH_ERR_INIT;
		char id[RUNC_ID_SIZE];
		int r = runc_config_podman_id(cases[i].config, strlen(cases[i].config), id, &err);

		assert_int_equal(r, cases[i].found ? 0 : -EINVAL);
		if (cases[i].found)
			assert_string_equal(id, ID);
	}
}

/* --- seccomp: what the profile says of socket(2), before and after -------------------------------- */

#define RAW_1 17
#define RAW_2 44

static bool holds(json_t *arg, const uint64_t args[3])
{
	const char *op = json_string_value(json_object_get(arg, "op"));
	uint64_t index = (uint64_t)json_integer_value(json_object_get(arg, "index"));
	uint64_t v = (uint64_t)json_integer_value(json_object_get(arg, "value")), a = args[index];
	uint64_t v2 = (uint64_t)json_integer_value(json_object_get(arg, "valueTwo"));

	return strcmp(op, "SCMP_CMP_EQ") == 0   ? a == v
	       : strcmp(op, "SCMP_CMP_NE") == 0 ? a != v
	       : strcmp(op, "SCMP_CMP_LT") == 0 ? a < v
	       : strcmp(op, "SCMP_CMP_LE") == 0 ? a <= v
	       : strcmp(op, "SCMP_CMP_GT") == 0 ? a > v
	       : strcmp(op, "SCMP_CMP_GE") == 0 ? a >= v
						: (a & v) == v2;
}

/* Conditions on one argument are OR when there are several of them, as runc has it. */
static bool rule_holds(json_t *rule, const uint64_t args[3])
{
	unsigned of[3] = { 0 };
	bool all = true, any = false, repeated = false;
	json_t *arg;
	size_t i;

	json_array_foreach (json_object_get(rule, "args"), i, arg) {
		repeated |= of[json_integer_value(json_object_get(arg, "index"))]++ > 0;
		all &= holds(arg, args);
		any |= holds(arg, args);
	}
	return repeated ? any : all;
}

static bool passes(const char *action)
{
	return strcmp(action, "SCMP_ACT_ALLOW") == 0 || strcmp(action, "SCMP_ACT_LOG") == 0;
}

static bool may(json_t *config, uint64_t family, uint64_t type, uint64_t proto)
{
	json_t *profile = json_object_get(json_object_get(config, "linux"), "seccomp"), *rule,
	       *name;
	const uint64_t args[3] = { family, type, proto };
	const char *found = NULL;
	size_t i, k;

	json_array_foreach (json_object_get(profile, "syscalls"), i, rule)
		json_array_foreach (json_object_get(rule, "names"), k, name)
			if (strcmp(json_string_value(name), "socket") == 0 &&
			    rule_holds(rule, args) &&
			    (!found || !passes(json_string_value(json_object_get(rule, "action")))))
				found = json_string_value(json_object_get(rule, "action"));
	return passes(found ? found : json_string_value(json_object_get(profile, "defaultAction")));
}

static json_t *load(const char *s)
{
	json_t *o = json_loads(s, 0, NULL);

	assert_non_null(o);
	return o;
}

/* Nothing raw, in whatever the kernel does not look at; all else as it was. */
static void check_profile(const char *before)
{
	struct bh_err err = BH_ERR_INIT;
	json_t *old = load(before), *new;

	hold(before);
	assert_int_equal(runc_seccomp_deny_raw(&text, &err), 0);
	new = load(text.data);
	for (uint64_t f = 0; f < 64; f++)
		for (uint64_t proto = 0; proto < 12; proto++) {
			bool raw = f == RAW_1 || f == RAW_2;

			assert_int_equal(may(new, f, 3, proto), !raw && may(old, f, 3, proto));
			if (raw)
				assert_false(may(new, (UINT64_C(1) << 32) + f, 3, proto));
		}
	json_decref(old);
	json_decref(new);
	bh_autofree char *once = strdup(text.data);
	assert_int_equal(runc_seccomp_deny_raw(&text, &err), 0);
	assert_string_equal(text.data, once);
}

#define PROFILE(action, rules)                                                                     \
	"{\"linux\":{\"seccomp\":{\"defaultAction\":\"" action "\",\"syscalls\":[" rules "]}}}"
#define ALLOW_IF(args) "{\"names\":[\"socket\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[" args "]}"
#define ARG(index, op, value)                                                                      \
	"{\"index\":" #index ",\"op\":\"SCMP_CMP_" #op "\",\"value\":" #value "}"

static void test_seccomp(void **state)
{
	/* Docker 20.10, 23, containers-common, unconfined, and odder ones */
	check_profile(PROFILE("SCMP_ACT_ERRNO", "{\"names\":[\"accept\",\"socket\",\"bind\"],"
						"\"action\":\"SCMP_ACT_ALLOW\"}"));
	check_profile(PROFILE("SCMP_ACT_ERRNO", ALLOW_IF(ARG(0, NE, 40))));
	check_profile(PROFILE(
		"SCMP_ACT_ERRNO",
		"{\"names\":[\"socket\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":22,\"args\":"
		"[" ARG(0, EQ, 16) "," ARG(2, EQ, 9) "]}," ALLOW_IF(ARG(2, NE, 9)) "," ALLOW_IF(
			ARG(0, NE, 16)) "," ALLOW_IF(ARG(2, NE, 9))));
	check_profile(PROFILE("SCMP_ACT_ALLOW", ""));
	check_profile(PROFILE("SCMP_ACT_LOG", ""));
	check_profile(PROFILE("SCMP_ACT_KILL", ALLOW_IF(ARG(0, LE, 20) "," ARG(2, LT, 9))));
	check_profile(PROFILE("SCMP_ACT_TRAP", ALLOW_IF(ARG(0, LE, 3) "," ARG(0, GE, 40))));
	check_profile(PROFILE("SCMP_ACT_ERRNO", ALLOW_IF(ARG(0, GT, 15) "," ARG(1, EQ, 3))));
	check_profile(PROFILE(
		"SCMP_ACT_ERRNO",
		ALLOW_IF(
			"{\"index\":0,\"op\":\"SCMP_CMP_MASKED_EQ\",\"value\":1,\"valueTwo\":1}")));
	check_profile(
		PROFILE("SCMP_ACT_ALLOW", "{\"names\":[\"socket\"],\"action\":\"SCMP_ACT_LOG\"}"));
	check_profile(PROFILE("SCMP_ACT_ERRNO", ""));
}

/* The error is EPERM, also where the profile has another for what it does not name (Podman's: ENOSYS). */
static void test_error(void **state)
{
	struct bh_err err = BH_ERR_INIT;

	hold("{\"linux\":{\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":38,"
	     "\"syscalls\":[]}}}");
	assert_int_equal(runc_seccomp_deny_raw(&text, &err), 0);
	assert_non_null(strstr(text.data,
			       "\"SCMP_ACT_ERRNO\",\"errnoRet\":1,\"args\":[{\"index\":0,"
			       "\"value\":4294967295,\"valueTwo\":17,"));
	assert_non_null(strstr(text.data, "\"valueTwo\":44,"));
}

static void test_no_profile(void **state)
{
	static const char *const texts[] = { "{\"linux\":{}}", "{\"linux\":{\"seccomp\":null}}" };

	for (size_t i = 0; i < BH_ARRAY_SIZE(texts); i++) {
		struct bh_err err = BH_ERR_INIT;
		json_t *o;

		hold(texts[i]);
		assert_int_equal(runc_seccomp_deny_raw(&text, &err), 0);
		o = load(text.data);
		assert_false(may(o, RAW_1, 3, 0));
		assert_false(may(o, RAW_2, 3, 0));
		assert_true(may(o, 2, 1, 0));
		json_decref(o);
	}
}

/* Other rules stay as they are, also with numbers that no integer holds. */
static void test_others(void **state)
{
	struct bh_err err = BH_ERR_INIT;

	hold(PROFILE("SCMP_ACT_KILL",
		     "{\"names\":[\"personality\"],  \"action\":\"SCMP_ACT_ALLOW\",\"args\":[" ARG(
			     0, EQ, 18446744073709551615) "]}"));
	bh_autofree char *before = strdup(text.data);
	assert_int_equal(runc_seccomp_deny_raw(&text, &err), 0);
	assert_string_equal(text.data, before);
}

static void test_refused(void **state)
{
	static const char *const texts[] = {
		"{\"linux\":{\"seccomp\":[]}}",
		PROFILE("SCMP_ACT_ERRNO", ALLOW_IF(ARG(0, LIKE, 1))),
		PROFILE("SCMP_ACT_ERRNO", ALLOW_IF(ARG(0, EQ, 18446744073709551615))),
		"{\"linux\":{\"seccomp\":{\"syscalls\":{}}}}",
		"{\"linux\":{\"seccomp\":{},\"Seccomp\":{}}}",
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(texts); i++) {
		struct bh_err err = BH_ERR_INIT;

		hold(texts[i]);
		assert_int_equal(runc_seccomp_deny_raw(&text, &err), -EINVAL);
		assert_non_null(strstr(err.msg, "seccomp"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hook),    cmocka_unit_test(test_almost_ours),
		cmocka_unit_test(test_caps),    cmocka_unit_test(test_podman_id),
		cmocka_unit_test(test_seccomp), cmocka_unit_test(test_no_profile),
		cmocka_unit_test(test_error),   cmocka_unit_test(test_others),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, tear_down);
}
