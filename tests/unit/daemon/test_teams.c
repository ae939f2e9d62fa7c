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

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/policy/policy.h>

#include "../../../src/daemon/teams.h"

/* What a team may make of what there is. */

#define WEB    "{service: web, owner: a, select: {labels: {app: web}}}\n---\n"
#define DB     "{service: db, owner: b, select: {labels: {app: db}}}\n---\n"
#define NOBODY "{service: free, select: {labels: {app: free}}}\n---\n"

static const char *const owner_a[] = { "a" };
static const struct ctl_grant team = {
	.id = 1000, .role = CTL_ROLE_OPERATOR, .owners = owner_a, .n_owners = 1
};
static const struct ctl_grant viewer_of_b = { .id = 1000, .role = CTL_ROLE_VIEWER };
static char said[65536];
static struct bh_err err;

static void hear(const char *line, void *arg)
{
	strcat(strcat(said, line), "\n");
}

static void load(struct site *s, const char *yaml, const char *host)
{
	struct policy_source src = { "p.yaml", yaml, strlen(yaml) };
	struct policy_source h = { "h.yaml", host, host ? strlen(host) : 0 };
	struct diag_list diags;
	struct endpoint_builder *b = endpoint_builder_new();

	diag_list_init(&diags);
	site_init(s);
	assert_int_equal(policy_parse(&src, 1, &s->policies, &diags, &err), 0);
	if (host)
		assert_int_equal(host_config_parse(&h, &s->host, &diags, &err), 0);
	for (const char *const *name = (const char *const[]) { "web", "db", NULL }; *name; name++) {
		const struct label label = { "app", *name };
		const struct endpoint e = { .id = *name,
					    .name = *name,
					    .runtime = ENDPOINT_NETNS,
					    .labels = &label,
					    .n_labels = 1 };

		assert_int_equal(endpoint_builder_add(b, &e, &err), 0);
	}
	assert_int_equal(endpoint_builder_finish(b, &s->endpoints, &err), 0);
	endpoint_builder_free(b);
	assert_int_equal(site_compile(s, false, &diags, &err), 0);
	diag_list_done(&diags);
}

static int judge_hosts(const struct ctl_peer *peer, const char *old, const char *old_host,
		       const char *new, const char *new_host)
{
	struct site before, next;
	int r;

	said[0] = '\0';
	err = (struct bh_err)BH_ERR_INIT;
	load(&before, old, old_host);
	load(&next, new, new_host);
	r = teams_judge(peer, &before, &next, hear, NULL, &err);
	site_done(&before);
	site_done(&next);
	return r;
}

static int judge(const char *old, const char *new)
{
	const struct ctl_grant *const grants[] = { &team, &viewer_of_b };
	const struct ctl_peer peer = {
		.uid = 1000, .role = CTL_ROLE_OPERATOR, .grants = grants, .n_grants = 2
	};

	return judge_hosts(&peer, old, NULL, new, NULL);
}

static void assert_refused(const char *old, const char *new, const char *part)
{
	assert_int_equal(judge(old, new), -EACCES);
	if (!strstr(said, part))
		fail_msg("'%s' is not in '%s'", part, said);
	assert_non_null(strstr(err.msg, "user 1000"));
}

static void its_own(void **state)
{
	assert_int_equal(judge(WEB DB, WEB DB), 0);
	assert_int_equal(judge(WEB DB, DB), 0);
	assert_int_equal(judge(DB, WEB DB), 0);
	assert_int_equal(
		judge(WEB DB,
		      "{service: web, owner: a, select: {name: web}, mode: audit}\n---\n" DB),
		0);
	assert_string_equal(said, "");
}

static void of_others(void **state)
{
	assert_refused(WEB DB, WEB, "p.yaml:3: service db is gone, and belonged to b");
	assert_refused(WEB, WEB DB, "p.yaml:3: service db is new, and is to belong to b");
	assert_refused(WEB NOBODY, WEB,
		       "service free is gone, and belonged to nobody in particular");
	assert_refused(WEB DB, WEB "{service: db, owner: a, select: {labels: {app: db}}}\n",
		       "service db is changed, and belonged to b");
	assert_refused(WEB DB, "{service: web, owner: b, select: {labels: {app: web}}}\n---\n" DB,
		       "service web is changed, and is to belong to b");
	assert_refused(WEB, WEB "{group: g, cidrs: [192.0.2.0/24]}\n", "group g is new");
	assert_refused(WEB, WEB "{scope: s}\n", "scope s is new");
	assert_refused(WEB "{guardrail: g, select: {all: true}, deny: [{to: [{entity: host}]}]}\n",
		       WEB, "guardrail g is gone");
}

