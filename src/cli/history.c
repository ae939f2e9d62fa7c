/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>
#include <bulkhead/store/audit.h>
#include <bulkhead/store/generations.h>

#include "cli.h"

/* A sequence number is shorter than the prefix of a digest. */
#define SEQ_DIGITS_MAX (GENERATION_PREFIX_MIN - 1)
#define SHORT_DIGEST   12

/* Whoever reached the disk may have written it. */
static void add_text(struct bh_buf *b, const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	bh_tame(b, s ? s : "", s ? strlen(s) : 0);
}

/* --- the list -------------------------------------------------------------------------------- */

static void add_who(struct bh_buf *b, const json_t *e)
{
	const json_t *who = json_object_get(e, "who");

	add_text(b, who, "name");
	bh_buf_addf(b, "(%" JSON_INTEGER_FORMAT ")",
		    json_integer_value(json_object_get(who, "uid")));
}

static void add_objects(struct bh_buf *b, const json_t *e)
{
	json_int_t more = json_integer_value(json_object_get(e, "more_objects"));
	const json_t *o;
	size_t i;

	json_array_foreach (json_object_get(e, "objects"), i, o) {
		bh_buf_addstr(b, i ? "," : "  ");
		bh_tame(b, json_string_value(o), json_string_length(o));
	}
	if (more > 0)
		bh_buf_addf(b, " and %" JSON_INTEGER_FORMAT " more", more);
}

static void add_digest(struct bh_buf *b, const json_t *e, const char *key)
{
	const char *s = json_string_value(json_object_get(e, key));

	bh_buf_addf(b, "%.*s", SHORT_DIGEST, s && s[0] ? s : "-");
}

static void add_line(struct bh_buf *b, const struct audit_item *item)
{
	const json_t *e = item->entry;

	if (!e) {
		bh_buf_addf(b, "%s:%" PRIu64 ": no entry\n", item->file, item->line);
		return;
	}
	bh_buf_addf(b, "%6" PRId64 "  ", item->seq);
	add_text(b, e, "when");
	bh_buf_addstr(b, "  ");
	add_text(b, e, "action");
	bh_buf_addstr(b, " ");
	add_text(b, e, "outcome");
	bh_buf_addstr(b, "  ");
	add_who(b, e);
	bh_buf_addstr(b, "  ");
	add_digest(b, e, "before");
	bh_buf_addstr(b, " -> ");
	add_digest(b, e, "after");
	add_objects(b, e);
	bh_buf_addstr(b, "  ");
	add_text(b, e, "detail");
	bh_buf_addstr(b, item->intact ? "\n" : "  CHANGED: its hash is not its own\n");
}

static void print_json(const struct audit_item *item)
{
	json_t *o = item->entry ? json_copy((json_t *)item->entry) : json_object();

	json_object_set_new(o, "intact", json_boolean(item->intact));
	json_object_set_new(o, "file", json_string(item->file));
	json_object_set_new(o, "line", json_integer((json_int_t)item->line));
	json_dumpf(o, stdout, JSON_ENSURE_ASCII);
	putchar('\n');
	json_decref(o);
}

static int print_item(const struct audit_item *item, bool json)
{
	struct bh_buf b;

	if (json) {
		print_json(item);
		return 0;
	}
	bh_buf_init(&b, 8 * BH_AUDIT_LINE_MAX);
	add_line(&b, item);
	cli_flush(&b);
	bh_buf_done(&b);
	return 0;
}

static int on_item(const struct audit_item *item, void *arg)
{
	const struct cli_options *o = arg;

	return print_item(item, o->json);
}

static int list(struct cli_options *o)
{
	struct bh_err err = BH_ERR_INIT;
	int r = audit_read(o->store, on_item, o, &err);

	return r < 0 ? cli_fail(CLI_FAILED, "%s", err.msg) : CLI_YES;
}

/* --- one entry ------------------------------------------------------------------------------- */

struct search {
	const char *word;
	int64_t seq; /* 0: by generation */
	struct audit_item found;
	char file[64];
};

/* The last one counts: the newest change to that generation. */
static int look_at(const struct audit_item *item, void *arg)
{
	struct search *s = arg;
	const char *after = json_string_value(json_object_get(item->entry, "after"));

	if (!item->entry ||
	    (s->seq ? item->seq != s->seq : strncmp(after, s->word, strlen(s->word)) != 0))
		return 0;
	json_decref((json_t *)s->found.entry);
	snprintf(s->file, sizeof(s->file), "%s", item->file);
	s->found = *item;
	s->found.file = s->file;
	json_incref((json_t *)s->found.entry);
	return 0;
}

