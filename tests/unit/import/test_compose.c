/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <bulkhead/base/limits.h>
#include <bulkhead/import/compose.h>

/* What is read of a Compose file. What is made of whole ones: tests/cli/init.bats. */

static struct compose_import *c;
static struct diag_list diags;

static int import(const char *text, const char *project, const char *directory)
{
	struct policy_source src = { "compose.yaml", text, strlen(text) };
	struct bh_err err = BH_ERR_INIT;

	c = NULL;
	diag_list_init(&diags);
	return compose_import(&src, project, directory, &c, &diags, &err);
}

static void done(void)
{
	compose_import_free(c);
	diag_list_done(&diags);
}

/* PART stands in the policy of service NUMBER. */
static void assert_part(const char *text, size_t number, const char *part)
{
	assert_int_equal(import(text, "p", ""), 0);
	assert_true(number < c->n);
	if (!strstr(c->policies[number].text, part))
		assert_string_equal(c->policies[number].text, part);
	done();
}

static void assert_not_part(const char *text, size_t number, const char *part)
{
	assert_int_equal(import(text, "p", ""), 0);
	assert_true(number < c->n);
	assert_null(strstr(c->policies[number].text, part));
	done();
}

static void assert_mistake(const char *text, const char *id, unsigned line)
{
	assert_int_equal(import(text, "p", ""), -EINVAL);
	assert_int_equal(diags.errors, 1);
	assert_string_equal(diags.d[0].id, id);
	assert_int_equal(diags.d[0].line, line);
	done();
}

static void names(void **state)
{
	assert_int_equal(import("services: {Web_1.x: {}}\n", NULL, "_-My App!"), 0);
	assert_string_equal(c->policies[0].name, "myapp-web-1-x");
	assert_non_null(strstr(c->policies[0].text, "\n  compose: myapp/Web_1.x\n"));
	done();
	assert_int_equal(import("name: shop_2\nservices: {web: {}}\n", NULL, "x"), 0);
	assert_string_equal(c->policies[0].name, "shop-2-web");
	done();
	assert_int_equal(import("services: {web: {}}\n", NULL, "!!!"), -EINVAL);
	assert_string_equal(diags.d[0].id, "compose-project");
	done();
	assert_mistake("services: {a.b: {}, a_b: {}}\n", "compose-name", 1);
}

#define PORTS(list) "services: {s: {ports: [" list "]}}\n"

static void ports(void **state)
{
	static const char *const spelt[][2] = {
		{ "80", "ports: [80/tcp]" },
		{ "'8080:80'", "ports: [80/tcp]" },
		{ "'0.0.0.0:8080:80/udp'", "ports: [80/udp]" },
		{ "'3000-3002:4000-4002'", "ports: [4000-4002/tcp]" },
		{ "'${A:-1:2}:80'", "ports: [80/tcp]" },
		{ "'[::]:80:80', '80:80'", "ports: [80/tcp]" },
		{ "'80:80', '80:80/udp', '81:80'", "ports: [80/tcp, 80/udp]" },
		{ "{target: 80, protocol: sctp}", "ports: [80/sctp]" },
		{ "{target: '80', published: '${P}', mode: host}", "ports: [80/tcp]" },
		{ "'$$80:80'", "ports: [80/tcp]" },
	};
	char text[256];

	for (size_t i = 0; i < sizeof(spelt) / sizeof(spelt[0]); i++) {
		snprintf(text, sizeof(text), PORTS("%s"), spelt[i][0]);
		assert_part(text, 0, spelt[i][1]);
		assert_part(text, 0, "from: [{entity: world}, {entity: host}]");
	}
	assert_part(PORTS("'127.0.0.1:80:80', '[::1]:81:81', {target: 82, host_ip: 127.1.1.1}"), 0,
		    "from: [{entity: host}]\n    ports: [80/tcp, 81/tcp, 82/tcp]");
	assert_not_part(PORTS("'127.0.0.1:80:80'"), 0, "world}, {");
	/* The wider of the two. */
	assert_part(PORTS("'127.0.0.1:80:80', '80:80'"), 0, "{entity: world}, {entity: host}]");
	assert_part("services: {s: {expose: [80], ports: ['127.0.0.1:80:80']}}\n", 0,
		    "from: [{entity: host}]\n    ports: [80/tcp]");
}

static void bad_ports(void **state)
{
	static const char *const bad[] = { "0",
					   "65536",
					   "9-8",
					   "'80/icmp'",
					   "x",
					   "''",
					   "'80:'",
					   "-1",
					   "'80/'",
					   "' 80'",
					   "{published: 80}",
					   "[80]",
					   "{target: [80]}",
					   "any",
					   "tcp" };
	char text[256];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), PORTS("%s"), bad[i]);
		assert_int_equal(import(text, "p", ""), -EINVAL);
		assert_int_equal(diags.errors, 1);
		done();
	}
}

