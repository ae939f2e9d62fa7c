/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fixture.h"

#include <bulkhead/base/text.h>

/*
 * Sites by number, in any layout, and any of their denied flows. Who may reach whom is asked anew, of the
 * text that was proposed: what passes then and did not before is what was chosen, less what was refused,
 * and what was said to pass as well. Nothing that passed is lost.
 */

#define SERVICES  6
#define ENDPOINTS 11
#define ROUNDS    300

static unsigned seed;

static unsigned rnd(unsigned n)
{
	seed = seed * 1103515245u + 12345u;
	return (seed >> 16) % n;
}

static bool one_in(unsigned n)
{
	return rnd(n) == 0;
}

/* --- a site ---------------------------------------------------------------------------------- */

static const char *const ports[] = { "80/tcp", "53/udp", "53/tcp", "7/sctp", "icmp/echo-request",
				     "443/tcp" };
#define PORTS BH_ARRAY_SIZE(ports)

static const struct fixture_endpoint endpoints[ENDPOINTS] = {
	{ "e0", "s0", "10.0.0.1", "10.0.0.53", NULL }, { "e1", "s0", "10.0.0.2", NULL, NULL },
	{ "e2", "s1", "10.0.0.3", "10.0.0.4", NULL },  { "e3", "s2", "10.0.0.4", NULL, NULL },
	{ "e4", "s2", "10.0.0.5", NULL, NULL },        { "e5", "s3", "10.0.0.6", NULL, NULL },
	{ "e6", "s4", "10.0.0.7", NULL, NULL },        { "e7", "s5", "10.0.0.8", NULL, NULL },
	{ "e8", "no", "10.0.0.9", NULL, NULL },        { "e9", "s4", "10.0.0.10", NULL, NULL },
	{ "ea", "s5", "10.0.0.10", NULL, NULL }, /* claims what is e9's */
};

/* Whoever a flow can be from or to: an endpoint, or the outside. */
static const char *const outside[] = { "203.0.113.1", "203.0.113.2", "10.0.0.53", "10.9.9.9" };
#define PARTIES (ENDPOINTS + BH_ARRAY_SIZE(outside))

static const char *party(size_t i)
{
	return i < ENDPOINTS ? endpoints[i].name : outside[i - ENDPOINTS];
}

static void put_peer(struct bh_buf *b)
{
	switch (rnd(8)) {
	case 0:
		bh_buf_addf(b, "{labels: {tier: s%u}}", rnd(SERVICES));
		break;
	case 1:
		bh_buf_addf(b, "{cidr: 203.0.113.%u}", 1 + rnd(2));
		break;
	case 2:
		bh_buf_addstr(b, one_in(2) ? "{cidr: 10.0.0.0/30}" : "{entity: host}");
		break;
	case 3:
		bh_buf_addstr(b, one_in(2) ? "{entity: world}" : "{entity: managed}");
		break;
	default:
		bh_buf_addf(b, "{service: s%u}", rnd(SERVICES));
	}
}

static void put_rule_flow(struct bh_buf *b, bool out)
{
	bh_buf_addstr(b, out ? "{to: [" : "{from: [");
	put_peer(b);
	bh_buf_addf(b, "], ports: [%s]}", ports[rnd(PORTS)]);
}

static void put_rule_block(struct bh_buf *b, bool out, const char *indent)
{
	bh_buf_addf(b, "%s- %s:", indent, out ? "to" : "from");
	for (bool own_line = one_in(3), more = true; more; more = own_line && one_in(3)) {
		if (own_line)
			bh_buf_addf(b, "\n%s    - ", indent);
		else
			bh_buf_addstr(b, " [");
		put_peer(b);
		bh_buf_addstr(b, own_line ? "" : "]");
	}
	bh_buf_addstr(b, one_in(3) ? "   # who\n" : "\n");
	if (one_in(8))
		return;
	if (one_in(3))
		bh_buf_addf(b, "%s  ports:\n%s    - %s   # which\n", indent, indent,
			    ports[rnd(PORTS)]);
	else
		bh_buf_addf(b, "%s  ports: [%s]\n", indent, ports[rnd(PORTS)]);
	if (one_in(4))
		bh_buf_addf(b, "%s  reason: |\n%s    some # text\n", indent, indent);
	if (one_in(4))
		bh_buf_addf(b, "%s  reviewed: 2026-09-01\n%s  ticket: T\n", indent, indent);
	if (one_in(12))
		bh_buf_addf(b, "%s  expires: 2090-01-01T00:00:00Z\n", indent);
}

