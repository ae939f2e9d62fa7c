/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/text.h>

#include "cli.h"

#define BATCH_LINE_MAX 1024

int cli_question_parse(const struct site *s, const char *from, const char *to, const char *port,
		       struct cli_question *ret, struct bh_err *err)
{
	const char *why;
	char shown[128];
	int r;

	r = explain_party_parse(s->endpoints, from, &ret->from, err);
	if (r >= 0)
		r = explain_party_parse(s->endpoints, to, &ret->to, err);
	if (r < 0)
		return r;
	r = port_spec_parse(port, &ret->port, &why);
	if (r < 0)
		return bh_err_set(err, r,
				  "port '%s': %s; write 443/tcp, 53/udp or icmp/echo-request",
				  bh_escape_str(shown, sizeof(shown), port), why);
	if (!explain_port_is_one(&ret->port))
		return bh_err_set(err, -EINVAL, "port '%s': one port or ICMP type is needed",
				  bh_escape_str(shown, sizeof(shown), port));
	return 0;
}

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

static void print_json(const struct explanation *x)
{
	json_t *o = json_pack("{s:s, s:o, s:o, s:s}", "verdict",
			      x->verdict == EXPLAIN_ALLOW ? "allow" : "deny", "source",
			      end_json(&x->source), "destination", end_json(&x->destination),
			      "sentence", x->sentence);

	json_dumpf(o, stdout, 0);
	putchar('\n');
	json_decref(o);
}

static int explain_one(const struct site *s, const struct explainer *x, struct cli_options *o)
{
	struct bh_err err = BH_ERR_INIT;
	struct explanation e;
	struct cli_question q;
	int r;

	r = cli_question_parse(s, o->from, o->to, o->port, &q, &err);
	if (r >= 0)
		r = explain(x, &q.from, &q.to, &q.port, &e, &err);
	if (r < 0)
		return cli_fail(r == -ENOMEM ? CLI_FAILED : CLI_USAGE, "explain: %s", err.msg);
	if (o->json)
		print_json(&e);
	else
		puts(e.sentence);
	return e.verdict == EXPLAIN_ALLOW ? CLI_YES : CLI_NO;
}

/* Split a line into exactly three words; comments and empty lines have none. */
static int split(char *line, char *words[3])
{
	char *save, *word = strtok_r(line, " \t\r\n", &save);
	int n = 0;

	if (!word || word[0] == '#')
		return 0;
	for (; word; word = strtok_r(NULL, " \t\r\n", &save)) {
		if (n == 3)
			return -EINVAL;
		words[n++] = word;
	}
	return n == 3 ? 3 : -EINVAL;
}

static int batch_line(const struct site *s, const struct explainer *x, char *line, size_t number,
		      const char *file, struct bh_buf *out)
{
	struct bh_err err = BH_ERR_INIT;
	struct cli_question q;
	char *words[3];
	int n = split(line, words);

	if (n == 0)
		return 0;
	if (n < 0)
		return cli_fail(CLI_USAGE, "%s:%zu: a question is three words: FROM TO PORT", file,
				number);
	if (cli_question_parse(s, words[0], words[1], words[2], &q, &err) < 0)
		return cli_fail(CLI_USAGE, "%s:%zu: %s", file, number, err.msg);
	if (explain_verdict(x, &q.from, &q.to, &q.port) == EXPLAIN_ALLOW)
		return bh_buf_add(out, "allow\n", 6);
	return bh_buf_add(out, "deny\n", 5);
}

/* One verdict a line; the first line that is no question ends it. */
static int explain_batch(const struct site *s, const struct explainer *x, const char *path)
{
	FILE *in = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	char line[BATCH_LINE_MAX];
	struct bh_buf out;
	size_t number = 0;
	int code = CLI_YES;

	if (!in)
		return cli_fail(CLI_USAGE, "%s: %s", path, strerror(errno));
	bh_buf_init(&out, 1 << 17);
	while (code == CLI_YES && fgets(line, sizeof(line), in)) {
		number++;
		code = strlen(line) == sizeof(line) - 1
			       ? cli_fail(CLI_USAGE, "%s:%zu: line too long", path, number)
			       : batch_line(s, x, line, number, path, &out);
		if (code == CLI_YES && out.len > (1 << 16))
			code = cli_flush(&out);
	}
	if (out.len && cli_flush(&out) != CLI_YES)
		code = CLI_FAILED;
	bh_buf_done(&out);
	if (in != stdin)
		fclose(in);
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
	code = o->batch ? explain_batch(s, x, o->batch) : explain_one(s, x, o);
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
