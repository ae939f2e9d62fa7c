/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include <bulkhead/compile/compile.h>
#include <bulkhead/model/host.h>
#include <bulkhead/policy/policy.h>

/*
 * What lint calls superfluous is: small sites are drawn, all rules and peers that lint says are shadowed,
 * duplicate or overlapping are taken out at once, and then every verdict is what it was, now and when the
 * rules that expire have. And into a service that nobody may reach there is no way in.
 */

#define NOW      1790000000
#define LATER    1890000000 /* the rules that expire have */
#define ROUNDS   400
#define SERVICES 5
#define RULES    5
#define PEERS    3

static uint32_t state = 4711;

static uint32_t draw(uint32_t n)
{
	state = state * 1664525u + 1013904223u;
	return (state >> 8) % n;
}

struct peer_text {
	char text[80];
	unsigned line;
	bool gone;
};

struct rule_text {
	struct peer_text peers[PEERS];
	unsigned n_peers, line;
	char ports[64];
	bool expires, gone;
};

struct site_text {
	struct rule_text rules[SERVICES][DIRECTIONS][RULES];
	unsigned n_rules[SERVICES][DIRECTIONS];
	unsigned select[SERVICES], line[SERVICES];
	unsigned guardrails;
};

static const char *const addresses[] = {
	"10.1.0.1",    "10.2.0.1", "10.1.0.2",    "192.0.2.7",
	"192.0.2.200", "8.8.8.8",  "2001:db8::7", "2001:db8:1::7"
};
#define N_ADDRESSES (sizeof(addresses) / sizeof(*addresses))
static const char *const prefixes[] = { "10.0.0.0/8",   "10.1.0.0/16",   "192.0.2.0/24",
					"192.0.2.0/25", "2001:db8::/32", "0.0.0.0/0" };
static const char *const selects[] = { "{labels: {app: s%u}}", "{labels: {app: s%u, tier: t0}}",
				       "{labels: {tier: t1}, name: \"e%u*\"}", "{name: \"e%u*\"}" };
static const char shared[] =
	"group: g0\ncidrs: [192.0.2.0/25, 10.1.0.0/16]\n---\n"
	"group: g1\ncidrs: [192.0.2.0/24, 10.0.0.0/8]\n---\nscope: inside\n---\n";
static const char *const guardrails[] = {
	"guardrail: r0\nselect: {all: true}\ndeny: [{to: [{cidr: 192.0.2.0/25}], ports: "
	"[tcp]}]\n---\n",
	"guardrail: r1\nselect: {scope: inside}\ndeny: [{from: [{not-scope: inside}],"
	" unless: [{service: s3, ports: [80/tcp]}, {cidr: 8.8.0.0/16}]}]\n---\n",
	"guardrail: r2\nselect: {labels: {tier: t0}}\ndeny: [{to: [{group: g0}, {entity: "
	"world}]}]\n---\n",
	"guardrail: r3\nselect: {services: [s1, s2]}\ndeny: [{from: [{service: s0}], ports: "
	"[53/udp]}]\n---\n",
};

static void draw_peer(struct peer_text *p)
{
	switch (draw(8)) {
	case 0:
		snprintf(p->text, sizeof(p->text), "{cidr: \"%s\"}", prefixes[draw(6)]);
		break;
	case 1:
		snprintf(p->text, sizeof(p->text), "{cidr: 192.0.2.0/24, except: [192.0.2.0/2%u]}",
			 5 + draw(2));
		break;
	case 2:
		snprintf(p->text, sizeof(p->text), "{group: g%u}", draw(2));
		break;
	case 3:
		snprintf(p->text, sizeof(p->text), "{labels: {tier: t%u}}", draw(2));
		break;
	case 4:
		snprintf(p->text, sizeof(p->text), "{entity: %s}", draw(2) ? "managed" : "world");
		break;
	case 5:
		snprintf(p->text, sizeof(p->text), "{service: s%u, cidr: \"%s\"}", draw(SERVICES),
			 prefixes[draw(6)]);
		break;
	default:
		snprintf(p->text, sizeof(p->text), "{service: s%u}", draw(SERVICES));
	}
}

static void draw_rule(struct rule_text *r)
{
	static const char *const ports[] = { "80/tcp",         "any",   "1-100/tcp", "tcp",
					     "53/udp, 80/tcp", "53/udp" };

	r->n_peers = 1 + draw(PEERS);
	for (unsigned i = 0; i < r->n_peers; i++)
		draw_peer(&r->peers[i]);
	snprintf(r->ports, sizeof(r->ports), "[%s]", ports[draw(6)]);
	r->expires = draw(4) == 0;
}

static void draw_site(struct site_text *s)
{
	memset(s, 0, sizeof(*s));
	s->guardrails = draw(16);
	for (unsigned i = 0; i < SERVICES; i++) {
		s->select[i] = draw(4);
		for (unsigned d = 0; d < DIRECTIONS; d++) {
			s->n_rules[i][d] = draw(RULES + 1);
			for (unsigned k = 0; k < s->n_rules[i][d]; k++)
				draw_rule(&s->rules[i][d][k]);
		}
	}
}