static void put_direction(struct bh_buf *b, bool out)
{
	const char *key = out ? "egress" : "ingress";
	const char *indent = one_in(3) ? "" : one_in(2) ? "  " : "    ";

	if (out && one_in(8)) {
		bh_buf_addstr(b, "egress: follow   # the others\n");
		return;
	}
	switch (rnd(5)) {
	case 0:
		return;
	case 1:
		bh_buf_addf(b, "%s: []   # nothing\n", key);
		return;
	case 2:
		bh_buf_addf(b, "%s: [", key);
		put_rule_flow(b, out);
		bh_buf_addstr(b, one_in(2) ? ", ]\n" : "]   # one\n");
		return;
	default:
		bh_buf_addf(b, "%s:\n", key);
		do
			put_rule_block(b, out, indent);
		while (one_in(2));
		bh_buf_addstr(b, one_in(2) ? "\n" : "# that was it\n");
	}
}

static void put_service(struct bh_buf *b, unsigned i)
{
	static const char *const modes[] = { "", "", "", "", "mode: audit\n", "mode: off\n" };
	bool out_first = one_in(2);

	bh_buf_addf(b, "---\n# number %u\nservice: s%u   # it\n", i, i);
	bh_buf_addstr(b, one_in(2) ? "owner: x\n" : "");
	if (one_in(5))
		bh_buf_addf(b, "select: {name: \"e[%u\"}\n", i); /* nobody */
	else if (one_in(6))
		bh_buf_addstr(b, "select:\n  name: \"e?\"\n");
	else
		bh_buf_addf(b, "select:\n  labels: {app: s%u}\n", i);
	bh_buf_addstr(b, modes[rnd(BH_ARRAY_SIZE(modes))]);
	bh_buf_addstr(b, one_in(3) ? "scope: inner\n" : "");
	put_direction(b, out_first);
	bh_buf_addstr(b, one_in(3) ? "dns: deny   # no\n" : one_in(3) ? "dns: allow\n" : "");
	put_direction(b, !out_first);
}

static void put_others(struct bh_buf *b)
{
	bh_buf_addstr(b, "---\nscope: inner\n");
	if (one_in(2))
		bh_buf_addstr(b, "require: [reason, reviewed, owner]\n");
	if (one_in(2))
		bh_buf_addf(
			b,
			"---\nguardrail: g\nselect: {services: [s%u]}\ndeny:\n  - to: [{service: "
			"s%u}]\n    ports: [tcp]\n",
			rnd(SERVICES), rnd(SERVICES));
}

static void write_site(struct bh_buf text[2])
{
	for (unsigned i = 0; i < SERVICES; i++)
		put_service(&text[i % 2], i);
	put_others(&text[rnd(2)]);
}

/* --- who may reach whom ---------------------------------------------------------------------- */

struct matrix {
	bool passes[PARTIES][PARTIES][PORTS];
};

static bool passes(const struct explainer *x, const struct endpoint_set *set, size_t from,
		   size_t to, size_t port)
{
	struct explain_party f, t;
	struct bh_err err = BH_ERR_INIT;
	struct explanation e;
	struct port_spec p;
	const char *why;

	assert_int_equal(explain_party_parse(set, party(from), &f, &err), 0);
	assert_int_equal(explain_party_parse(set, party(to), &t, &err), 0);
	assert_int_equal(port_spec_parse(ports[port], &p, &why), 0);
	assert_int_equal(explain(x, &f, &t, &p, &e, &err), 0);
	return e.verdict == EXPLAIN_ALLOW && !e.source.audit && !e.destination.audit;
}

static void ask_all(const struct site *s, const struct policy_set *policies, struct matrix *m)
{
	struct compile_input in = { policies, s->endpoints, &s->host, s->in.now };
	struct ruleset_list *list = NULL;
	struct bh_err err = BH_ERR_INIT;
	struct diag_list diags;
	struct explainer *x;

	diag_list_init(&diags);
	assert_int_equal(compile_rulesets(&in, true, &list, &diags, &err), 0);
	assert_int_equal(explainer_new(&in, list, &x, &err), 0);
	for (size_t i = 0; i < PARTIES; i++)
		for (size_t k = 0; k < PARTIES; k++)
			for (size_t p = 0; p < PORTS; p++)
				m->passes[i][k][p] = i != k && (i < ENDPOINTS || k < ENDPOINTS) &&
						     passes(x, s->endpoints, i, k, p);
	explainer_free(x);
	ruleset_list_free(list);
	diag_list_done(&diags);
}

/* --- what was proposed ----------------------------------------------------------------------- */

/* A person writes what has to be written. */
static void fill_in(const char *text, size_t len, struct bh_buf *out)
{
	static const char reviewed[] = "reviewed: TODO", todo[] = ": TODO";
	const char *end = text + len;

	while (text < end) {
		if (strncmp(text, reviewed, strlen(reviewed)) == 0) {
			bh_buf_addstr(out, "reviewed: 2026-11-01");
			text += strlen(reviewed);
		} else if (strncmp(text, todo, strlen(todo)) == 0) {
			bh_buf_addstr(out, ": done");
			text += strlen(todo);
		} else {
			bh_buf_add(out, text++, 1);
		}
	}
}

