/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/model/jsontext.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <bulkhead/base/cleanup.h>

int jsontext_parse(const char *text, size_t len, json_t **ret, struct bh_err *err)
{
	/* As reals: of 64 bits without a sign there are too big ones for jansson's integers. */
	const size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL;
	json_error_t why;
	json_t *root = json_loadb(text, len, flags, &why);
	size_t at = why.position > 0 ? (size_t)why.position - 1 : 0;

	if (!root && json_error_code(&why) == json_error_out_of_memory)
		return bh_err_oom(err);
	if (!root && at < len && (text[at] == '/' || text[at] == '#'))
		return bh_err_set(err, -EINVAL, "%d:%d: JSON has no comments", why.line,
				  why.column);
	if (!root)
		return bh_err_set(err, -EINVAL, "%d:%d: %s", why.line, why.column, why.text);
	if (!json_is_object(root)) {
		json_decref(root);
		return bh_err_set(err, -EINVAL, "1:1: it is no object");
	}
	*ret = root;
	return 0;
}

/* --- walking: the text is valid, but nothing is read behind its end whatever it is ---------------- */

struct walker {
	const char *text;
	size_t at, end;
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_space(struct walker *w)
{
	while (w->at < w->end && is_space(w->text[w->at]))
		w->at++;
}

static char peek(const struct walker *w)
{
	return w->at < w->end ? w->text[w->at] : '\0';
}

static void skip_string(struct walker *w)
{
	w->at++;
	while (w->at < w->end && w->text[w->at] != '"')
		w->at += w->text[w->at] == '\\' ? 2 : 1;
	w->at = w->at < w->end ? w->at + 1 : w->end;
}

/* Of the brackets only the depth counts: those of a valid text fit one another. */
static void skip_value(struct walker *w)
{
	size_t depth = 0;

	while (w->at < w->end) {
		char c = peek(w);

		if (c == '{' || c == '[')
			depth++;
		else if ((c == '}' || c == ']') && depth)
			depth--;
		else if (!depth && (c == ',' || c == '}' || c == ']' || is_space(c)))
			return;
		if (c == '"')
			skip_string(w);
		else
			w->at++;
		if (!depth && (c == '}' || c == ']' || c == '"'))
			return;
	}
}

/* --- members -------------------------------------------------------------------------------------- */

struct member {
	struct json_span key, value; /* the key with its quotes */
};

/* The next member of an object, W standing behind "{" or the value before. */
static bool next_member(struct walker *w, struct member *ret)
{
	skip_space(w);
	if (peek(w) == ',')
		w->at++;
	skip_space(w);
	if (peek(w) != '"')
		return false;
	ret->key.at = w->at;
	skip_string(w);
	ret->key.len = w->at - ret->key.at;
	skip_space(w);
	if (peek(w) != ':')
		return false;
	w->at++;
	skip_space(w);
	ret->value.at = w->at;
	skip_value(w);
	ret->value.len = w->at - ret->value.at;
	return true;
}

/* Keys may be written with escapes. */
static bool key_is(const char *text, struct json_span key, const char *name)
{
	json_t *s;
	bool same;

	if (!memchr(text + key.at, '\\', key.len))
		return key.len == strlen(name) + 2 &&
		       strncasecmp(text + key.at + 1, name, key.len - 2) == 0;
	s = json_loadb(text + key.at, key.len, JSON_DECODE_ANY, NULL);
	same = s && strcasecmp(json_string_value(s), name) == 0;
	json_decref(s);
	return same;
}

static bool key_is_exactly(const char *text, struct json_span key, const char *name)
{
	return key.len == strlen(name) + 2 && strncmp(text + key.at + 1, name, key.len - 2) == 0;
}

/* 1, 0, -EEXIST. PREVIOUS (may be NULL): where the value before it ends, or its object begins. */
static int find_member(const char *text, struct json_span object, const char *name,
		       struct member *ret, size_t *previous)
{
	struct walker w = { text, object.at + 1, object.at + object.len };
	size_t before = w.at;
	struct member m;
	int found = 0;