static void add_diff(struct bh_buf *b, const json_t *e)
{
	const char *s = json_string_value(json_object_get(e, "diff"));
	const json_t *cut = json_object_get(e, "cut");

	while (s && *s) {
		size_t n = strcspn(s, "\n\t");

		bh_tame(b, s, n);
		if (s[n])
			bh_buf_add(b, s + n, 1);
		s += n + (s[n] != '\0');
	}
	if (!cut)
		return;
	bh_buf_addf(b, "(%" JSON_INTEGER_FORMAT " bytes more, SHA-256 ",
		    json_integer_value(json_object_get(cut, "bytes")));
	add_text(b, cut, "sha256");
	bh_buf_addstr(b, ")\n");
}

static void print_entry(const struct audit_item *item)
{
	struct bh_buf b;

	bh_buf_init(&b, 8 * BH_AUDIT_LINE_MAX);
	add_line(&b, item);
	bh_buf_addstr(&b, "before ");
	add_text(&b, item->entry, "before");
	bh_buf_addstr(&b, "\nafter  ");
	add_text(&b, item->entry, "after");
	bh_buf_addstr(&b, "\n");
	add_diff(&b, item->entry);
	cli_flush(&b);
	bh_buf_done(&b);
}

static int parse_word(struct search *s)
{
	size_t len = strlen(s->word);
	uint64_t seq;

	if (len <= SEQ_DIGITS_MAX && bh_parse_u64(s->word, 1, INT64_MAX, &seq) == 0) {
		s->seq = (int64_t)seq;
		return 0;
	}
	return len < GENERATION_PREFIX_MIN || len >= DIGEST_HEX ||
			       strspn(s->word, "0123456789abcdef") != len
		       ? -EINVAL
		       : 0;
}

static int show(struct cli_options *o)
{
	struct search s = { .word = o->word };
	struct bh_err err = BH_ERR_INIT;
	char shown[128];
	int r;

	bh_escape_str(shown, sizeof(shown), o->word);
	if (parse_word(&s) < 0)
		return cli_fail(CLI_USAGE,
				"history: '%s' is neither the first 8 or more hex digits of a "
				"generation nor the number of an entry",
				shown);
	r = audit_read(o->store, look_at, &s, &err);
	if (r < 0)
		return cli_fail(CLI_FAILED, "%s", err.msg);
	if (!s.found.entry)
		return cli_fail(CLI_NO, "history: no entry is of %s", shown);
	if (o->json)
		print_json(&s.found);
	else
		print_entry(&s.found);
	json_decref((json_t *)s.found.entry);
	return CLI_YES;
}

/* --- verify ---------------------------------------------------------------------------------- */

static void on_finding(const struct audit_finding *f, void *arg)
{
	const struct cli_options *o = arg;
	json_t *json;

	if (!o->json) {
		if (f->file)
			printf("%s:%" PRIu64 ": ", f->file, f->line);
		printf("%s: %s\n", audit_fault_name(f->fault), f->text);
		return;
	}
	json = json_pack("{s:s, s:s, s:s*, s:I, s:I, s:I}", "finding", audit_fault_name(f->fault),
			 "text", f->text, "file", f->file, "line", (json_int_t)f->line, "first",
			 (json_int_t)f->first, "last", (json_int_t)f->last);
	cli_print_object(json);
	json_decref(json);
}

static void print_verdict(const struct audit_verdict *v, bool json)
{
	json_t *o;

	if (!json) {
		printf("%s: %" PRIu64 " entries in %zu %s, %zu %s; the last is %" PRId64 ", %s\n",
		       v->findings ? "NOT WHOLE" : "whole", v->entries, v->files,
		       v->files == 1 ? "file" : "files", v->findings,
		       v->findings == 1 ? "finding" : "findings", v->last,
		       v->last ? v->last_hash : "-");
		return;
	}
	o = json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:s}", "whole", v->findings == 0, "entries",
		      (json_int_t)v->entries, "files", (json_int_t)v->files, "findings",
		      (json_int_t)v->findings, "first", (json_int_t)v->first, "last",
		      (json_int_t)v->last, "last_hash", v->last_hash);
	cli_print_object(o);
	json_decref(o);
}

static int verify(struct cli_options *o)
{
	struct bh_err err = BH_ERR_INIT;
	struct audit_verdict v;
	int r = audit_verify(o->store, on_finding, o, &v, &err);

	if (r < 0)
		return cli_fail(CLI_FAILED, "%s", err.msg);
	print_verdict(&v, o->json);
	return v.findings ? CLI_NO : CLI_YES;
}

int cmd_history(struct cli_options *o)
{
	if (o->verify && o->word)
		return cli_fail(CLI_USAGE, "history: --verify looks at all of it");
	if (o->generations && (o->word || o->verify))
		return cli_fail(CLI_USAGE, "history: --generations lists all of them");
	if (o->generations)
		return cli_list_generations(o);
	if (o->verify)
		return verify(o);
	return o->word ? show(o) : list(o);
}
