/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "util.h"

#include <bulkhead/base/cleanup.h>
#include <bulkhead/model/changes.h>

/* What makes one policy set another, and what does not. */

#define WEB "{service: web, owner: a, select: {labels: {app: web, tier: '1'}}, dns: allow}\n"
#define DB  "{service: db, owner: b, select: {name: db}}\n"

static struct policy_set *before, *after;
static struct policy_change *changes;
static size_t n;

static void compare(const char *old, const char *new)
{
	struct bh_err err = BH_ERR_INIT;

	before = old ? parse_valid(old) : NULL;
	after = parse_valid(new);
	assert_int_equal(policy_changes(before, after, &changes, &n, &err), 0);
}

static void done(void)
{
	free(changes);
	policy_set_free(before);
	policy_set_free(after);
}

static void assert_same(const char *old, const char *new)
{
	compare(old, new);
	assert_int_equal(n, 0);
	done();
}

static void assert_one(const char *old, const char *new, enum policy_kind kind, const char *name,
		       bool boundary)
{
	compare(old, new);
	assert_int_equal(n, 1);
	assert_int_equal(changes[0].kind, kind);
	assert_string_equal(changes[0].name, name);
	assert_int_equal(changes[0].boundary, boundary);
	done();
}

static void layout_is_no_change(void **state)
{
	assert_same(WEB "---\n" DB, DB "---\n# moved\n" WEB);
	assert_same(WEB, "service: web\ndns: allow # order, too\nowner: a\nselect:\n  labels:\n"
			 "    tier: '1'\n    app: web\n");
}

/* What has several spellings means the same in all; a label is a text, whatever it is called. */
static void spelling_is_no_change(void **state)
{
	static const char *const spelt[][2] = {
		{ "egress: [{to: [{cidr: 192.0.2.9}], ports: [443]}]",
		  "egress: [{to: [{cidr: '192.0.2.9/32'}], ports: ['443/tcp']}]" },
		{ "ingress: [{from: [{cidr: '2001:DB8:0::/32', except: ['2001:db8::1/128']}]}]",
		  "ingress: [{from: [{cidr: '2001:db8::/32', except: ['2001:db8:0::1']}]}]" },
		{ "egress: [{to: [{entity: world}], ports: [icmp/8, 0080-81/tcp]}]",
		  "egress: [{to: [{entity: world}], ports: [icmp/echo-request, 80-81]}]" },
	};
	char a[256], b[256];

	for (size_t i = 0; i < BH_ARRAY_SIZE(spelt); i++) {
		snprintf(a, sizeof(a), "{service: s, select: {name: s}, %s}\n", spelt[i][0]);
		snprintf(b, sizeof(b), "{service: s, select: {name: s}, %s}\n", spelt[i][1]);
		assert_same(a, b);
	}
	assert_same("{group: g, cidrs: [192.0.2.1]}\n", "{group: g, cidrs: [192.0.2.1/32]}\n");
	assert_one("{service: s, select: {labels: {cidr: 192.0.2.1}}}\n",
		   "{service: s, select: {labels: {cidr: 192.0.2.1/32}}}\n", POLICY_SERVICE, "s",
		   false);
	assert_one("{service: s, select: {labels: {ports: 443}}}\n",
		   "{service: s, select: {labels: {ports: 443/tcp}}}\n", POLICY_SERVICE, "s",
		   false);
}

/* Every key that a service may have, and the values in it. */
static void every_key_counts(void **state)
{
	static const char *const others[] = {
		"mode: audit",
		"mode: off",
		"dns: allow",
		"on-deny: reject",
		"log: {denied: false}",
		"ingress: []",
		"egress: follow",
		"egress: [{to: [{cidr: 192.0.2.0/24}]}]",
		"egress: [{to: [{cidr: 192.0.2.0/24}], ports: [443/tcp]}]",
		"egress: [{to: [{cidr: 192.0.2.0/24}], ports: [444/tcp]}]",
		"egress: [{to: [{cidr: 192.0.2.0/24, except: [192.0.2.9/32]}], ports: [444/tcp]}]",
		"egress: [{to: [{cidr: 192.0.2.0/24}], ports: [444/tcp], reason: x}]",
		"egress: [{to: [{cidr: 192.0.2.0/24}], expires: '2030-01-01T00:00:00Z'}]",
		"ingress: [{from: [{cidr: 192.0.2.0/24}]}]",
	};
	char a[256], b[256];

	for (size_t i = 0; i < BH_ARRAY_SIZE(others); i++)
		for (size_t k = 0; k < BH_ARRAY_SIZE(others); k++) {
			snprintf(a, sizeof(a), "{service: s, select: {name: s}, %s}\n", others[i]);
			snprintf(b, sizeof(b), "{service: s, select: {name: s}, %s}\n", others[k]);
			if (i == k)
				assert_same(a, b);
			else
				assert_one(a, b, POLICY_SERVICE, "s", false);
		}
}

/* Keys are in no order, entries of lists are: no two trees are written alike. */
static void lists_and_texts(void **state)
{
	assert_one("{group: g, cidrs: [192.0.2.0/24, 198.51.100.0/24]}\n",
		   "{group: g, cidrs: [198.51.100.0/24, 192.0.2.0/24]}\n", POLICY_GROUP, "g",
		   false);
	assert_one("{service: s, select: {labels: {a: 'b', c: 'd'}}}\n",
		   "{service: s, select: {labels: {a: 'd', c: 'b'}}}\n", POLICY_SERVICE, "s",
		   false);
	assert_one("{service: s, select: {labels: {a: 'bc'}}}\n",
		   "{service: s, select: {labels: {ab: 'c'}}}\n", POLICY_SERVICE, "s", false);
}

