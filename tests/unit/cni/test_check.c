/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fixture.h"

#include "../../../src/cni/plugin.h"

/* What CHECK makes of the daemon's word. */

static const struct {
	const char *item, *says; /* NULL: all is well */
} cases[] = {
	{ "{\"state\":\"protected\",\"finding\":false}", NULL },
	{ "{\"state\":\"audit\"}", NULL },
	{ "{\"state\":\"guarded\"}", NULL },
	{ "{\"state\":\"weak\",\"finding\":true,\"why\":\"it may open raw sockets\"}", NULL },
	{ "{\"state\":\"shared\",\"finding\":true}", NULL },
	{ "{\"state\":\"off\"}", NULL },
	{ "{\"state\":\"unmanaged\"}", NULL },
	{ "{\"state\":\"drift\",\"why\":\"chain input: rule 3 differs\"}",
	  "drift: chain input: rule 3 differs" },
	{ "{\"state\":\"unprotected\"}", "unprotected: " },
	{ "{\"state\":\"unreachable\",\"why\":\"x\"}", "unreachable: x" },
	{ "{\"state\":\"host-network\",\"why\":\"x\"}", "host-network: x" },
	{ "{\"state\":7}", "does not know" },
	{ "{}", "does not know" },
	{ NULL, "does not know" },
};

static void judges(void **state)
{
	for (size_t i = 0; i < BH_ARRAY_SIZE(cases); i++) {
		json_t *item = cases[i].item ? json_loads(cases[i].item, 0, NULL) : NULL;
		struct cni_error err = CNI_ERROR_INIT;
		int r = plugin_judge(item, &err);

		json_decref(item);
		if (!cases[i].says != (r == 0) ||
		    (r < 0 && (err.code != CNI_ALTERED || !strstr(err.err.msg, cases[i].says))))
			fail_msg("case %zu: %d, code %d: %s", i, r, err.code, err.err.msg);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(judges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
