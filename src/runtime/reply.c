/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reply.h"

#include <errno.h>
#include <string.h>

#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>

int reply_open(struct reply *d, const char *json, size_t len, json_type type, const char *what)
{
	char shown[256];
	json_error_t why;

	d->root = json_loadb(json, len, JSON_REJECT_DUPLICATES, &why);
	if (!d->root)
		return bh_err_set(d->err, -EBADMSG, "%s is not JSON: line %d: %s", what, why.line,
				  bh_escape_str(shown, sizeof(shown), why.text));
	if (json_typeof(d->root) != type) {
		json_decref(d->root);
		return bh_err_set(d->err, -EBADMSG, "%s is not %s", what,
				  type == JSON_ARRAY ? "a list" : "an object");
	}
	return 0;
}

void reply_oom(struct reply *d)
{
	if (d->r >= 0)
		d->r = bh_err_oom(d->err);
}

void reply_wrong(struct reply *d, const char *key, const char *text)
{
	char shown[128];

	if (d->r >= 0)
		d->r = bh_err_set(d->err, -EBADMSG, "%s %s",
				  bh_escape_str(shown, sizeof(shown), key), text);
}

json_t *reply_member(struct reply *d, const json_t *o, const char *key, json_type type)
{
	json_t *v = o && d->r >= 0 ? json_object_get(o, key) : NULL;

	if (!v || json_is_null(v))
		return NULL;
	if (json_typeof(v) == type)
		return v;
	reply_wrong(d, key, "has the wrong type");
	return NULL;
}

bool reply_flag(struct reply *d, const json_t *o, const char *key)
{
	json_t *v = o && d->r >= 0 ? json_object_get(o, key) : NULL;

	if (v && !json_is_boolean(v) && !json_is_null(v))
		reply_wrong(d, key, "has the wrong type");
	return json_is_true(v);
}

const char *reply_borrow(struct reply *d, const json_t *o, const char *key)
{
	json_t *v = reply_member(d, o, key, JSON_STRING);

	if (!v || json_string_length(v) == 0)
		return NULL;
	if (json_string_length(v) > BH_RUNTIME_LABEL_BYTES_MAX) {
		reply_wrong(d, key, "is too long");
		return NULL;
	}
	return json_string_value(v);
}

const char *reply_text(struct reply *d, const json_t *o, const char *key)
{
	const char *s = reply_borrow(d, o, key), *copy = s ? bh_arena_strdup(d->arena, s) : NULL;

	if (s && !copy)
		reply_oom(d);
	return copy;
}

const char *reply_path(struct reply *d, const json_t *o, const char *key)
{
	const char *s = reply_text(d, o, key);

	return s && s[0] == '/' ? s : NULL;
}

int reply_number(struct reply *d, const json_t *o, const char *key, int max)
{
	json_int_t n = json_integer_value(reply_member(d, o, key, JSON_INTEGER));

	if (n >= 0 && n <= max)
		return (int)n;
	reply_wrong(d, key, "is out of range");
	return 0;
}

void reply_add_addr(struct reply *d, const char *s, const char *key, struct bh_addr *out,
		    size_t cap, size_t *n)
{
	struct bh_addr a;

	if (!s)
		return;
	if (bh_addr_parse(s, &a) < 0) {
		reply_wrong(d, key, "is not an address");
		return;
	}
	for (size_t i = 0; i < *n; i++)
		if (bh_addr_cmp(&out[i], &a) == 0)
			return;
	if (*n == cap)
		reply_wrong(d, key, "is one address more than an endpoint may have");
	else
		out[(*n)++] = a;
}

struct bh_addr *reply_addr_array(struct reply *d, size_t n)
{
	struct bh_addr *out = bh_arena_array(d->arena, n, sizeof(*out));

	if (!out)
		reply_oom(d);
	return out;
}
