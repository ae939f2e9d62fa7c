/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "suggest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>
#include <bulkhead/policy/policy.h>

#include "cli.h"

/* One stream of records. */
struct input {
	struct adviser *adviser;
	const char *name; /* for messages; escaped */
	size_t line, others;
	bool full;
};

static int take_line(struct input *in, const char *line, size_t len)
{
	bh_autofree struct flow_record *rec = calloc(1, sizeof(*rec));
	struct bh_err err = BH_ERR_INIT;
	char where[256];
	int r;

	if (!rec)
		return cli_fail(CLI_FAILED, "suggest: out of memory");
	r = flow_record_read(line, len, rec, &err);
	if (r == -ENOMSG) {
		in->others++;
		return CLI_YES;
	}
	if (r == -EINVAL)
		return cli_fail(CLI_USAGE, "%s:%zu: no record: %s", in->name, in->line, err.msg);
	snprintf(where, sizeof(where), "%s:%zu", in->name, in->line);
	if (r >= 0)
		r = adviser_add_record(in->adviser, rec, where, &err);
	in->full = r == -E2BIG;
	if (in->full)
		return cli_fail(CLI_NO, "%s: %s: this one and what follows is left out", where,
				err.msg);
	return r < 0 ? cli_fail(CLI_FAILED, "suggest: %s", err.msg) : CLI_YES;
}

static int take_lines(struct input *in, FILE *f)
{
	bh_autofree char *line = malloc(BH_RECORD_LINE_MAX + 2);
	int code = CLI_YES;

	if (!line)
		return cli_fail(CLI_FAILED, "suggest: out of memory");
	while (code == CLI_YES && fgets(line, BH_RECORD_LINE_MAX + 2, f)) {
		size_t len = strlen(line);

		in->line++;
		if (len == BH_RECORD_LINE_MAX + 1 && line[len - 1] != '\n')
			code = cli_fail(CLI_USAGE, "%s:%zu: longer than %u bytes", in->name,
					in->line, BH_RECORD_LINE_MAX);
		else if (strspn(line, " \t\r\n") < len || !len)
			code = take_line(in, line, len);
	}
	if (ferror(f))
		code = cli_fail(CLI_FAILED, "cannot read %s", in->name);
	if (in->others)
		fprintf(stderr, "bulkhead: %s: %zu lines are of another schema, and passed over\n",
			in->name, in->others);
	return code;
}

static int take_file(struct adviser *a, const char *path, bool *ret_full)
{
	bool is_stdin = strcmp(path, "-") == 0;
	FILE *f = is_stdin ? stdin : fopen(path, "re");
	char name[200];
	struct input in = { .adviser = a, .name = name };
	int code;

	bh_escape_str(name, sizeof(name), is_stdin ? "stdin" : path);
	if (!f)
		return cli_fail(CLI_USAGE, "%s: %s", name, strerror(errno));
	code = take_lines(&in, f);
	*ret_full = in.full;
	if (!is_stdin)
		fclose(f);
	return code;
}

/* CLI_NO: there were too many; what there was room for is worked on. */
static int take_files(struct adviser *a, const struct cli_options *o)
{
	bool full = false;
	int code = CLI_YES;

	for (size_t i = 0; code == CLI_YES && i < o->n_files; i++)
		code = take_file(a, o->files[i], &full);
	return full ? CLI_NO : code;
}

static int take_question(struct adviser *a, const struct site *s, const struct cli_options *o)
{
	struct bh_err err = BH_ERR_INIT;
	struct cli_question q;
	int r = cli_question_parse(s, o->from, o->to, o->port, &q, &err);

	if (r >= 0)
		r = adviser_add_flow(a, &q.from, &q.to, &q.port, "the flow", &err);
	return r < 0 ? cli_fail(r == -ENOMEM ? CLI_FAILED : CLI_USAGE, "suggest: %s", err.msg)
		     : CLI_YES;
}

static int advise(struct adviser *a, bool json)
{
	struct bh_err err = BH_ERR_INIT;
	struct advice advice;

	if (adviser_advise(a, &advice, &err) < 0)
		return cli_fail(CLI_FAILED, "suggest: %s", err.msg);
	return json ? suggest_print_json(&advice) : suggest_print(&advice);
}

static int run(const struct site *s, const struct cli_options *o)
{
	struct advise_input in = {
		.policies = s->policies,
		.endpoints = s->endpoints,
		.host = &s->host,
		.now = s->now,
	};
	struct bh_err err = BH_ERR_INIT;
	struct adviser *a;
	int code, last;

	in.sources = policy_files_sources(s->files, &in.n_sources);
	if (adviser_new(&in, &a, &err) < 0)
		return cli_fail(CLI_FAILED, "suggest: %s", err.msg);
	code = o->n_files ? take_files(a, o) : take_question(a, s, o);
	if (code == CLI_YES || code == CLI_NO) {
		last = advise(a, o->json);
		code = last == CLI_YES ? code : last;
	}
	adviser_free(a);
	return code;
}

int cmd_suggest(struct cli_options *o)
{
	struct site s;
	int code;

	if (o->n_files ? o->from || o->to || o->port : !o->from || !o->to || !o->port)
		return cli_fail(CLI_USAGE, "suggest: give files of records (- for stdin), or "
					   "--from, --to and --port");
	code = cli_load(&s, o, NEED_POLICIES | NEED_ENDPOINTS);
	if (code == CLI_YES)
		code = run(&s, o);
	site_done(&s);
	return code;
}