	while (next_member(&w, &m)) {
		if (key_is(text, m.key, name)) {
			if (found || !key_is_exactly(text, m.key, name))
				return -EEXIST;
			found = 1;
			*ret = m;
			if (previous)
				*previous = before;
		}
		before = w.at;
	}
	return found;
}

int jsontext_find(const char *text, size_t len, const char *const *path, struct json_span *ret)
{
	struct walker w = { text, 0, len };
	struct json_span at;
	struct member m;

	skip_space(&w);
	at.at = w.at;
	skip_value(&w);
	at.len = w.at - at.at;
	for (; *path; path++) {
		int r = at.len && text[at.at] == '{' ? find_member(text, at, *path, &m, NULL) : 0;

		if (r <= 0)
			return r;
		at = m.value;
	}
	*ret = at;
	return 1;
}

bool jsontext_next(const char *text, struct json_span in, struct json_span *e)
{
	struct walker w = { text, e->len ? e->at + e->len : in.at + 1, in.at + in.len };

	skip_space(&w);
	if (peek(&w) == ',')
		w.at++;
	skip_space(&w);
	if (w.at >= w.end || peek(&w) == ']')
		return false;
	e->at = w.at;
	skip_value(&w);
	e->len = w.at - e->at;
	return e->len != 0;
}

/* --- edits ---------------------------------------------------------------------------------------- */

/* Exchange OLD for as many pieces as there are, NULL at the end. */
static int splice(struct bh_buf *b, struct json_span old, const char *const *pieces)
{
	bh_autofree char *rest = strndup(b->data + old.at + old.len, b->len - old.at - old.len);

	if (!rest)
		return -ENOMEM;
	b->len = old.at;
	for (; *pieces; pieces++)
		bh_buf_addstr(b, *pieces);
	return bh_buf_addstr(b, rest);
}

static int find_kind(const struct bh_buf *b, const char *const *path, char opens,
		     struct json_span *ret)
{
	int r = b->len ? jsontext_find(b->data, b->len, path, ret) : 0;

	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	return b->data[ret->at] == opens && ret->len >= 2 ? 0 : -ENOENT;
}

/* Behind the last value of a container, or behind what opens it. *RET_FIRST: where the last begins. */
static size_t end_of_last(const char *text, struct json_span in, size_t *ret_first)
{
	struct walker w = { text, in.at + 1, in.at + in.len };
	struct json_span e = { 0, 0 };
	size_t end = w.at;
	struct member m;

	*ret_first = 0;
	while (text[in.at] == '[' && jsontext_next(text, in, &e)) {
		*ret_first = e.at;
		end = e.at + e.len;
	}
	while (text[in.at] == '{' && next_member(&w, &m)) {
		*ret_first = m.key.at;
		end = w.at;
	}
	return end;
}

/* The space before what stands at AT, which is a line of its own where the container has lines. */
static char *space_before(const char *text, size_t at)
{
	size_t from = at;

	while (from > 0 && is_space(text[from - 1]))
		from--;
	return strndup(text + from, at - from);
}

/* At the end of a container: "KEY": VALUE, or VALUE alone. */
static int add_last(struct bh_buf *b, struct json_span in, const char *key, const char *value)
{
	size_t first, end = end_of_last(b->data, in, &first);
	bool lines = memchr(b->data + in.at, '\n', in.len) != NULL;
	bh_autofree char *space = NULL;

	if (first)
		space = space_before(b->data, first);
	else
		space = strdup(lines ? "\n    " : "");
	if (!space)
		return -ENOMEM;
	if (!key)
		return splice(b, (struct json_span) { end, 0 },
			      (const char *[]) { first ? "," : "", space, value, NULL });
	return splice(b, (struct json_span) { end, 0 },
		      (const char *[]) { first ? "," : "", space, "\"", key,
					 *space ? "\": " : "\":", value, NULL });
}

int jsontext_set(struct bh_buf *b, const char *const *path, const char *key, const char *value)
{
	struct json_span in;
	struct member m;
	int r = find_kind(b, path, '{', &in);

	if (r >= 0)
		r = find_member(b->data, in, key, &m, NULL);
	if (r < 0)
		return r;
	if (r > 0)
		return splice(b, m.value, (const char *[]) { value, NULL });
	return add_last(b, in, key, value);
}

int jsontext_append(struct bh_buf *b, const char *const *path, const char *value)
{
	struct json_span in;
	int r = find_kind(b, path, '[', &in);

	return r < 0 ? r : add_last(b, in, NULL, value);
}

/* With the comma before it; of the first, with the one behind it; alone, with all space around. */
int jsontext_remove(struct bh_buf *b, const char *const *path, const char *key)
{
	struct json_span in, out;
	struct walker w;
	struct member m;
	size_t previous = 0;
	int r = find_kind(b, path, '{', &in);

	if (r >= 0)
		r = find_member(b->data, in, key, &m, &previous);
	if (r <= 0)
		return r;
	w = (struct walker) { b->data, m.value.at + m.value.len, in.at + in.len };
	skip_space(&w);
	out = (struct json_span) { previous, m.value.at + m.value.len - previous };
	if (previous == in.at + 1 && peek(&w) == ',') {
		w.at++;
		skip_space(&w);
		out = (struct json_span) { m.key.at, w.at - m.key.at };
	} else if (previous == in.at + 1) {
		out.len = w.at - previous;
	}
	return splice(b, out, (const char *[]) { NULL });
}
