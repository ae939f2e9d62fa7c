/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "util.h"

#include <netinet/in.h>

static const char full[] = "service: payments\n"                                        /* 1 */
			   "owner: team-payments\n"                                     /* 2 */
			   "select:\n"                                                  /* 3 */
			   "  labels: {app: payments, tier: '', version: 1.10}\n"       /* 4 */
			   "  compose: shop/pay_ments.1\n"                              /* 5 */
			   "  name: \"payments-*\"\n"                                   /* 6 */
			   "  image: 'registry.example/payments@sha256:*'\n"            /* 7 */
			   "  runtime: podman\n"                                        /* 8 */
			   "mode: audit\n"                                              /* 9 */
			   "ingress:\n"                                                 /* 10 */
			   "  - name: checkout\n"                                       /* 11 */
			   "    from: [{service: web}, {labels: {a: b}}]\n"             /* 12 */
			   "    ports: [8443/tcp, 8000-8080/tcp, 53/udp]\n"             /* 13 */
			   "    reason: Checkout posts card data\n"                     /* 14 */
			   "    ticket: CHG-1042\n"                                     /* 15 */
			   "    reviewed: 2026-09-01\n"                                 /* 16 */
			   "  - from: []\n"                                             /* 17 */
			   "egress:\n"                                                  /* 18 */
			   "  - to:\n"                                                  /* 19 */
			   "      - cidr: 203.0.113.0/24\n"                             /* 20 */
			   "        except: [203.0.113.128/25, 203.0.113.1]\n"          /* 21 */
			   "      - {entity: world, cidr: '2001:db8::/32'}\n"           /* 22 */
			   "      - {service: web, labels: {a: b}, group: g}\n"         /* 23 */
			   "    ports: [443]\n"                                         /* 24 */
			   "    expires: 2027-01-31T00:00:00Z\n"                        /* 25 */
			   "dns: allow\n"                                               /* 26 */
			   "log: {denied: false, allowed: true}\n"                      /* 27 */
			   "on-deny: reject\n"                                          /* 28 */
			   "---\n"                                                      /* 29 */
			   "service: web\n"                                             /* 30 */
			   "select: {name: web}\n"                                      /* 31 */
			   "egress: follow\n"                                           /* 32 */
			   "---\n"                                                      /* 33 */
			   "---\n"                                                      /* 34 */
			   "group: g\n"                                                 /* 35 */
			   "cidrs: [203.0.113.0/24, '2001:db8:acc::/48', 192.0.2.1]\n"; /* 36 */

static void assert_loc(const struct src_loc *loc, unsigned line, unsigned column)
{
	assert_string_equal(loc->file, "p.yaml");
	assert_int_equal(loc->line, line);
	assert_int_equal(loc->column, column);
}

static void assert_prefix(const struct bh_prefix *p, const char *expect)
{
	char text[BH_PREFIX_STR];

	assert_string_equal(bh_prefix_format(text, p), expect);
}

static void assert_port(const struct port_spec *p, unsigned proto, unsigned lo, unsigned hi)
{
	assert_int_equal(p->proto, proto);
	assert_int_equal(p->lo, lo);
	assert_int_equal(p->hi, hi);
}

static void test_service(void **state)
{
	struct policy_set *set = parse_valid(full);
	const struct service *s = policy_set_service(set, "payments");

	assert_int_equal(set->n_files, 1);
	assert_int_equal(set->n_services, 2);
	assert_int_equal(strlen(set->digest), 64);
	assert_ptr_equal(s, &set->services[0]);
	assert_loc(&s->loc, 1, 10);
	assert_string_equal(s->owner, "team-payments");
	assert_int_equal(s->mode, MODE_AUDIT);
	assert_int_equal(s->on_deny, ON_DENY_REJECT);
	assert_true(s->dns);
	assert_loc(&s->dns_loc, 26, 1);
	assert_false(s->log_denied);
	assert_true(s->log_allowed);
	assert_loc(&s->direction_loc[DIRECTION_INGRESS], 10, 1);
	assert_loc(&s->direction_loc[DIRECTION_EGRESS], 18, 1);
	assert_false(s->egress_follow);
	policy_set_free(set);
}

