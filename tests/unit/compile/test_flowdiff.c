/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/compile/flows.h>

#include <netinet/in.h>

#include "fixture.h"

#include <bulkhead/base/buf.h>

/* --- by hand ---------------------------------------------------------------------------------- */

/* web -> pay on PORTS, by both; pay -> CIDR on 443/tcp. Rules stand LINE lines further down. */
static void build(struct fx *f, const char *ports, const char *cidr, unsigned line)
{
	struct service *web, *pay;

	fx_init(f);
	f->line = line;
	web = fx_service(f, "web");
	pay = fx_service(f, "pay");
	fx_peer_service(fx_rule(f, web, DIRECTION_EGRESS, NULL, ports), "pay");
	fx_peer_service(fx_rule(f, pay, DIRECTION_INGRESS, NULL, ports), "web");
	fx_peer_cidr(f, fx_rule(f, pay, DIRECTION_EGRESS, NULL, "443/tcp"), cidr, NULL);
}

static struct service *service(struct fx *f, const char *name)
{
	return (struct service *)policy_set_service(&f->policies, name);
}

static struct policy_diff *diff(struct fx *a, struct fx *b)
{
	struct policy_diff *d = NULL;

	if (policy_diff(&a->policies, &b->policies, &a->host, FX_NOW, &d, &a->err) < 0)
		fail_msg("%s", a->err.msg);
	return d;
}

/* "opens web -> pay 8081/tcp" for each, one a line. */
static void assert_diff(struct fx *a, struct fx *b, const char *expected)
{
	struct policy_diff *d = diff(a, b);
	struct bh_buf text;

	bh_buf_init(&text, 1 << 20);
	for (size_t i = 0; i < d->n_flows; i++)
		bh_buf_addf(&text, "%s %s -> %s %s\n", flow_change_word(d->flows[i].kind),
			    d->flows[i].source, d->flows[i].destination, d->flows[i].ports);
	assert_string_equal(bh_buf_str(&text), expected);
	bh_buf_done(&text);
	policy_diff_free(d);
}

static void compare(const char *ports_a, const char *cidr_a, const char *ports_b,
		    const char *cidr_b, const char *expected)
{
	struct fx a, b;

	build(&a, ports_a, cidr_a, 0);
	build(&b, ports_b, cidr_b, 7);
	assert_diff(&a, &b, expected);
	fx_done(&a);
	fx_done(&b);
}

static void test_ports_and_ranges(void **state)
{
	static const char net[] = "192.0.2.0/24";

	compare("80/tcp", net, "80/tcp", net, ""); /* all of it stands elsewhere */
	compare("8000-8080/tcp", net, "8000-8081/tcp", net, "opens web -> pay 8081/tcp\n");
	compare("8000-8080/tcp", net, "8000-8039/tcp,8040-8080/tcp", net, "");
	compare("8000-8080/tcp", net, "8000-8039/tcp,8041-8080/tcp", net,
		"closes web -> pay 8040/tcp\n");
	compare("tcp", net, "any", net, "opens web -> pay any but tcp\n");
	compare("any", net, "icmp/echo-request,53/udp", net,
		"closes web -> pay any but icmp/echo-request, 53/udp\n");
	compare("80/tcp", "192.0.2.0/25", "80/tcp", net, "opens pay -> 192.0.2.128/25 443/tcp\n");
	compare("80/tcp", net, "80/tcp", "192.0.2.7/32",
		"closes pay -> 192.0.2.0-192.0.2.6, 192.0.2.8-192.0.2.255 443/tcp\n");
	compare("80/tcp", net, "80/tcp", "0.0.0.0/0",
		"one end opens pay -> pay 443/tcp\none end opens pay -> web 443/tcp\n"
		"opens pay -> the host 443/tcp\n"
		"opens pay -> 0.0.0.0-192.0.1.255, 192.0.3.0-255.255.255.255 443/tcp\n");
}

static void test_places(void **state)
{
	struct policy_diff *d;
	struct fx a, b;

	build(&a, "80/tcp", "192.0.2.0/24", 0);
	build(&b, "80/tcp,81/tcp", "192.0.2.0/24", 7);
	d = diff(&a, &b);
	assert_int_equal(d->n_flows, 1);
	assert_null(d->flows[0].before[0]);
	assert_string_equal(d->flows[0].after[DIRECTION_EGRESS], "policies/web.yaml:27");
	assert_string_equal(d->flows[0].after[DIRECTION_INGRESS], "policies/pay.yaml:28");
	assert_string_equal(d->flows[0].refused, "policies/web.yaml:5");
	policy_diff_free(d);
	fx_done(&a);
	fx_done(&b);
}