static void all_are_named(void **state)
{
	assert_refused(WEB DB, "{group: g, cidrs: [192.0.2.0/24]}\n---\n{scope: s}\n---\n" WEB,
		       "service db");
	assert_non_null(strstr(said, "group g"));
	assert_non_null(strstr(said, "scope s"));
	assert_non_null(strstr(err.msg, "3 objects are not"));
}

static void boundaries(void **state)
{
	assert_refused("{scope: s}\n---\n" WEB,
		       "{scope: s}\n---\n{service: web, owner: a, scope: s, select: {labels: {app: "
		       "web}}}\n",
		       "service web is changed, and with it what a scope");
}

/* The union of two services: nobody adds to what another's containers may. */
static void containers_of_others(void **state)
{
	assert_refused(WEB DB, WEB DB "{service: thief, owner: a, select: {labels: {app: db}}}\n",
		       "p.yaml:5: service thief selects db, which is service db of b");
	assert_int_equal(judge(WEB DB, WEB DB "{service: more, owner: a, select: {name: web}}\n"),
			 0);
	/* Not for what it did not change. */
	assert_int_equal(judge(WEB DB "{service: thief, owner: a, select: {labels: {app: db}}}\n",
			       DB "{service: thief, owner: a, select: {labels: {app: db}}}\n"),
			 0);
}

static void the_host_file(void **state)
{
	const struct ctl_grant *const grants[] = { &team };
	const struct ctl_peer peer = {
		.uid = 1000, .role = CTL_ROLE_OPERATOR, .grants = grants, .n_grants = 1
	};

	assert_int_equal(judge_hosts(&peer, WEB, "strict: true\n", WEB, "strict: true\n"), 0);
	assert_int_equal(judge_hosts(&peer, WEB, "strict: true\n", WEB, "strict: false\n"),
			 -EACCES);
	assert_int_equal(judge_hosts(&peer, WEB, NULL, WEB, "\n"), -EACCES);
	assert_int_equal(judge_hosts(&peer, WEB, "\n", WEB, NULL), -EACCES);
}

/* Who is operator for everything, and the daemon itself. */
static void everything(void **state)
{
	const struct ctl_peer peer = { .uid = 1000,
				       .role = CTL_ROLE_OPERATOR,
				       .role_everything = CTL_ROLE_OPERATOR };

	assert_int_equal(judge_hosts(&peer, WEB DB, NULL, WEB, "strict: true\n"), 0);
	assert_int_equal(judge_hosts(NULL, WEB DB, NULL, WEB, "strict: true\n"), 0);
}

static void unknown_endpoints(void **state)
{
	const struct ctl_grant *const grants[] = { &team };
	const struct ctl_peer peer = {
		.uid = 1000, .role = CTL_ROLE_OPERATOR, .grants = grants, .n_grants = 1
	};
	struct selection *kept;
	struct site s;

	load(&s, WEB, NULL);
	kept = BH_STEAL_PTR(s.selection);
	assert_int_equal(teams_judge(&peer, &s, &s, hear, NULL, &err), -EAGAIN);
	s.selection = kept;
	site_done(&s);
}

static void many(void **state)
{
	static char yaml[32768];
	size_t len = 0;

	for (int i = 0; i < BH_FOREIGN_NAMED_MAX + 5; i++)
		len += (size_t)snprintf(yaml + len, sizeof(yaml) - len,
					"{service: s%d, owner: b, select: {name: s%d}}\n---\n", i,
					i);
	assert_refused(WEB, yaml, "and 5 more"); /* and web is gone, which is the team's own */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(its_own),
		cmocka_unit_test(of_others),
		cmocka_unit_test(all_are_named),
		cmocka_unit_test(boundaries),
		cmocka_unit_test(containers_of_others),
		cmocka_unit_test(the_host_file),
		cmocka_unit_test(everything),
		cmocka_unit_test(unknown_endpoints),
		cmocka_unit_test(many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