static void test_selector(void **state)
{
	struct policy_set *set = parse_valid(full);
	const struct selector *s = &set->services[0].select;

	assert_loc(&s->loc, 4, 3);
	assert_int_equal(s->n_labels, 3);
	assert_string_equal(s->labels[0].key, "app");
	assert_string_equal(s->labels[0].value, "payments");
	assert_string_equal(s->labels[1].value, "");
	assert_string_equal(s->labels[2].value, "1.10"); /* text as written, never a number */
	assert_string_equal(s->compose, "shop/pay_ments.1");
	assert_string_equal(s->name, "payments-*");
	assert_string_equal(s->image, "registry.example/payments@sha256:*");
	assert_string_equal(s->runtime, "podman");
	policy_set_free(set);
}

static void test_ingress(void **state)
{
	struct policy_set *set = parse_valid(full);
	const struct service *s = &set->services[0];
	const struct rule *r = &s->rules[DIRECTION_INGRESS][0];

	assert_int_equal(s->n_rules[DIRECTION_INGRESS], 2);
	assert_loc(&r->loc, 11, 5);
	assert_string_equal(r->name, "checkout");
	assert_string_equal(r->reason, "Checkout posts card data");
	assert_string_equal(r->ticket, "CHG-1042");
	assert_string_equal(r->reviewed, "2026-09-01");
	assert_int_equal(r->expires, 0);
	assert_int_equal(r->n_ports, 3);
	assert_port(&r->ports[0], IPPROTO_TCP, 8443, 8443);
	assert_port(&r->ports[1], IPPROTO_TCP, 8000, 8080);
	assert_port(&r->ports[2], IPPROTO_UDP, 53, 53);
	assert_int_equal(r->n_peers, 2);
	assert_loc(&r->peers[0].loc, 12, 12);
	assert_string_equal(r->peers[0].service, "web");
	assert_null(r->peers[1].service);
	assert_int_equal(r->peers[1].n_labels, 1);
	policy_set_free(set);
}

/* from: [] matches nothing, and a rule without ports: is every port. */
static void test_empty_rule(void **state)
{
	struct policy_set *set = parse_valid(full);
	const struct rule *r = &set->services[0].rules[DIRECTION_INGRESS][1];

	assert_int_equal(r->n_peers, 0);
	assert_int_equal(r->n_ports, 1);
	assert_int_equal(r->ports[0].proto, PROTO_ANY);
	policy_set_free(set);
}

static void test_egress(void **state)
{
	struct policy_set *set = parse_valid(full);
	const struct rule *r = &set->services[0].rules[DIRECTION_EGRESS][0];
	const struct peer *p = r->peers;

	assert_int_equal(set->services[0].n_rules[DIRECTION_EGRESS], 1);
	assert_int_equal(r->expires, 1801353600);
	assert_port(&r->ports[0], IPPROTO_TCP, 443, 443);
	assert_int_equal(r->n_peers, 3);
	assert_true(p[0].has_cidr);
	assert_prefix(&p[0].cidr, "203.0.113.0/24");
	assert_int_equal(p[0].n_except, 2);
	assert_prefix(&p[0].except[0], "203.0.113.128/25");
	assert_int_equal(p[0].except[1].len, 32);
	assert_int_equal(p[0].entity, ENTITY_NONE);
	assert_int_equal(p[1].entity, ENTITY_WORLD);
	assert_prefix(&p[1].cidr, "2001:db8::/32");
	assert_string_equal(p[2].service, "web");
	assert_string_equal(p[2].group, "g");
	assert_int_equal(p[2].n_labels, 1);
	assert_false(p[2].has_cidr);
	policy_set_free(set);
}

static void test_defaults(void **state)
{
	struct policy_set *set = parse_valid(full);
	const struct service *s = policy_set_service(set, "web");

	assert_int_equal(s->mode, MODE_ENFORCE);
	assert_int_equal(s->on_deny, ON_DENY_DROP);
	assert_false(s->dns);
	assert_true(s->log_denied);
	assert_false(s->log_allowed);
	assert_true(s->egress_follow);
	assert_int_equal(s->n_rules[DIRECTION_INGRESS], 0);
	assert_loc(&s->direction_loc[DIRECTION_INGRESS], 30, 10); /* not written: of the service */
	assert_loc(&s->direction_loc[DIRECTION_EGRESS], 32, 1);
	assert_null(s->owner);
	policy_set_free(set);
}

