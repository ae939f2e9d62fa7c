/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fixture.h"

/* What stands in the environment of a plugin. */

#define LONG_NAME "abcdefghijklmnop" /* 16: the kernel's names end with a NUL within that */

static const struct {
	struct cni_environment e;
	const char *says; /* NULL: it is right */
} cases[] = {
	{ { "ADD", "id-1", "/run/netns/a", "eth0", "" }, NULL },
	{ { "ADD", "0_.-", "/run/netns/a", "a.b", "A=b" }, NULL },
	{ { "VERSION", "../..", "x", "/", NULL }, NULL },
	{ { "STATUS", NULL, NULL, NULL, NULL }, NULL },
	{ { "GC", "", "", "", "" }, NULL },
	{ { "DEL", "id", NULL, "eth0", NULL }, NULL },
	{ { "DEL", "id", "not a path", "eth0", NULL }, NULL },
	{ { NULL, "id", "/n", "eth0", NULL }, "CNI_COMMAND" },
	{ { "add", "id", "/n", "eth0", NULL }, "CNI_COMMAND" },
	{ { "ADD", NULL, NULL, NULL, NULL }, "CNI_CONTAINERID, CNI_NETNS, CNI_IFNAME" },
	{ { "CHECK", "id", "", "eth0", NULL }, ": CNI_NETNS" },
	{ { "ADD", "id", "run/netns/a", "eth0", NULL }, ": CNI_NETNS" },
	{ { "ADD", "../../etc", "/n", "eth0", NULL }, ": CNI_CONTAINERID" },
	{ { "ADD", ".", "/n", "eth0", NULL }, ": CNI_CONTAINERID" },
	{ { "ADD", "a/b", "/n", "eth0", NULL }, ": CNI_CONTAINERID" },
	{ { "DEL", "a\n", "/n", "eth0", NULL }, ": CNI_CONTAINERID" },
	{ { "ADD", "\xc3\xa9", "/n", "eth0", NULL }, ": CNI_CONTAINERID" },
	{ { "ADD", "id", "/n", LONG_NAME, NULL }, ": CNI_IFNAME" },
	{ { "ADD", "id", "/n", "..", NULL }, ": CNI_IFNAME" },
	{ { "ADD", "id", "/n", "a/b", NULL }, ": CNI_IFNAME" },
	{ { "ADD", "id", "/n", "a:b", NULL }, ": CNI_IFNAME" },
	{ { "ADD", "id", "/n", "a b", NULL }, ": CNI_IFNAME" },
};

static void judges(void **state)
{
	for (size_t i = 0; i < BH_ARRAY_SIZE(cases); i++) {
		enum cni_command command;
		struct cni_error err = CNI_ERROR_INIT;
		int r = cni_environment_check(&cases[i].e, &command, &err);

		if (!cases[i].says != (r == 0))
			fail_msg("case %zu: %d: %s", i, r, err.err.msg);
		if (r == 0)
			continue;
		assert_int_equal(err.code, CNI_INVALID_ENVIRONMENT);
		if (!strstr(err.err.msg, cases[i].says))
			fail_msg("case %zu: %s", i, err.err.msg);
	}
}

static void has_limits(void **state)
{
	char *args = malloc(BH_CNI_ARGS_MAX + 2), id[BH_CNI_ID_MAX + 2];
	struct cni_environment e = { "ADD", id, "/n", "eth0", args };
	enum cni_command command;

	memset(args, 'a', BH_CNI_ARGS_MAX + 1);
	args[BH_CNI_ARGS_MAX + 1] = '\0';
	memset(id, 'a', sizeof(id) - 1);
	id[sizeof(id) - 1] = '\0';
	error = (struct cni_error)CNI_ERROR_INIT;
	assert_true(cni_environment_check(&e, &command, &error) < 0);
	assert_string_equal(error.err.msg, "missing or invalid: CNI_CONTAINERID, CNI_ARGS");
	args[BH_CNI_ARGS_MAX] = id[BH_CNI_ID_MAX] = '\0';
	assert_int_equal(cni_environment_check(&e, &command, &error), 0);
	assert_int_equal(command, CNI_ADD);
	free(args);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(judges),
		cmocka_unit_test(has_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
