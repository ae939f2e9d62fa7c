/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "suggest.h"

#include <stdio.h>
#include <string.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/linediff.h>
#include <bulkhead/base/text.h>
#include <bulkhead/model/json.h>

#include "cli.h"

/* --- the diff -------------------------------------------------------------------------------- */

/* As git and patch read it: what is not plain ASCII stands in quotes, and a tab ends one with a space. */
static void put_name(struct bh_buf *out, const char *sign, char side, const char *name)
{
	bool quote = false;

	for (const char *s = name; *s; s++)
		quote |= *s < ' ' || *s > '~' || *s == '"' || *s == '\\';
	bh_buf_addf(out, "%s %s%c/", sign, quote ? "\"" : "", side);
	for (const char *s = name; *s; s++)
		if (*s < ' ' || *s > '~' || *s == '"' || *s == '\\')
			bh_buf_addf(out, "\\%03o", (unsigned char)*s);
		else
			bh_buf_add(out, s, 1);
	bh_buf_addf(out, "%s%s\n", quote ? "\"" : "", !quote && strchr(name, ' ') ? "\t" : "");
}

/* Without what patch -p1 would take for the beginning. */
static const char *relative(const char *name)
{
	for (;;) {
		if (strncmp(name, "./", 2) == 0)
			name += 2;
		else if (name[0] == '/')
			name++;
		else
			return name;
	}
}

static int put_diff(struct bh_buf *out, const struct advice *a)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < a->n_files; i++) {
		const struct advice_file *f = &a->files[i];

		put_name(out, "---", 'a', relative(f->name));
		put_name(out, "+++", 'b', relative(f->name));
		r = linediff(f->old, f->old_len, f->new, f->new_len, out);
	}
	return r < 0 ? r : bh_buf_error(out);
}

/* --- for a person ---------------------------------------------------------------------------- */

static void say_indented(const char *text)
{
	while (*text) {
		size_t n = strcspn(text, "\n");

		fprintf(stderr, "    %.*s\n", (int)n, text);
		text += n + (text[n] == '\n');
	}
}

static void say_refused(const struct advice *a)
{
	for (size_t i = 0; i < a->n_refused; i++) {
		const struct advice_refusal *r = &a->refused[i];

		fprintf(stderr, "bulkhead: %s: %s: refused: %s\n", r->record, r->flow, r->why);
		if (r->by_hand)
			say_indented(r->by_hand);
	}
	if (a->refused_more)
		fprintf(stderr, "bulkhead: %zu more are refused\n", a->refused_more);
}

/* patch and git go no way up, and begin where they are. */
static void say_names(const struct advice *a)
{
	bool absolute = false, upwards = false;

	for (size_t i = 0; i < a->n_files; i++) {
		absolute |= a->files[i].name[0] == '/';
		upwards |= strstr(a->files[i].name, "../") != NULL;
	}
	if (absolute)
		fprintf(stderr, "bulkhead: the names are those below /: patch -p1 -d /\n");
	if (upwards)
		fprintf(stderr, "bulkhead: patch and git take no names with ..: say it from a "
				"directory above\n");
}

static void say_edits(const struct advice *a)
{
	char file[512];

	for (size_t i = 0; i < a->n_edits; i++)
		fprintf(stderr, "bulkhead: %s:%u: %s\n",
			bh_escape_str(file, sizeof(file), a->edits[i].file), a->edits[i].line,
			a->edits[i].says);
	for (size_t i = 0; i < a->n_notes; i++)
		fprintf(stderr, "bulkhead: %s\n", a->notes[i]);
	for (size_t i = 0; i < a->n_also; i++)
		fprintf(stderr, "bulkhead: also lets %s\n", a->also[i]);
	if (a->also_more)
		fprintf(stderr, "bulkhead: also lets %zu more flows pass\n", a->also_more);
	if (a->todo)
		fprintf(stderr, "bulkhead: write what stands for TODO: check refuses the policies "
				"until then\n");
	say_names(a);
}

static int code_of(const struct advice *a)
{
	return a->n_refused || a->refused_more ? CLI_NO : CLI_YES;
}

int suggest_print(const struct advice *a)
{
	struct bh_buf out;
	int code;

	bh_buf_init(&out, BH_SUGGEST_TEXT_MAX);
	put_diff(&out, a);
	code = cli_flush(&out);
	bh_buf_done(&out);
	if (code != CLI_YES)
		return code;
	say_edits(a);
	say_refused(a);
	return code_of(a);
}

/* --- for a program --------------------------------------------------------------------------- */

static json_t *text_json(const char *s)
{
	json_t *v = json_string(s);

	return v ? v : json_hostile(s);
}

static json_t *texts_json(const char *const *s, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, text_json(s[i]));
	return list;
}

static json_t *edits_json(const struct advice *a)
{
	json_t *list = json_array();

	for (size_t i = 0; i < a->n_edits; i++) {
		const struct advice_edit *e = &a->edits[i];

		json_array_append_new(list, json_pack("{s:o, s:i, s:o, s:o}", "file",
						      text_json(e->file), "line", (int)e->line,
						      "add", texts_json(e->add, e->n_add), "says",
						      text_json(e->says)));
	}
	return list;
}

static void put_if(json_t *o, const char *key, const char *s)
{
	if (s)
		json_object_set_new(o, key, text_json(s));
}

static json_t *refused_json(const struct advice *a)
{
	json_t *list = json_array();

	for (size_t i = 0; i < a->n_refused; i++) {
		const struct advice_refusal *r = &a->refused[i];
		json_t *o = json_object();

		put_if(o, "record", r->record);
		put_if(o, "flow", r->flow);
		put_if(o, "why", r->why);
		put_if(o, "guardrail", r->guardrail);
		put_if(o, "where", r->where);
		put_if(o, "by_hand", r->by_hand);
		json_array_append_new(list, o);
	}
	return list;
}

int suggest_print_json(const struct advice *a)
{
	struct bh_buf diff;
	json_t *o;
	int r;

	bh_buf_init(&diff, BH_SUGGEST_TEXT_MAX);
	r = put_diff(&diff, a);
	o = json_pack("{s:o, s:o, s:I, s:o, s:I, s:o, s:b, s:o}", "edits", edits_json(a), "refused",
		      refused_json(a), "refused_more", (json_int_t)a->refused_more, "also",
		      texts_json(a->also, a->n_also), "also_more", (json_int_t)a->also_more,
		      "notes", texts_json(a->notes, a->n_notes), "todo", a->todo, "diff",
		      text_json(bh_buf_str(&diff)));
	bh_buf_done(&diff);
	if (r < 0 || !o) {
		json_decref(o);
		return cli_fail(CLI_FAILED, "suggest: the diff is too large, or out of memory");
	}
	cli_print_object(o);
	json_decref(o);
	return code_of(a);
}
