/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "schema.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/policy/edit.h>

const char *place_format(char out[PLACE_MAX], const struct src_loc *loc)
{
	char file[PLACE_MAX - 16];

	snprintf(out, PLACE_MAX, "%s:%u", bh_escape_str(file, sizeof(file), loc->file), loc->line);
	return out;
}

const char *hint_nearest(char out[HINT_MAX], const char *word, const char *const *words, size_t n,
			 const char *fallback)
{
	const char *near = bh_nearest(word, words, n);

	if (!near)
		return fallback;
	snprintf(out, HINT_MAX, "did you mean \"%s\"?", SHOWN(near));
	return out;
}

static const char *kind_name(const struct node *n)
{
	switch (n->kind) {
	case NODE_LIST:
		return "a list";
	case NODE_MAP:
		return "a mapping";
	case NODE_TEXT:
	case NODE_BAD:
		break;
	}
	return "text";
}

static const char *takes_name(unsigned takes)
{
	static const char *const names[] = {
		[TAKES_TEXT] = "text",
		[TAKES_LIST] = "a list",
		[TAKES_MAP] = "a mapping",
		[TAKES_TEXT | TAKES_LIST] = "a list or a word",
		[TAKES_TEXT | TAKES_MAP] = "a mapping or text",
	};

	return names[takes];
}

bool node_takes(struct reader *rd, const struct node *n, unsigned takes, const char *what,
		const char *example)
{
	static const unsigned bit[] = {
		[NODE_TEXT] = TAKES_TEXT, [NODE_LIST] = TAKES_LIST, [NODE_MAP] = TAKES_MAP
	};
	char hint[HINT_MAX];

	if (n->kind == NODE_BAD)
		return false;
	if (example)
		snprintf(hint, sizeof(hint), "write %s", example);
	if (node_is_null(n))
		mistake(rd, n, "missing-value", example ? hint : NULL, "%s has no value", what);
	else if (takes & bit[n->kind])
		return true;
	else if (n->kind == NODE_TEXT)
		mistake(rd, n, "wrong-type", example ? hint : NULL,
			"%s takes %s, not text (\"%s\")", what, takes_name(takes), SHOWN(n->text));
	else
		mistake(rd, n, "wrong-type", example ? hint : NULL, "%s takes %s, not %s", what,
			takes_name(takes), kind_name(n));
	return false;
}

bool node_fits(struct reader *rd, const struct node *n, size_t max, const char *what)
{
	if (n->n <= max)
		return true;
	mistake(rd, n, "too-many", NULL, "%zu %s; %zu is the most", n->n, what, max);
	return false;
}

const struct node *node_find(const struct node *map, const char *key)
{
	const struct node *c = map->first;

	while (c && strcmp(c->key->text, key) != 0)
		c = c->next;
	return c;
}

const struct field *schema_field(const struct schema *s, const char *key)
{
	for (size_t i = 0; s && key && i < s->n; i++)
		if (strcmp(s->fields[i].key, key) == 0)
			return &s->fields[i];
	return NULL;
}

/* The field that was most likely meant, or NULL. */
static const struct field *report_unknown_key(struct reader *rd, const struct schema *s,
					      const struct node *key)
{
	const char *words[32];
	char hint[HINT_MAX], all[HINT_MAX] = "the keys are ";
	size_t n = 0, at = strlen(all);

	for (size_t i = 0; i < s->n && n < BH_ARRAY_SIZE(words); i++) {
		if (s->fields[i].refused)
			continue;
		if (at < sizeof(all))
			at += (size_t)snprintf(all + at, sizeof(all) - at, "%s%s", n ? ", " : "",
					       s->fields[i].key);
		words[n++] = s->fields[i].key;
	}
	mistake(rd, key, "unknown-key", hint_nearest(hint, key->text, words, n, all),
		"unknown key \"%s\" in %s", SHOWN(key->text), s->what);
	return schema_field(s, bh_nearest(key->text, words, n));
}

/* *ret_meant: the field that this key is or stands for, or NULL. */
static int read_field(struct reader *rd, const struct schema *s, const struct node *value,
		      void *out, const struct field **ret_meant)
{
	const struct field *f = schema_field(s, value->key->text);
	char what[64];

	*ret_meant = f;
	if (!f) {
		*ret_meant = report_unknown_key(rd, s, value->key);
		return 0;
	}
	if (f->refused) {
		mistake(rd, value->key, f->instead ? "misplaced-key" : "not-supported", f->way_out,
			"\"%s\" %s", f->key, f->refused);
		*ret_meant = schema_field(s, f->instead);
		return 0;
	}
	if (f->takes & TAKES_ANYTHING)
		return 0;
	snprintf(what, sizeof(what), "\"%s\"", f->key);
	if (!node_takes(rd, value, f->takes, what, f->example))
		return 0;
	return f->read(rd, f, value, out);
}

int schema_read(struct reader *rd, const struct schema *s, const struct node *map, void *out)
{
	uint32_t present = 0; /* bit = index of the field */
	char hint[HINT_MAX];

	if (!node_takes(rd, map, TAKES_MAP, s->what, s->example))
		return 0;
	for (const struct node *c = map->first; c; c = c->next) {
		const struct field *meant;
		int r = read_field(rd, s, c, out, &meant);

		if (r < 0)
			return r;
		if (meant)
			present |= UINT32_C(1) << (meant - s->fields);
	}
	for (size_t i = 0; i < s->n; i++) {
		if (!s->fields[i].required || present & UINT32_C(1) << i)
			continue;
		snprintf(hint, sizeof(hint), "for example %s", s->fields[i].example);
		mistake(rd, map, "missing-key", hint, "%s needs \"%s\"", s->what, s->fields[i].key);
	}
	return 0;
}