/* What one end alone says is told as such. */
static void test_one_end(void **state)
{
	struct fx a, b;

	build(&a, "80/tcp", "192.0.2.0/24", 0);
	build(&b, "80/tcp", "192.0.2.0/24", 0);
	fx_peer_service(fx_rule(&b, service(&b, "web"), DIRECTION_EGRESS, NULL, "81/tcp"), "pay");
	assert_diff(&a, &b, "one end opens web -> pay 81/tcp\n");
	assert_diff(&b, &a, "one end closes web -> pay 81/tcp\n");
	fx_done(&a);
	fx_done(&b);
}

static void test_end_of_a_rule(void **state)
{
	struct fx a, b;

	build(&a, "80/tcp", "192.0.2.0/24", 0);
	build(&b, "80/tcp", "192.0.2.0/24", 0);
	((struct rule *)service(&b, "web")->rules[DIRECTION_EGRESS])->expires = FX_NOW + 100;
	assert_diff(&a, &b, "ends otherwise web -> pay 80/tcp\n");
	((struct rule *)service(&b, "web")->rules[DIRECTION_EGRESS])->expires = FX_NOW - 100;
	assert_diff(&a, &b, "closes web -> pay 80/tcp\n");
	fx_done(&a);
	fx_done(&b);
}

static void test_guardrail_and_modes(void **state)
{
	struct guardrail *g;
	struct fx a, b;

	build(&a, "80/tcp,81/tcp", "192.0.2.0/24", 0);
	build(&b, "80/tcp,81/tcp", "192.0.2.0/24", 0);
	service(&b, "web")->mode = MODE_AUDIT; /* said by name, and no flow */
	service(&b, "pay")->mode = MODE_OFF;
	assert_diff(&a, &b, "");
	g = fx_guardrail(&b, "no-81");
	g->all = true;
	fx_peer_entity(&fx_deny(&b, g, DIRECTION_EGRESS, "81/tcp")->rule, ENTITY_MANAGED);
	assert_diff(&a, &b, "closes web -> pay 81/tcp\n");
	fx_done(&a);
	fx_done(&b);
}

/* Labels that a peer names make a difference; labels that do not are not named. */
static void test_labels(void **state)
{
	struct peer *p;
	struct fx a, b;

	build(&a, "80/tcp", "192.0.2.0/24", 0);
	build(&b, "80/tcp", "192.0.2.0/24", 0);
	fx_peer_service(fx_rule(&a, service(&a, "web"), DIRECTION_EGRESS, NULL, "81/tcp"), "pay");
	fx_peer_service(fx_rule(&b, service(&b, "web"), DIRECTION_EGRESS, NULL, "81/tcp"), "pay");
	p = fx_peer(fx_rule(&b, service(&b, "pay"), DIRECTION_INGRESS, NULL, "81/tcp"));
	p->labels = fx_labels(&b, "team=shop", &p->n_labels);
	p->service = "web";
	assert_diff(&a, &b, "opens web {team=shop} -> pay 81/tcp\n");
	fx_done(&a);
	fx_done(&b);
}

static void test_a_new_service(void **state)
{
	struct fx a, b;

	build(&a, "80/tcp", "192.0.2.0/24", 0);
	build(&b, "80/tcp", "192.0.2.0/24", 0);
	fx_service(&b, "new");
	fx_peer_service(fx_rule(&b, service(&b, "new"), DIRECTION_INGRESS, NULL, "1/tcp"), "new");
	fx_peer_service(fx_rule(&b, service(&b, "new"), DIRECTION_EGRESS, NULL, "1/tcp"), "new");
	fx_peer_entity(fx_rule(&b, service(&b, "new"), DIRECTION_EGRESS, NULL, "443/tcp"),
		       ENTITY_WORLD);
	fx_peer_entity(fx_rule(&b, service(&b, "new"), DIRECTION_INGRESS, NULL, "2/udp"),
		       ENTITY_HOST);
	service(&b, "new")->dns = true;
	assert_diff(&a, &b,
		    "opens new -> new 1/tcp\n"
		    "opens new -> its resolver 53/tcp, 53/udp\n"
		    "opens the host -> new 2/udp\n"
		    "opens new -> the world 443/tcp\n");
	fx_done(&a);
	fx_done(&b);
}

