/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/model/insecure.h>

static void test_find(void **state)
{
	static const struct {
		const char *port, *what; /* NULL: nothing is known of it */
		bool store;
	} cases[] = {
		{ "23/tcp", "telnet", false },
		{ "23/udp", NULL, false },
		{ "21/tcp", "FTP", false },
		{ "22/tcp", NULL, false },
		{ "443/tcp", NULL, false },
		{ "5432/tcp", "PostgreSQL without TLS", true },
		{ "5000-5500/tcp", "PostgreSQL without TLS", true },
		{ "27018/tcp", "MongoDB without TLS", true },
		{ "69/udp", "TFTP", false },
		{ "22-24/tcp", "telnet", false },
		{ "tcp", NULL, false }, /* names nothing */
		{ "any", NULL, false },
		{ "icmp", NULL, false },
		{ "icmp/23", NULL, false },
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(cases); i++) {
		const struct insecure_port *p;
		struct port_spec spec;
		const char *why;

		assert_int_equal(port_spec_parse(cases[i].port, &spec, &why), 0);
		p = insecure_port_find(&spec);
		if (!cases[i].what) {
			assert_null(p);
			continue;
		}
		assert_non_null(p);
		assert_string_equal(p->what, cases[i].what);
		assert_int_equal(p->store, cases[i].store);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_find) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
