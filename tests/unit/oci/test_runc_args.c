/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../../src/oci/runc.h"

#define ARGV(...) ((char *const *)(const char *const[]) { __VA_ARGS__ __VA_OPT__(, ) NULL })

static struct runc_call call;

static int parse(char *const argv[])
{
	struct bh_err err = BH_ERR_INIT;
	int r = runc_args_parse(argv, &call, &err);

	assert_true((r < 0) == (err.msg[0] != '\0'));
	return r;
}

/* As containerd's shim of Docker 20.10 calls it, and Podman's conmon. */
static void test_create(void **state)
{
	assert_int_equal(
		parse(ARGV("--root", "/run/r/moby", "--log", "/b/log.json", "--log-format", "json",
			   "create", "--bundle", "/b", "--pid-file", "/b/init.pid", "c1")),
		0);
	assert_int_equal(call.task, RUNC_START);
	assert_string_equal(call.bundle, "/b");
	assert_string_equal(call.id, "c1");
	assert_string_equal(call.log, "/b/log.json");
	assert_true(call.log_json);
	assert_int_equal(parse(ARGV("--systemd-cgroup", "create", "--bundle=/b", "--no-pivot", "-b",
				    "/c", "c1")),
			 0);
	assert_string_equal(call.bundle, "/c"); /* the last counts */
	assert_int_equal(parse(ARGV("-root=/r", "create", "c1", "-b", "/d")), 0);
	assert_string_equal(call.bundle, "/d");
	assert_int_equal(parse(ARGV("create", "c1")), 0);
	assert_string_equal(call.bundle, ".");
	assert_null(call.log);
}

static void test_all_that_start(void **state)
{
	static const char *const words[] = { "create", "run", "restore" };

	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(parse(ARGV("--debug", words[i], "--bundle", "/b", "c")), 0);
		assert_int_equal(call.task, RUNC_START);
	}
}

/* The value of an option is no subcommand, and no bundle. */
static void test_values(void **state)
{
	assert_int_equal(parse(ARGV("--root", "create", "kill", "c1")), 0);
	assert_int_equal(call.task, RUNC_PASS);
	assert_int_equal(parse(ARGV("--root", "kill", "create", "--pid-file", "--bundle", "c1")),
			 0);
	assert_int_equal(call.task, RUNC_START);
	assert_string_equal(call.bundle, ".");
	assert_string_equal(call.id, "c1");
	assert_int_equal(parse(ARGV("kill", "create", "KILL")), 0);
	assert_int_equal(call.task, RUNC_PASS);
	assert_int_equal(parse(ARGV("create", "--bundle")), 0); /* runc refuses it */
	assert_int_equal(parse(ARGV("create", "--", "-b", "/x")), 0);
	assert_string_equal(call.bundle, ".");
}

static void test_pass(void **state)
{
	assert_int_equal(parse(ARGV()), 0);
	assert_int_equal(call.task, RUNC_PASS);
	assert_int_equal(parse(ARGV("--version")), 0);
	assert_int_equal(call.task, RUNC_PASS);
	assert_int_equal(parse(ARGV("--log", "/l", "delete", "--force", "c1")), 0);
	assert_int_equal(call.task, RUNC_PASS);
	assert_int_equal(parse(ARGV("newverb", "c1")), 0);
	assert_int_equal(call.task, RUNC_PASS);
}

/* What may start something is understood or refused. */
static void test_refused(void **state)
{
	assert_int_equal(parse(ARGV("--new-option", "value", "create", "-b", "/b", "c1")), -EINVAL);
	assert_int_equal(parse(ARGV("--log", "/l", "wrap", "run", "c1")), -EINVAL);
	assert_string_equal(call.log, "/l");
	assert_int_equal(parse(ARGV("create", "--config", "/other.json", "c1")), -EINVAL);
	assert_int_equal(parse(ARGV("run", "-f", "/other.json", "c1")), -EINVAL);
}

static void test_exec(void **state)
{
	assert_int_equal(parse(ARGV("exec", "--process", "/tmp/p", "--detach", "c1")), 0);
	assert_int_equal(call.task, RUNC_EXEC);
	assert_string_equal(call.process, "/tmp/p");
	assert_string_equal(call.id, "c1");
	assert_int_equal(parse(ARGV("exec", "c1", "sh", "--process", "/tmp/p")), 0);
	assert_null(call.process);
}

static void test_options(void **state)
{
	char *const *argv = ARGV("--bundle");
	struct bh_err err = BH_ERR_INIT;
	struct runc_options o;
	char *const *rest;

	assert_int_equal(runc_options_parse(argv, &o, &rest, &err), 0);
	assert_ptr_equal(rest, argv);
	assert_int_equal(o.engine, ENDPOINT_DOCKER);
	assert_int_equal(
		runc_options_parse(ARGV("--bulkhead-runtime=/r", "--bulkhead-hook=/h",
					"--bulkhead-config=/c", "--bulkhead-socket=/s",
					"--bulkhead-engine=podman", "create", "--bulkhead-hook=/x"),
				   &o, &rest, &err),
		0);
	assert_string_equal(o.runtime, "/r");
	assert_string_equal(o.hook, "/h");
	assert_string_equal(o.config, "/c");
	assert_string_equal(o.socket, "/s");
	assert_int_equal(o.engine, ENDPOINT_PODMAN);
	assert_string_equal(rest[0], "create");
	assert_int_equal(runc_options_parse(ARGV("--bulkhead-runtime=r"), &o, &rest, &err),
			 -EINVAL);
	assert_int_equal(runc_options_parse(ARGV("--bulkhead-what"), &o, &rest, &err), -EINVAL);
	assert_int_equal(runc_options_parse(ARGV("--bulkhead-engine=lxc"), &o, &rest, &err),
			 -EINVAL);
}

static void test_runtime(void **state)
{
	struct bh_err err = BH_ERR_INIT;
	char out[64];

	assert_int_equal(runc_find_runtime("/bin/sh", out, sizeof(out), &err), 0);
	assert_string_equal(out, "/bin/sh");
	assert_int_equal(runc_find_runtime("/proc/self/exe", out, sizeof(out), &err), -ENOENT);
	assert_int_equal(runc_find_runtime("/etc/passwd", out, sizeof(out), &err), -ENOENT);
	assert_int_equal(runc_find_runtime("/nowhere", out, sizeof(out), &err), -ENOENT);
	assert_int_equal(runc_find_runtime("/bin/sh", out, 4, &err), -ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_create),  cmocka_unit_test(test_all_that_start),
		cmocka_unit_test(test_values),  cmocka_unit_test(test_pass),
		cmocka_unit_test(test_refused), cmocka_unit_test(test_exec),
		cmocka_unit_test(test_options), cmocka_unit_test(test_runtime),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