static size_t comments(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += *s == '#';
	return n;
}

static struct policy_set *parse_after(const struct site *s)
{
	struct policy_source after[2] = { s->sources[0], s->sources[1] };
	struct policy_set *set = NULL;
	struct bh_err err = BH_ERR_INIT;
	struct diag_list diags;
	struct bh_buf text[2];

	diag_list_init(&diags);
	for (size_t i = 0; i < 2; i++) {
		const char *new = new_text(s, after[i].name);

		bh_buf_init(&text[i], 1 << 20);
		if (!new[0])
			continue;
		assert_int_equal(comments(new), comments(after[i].data));
		fill_in(new, strlen(new), &text[i]);
		after[i].data = text[i].data;
		after[i].len = text[i].len;
	}
	policy_parse(after, 2, &set, &diags, &err);
	if (!set)
		fail_msg("%s:%u: %s\n%s", diags.d[0].file, diags.d[0].line, diags.d[0].text,
			 after[strcmp(diags.d[0].file, "b.yaml") == 0].data);
	diag_list_done(&diags);
	bh_buf_done(&text[0]);
	bh_buf_done(&text[1]);
	return set;
}

static void name_flow(char out[256], size_t from, size_t to, size_t port)
{
	snprintf(out, 256, "%s -> %s %s", party(from), party(to), ports[port]);
}

static bool is_also(const struct advice *a, const char *flow)
{
	for (size_t i = 0; i < a->n_also; i++)
		if (strcmp(a->also[i], flow) == 0)
			return true;
	return false;
}

static bool is_refused(const struct advice *a, const char *flow)
{
	for (size_t i = 0; i < a->n_refused; i++)
		if (strcmp(a->refused[i].flow, flow) == 0)
			return true;
	return false;
}

struct counts {
	size_t opened, refused, also;
};

static void compare(const struct site *s, const struct matrix *chosen, const struct matrix *before,
		    const struct matrix *after, struct counts *n)
{
	char flow[256];

	for (size_t i = 0; i < PARTIES; i++)
		for (size_t k = 0; k < PARTIES; k++)
			for (size_t p = 0; p < PORTS; p++) {
				bool was = before->passes[i][k][p], is = after->passes[i][k][p];
				bool want = chosen->passes[i][k][p];

				name_flow(flow, i, k, p);
				if (was && !is)
					fail_msg("%s is lost", flow);
				if (want && !is && !is_refused(&s->advice, flow))
					fail_msg("%s does not pass, and nothing says so", flow);
				if (want && is && is_refused(&s->advice, flow) &&
				    !is_also(&s->advice, flow))
					fail_msg("%s passes, and was refused", flow);
				if (is && !was && !want && !s->advice.also_more &&
				    !is_also(&s->advice, flow))
					fail_msg("%s passes as well, and nothing says so", flow);
				if (!(is && !was) && is_also(&s->advice, flow))
					fail_msg("%s is said to be new", flow);
				n->opened += is && !was;
			}
	n->refused += s->advice.n_refused;
	n->also += s->advice.n_also;
}

static void choose(struct site *s, const struct matrix *before, struct matrix *chosen)
{
	for (unsigned n = 1 + rnd(6), tries = 0; n && tries < 100; tries++) {
		size_t i = rnd(PARTIES), k = rnd(PARTIES), p = rnd(PORTS);

		if (i == k || (i >= ENDPOINTS && k >= ENDPOINTS) || before->passes[i][k][p])
			continue;
		ask(s, party(i), party(k), ports[p]);
		chosen->passes[i][k][p] = true;
		n--;
	}
}

static void check_round(unsigned round, struct counts *n)
{
	static struct matrix before, after, chosen;
	struct policy_set *policies;
	struct bh_buf text[2];
	struct site s;

	seed = round;
	memset(&chosen, 0, sizeof(chosen));
	bh_buf_init(&text[0], 1 << 20);
	bh_buf_init(&text[1], 1 << 20);
	write_site(text);
	site_begin(&s, bh_buf_str(&text[0]), bh_buf_str(&text[1]), endpoints, ENDPOINTS);
	ask_all(&s, s.policies, &before);
	choose(&s, &before, &chosen);
	advise(&s);
	policies = parse_after(&s);
	ask_all(&s, policies, &after);
	compare(&s, &chosen, &before, &after, n);
	policy_set_free(policies);
	site_end(&s);
	bh_buf_done(&text[0]);
	bh_buf_done(&text[1]);
}

static void test_any_site(void **state)
{
	struct counts n = { 0 };

	for (unsigned round = 1; round <= ROUNDS; round++)
		check_round(round, &n);
	assert_true(n.opened > ROUNDS);
	assert_true(n.refused > ROUNDS / 4);
	assert_true(n.also > ROUNDS / 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_site),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