/* What depends on the environment is told, twice, and nothing is made of it. */
static void variables(void **state)
{
	assert_int_equal(import(PORTS("'80:${PORT:-80}', '443'"), "p", ""), 0);
	assert_int_equal(diags.warnings, 1);
	assert_string_equal(diags.d[0].id, "compose-variable");
	assert_non_null(
		strstr(c->policies[0].text, "# The port \"80:${PORT:-80}\" (compose.yaml:1)"));
	assert_non_null(strstr(c->policies[0].text, "    ports: [443/tcp]\n"));
	done();
	assert_int_equal(import(PORTS("'${IP}:80:80'"), "p", ""), 0);
	assert_int_equal(diags.warnings, 1);
	assert_non_null(strstr(c->policies[0].text, "depends on a variable"));
	done();
	assert_mistake("services: {s: {network_mode: '$X'}}\n", "compose-variable", 1);
}

static void who_needs_whom(void **state)
{
	static const char shared[] =
		"services:\n  a: {depends_on: [b]}\n  b: {expose: [1]}\n  c: {}\n";
	static const char apart[] = "services:\n  a: {depends_on: [b], networks: [x]}\n  b: {}\n"
				    "networks: {x: }\n";

	assert_part(shared, 0, "  - to: [{service: p-b}]\n    ports: [1/tcp]\n");
	assert_part(shared, 0, "\ndns: allow\n");
	assert_part(shared, 1,
		    "      - service: p-a  # depends_on, compose.yaml:2\n    ports: [1/tcp]");
	assert_part(shared, 1, "Without a policy c could connect to it");
	assert_not_part(shared, 1, "dns:");
	assert_part(shared, 2, "ingress: []\n");
	assert_part(apart, 0, "share no network");
	assert_part(apart, 0, "egress: []\n");
	assert_not_part(apart, 1, "service: p-a");
	/* Once, however often it is said, and never itself. */
	assert_part("services: {a: {links: [b, 'b:x', a], depends_on: [b]}, b: {}}\n", 1,
		    "    from:\n      - service: p-a  # links, compose.yaml:1\n\n");
	assert_mistake("services: {a: {depends_on: [b]}}\n", "compose-service", 1);
	assert_part("services: {a: {depends_on: {b: {required: false}}}}\n", 0, "egress: []\n");
	/* Those of whom it shares the namespace with. */
	assert_part("services:\n  a: {network_mode: 'service:b', depends_on: [d]}\n"
		    "  b: {networks: [n]}\n  d: {networks: [n]}\nnetworks: {n: {}}\n",
		    0, "- to: [{service: p-d}]\n");
	assert_part("services: {a: {network_mode: 'service:a', links: [b]}, b: {}}\n", 0,
		    "egress: []\n");
}

static void merge_keys(void **state)
{
	static const char text[] =
		"x: &x {expose: [1], depends_on: [b]}\ny: &y {expose: [2]}\n"
		"services:\n  a: {<<: [*y, *x]}\n  b: {<<: *x, expose: [3], depends_on: []}\n"
		"  d: *y\n";

	assert_part(text, 0, "- to: [{service: p-b}]\n    ports: [3/tcp]");
	assert_not_part(text, 1, "\n  - to:");
	assert_int_equal(import(text, "p", ""), 0);
	assert_int_equal(c->n, 3);
	done();
	assert_mistake("services: {a: &a {<<: *a}}\n", "compose-size", 1);
	assert_mistake("services: {a: {<<: x}}\n", "wrong-type", 1);
	assert_mistake("services: {a: {image: x,\n image: y}}\n", "duplicate-key", 2);
	assert_mistake("services: {a: {ports: !reset []}}\n", "compose-tag", 1);
}

static void files_that_are_none(void **state)
{
	assert_mistake("", "compose-empty", 0);
	assert_mistake("services: {}\n", "compose-size", 1);
	assert_mistake("services:\n", "wrong-type", 1);
	assert_mistake("web: {}\n", "compose-empty", 1);
	assert_mistake("- x\n", "wrong-type", 1);
	assert_mistake("services: {a: {}}\n---\nservices: {b: {}}\n", "compose-second", 3);
	assert_mistake("services: [\n", "yaml-syntax", 2);
	assert_mistake("services: {\"a\\0\": {}}\n", "not-text", 1);
}

static void limits(void **state)
{
	struct bh_err err = BH_ERR_INIT;
	size_t len = 0, size = 64 << 10;
	char *text = malloc(size);
	struct policy_source src = { "compose.yaml", text, 0 };

	len += (size_t)snprintf(text, size, "services:\n");
	for (unsigned i = 0; i <= BH_COMPOSE_SERVICES_MAX; i++)
		len += (size_t)snprintf(text + len, size - len, "  s%u: {}\n", i);
	src.len = len;
	diag_list_init(&diags);
	c = NULL;
	assert_int_equal(compose_import(&src, "p", "", &c, &diags, &err), -EINVAL);
	assert_string_equal(diags.d[0].text, "more than 1000 services");
	done();
	len = (size_t)snprintf(text, size, "services: {a: {expose: [");
	for (unsigned i = 1; i <= BH_COMPOSE_PORTS_MAX + 1; i++)
		len += (size_t)snprintf(text + len, size - len, "%u,", i);
	len += (size_t)snprintf(text + len, size - len, "]}}\n");
	assert_mistake(text, "compose-size", 1);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(ports),
		cmocka_unit_test(bad_ports),
		cmocka_unit_test(variables),
		cmocka_unit_test(who_needs_whom),
		cmocka_unit_test(merge_keys),
		cmocka_unit_test(files_that_are_none),
		cmocka_unit_test(limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
