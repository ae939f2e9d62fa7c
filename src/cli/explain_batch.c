/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "explain.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/base/text.h>

#define BATCH_LINE_MAX 1024

struct batch {
	const struct asker *asker;
	const char *file;
	bool json;
	struct word_cache *words;
	struct bh_buf out;
	size_t number;             /* of the line */
	size_t questions, changed; /* with --compare */
};

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

static int understand(struct batch *b, char *words[3], struct cli_question *ret, struct bh_err *err)
{
	int r = word_cache_party(b->words, words[0], &ret->from, err);

	if (r >= 0)
		r = word_cache_party(b->words, words[1], &ret->to, err);
	return r < 0 ? r : word_cache_port(b->words, words[2], &ret->port, err);
}

static const char *verdict_of(const struct explainer *x, const struct cli_question *q)
{
	return explain_verdict(x, &q->from, &q->to, &q->port) == EXPLAIN_ALLOW ? "allow\n"
									       : "deny\n";
}

/* --- one that is answered otherwise ------------------------------------------------------------- */

static void add_json(struct batch *b, char *words[3], const struct explanation x[2])
{
	json_t *o =
		json_pack("{s:s, s:s, s:s, s:o*, s:o*}", "from", words[0], "to", words[1], "port",
			  words[2], "before", explain_json(&x[0]), "after", explain_json(&x[1]));
	char *text = o ? json_dumps(o, 0) : NULL;

	if (text)
		bh_buf_addf(&b->out, "%s\n", text);
	else
		b->out.error = -ENOMEM;
	free(text);
	json_decref(o);
}

static void add_text(struct batch *b, char *words[3], const struct explanation x[2])
{
	for (int i = 0; i < 3; i++) {
		bh_escape(&b->out, words[i], strlen(words[i]));
		bh_buf_addstr(&b->out, i < 2 ? " " : ": ");
	}
	bh_buf_addf(&b->out, "%s, then %s\n  %s\n  %s\n",
		    x[0].verdict == EXPLAIN_ALLOW ? "allow" : "deny",
		    x[1].verdict == EXPLAIN_ALLOW ? "allow" : "deny", x[0].sentence, x[1].sentence);
}

static int compare(struct batch *b, char *words[3], const struct cli_question *q)
{
	const struct explainer *both[2] = { b->asker->now, b->asker->other };
	struct bh_err err = BH_ERR_INIT;
	struct explanation x[2];

	b->questions++;
	if (explain_verdict(both[0], &q->from, &q->to, &q->port) ==
	    explain_verdict(both[1], &q->from, &q->to, &q->port))
		return CLI_YES;
	b->changed++;
	for (int i = 0; i < 2; i++)
		if (explain(both[i], &q->from, &q->to, &q->port, &x[i], &err) < 0)
			return cli_fail(CLI_FAILED, "explain: %s", err.msg);
	(b->json ? add_json : add_text)(b, words, x);
	return CLI_YES;
}

/* --- the lines -------------------------------------------------------------------------------- */

static int one_line(struct batch *b, char *line)
{
	struct bh_err err = BH_ERR_INIT;
	struct cli_question q;
	const char *verdict;
	char *words[3];
	int n = split(line, words);

	if (n == 0)
		return CLI_YES;
	if (n < 0)
		return cli_fail(CLI_USAGE, "%s:%zu: a question is three words: FROM TO PORT",
				b->file, b->number);
	if (understand(b, words, &q, &err) < 0)
		return cli_fail(CLI_USAGE, "%s:%zu: %s", b->file, b->number, err.msg);
	if (b->asker->other)
		return compare(b, words, &q);
	verdict = verdict_of(b->asker->now, &q);
	bh_buf_add(&b->out, verdict, strlen(verdict));
	return CLI_YES;
}

static int all_lines(struct batch *b, FILE *in)
{
	char line[BATCH_LINE_MAX];
	int code = CLI_YES;

	while (code == CLI_YES && fgets(line, sizeof(line), in)) {
		b->number++;
		code = strlen(line) == sizeof(line) - 1
			       ? cli_fail(CLI_USAGE, "%s:%zu: line too long", b->file, b->number)
			       : one_line(b, line);
		if (code == CLI_YES && (b->out.len > (1 << 16) || bh_buf_error(&b->out)))
			code = cli_flush(&b->out);
	}
	return code;
}

static int read_lines(struct batch *b)
{
	FILE *in = strcmp(b->file, "-") == 0 ? stdin : fopen(b->file, "re");
	int code;

	if (!in)
		return cli_fail(CLI_USAGE, "%s: %s", b->file, strerror(errno));
	code = all_lines(b, in);
	if (b->asker->other && code == CLI_YES && !b->json)
		bh_buf_addf(&b->out, "%zu of %zu questions are answered otherwise\n", b->changed,
			    b->questions);
	if ((b->out.len || bh_buf_error(&b->out)) && cli_flush(&b->out) != CLI_YES)
		code = CLI_FAILED;
	if (in != stdin)
		fclose(in);
	return code == CLI_YES && b->changed ? CLI_NO : code;
}

int explain_batch(const struct asker *a, const struct cli_options *o)
{
	struct batch b = {
		.asker = a,
		.file = o->batch,
		.json = o->json,
		.words = word_cache_new(a->site->endpoints),
	};
	int code;

	if (!b.words)
		return cli_fail(CLI_FAILED, "explain: out of memory");
	bh_buf_init(&b.out, 1 << 18);
	code = read_lines(&b);
	bh_buf_done(&b.out);
	word_cache_free(b.words);
	return code;
}