static void test_group(void **state)
{
	struct policy_set *set = parse_valid(full);
	const struct group *g = policy_set_group(set, "g");

	assert_int_equal(set->n_groups, 1);
	assert_loc(&g->loc, 35, 8);
	assert_int_equal(g->n_cidrs, 3);
	assert_prefix(&g->cidrs[1], "2001:db8:acc::/48");
	policy_set_free(set);
}

static void test_entities(void **state)
{
	static const enum entity expect[] = { ENTITY_HOST, ENTITY_WORLD, ENTITY_MANAGED };
	struct policy_set *set = parse_valid(
		"service: a\nselect: {name: a}\n"
		"ingress: [{from: [{entity: host}, {entity: world}, {entity: managed}]}]\n");

	for (size_t i = 0; i < 3; i++)
		assert_int_equal(set->services[0].rules[DIRECTION_INGRESS][0].peers[i].entity,
				 expect[i]);
	policy_set_free(set);
}

static void test_words(void **state)
{
	struct policy_set *set = parse_valid("service: a\nselect: {name: a}\nmode: off\ndns: deny\n"
					     "on-deny: drop\n---\nservice: b\nselect: {name: b}\n"
					     "mode: enforce\ningress: []\negress: []\n");

	assert_int_equal(set->services[0].mode, MODE_OFF);
	assert_false(set->services[0].dns);
	assert_int_equal(set->services[0].on_deny, ON_DENY_DROP);
	assert_int_equal(set->services[1].mode, MODE_ENFORCE);
	assert_int_equal(set->services[1].n_rules[DIRECTION_EGRESS], 0);
	policy_set_free(set);
}

/* Documents of nothing, byte order mark, CRLF, comments, a YAML directive. */
static void test_empty_documents(void **state)
{
	static const char *const empty[] = { "",
					     "---\n",
					     "# a comment\n",
					     "---\n---\n~\n...\n",
					     "\xef\xbb\xbf",
					     "%YAML 1.1\n---\n",
					     "null\n" };

	for (size_t i = 0; i < sizeof(empty) / sizeof(*empty); i++) {
		struct policy_set *set = parse_valid(empty[i]);

		assert_int_equal(set->n_services, 0);
		assert_int_equal(set->n_files, 1);
		policy_set_free(set);
	}
}

static void test_line_ends(void **state)
{
	struct policy_set *set =
		parse_valid("\xef\xbb\xbfservice: a\r\nselect: {name: \"\xc3\xa9*\"}\r\n");

	assert_loc(&set->services[0].loc, 1, 10);
	assert_string_equal(set->services[0].select.name, "\xc3\xa9*");
	policy_set_free(set);
}

/* The digest sees every byte and every name, and where one ends. */
static void digest_of(const char *name, const char *data, size_t n, char out[65])
{
	struct policy_source src[2] = { { name, data, strlen(data) }, { "z", "", 0 } };
	struct policy_set *set = NULL;
	struct diag_list diags;

	diag_list_init(&diags);
	assert_int_equal(policy_parse(src, n, &set, &diags, NULL), 0);
	memcpy(out, set->digest, 65);
	policy_set_free(set);
	diag_list_done(&diags);
}

static void test_digest(void **state)
{
	char d[6][65];

	digest_of("a", "# x\n", 1, d[0]);
	digest_of("a", "## x\n", 1, d[1]);
	digest_of("a#", "# x\n", 1, d[2]);
	digest_of("b", "# x\n", 1, d[3]);
	digest_of("a", "# x\n", 2, d[4]);
	digest_of("a", "# x\n", 1, d[5]);
	for (size_t i = 0; i < 5; i++)
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(d[i], d[k]);
	assert_string_equal(d[0], d[5]);
}