/* --- at random, against the explainer ---------------------------------------------------------- */

#define SERVICES 5

static uint32_t seed;

static unsigned rnd(unsigned n)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % n;
}

static const char *const names[SERVICES] = { "a", "b", "c", "d", "e" };

static void random_peer(struct fx *f, struct rule *r)
{
	static const char *const cidrs[] = { "10.0.0.0/8", "10.0.0.0/9",    "10.1.0.0/16",
					     "0.0.0.0/0",  "2001:db8::/32", "10.0.0.1/32" };
	unsigned what = rnd(10);

	if (what < 5)
		fx_peer_service(r, names[rnd(SERVICES)]);
	else if (what < 6)
		fx_peer_entity(r, ENTITY_MANAGED);
	else if (what < 7)
		fx_peer_entity(r, ENTITY_WORLD);
	else
		fx_peer_cidr(f, r, cidrs[rnd(BH_ARRAY_SIZE(cidrs))], NULL);
}

static const char *random_ports(void)
{
	static const char *const ports[] = { "80/tcp",       "80-90/tcp",
					     "85-443/tcp",   "any",
					     "tcp",          "53/udp",
					     "icmp",         "icmp/echo-request,80/tcp",
					     "icmpv6,9/sctp" };

	return ports[rnd(BH_ARRAY_SIZE(ports))];
}

static void random_set(struct fx *f)
{
	fx_init(f);
	for (unsigned i = 0; i < SERVICES; i++) {
		struct service *s = fx_service(f, names[i]);

		s->egress_follow = rnd(5) == 0;
		for (unsigned d = 0; d < DIRECTIONS; d++)
			for (unsigned k = rnd(4); k > 0; k--)
				if (d == DIRECTION_INGRESS || !s->egress_follow)
					random_peer(f, fx_rule(f, s, (enum direction)d, NULL,
							       random_ports()));
	}
	for (unsigned i = rnd(3); i > 0; i--) {
		struct guardrail *g = fx_guardrail(f, i == 1 ? "g" : "h");

		g->all = true;
		random_peer(f, &fx_deny(f, g, (enum direction)rnd(2), random_ports())->rule);
	}
}