/* --- as text ------------------------------------------------------------------------------ */

struct printer {
	FILE *f;
	unsigned line;
};

static void print_line(struct printer *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void print_line(struct printer *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(p->f, fmt, ap);
	va_end(ap);
	fputc('\n', p->f);
	p->line++;
}

static bool is_left(const struct rule_text *r)
{
	for (unsigned i = 0; !r->gone && i < r->n_peers; i++)
		if (!r->peers[i].gone)
			return true;
	return false;
}

/* A rule is a line, each of its peers, too. */
static void print_rule(struct printer *p, struct rule_text *r, const char *key)
{
	r->line = p->line;
	print_line(p, "  - ports: %s", r->ports);
	if (r->expires)
		print_line(p, "    expires: 2028-01-01T00:00:00Z");
	print_line(p, "    %s:", key);
	for (unsigned i = 0; i < r->n_peers; i++) {
		r->peers[i].line = p->line;
		if (!r->peers[i].gone)
			print_line(p, "      - %s", r->peers[i].text);
	}
}

static char *text_of(struct site_text *s)
{
	static const char *const keys[] = {
		[DIRECTION_EGRESS] = "egress", [DIRECTION_INGRESS] = "ingress"
	};
	char *text = NULL;
	size_t len;
	struct printer p = { open_memstream(&text, &len), 1 };

	for (unsigned i = 0; i < SERVICES; i++) {
		s->line[i] = p.line;
		print_line(&p, "service: s%u", i);
		fputs("select: ", p.f);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		print_line(&p, selects[s->select[i]], i);
#pragma GCC diagnostic pop
		if (i < 2)
			print_line(&p, "scope: inside");
		for (unsigned d = 0; d < DIRECTIONS; d++) {
			bool any = false;

			for (unsigned k = 0; k < s->n_rules[i][d]; k++) {
				if (!is_left(&s->rules[i][d][k]))
					continue;
				if (!any)
					print_line(&p, "%s:", keys[d]);
				any = true;
				print_rule(&p, &s->rules[i][d][k],
					   d == DIRECTION_EGRESS ? "to" : "from");
			}
		}
		print_line(&p, "---");
	}
	fputs(shared, p.f);
	for (unsigned i = 0; i < 4; i++)
		if (s->guardrails >> i & 1)
			fputs(guardrails[i], p.f);
	fclose(p.f);
	return text;
}

static struct policy_set *parse(const char *text, struct diag_list *diags)
{
	const struct policy_source src = { "p.yaml", text, strlen(text) };
	struct policy_set *set = NULL;

	if (policy_parse(&src, 1, &set, diags, NULL) < 0) {
		diag_list_print(diags, stderr, false);
		fail_msg("%s", text);
	}
	return set;
}

/* --- what it means ------------------------------------------------------------------------ */

/* One for each service, one that is nothing, and some with labels of several. */
static struct endpoint_set *endpoints(void)
{
	struct endpoint_builder *b = endpoint_builder_new();
	struct endpoint_set *set;

	for (unsigned i = 0; i < 10; i++) {
		char id[16], app[16], tier[16], addr[32];
		struct bh_addr a;
		struct label labels[] = { { "app", app }, { "tier", tier } };
		struct endpoint e = { .id = id,
				      .name = id,
				      .runtime = ENDPOINT_DOCKER,
				      .labels = labels,
				      .n_labels = i == 9 ? 0 : 2,
				      .addrs = &a,
				      .n_addrs = 1 };

		snprintf(id, sizeof(id), "e%ux", i == 9 ? 77 : i % SERVICES);
		snprintf(id + strlen(id), sizeof(id) - strlen(id), "%u", i);
		snprintf(app, sizeof(app), "s%u", (i * 3 + 1) % SERVICES);
		snprintf(tier, sizeof(tier), "t%u", i % 2);
		snprintf(addr, sizeof(addr), "10.%u.1.%u", 1 + i % 2, i + 1);
		assert_int_equal(bh_addr_parse(addr, &a), 0);
		assert_int_equal(endpoint_builder_add(b, &e, NULL), 0);
	}
	assert_int_equal(endpoint_builder_finish(b, &set, NULL), 0);
	endpoint_builder_free(b);
	return set;
}

static const struct port_spec ports[] = {
	{ IPPROTO_TCP, 80, 80 }, { IPPROTO_TCP, 99, 99 }, { IPPROTO_TCP, 443, 443 },
	{ IPPROTO_UDP, 53, 53 }, { IPPROTO_UDP, 80, 80 },
};
#define N_PORTS   (sizeof(ports) / sizeof(*ports))
#define PARTIES   (10 + N_ADDRESSES)
#define QUESTIONS (PARTIES * PARTIES * N_PORTS)

static struct explain_party party(size_t i)
{
	struct explain_party p = { .is_endpoint = i < 10, .endpoint = i };

	if (i >= 10)
		assert_int_equal(bh_addr_parse(addresses[i - 10], &p.addr), 0);
	return p;
}

static void judge(const struct policy_set *set, const struct endpoint_set *e, int64_t now,
		  bool allowed[QUESTIONS])
{
	struct host_config host;
	struct compile_input in = { set, e, &host, now };
	struct ruleset_list *rulesets;
	struct diag_list diags;
	struct explainer *x;
	size_t n = 0;

	host_config_init(&host);
	diag_list_init(&diags);
	assert_int_equal(compile_rulesets(&in, true, &rulesets, &diags, NULL), 0);
	assert_int_equal(explainer_new(&in, rulesets, &x, NULL), 0);
	for (size_t from = 0; from < PARTIES; from++)
		for (size_t to = 0; to < PARTIES; to++)
			for (size_t k = 0; k < N_PORTS; k++) {
				const struct explain_party a = party(from), b = party(to);

				allowed[n++] =
					explain_verdict(x, &a, &b, &ports[k]) == EXPLAIN_ALLOW;
			}
	explainer_free(x);
	ruleset_list_free(rulesets);
	diag_list_done(&diags);
	host_config_done(&host);
}

/* --- the two properties -------------------------------------------------------------------- */

static bool is_superfluous(const char *id)
{
	return strcmp(id, "shadowed-rule") == 0 || strcmp(id, "duplicate-peer") == 0 ||
	       strcmp(id, "overlapping-cidrs") == 0 || strcmp(id, "shadowed-by-guardrail") == 0;
}

static bool take_out_of(struct rule_text *r, unsigned line)
{
	r->gone = r->gone || r->line == line;
	for (unsigned i = 0; i < r->n_peers; i++)
		if (r->peers[i].line == line)
			return r->peers[i].gone = true;
	return r->line == line;
}

static size_t take_out(struct site_text *s, const struct diag_list *diags)
{
	size_t n = 0;

	for (size_t i = 0; i < diags->n; i++)
		for (unsigned v = 0; is_superfluous(diags->d[i].id) && v < SERVICES; v++)
			for (unsigned d = 0; d < DIRECTIONS; d++)
				for (unsigned k = 0; k < s->n_rules[v][d]; k++)
					n += take_out_of(&s->rules[v][d][k], diags->d[i].line);
	return n;
}

static void must_be_closed(const struct policy_set *set, const struct endpoint_set *e,
			   const char *name, const bool allowed[QUESTIONS])
{
	struct selection *sel;

	assert_int_equal(selection_new(set, e, false, &sel, NULL), 0);
	for (size_t s = 0; s < set->n_services; s++)
		for (size_t i = 0;
		     strcmp(set->services[s].name, name) == 0 && i < sel->endpoints_of[s].n; i++)
			for (size_t n = 0; n < QUESTIONS; n++)
				if (n / N_PORTS % PARTIES == sel->endpoints_of[s].i[i] &&
				    n / N_PORTS / PARTIES != sel->endpoints_of[s].i[i])
					assert_false(allowed[n]);
	selection_free(sel);
}

static size_t check_closed(struct site_text *s, const struct policy_set *set,
			   const struct endpoint_set *e, const struct diag_list *diags,
			   const bool allowed[QUESTIONS])
{
	size_t n = 0;
	char name[8];

	for (size_t i = 0; i < diags->n; i++)
		for (unsigned v = 0; v < SERVICES; v++)
			if (strcmp(diags->d[i].id, "unreachable") == 0 &&
			    s->line[v] == diags->d[i].line) {
				snprintf(name, sizeof(name), "s%u", v);
				must_be_closed(set, e, name, allowed);
				n++;
			}
	return n;
}

static void test_effects(void **unused)
{
	static const int64_t times[] = { NOW, LATER };
	static bool before[QUESTIONS], after[QUESTIONS];
	struct endpoint_set *e = endpoints();
	size_t taken = 0, closed = 0, open = 0;

	for (unsigned round = 0; round < ROUNDS; round++) {
		static struct site_text s;
		struct diag_list diags;
		struct policy_set *set, *less;
		char *text, *shorter;

		draw_site(&s);
		diag_list_init(&diags);
		text = text_of(&s);
		set = parse(text, &diags);
		policy_lint(set, NOW, &diags);
		judge(set, e, NOW, before);
		closed += check_closed(&s, set, e, &diags, before);
		taken += take_out(&s, &diags);
		shorter = text_of(&s);
		less = parse(shorter, &diags);
		for (unsigned t = 0; t < 2; t++) {
			judge(set, e, times[t], before);
			judge(less, e, times[t], after);
			for (size_t n = 0; n < QUESTIONS; n++) {
				open += before[n];
				if (before[n] != after[n]) {
					diag_list_print(&diags, stderr, false);
					fail_msg("question %zu at %u:\n%s\n%s", n, t, text,
						 shorter);
				}
			}
		}
		policy_set_free(set);
		policy_set_free(less);
		diag_list_done(&diags);
		free(text);
		free(shorter);
	}
	endpoint_set_free(e);
	print_message("%zu taken out, %zu closed, %zu allowed\n", taken, closed, open);
	assert_true(taken > ROUNDS && closed > ROUNDS / 40 && open > 100 * ROUNDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_effects) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