static const char guarded[] = "scope: cde\n"                                              /* 1 */
			      "title: Cardholder data environment\n"                      /* 2 */
			      "framework: pci-dss-4.0.1\n"                                /* 3 */
			      "require: [reason, owner, reviewed]\n"                      /* 4 */
			      "review-every: 180d\n"                                      /* 5 */
			      "---\n"                                                     /* 6 */
			      "guardrail: no-metadata\n"                                  /* 7 */
			      "select: {all: true}\n"                                     /* 8 */
			      "deny:\n"                                                   /* 9 */
			      "  - to: [{cidr: 169.254.0.0/16}, {cidr: fd00:ec2::254}]\n" /* 10 */
			      "---\n"                                                     /* 11 */
			      "guardrail: cde-boundary\n"                                 /* 12 */
			      "select: {scope: cde, services: [web], labels: {a: b}}\n"   /* 13 */
			      "deny:\n"                                                   /* 14 */
			      "  - name: in\n"                                            /* 15 */
			      "    from: [{not-scope: cde, cidr: 10.0.0.0/8}]\n"          /* 16 */
			      "    ports: [tcp]\n"                                        /* 17 */
			      "    reason: PCI 1.4\n"                                     /* 18 */
			      "    unless:\n"                                             /* 19 */
			      "      - {service: web, ports: [8443/tcp, 9/sctp]}\n"       /* 20 */
			      "      - {scope: cde}\n"                                    /* 21 */
			      "---\n"                                                     /* 22 */
			      "service: web\n"                                            /* 23 */
			      "scope: cde\n"                                              /* 24 */
			      "select: {labels: {app: web}}\n";                           /* 25 */

static void test_scope(void **state)
{
	struct policy_set *set = parse_valid(guarded);
	const struct scope *s = policy_set_scope(set, "cde");

	assert_int_equal(set->n_scopes, 1);
	assert_ptr_equal(s, set->scopes);
	assert_null(policy_set_scope(set, "cd"));
	assert_loc(&s->loc, 1, 8);
	assert_string_equal(s->title, "Cardholder data environment");
	assert_string_equal(s->framework, "pci-dss-4.0.1");
	assert_true(s->require[SCOPE_REASON] && s->require[SCOPE_OWNER] &&
		    s->require[SCOPE_REVIEWED]);
	assert_false(s->require[SCOPE_TICKET]);
	assert_int_equal(s->review_days, 180);
	assert_string_equal(policy_set_service(set, "web")->scope, "cde");
	policy_set_free(set);
}

static void test_guardrail(void **state)
{
	struct policy_set *set = parse_valid(guarded);
	const struct guardrail *g = set->guardrails;
	const struct deny *d = g[0].deny;

	assert_int_equal(set->n_guardrails, 2);
	assert_string_equal(g[0].name, "no-metadata");
	assert_loc(&g[0].loc, 7, 12);
	assert_true(g[0].all);
	assert_int_equal(g[0].n_deny, 1);
	assert_loc(&d->rule.loc, 10, 5);
	assert_int_equal(d->direction, DIRECTION_EGRESS);
	assert_int_equal(d->rule.n_peers, 2);
	assert_port(&d->rule.ports[0], PROTO_ANY, 0, 65535);
	assert_int_equal(d->n_unless, 0);

	assert_false(g[1].all);
	assert_string_equal(g[1].scope, "cde");
	assert_int_equal(g[1].n_services, 1);
	assert_string_equal(g[1].services[0], "web");
	assert_int_equal(g[1].n_labels, 1);
	d = g[1].deny;
	assert_string_equal(d->rule.name, "in");
	assert_string_equal(d->rule.reason, "PCI 1.4");
	assert_int_equal(d->direction, DIRECTION_INGRESS);
	assert_string_equal(d->rule.peers[0].not_scope, "cde");
	assert_null(d->rule.peers[0].scope);
	assert_prefix(&d->rule.peers[0].cidr, "10.0.0.0/8");
	assert_port(&d->rule.ports[0], IPPROTO_TCP, 0, 65535);
	assert_int_equal(d->n_unless, 2);
	assert_string_equal(d->unless[0].peer.service, "web");
	assert_int_equal(d->unless[0].n_ports, 2);
	assert_port(&d->unless[0].ports[1], IPPROTO_SCTP, 9, 9);
	assert_string_equal(d->unless[1].peer.scope, "cde");
	assert_port(&d->unless[1].ports[0], PROTO_ANY, 0, 65535);
	policy_set_free(set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scope),     cmocka_unit_test(test_guardrail),
		cmocka_unit_test(test_service),   cmocka_unit_test(test_selector),
		cmocka_unit_test(test_ingress),   cmocka_unit_test(test_empty_rule),
		cmocka_unit_test(test_egress),    cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_group),     cmocka_unit_test(test_entities),
		cmocka_unit_test(test_words),     cmocka_unit_test(test_empty_documents),
		cmocka_unit_test(test_line_ends), cmocka_unit_test(test_digest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
