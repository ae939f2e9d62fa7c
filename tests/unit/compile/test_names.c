/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "../../../src/compile/names.h"

#include <errno.h>
#include <netinet/in.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/compile/compile.h>

#include "fixture.h"

static const char *slug_of(struct fx *f, const struct service *s, enum direction d, size_t i)
{
	const char *slugs[FX_RULES];

	assert_int_equal(names_of_rules(f->arena, s, d, slugs), 0);
	return slugs[i];
}

static void test_derived(void **state)
{
	struct fx f;
	struct service *s;
	struct rule *r;
	size_t n;

	fx_init(&f);
	s = fx_service(&f, "pay");
	fx_peer_service(fx_rule(&f, s, DIRECTION_INGRESS, NULL, "8443/tcp"), "web");
	fx_peer_cidr(&f, fx_rule(&f, s, DIRECTION_EGRESS, NULL, "443/tcp"), "10.0.0.0/8", NULL);
	fx_peer_service(fx_rule(&f, s, DIRECTION_EGRESS, NULL, "any"), "ledger");
	r = fx_rule(&f, s, DIRECTION_EGRESS, NULL, "icmp/echo-request,53/udp");
	fx_peer_entity(r, ENTITY_WORLD);
	fx_peer(r)->labels = fx_labels(&f, "Tier=A B", &n);
	((struct peer *)r->peers)[1].n_labels = 1;
	fx_rule(&f, s, DIRECTION_EGRESS, NULL, "tcp");
	assert_string_equal(slug_of(&f, s, DIRECTION_INGRESS, 0), "from-web.8443-tcp");
	assert_string_equal(slug_of(&f, s, DIRECTION_EGRESS, 0), "to-10.0.0.0-8.443-tcp");
	assert_string_equal(slug_of(&f, s, DIRECTION_EGRESS, 1), "to-ledger.any");
	assert_string_equal(slug_of(&f, s, DIRECTION_EGRESS, 2),
			    "to-world_tier-a-b.icmp-echo-request_53-udp");
	assert_string_equal(slug_of(&f, s, DIRECTION_EGRESS, 3), "to-nobody.tcp");
	fx_done(&f);
}

static void test_written(void **state)
{
	struct fx f;
	struct service *s;

	fx_init(&f);
	s = fx_service(&f, "pay");
	fx_rule(&f, s, DIRECTION_INGRESS, "Check out (new)", "80/tcp");
	fx_rule(&f, s, DIRECTION_INGRESS, "\xe6\x97\xa5", "80/tcp");
	assert_string_equal(slug_of(&f, s, DIRECTION_INGRESS, 0), "check-out-new");
	assert_string_equal(slug_of(&f, s, DIRECTION_INGRESS, 1), "from-nobody.80-tcp");
	assert_string_equal(names_full(f.arena, s, DIRECTION_INGRESS, "check-out"),
			    "pay.in.check-out");
	assert_string_equal(names_full(f.arena, s, DIRECTION_EGRESS, "dns"), "pay.out.dns");
	s->name = "3scale";
	assert_string_equal(names_full(f.arena, s, DIRECTION_EGRESS, "dns"), "_3scale.out.dns");
	fx_done(&f);
}

/* Equal names are told apart by what the rules say, so their order plays no part. */
static void test_collisions(void **state)
{
	struct fx f;
	struct service *s, *t;
	struct rule *r;

	fx_init(&f);
	s = fx_service(&f, "pay");
	t = fx_service(&f, "turned");
	fx_rule(&f, s, DIRECTION_INGRESS, "x", "80/tcp");
	fx_rule(&f, s, DIRECTION_INGRESS, "x", "81/tcp");
	fx_rule(&f, t, DIRECTION_INGRESS, "x", "81/tcp");
	fx_rule(&f, t, DIRECTION_INGRESS, "x", "80/tcp");
	assert_string_not_equal(slug_of(&f, s, DIRECTION_INGRESS, 0),
				slug_of(&f, s, DIRECTION_INGRESS, 1));
	assert_string_equal(slug_of(&f, s, DIRECTION_INGRESS, 0),
			    slug_of(&f, t, DIRECTION_INGRESS, 1));
	/* the same flows with another end in time are another rule */
	fx_rule(&f, s, DIRECTION_EGRESS, NULL, "80/tcp");
	r = fx_rule(&f, s, DIRECTION_EGRESS, NULL, "80/tcp");
	r->expires = FX_NOW + 1;
	assert_string_not_equal(slug_of(&f, s, DIRECTION_EGRESS, 0),
				slug_of(&f, s, DIRECTION_EGRESS, 1));
	/* the very same twice */
	r->expires = 0;
	assert_string_not_equal(slug_of(&f, s, DIRECTION_EGRESS, 0),
				slug_of(&f, s, DIRECTION_EGRESS, 1));
	fx_done(&f);
}