static void owners(void **state)
{
	compare(WEB,
		"{service: web, owner: b, select: {labels: {app: web, tier: '1'}}, dns: allow}\n"
		"---\n" DB);
	assert_int_equal(n, 2);
	assert_string_equal(changes[0].name, "db");
	assert_false(changes[0].before);
	assert_true(changes[0].after);
	assert_null(changes[0].owner_before);
	assert_string_equal(changes[0].owner_after, "b");
	assert_string_equal(changes[1].owner_before, "a");
	assert_string_equal(changes[1].owner_after, "b");
	assert_int_equal(changes[1].loc.line, 1);
	done();
	compare(WEB "---\n" DB, DB);
	assert_int_equal(n, 1);
	assert_true(changes[0].before);
	assert_false(changes[0].after);
	assert_int_equal(changes[0].loc.line, 1); /* where it was */
	done();
	compare(NULL, WEB);
	assert_int_equal(n, 1);
	done();
}

static void kinds_in_order(void **state)
{
	compare(WEB,
		WEB "---\n{guardrail: g, select: {all: true}, deny: [{to: [{entity: host}]}]}\n"
		    "---\n{scope: s}\n---\n{group: a, cidrs: [192.0.2.0/24]}\n---\n" DB);
	assert_int_equal(n, 4);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(changes[i].kind, i);
	assert_string_equal(policy_kind_name(changes[3].kind), "guardrail");
	done();
}

#define SCOPE "{scope: s}\n---\n"
#define IN    "{service: web, scope: s, select: {labels: {app: web}}}\n"
#define OUT   "{service: web, select: {labels: {app: web}}}\n"

static void boundaries(void **state)
{
	assert_one(SCOPE OUT, SCOPE IN, POLICY_SERVICE, "web", true);
	assert_one(SCOPE IN, SCOPE OUT, POLICY_SERVICE, "web", true);
	assert_one(SCOPE, SCOPE IN, POLICY_SERVICE, "web", true);
	assert_one(SCOPE IN, SCOPE, POLICY_SERVICE, "web", true);
	assert_one(SCOPE IN, SCOPE "{service: web, scope: s, select: {labels: {app: other}}}\n",
		   POLICY_SERVICE, "web", true);
	assert_one(SCOPE IN,
		   SCOPE "{service: web, scope: s, select: {labels: {app: web}}, dns: allow}\n",
		   POLICY_SERVICE, "web", false);
	assert_one(SCOPE OUT, SCOPE "{service: web, select: {labels: {app: other}}}\n",
		   POLICY_SERVICE, "web", false);
}

/* A service that a guardrail names, wherever it does. */
static void named_by_a_guardrail(void **state)
{
	static const char *const rails[] = {
		"select: {services: [web]}, deny: [{to: [{entity: host}]}]",
		"select: {all: true}, deny: [{to: [{service: web}]}]",
		"select: {all: true}, deny: [{to: [{entity: host}], unless: [{service: web}]}]",
	};
	char a[512], b[512];

	for (size_t i = 0; i < BH_ARRAY_SIZE(rails); i++) {
		snprintf(a, sizeof(a), "{guardrail: g, %s}\n---\n" OUT, rails[i]);
		snprintf(b, sizeof(b), "{guardrail: g, %s}\n---\n%s", rails[i],
			 "{service: web, select: {labels: {app: other}}}\n");
		assert_one(a, b, POLICY_SERVICE, "web", true);
		snprintf(b, sizeof(b), "{guardrail: g, %s}\n---\n%s", rails[i],
			 "{service: web, select: {labels: {app: web}}, dns: allow}\n");
		assert_one(a, b, POLICY_SERVICE, "web", false);
	}
}

/* The bytes that were parsed, kept beside: the same set again. */
static void copied_files(void **state)
{
	const struct policy_source src[] = { { "a.yaml", WEB, sizeof(WEB) - 1 },
					     { "b.yaml", DB, sizeof(DB) - 1 } };
	struct policy_files *files = NULL;
	struct policy_set *a = NULL, *b = NULL;
	struct bh_err err = BH_ERR_INIT;
	struct diag_list diags;
	size_t count;

	diag_list_init(&diags);
	assert_int_equal(policy_files_copy(src, 2, &files, &err), 0);
	assert_int_equal(policy_files_parse(files, &a, &diags, &err), 0);
	assert_int_equal(policy_parse(src, 2, &b, &diags, &err), 0);
	assert_string_equal(a->digest, b->digest);
	assert_string_equal(policy_files_sources(files, &count)[1].name, "b.yaml");
	assert_int_equal(count, 2);
	policy_set_free(a);
	policy_set_free(b);
	policy_files_free(files);
	diag_list_done(&diags);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(layout_is_no_change),
		cmocka_unit_test(spelling_is_no_change),
		cmocka_unit_test(every_key_counts),
		cmocka_unit_test(lists_and_texts),
		cmocka_unit_test(owners),
		cmocka_unit_test(kinds_in_order),
		cmocka_unit_test(boundaries),
		cmocka_unit_test(named_by_a_guardrail),
		cmocka_unit_test(copied_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
