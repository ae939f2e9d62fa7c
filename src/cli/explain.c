/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "explain.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <bulkhead/base/text.h>

int cli_port_parse(const char *port, struct port_spec *ret, struct bh_err *err)
{
	const char *why;
	char shown[128];
	int r = port_spec_parse(port, ret, &why);

	bh_escape_str(shown, sizeof(shown), port);
	if (r < 0)
		return bh_err_set(err, r,
				  "port '%s': %s; write 443/tcp, 53/udp or icmp/echo-request",
				  shown, why);
	if (!explain_port_is_one(ret))
		return bh_err_set(err, -EINVAL, "port '%s': one port or ICMP type is needed",
				  shown);
	return 0;
}

int cli_question_parse(const struct site *s, const char *from, const char *to, const char *port,
		       struct cli_question *ret, struct bh_err *err)
{
	int r = explain_party_parse(s->endpoints, from, &ret->from, err);

	if (r >= 0)
		r = explain_party_parse(s->endpoints, to, &ret->to, err);
	return r < 0 ? r : cli_port_parse(port, &ret->port, err);
}

/* --- an answer -------------------------------------------------------------------------------- */

static json_t *end_json(const struct explain_end *e)
{
	json_t *o = json_pack("{s:b, s:b, s:b, s:s*, s:s*, s:s*, s:s*, s:s*}", "enforced",
			      e->enforced, "allowed", e->allowed, "audit", e->audit, "services",
			      e->services, "rule", e->rule, "where", e->where, "near_rule",
			      e->near_rule, "near_where", e->near_where);

	if (o && e->guardrail)
		json_object_set_new(o, "guardrail", json_true());
	if (o && e->near_text[0])
		json_object_set_new(o, "near", json_string(e->near_text));
	return o;
}

static const char *verdict_name(enum explain_verdict v)
{
	return v == EXPLAIN_ALLOW ? "allow" : "deny";
}

json_t *explain_json(const struct explanation *x)
{
	return json_pack("{s:s, s:o, s:o, s:s}", "verdict", verdict_name(x->verdict), "source",
			 end_json(&x->source), "destination", end_json(&x->destination), "sentence",
			 x->sentence);
}

/* What the end says that does not refuse. */
static void print_other_end(const struct explanation *x)
{
	bool source = x->source.allowed;
	const struct explain_end *e = source ? &x->source : &x->destination;

	if (x->verdict == EXPLAIN_ALLOW || x->source.allowed == x->destination.allowed ||
	    !e->enforced || (!e->rule && !e->audit))
		return;
	printf("  the %s %s %s\n", source ? "source" : "destination",
	       e->audit ? "would only record it:" : "allows it:", e->where);
}

static void print_text(const struct explanation *x, const struct explanation *other,
		       const char *dir)
{
	char shown[256];

	puts(x->sentence);
	print_other_end(x);
	if (!other)
		return;
	printf("with %s: %s\n", bh_escape_str(shown, sizeof(shown), dir), other->sentence);
	print_other_end(other);
}

static void print_json(const struct explanation *x, const struct explanation *other)
{
	json_t *o = explain_json(x);

	if (o && other) {
		json_object_set_new(o, "compared", explain_json(other));
		json_object_set_new(o, "changed", json_boolean(other->verdict != x->verdict));
	}
	cli_print_object(o);
	json_decref(o);
}

static int explain_one(const struct asker *a, const struct cli_options *o)
{
	struct bh_err err = BH_ERR_INIT;
	struct explanation e, other;
	struct cli_question q;
	int r;

	r = cli_question_parse(a->site, o->from, o->to, o->port, &q, &err);
	if (r >= 0)
		r = explain(a->now, &q.from, &q.to, &q.port, &e, &err);
	if (r >= 0 && a->other)
		r = explain(a->other, &q.from, &q.to, &q.port, &other, &err);
	if (r < 0)
		return cli_fail(r == -ENOMEM ? CLI_FAILED : CLI_USAGE, "explain: %s", err.msg);
	if (o->json)
		print_json(&e, a->other ? &other : NULL);
	else
		print_text(&e, a->other ? &other : NULL, o->compare);
	if (a->other)
		return e.verdict == other.verdict ? CLI_YES : CLI_NO;
	return e.verdict == EXPLAIN_ALLOW ? CLI_YES : CLI_NO;
}

/* --- the verb --------------------------------------------------------------------------------- */

static int ask(const struct site *s, const struct explainer *x, struct cli_options *o)
{
	struct asker a = { .site = s, .now = x };
	struct comparison c = { 0 };
	int code = CLI_YES;

	if (o->compare)
		code = comparison_load(&c, s, o);
	a.other = c.explainer;
	if (code == CLI_YES)
		code = o->batch ? explain_batch(&a, o) : explain_one(&a, o);
	comparison_done(&c);
	return code;
}

static int run(const struct site *s, struct cli_options *o)
{
	struct compile_input in = { s->policies, s->endpoints, &s->host, s->now };
	struct bh_err err = BH_ERR_INIT;
	struct explainer *x;
	int code;

	if (explainer_new(&in, s->rulesets, &x, &err) < 0)
		return cli_fail(CLI_FAILED, "explain: %s", err.msg);
	code = ask(s, x, o);
	explainer_free(x);
	return code;
}

int cmd_explain(struct cli_options *o)
{
	struct site s;
	int code;

	if (o->batch ? o->from || o->to || o->port : !o->from || !o->to || !o->port)
		return cli_fail(CLI_USAGE,
				"explain: give --from, --to and --port, or --batch FILE alone");
	code = cli_load(&s, o, NEED_POLICIES | NEED_ENDPOINTS | NEED_RULESETS | NEED_ALL_SUBJECTS);
	if (code == CLI_YES)
		code = run(&s, o);
	site_done(&s);
	return code;
}