static void test_dns_is_taken(void **state)
{
	struct fx f;
	struct service *s;

	fx_init(&f);
	s = fx_service(&f, "pay");
	fx_rule(&f, s, DIRECTION_EGRESS, "dns", "53/udp");
	assert_string_equal(slug_of(&f, s, DIRECTION_EGRESS, 0), "dns");
	s->dns = true;
	assert_string_not_equal(slug_of(&f, s, DIRECTION_EGRESS, 0), "dns");
	fx_done(&f);
}

static bool is_name(const char *s)
{
	return s[0] && strlen(s) <= BH_NFT_NAME_MAX &&
	       s[strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789._-")] == '\0';
}

static void test_long_names_are_cut(void **state)
{
	char name[64], one[300], two[300];
	const char *slugs[FX_RULES], *a, *b;
	struct fx f;
	struct service *s;

	memset(name, 's', 63);
	name[63] = '\0';
	memset(one, 'r', sizeof(one));
	one[298] = two[298] = 'a';
	one[299] = '\0';
	memcpy(two, one, sizeof(two));
	two[298] = 'b';
	fx_init(&f);
	s = fx_service(&f, name);
	fx_rule(&f, s, DIRECTION_INGRESS, one, "80/tcp");
	fx_rule(&f, s, DIRECTION_INGRESS, two, "80/tcp");
	assert_int_equal(names_of_rules(f.arena, s, DIRECTION_INGRESS, slugs), 0);
	a = names_full(f.arena, s, DIRECTION_INGRESS, slugs[0]);
	b = names_full(f.arena, s, DIRECTION_INGRESS, slugs[1]);
	assert_true(is_name(a) && is_name(b));
	assert_string_not_equal(a, b);
	a = names_follow(f.arena, s, s, slugs[0]);
	b = names_follow(f.arena, s, s, slugs[1]);
	assert_true(is_name(a) && is_name(b));
	assert_string_not_equal(a, b);
	fx_done(&f);
}

/* The first part of a policy's name has no dot, and no service has it. */
static void test_k8s(void **state)
{
	static const char *const values[] = { "a", "b" };
	const struct label_match m[] = { { "app", LABEL_IN, values, 2 },
					 { "tier", LABEL_NOT_IN, values, 1 },
					 { "x.y/z", LABEL_EXISTS, NULL, 0 },
					 { "y", LABEL_DOES_NOT_EXIST, NULL, 0 } };
	const struct pods own = { .namespace = "shop", .labels = { m, 4 } };
	const struct pods all = { .namespaces = { m, 1 } };
	const struct port_name http = { .name = "http", .proto = IPPROTO_TCP };
	char name[300];
	struct service *s;
	struct rule *r;
	struct fx f;

	fx_init(&f);
	s = fx_service(&f, "k8s:shop/web.api");
	s->is_k8s = true;
	r = fx_rule(&f, s, DIRECTION_INGRESS, NULL, "80/tcp");
	fx_peer(r)->pods = &all;
	r->named = &http;
	r->n_named = 1;
	fx_peer(fx_rule(&f, s, DIRECTION_EGRESS, NULL, "any"))->pods = &own;
	fx_peer_entity(fx_rule(&f, s, DIRECTION_EGRESS, NULL, "any"), ENTITY_ALL);
	assert_string_equal(slug_of(&f, s, DIRECTION_INGRESS, 0),
			    "from-namespaces-app-a-or-b.80-tcp_http-tcp");
	assert_string_equal(slug_of(&f, s, DIRECTION_EGRESS, 1), "to-all.any");
	assert_memory_equal(slug_of(&f, s, DIRECTION_EGRESS, 0),
			    "to-pods-app-a-or-b.tier-not-a.x.y-z-any.y-n", 43);
	assert_string_equal(names_full(f.arena, s, DIRECTION_EGRESS, "to-all.any"),
			    "k8s_shop_web_api.out.to-all.any");
	snprintf(name, sizeof(name), "k8s:shop/%0200d", 1);
	s->name = name;
	assert_memory_equal(names_full(f.arena, s, DIRECTION_INGRESS, "x") + 64, ".in.x", 6);
	fx_done(&f);
}

static void test_where(void **state)
{
	char path[200];
	struct fx f;
	const char *w;

	fx_init(&f);
	assert_string_equal(names_where(f.arena, &(struct src_loc) { "policies/a.yaml", 14, 3 }),
			    "policies/a.yaml:14");
	assert_string_equal(names_where(f.arena, &(struct src_loc) { "a\"b\\c\nd", 1, 1 }),
			    "a%22b%5Cc%0Ad:1");
	memset(path, 'p', sizeof(path));
	memcpy(path + 190, "/web.yaml", 10);
	w = names_where(f.arena, &(struct src_loc) { path, 77, 1 });
	assert_int_equal(strlen(w), BH_NFT_COMMENT_MAX);
	assert_memory_equal(w, "...p", 4);
	assert_string_equal(w + strlen(w) - 12, "/web.yaml:77");
	w = names_where_within(f.arena, &(struct src_loc) { path, 77, 1 }, 100);
	assert_int_equal(strlen(w), 100);
	assert_string_equal(w + 100 - 12, "/web.yaml:77");
	w = names_text(f.arena, path, 100);
	assert_int_equal(strlen(w), 100);
	assert_string_equal(w + 97, "...");
	fx_done(&f);
}

static int on_each(const struct compile_rule *r, void *arg)
{
	struct bh_buf *out = arg;

	return bh_buf_addf(out, "%s%s%s ", r->name, r->rule ? "" : "(dns)",
			   r->guardrail ? "(g)" : "");
}

static int refuse(const struct compile_rule *r, void *arg)
{
	++*(int *)arg;
	return -EDOM;
}

/* What is handed out has the name that its counter has in a compiled ruleset. */
static void test_each_rule(void **state)
{
	const struct rule moved = { .n_ports = 0 };
	struct deny deny[2] = { { .direction = DIRECTION_EGRESS },
				{ .direction = DIRECTION_INGRESS } };
	const struct guardrail guardrail = { .name = "none", .deny = deny, .n_deny = 2 };
	struct policy_set set;
	struct service *s;
	struct bh_buf out;
	struct fx f;
	int calls = 0;

	fx_init(&f);
	s = fx_service(&f, "pay");
	fx_peer_service(fx_rule(&f, s, DIRECTION_INGRESS, NULL, "8443/tcp"), "web");
	fx_rule(&f, s, DIRECTION_EGRESS, "x", "80/tcp");
	fx_rule(&f, s, DIRECTION_EGRESS, "x", "81/tcp");
	s->dns = true;
	deny[0].rule = *fx_rule(&f, fx_service(&f, "spare"), DIRECTION_EGRESS, "metadata", "any");
	deny[1].rule = moved;
	set = (struct policy_set) {
		.services = s, .n_services = 1, .guardrails = &guardrail, .n_guardrails = 1
	};
	bh_buf_init(&out, 4096);
	assert_int_equal(compile_each_rule(&set, on_each, &out, NULL), 0);
	assert_string_equal(bh_buf_str(&out),
			    "pay.out.x-6ead706d pay.out.x-7fb7f659 pay.in.from-web.8443-tcp "
			    "pay.out.dns(dns) guardrail_none.out.metadata(g) "
			    "guardrail_none.in.from-nobody(g) ");
	bh_buf_done(&out);
	assert_int_equal(compile_each_rule(&set, refuse, &calls, NULL), -EDOM);
	assert_int_equal(calls, 1);
	fx_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_derived),      cmocka_unit_test(test_written),
		cmocka_unit_test(test_collisions),   cmocka_unit_test(test_each_rule),
		cmocka_unit_test(test_dns_is_taken), cmocka_unit_test(test_long_names_are_cut),
		cmocka_unit_test(test_k8s),          cmocka_unit_test(test_where),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