static bool in_list(const char *list, const struct port_spec *p)
{
	char copy[512], *save;

	snprintf(copy, sizeof(copy), "%s", list);
	for (char *w = strtok_r(copy, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
		struct port_spec one;
		const char *why;

		w += *w == ' ';
		if (strncmp(w, "protocol", 8) == 0)
			continue;
		if (port_spec_parse(w, &one, &why) < 0)
			fail_msg("not ports: %s", w);
		if (port_spec_contains(&one, p->proto, p->lo))
			return true;
	}
	return false;
}

static bool has_port(const char *ports, const struct port_spec *p)
{
	if (strncmp(ports, "any but ", 8) == 0)
		return !in_list(ports + 8, p);
	return strcmp(ports, "any") == 0 || in_list(ports, p);
}

static bool in_ranges(const char *list, size_t len, const struct bh_addr *a)
{
	char copy[4096], *save;

	snprintf(copy, sizeof(copy), "%.*s", (int)len, list);
	for (char *w = strtok_r(copy, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
		char *dash = strchr(w, '-');
		struct bh_prefix p;
		struct bh_range r;

		w += *w == ' ';
		if (dash) {
			*dash = '\0';
			r = (struct bh_range) { fx_addr(w), fx_addr(dash + 1) };
		} else {
			assert_int_equal(bh_prefix_parse(w, &p), 0);
			r = bh_prefix_range(&p);
		}
		if (bh_range_contains(&r, a))
			return true;
	}
	return false;
}

/* "the world (IPv4) and 10.0.0.1 but 192.0.2.0/24" */
static bool has_addr(const char *text, const struct bh_addr *a)
{
	bool base = strncmp(text, "the world", 9) == 0 || strncmp(text, "any address", 11) == 0;
	const char *and = strstr(text, " and "), *but = strstr(text, " but ");
	size_t len = but ? (size_t)(but - text) : strlen(text);

	if (!base)
		return in_ranges(text, strlen(text), a);
	if (but && in_ranges(but + 5, strlen(but + 5), a))
		return false;
	if (and&&in_ranges(and+5, len - (size_t)(and+5 - text), a))
		return true;
	if (strstr(text, "(IPv4)") && a->family != AF_INET)
		return false;
	if (strstr(text, "(IPv6)") && a->family != AF_INET6)
		return false;
	return strncmp(text, "any", 3) == 0 || a->b[0] != 169;
}

static bool names_it(const char *text, const char *who)
{
	bool service = strlen(who) == 1, is_service = strlen(text) == 1;
	struct bh_addr a;

	if (service || is_service || strcmp(text, "the host") == 0 ||
	    strcmp(text, "its resolver") == 0)
		return strcmp(text, who) == 0;
	a = fx_addr(who);
	return has_addr(text, &a);
}

static bool passes(const struct trial *t, struct fx *f, const char *from, const char *to,
		   const struct port_spec *p)
{
	struct expectation e = { .from = from, .to = to, .port = *p, .allow = true };
	struct trial_answer a;

	assert_int_equal(trial_ask(t, &e, &a, &f->diags, &f->err), 0);
	return a.passed;
}

static void check_flow(const struct policy_diff *d, const struct trial *t[2], struct fx *f,
		       const char *from, const char *to, const char *port)
{
	bool told[2] = { false, false }, before, after;
	struct port_spec p;
	const char *why;

	assert_int_equal(port_spec_parse(port, &p, &why), 0);
	if (p.proto == (strchr(from, ':') || strchr(to, ':') ? IPPROTO_ICMP : IPPROTO_ICMPV6) &&
	    (strlen(from) > 1 || strlen(to) > 1))
		return; /* of the other family */
	before = passes(t[0], f, from, to, &p);
	after = passes(t[1], f, from, to, &p);
	for (size_t i = 0; i < d->n_flows; i++)
		if (d->flows[i].kind <= FLOW_CLOSES && names_it(d->flows[i].source, from) &&
		    names_it(d->flows[i].destination, to) && has_port(d->flows[i].ports, &p))
			told[d->flows[i].kind] = true;
	if (told[FLOW_OPENS] != (after && !before) || told[FLOW_CLOSES] != (before && !after))
		fail_msg("seed %u: %s -> %s %s: %d then %d, told %d %d", seed, from, to, port,
			 before, after, told[0], told[1]);
}

static void check_seed(unsigned round)
{
	static const char *const who[] = { "a",           "b",           "c",
					   "d",           "e",           "10.0.0.1",
					   "10.0.0.2",    "10.1.2.3",    "10.200.0.1",
					   "203.0.113.9", "169.254.1.1", "2001:db8::1",
					   "2001:db9::1" };
	static const char *const ports[] = { "80/tcp",
					     "85/tcp",
					     "90/tcp",
					     "91/tcp",
					     "444/tcp",
					     "53/udp",
					     "9/sctp",
					     "icmp/echo-request",
					     "icmpv6/echo-request" };
	const struct trial *t[2];
	struct policy_diff *d;
	struct fx f[2];

	seed = round * 7919 + 1;
	random_set(&f[0]);
	random_set(&f[1]);
	d = diff(&f[0], &f[1]);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(trial_new(&f[i].policies, NULL, &f[i].host, FX_NOW,
					   (struct trial **)&t[i], &f[i].diags, &f[i].err),
				 0);
	for (size_t a = 0; a < BH_ARRAY_SIZE(who); a++)
		for (size_t b = 0; b < BH_ARRAY_SIZE(who); b++)
			for (size_t p = 0;
			     (a < SERVICES || b < SERVICES) && p < BH_ARRAY_SIZE(ports); p++)
				check_flow(d, t, &f[0], who[a], who[b], ports[p]);
	policy_diff_free(d);
	for (unsigned i = 0; i < 2; i++) {
		trial_free((struct trial *)t[i]);
		fx_done(&f[i]);
	}
}

static void test_at_random(void **state)
{
	for (unsigned round = 0; round < 150; round++)
		check_seed(round);
}

static void test_the_same_set(void **state)
{
	for (unsigned round = 0; round < 20; round++) {
		struct fx a, b;

		seed = round;
		random_set(&a);
		seed = round;
		random_set(&b);
		assert_diff(&a, &b, "");
		fx_done(&a);
		fx_done(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ports_and_ranges),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_one_end),
		cmocka_unit_test(test_end_of_a_rule),
		cmocka_unit_test(test_guardrail_and_modes),
		cmocka_unit_test(test_labels),
		cmocka_unit_test(test_a_new_service),
		cmocka_unit_test(test_the_same_set),
		cmocka_unit_test(test_at_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