/* --- readers for tables ------------------------------------------------------------------- */

static void *field_at(const struct field *f, void *out)
{
	return (char *)out + f->offset;
}

int schema_read_string(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	const char **at = field_at(f, out);

	if (!*n->text) {
		mistake(rd, n, "missing-value", NULL, "\"%s\" is empty", f->key);
		return 0;
	}
	*at = bh_arena_strdup(rd->arena, n->text);
	return *at ? 0 : -ENOMEM;
}

int schema_read_remark(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	if (strcmp(n->text, POLICY_PLACEHOLDER) != 0)
		return schema_read_string(rd, f, n, out);
	mistake(rd, n, "placeholder", "write what it is, or remove the key if nothing requires it",
		"\"%s\" is still to be written: \"%s\"", f->key, n->text);
	return 0;
}

/* "Web_Shop" -> "web-shop". False when that is no name either. */
static bool suggest_name(const char *s, char out[64])
{
	size_t n = 0;

	for (; *s && n < 63; s++) {
		char c = *s >= 'A' && *s <= 'Z' ? (char)(*s - 'A' + 'a') : *s;

		out[n++] = strchr("_ .", c) ? '-' : c;
	}
	out[n] = '\0';
	return !*s && bh_name_is_valid(out);
}

int schema_read_name_text(struct reader *rd, const struct node *n, const char *what,
			  const char **ret)
{
	char hint[HINT_MAX] = "a name is 1 to 63 of a-z, 0-9 and -, with a letter or digit at "
			      "both ends";
	const char *name;
	char better[64];

	if (!bh_name_is_valid(n->text)) {
		if (suggest_name(n->text, better))
			snprintf(hint, sizeof(hint),
				 "did you mean \"%s\"? a name is of a-z, 0-9 and -", better);
		mistake(rd, n, "bad-name", hint, "\"%s\" is not a %s name", SHOWN(n->text), what);
		return 0;
	}
	name = bh_arena_strdup(rd->arena, n->text);
	if (!name)
		return -ENOMEM;
	*ret = name;
	return 0;
}

int schema_read_name(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	return schema_read_name_text(rd, n, strcmp(f->key, "name") == 0 ? "rule" : f->key,
				     field_at(f, out));
}

int schema_read_bool(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	bool *at = field_at(f, out);

	if (n->plain && strcmp(n->text, "true") == 0)
		*at = true;
	else if (n->plain && strcmp(n->text, "false") == 0)
		*at = false;
	else
		mistake(rd, n, "bad-value", n->plain ? NULL : "remove the quotes",
			"\"%s\" takes true or false, not %s\"%s\"", f->key,
			n->plain ? "" : "the text ", SHOWN(n->text));
	return 0;
}

int schema_read_u32(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	uint32_t *at = field_at(f, out);
	uint64_t v;

	if (n->plain && bh_parse_u64(n->text, f->min, f->max, &v) >= 0)
		*at = (uint32_t)v;
	else
		mistake(rd, n, "bad-value", n->plain ? NULL : "remove the quotes",
			"\"%s\" takes a number from %u to %u, not %s\"%s\"", f->key, f->min, f->max,
			n->plain ? "" : "the text ", SHOWN(n->text));
	return 0;
}

static void report_word(struct reader *rd, const struct field *f, const struct node *n,
			size_t count)
{
	char all[HINT_MAX] = "", hint[HINT_MAX];
	size_t at = 0;

	for (size_t i = 0; i < count && at < sizeof(all); i++)
		at += (size_t)snprintf(all + at, sizeof(all) - at, "%s%s",
				       !i               ? ""
				       : i + 1 == count ? " or "
							: ", ",
				       f->words[i]);
	mistake(rd, n, "bad-value", hint_nearest(hint, n->text, f->words, count, NULL),
		"\"%s\" takes %s, not \"%s\"", f->key, all, SHOWN(n->text));
}

/* Every enum that is read so has the size of an int (checked where the tables stand). */
int schema_read_word(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	int *at = field_at(f, out), i = 0;

	for (; f->words[i]; i++) {
		if (strcmp(f->words[i], n->text) != 0)
			continue;
		*at = i;
		return 0;
	}
	report_word(rd, f, n, (size_t)i);
	return 0;
}

int schema_read_date(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	int64_t t;

	if (bh_parse_date(n->text, &t) >= 0)
		return schema_read_string(rd, f, n, out);
	mistake(rd, n, "bad-date", "write YYYY-MM-DD, like 2026-09-01",
		"\"%s\" is not a date: \"%s\"", f->key, SHOWN(n->text));
	return 0;
}

int schema_read_time(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	int64_t *at = field_at(f, out), t;
	char hint[HINT_MAX] = "write a date and a time, like 2027-01-31T00:00:00Z";

	if (bh_parse_time(n->text, &t) >= 0 && t > 0) {
		if (t >= BH_EXPIRES_MAX)
			mistake(rd, n, "bad-time", "leave it out for what does not end",
				"\"%s\" is later than the year 2199: \"%s\"", f->key,
				SHOWN(n->text));
		*at = t;
		return 0;
	}
	if (bh_parse_date(n->text, &t) >= 0)
		snprintf(hint, sizeof(hint), "a time is missing: write %sT00:00:00Z", n->text);
	mistake(rd, n, "bad-time", hint, "\"%s\" is not a time: \"%s\"", f->key, SHOWN(n->text));
	return 0;
}
