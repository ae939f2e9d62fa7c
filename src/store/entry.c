/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "entry.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>

/* The form that is hashed: the same object always gives the same bytes. */
#define CANONICAL (JSON_COMPACT | JSON_SORT_KEYS)

static const char *const outcomes[] = {
	[AUDIT_DONE] = "done",
	[AUDIT_REFUSED] = "refused",
	[AUDIT_FAILED] = "failed",
};

const char *audit_outcome_name(enum audit_outcome outcome)
{
	return outcomes[outcome];
}

bool is_digest(const char *s)
{
	return strlen(s) == DIGEST_HEX - 1 && strspn(s, "0123456789abcdef") == DIGEST_HEX - 1;
}

const char *store_tame(char *out, size_t size, const char *s)
{
	struct bh_buf b;
	size_t n;

	bh_buf_init(&b, 8 * size);
	bh_tame(&b, s ? s : "", s ? strnlen(s, size) : 0);
	n = b.len < size ? b.len : size - 1;
	while (n < b.len && n > 0 && (b.data[n] & 0xc0) == 0x80) /* not within a character */
		n--;
	snprintf(out, size, "%.*s", (int)n, bh_buf_str(&b));
	bh_buf_done(&b);
	return out;
}

/* --- writing --------------------------------------------------------------------------------- */

/* Not within a character of UTF-8. */
static size_t cut_at(const char *s, size_t max)
{
	while (max > 0 && (s[max] & 0xc0) == 0x80)
		max--;
	return max;
}

/* A string of at most MAX bytes that harms nobody; bytes that are no text are escaped. */
static json_t *tame_string(const char *s, size_t max)
{
	struct bh_buf b;
	json_t *ret;

	bh_buf_init(&b, 8 * max); /* four for one of those that are read */
	bh_tame(&b, s ? s : "", s ? strnlen(s, max + 1) : 0);
	if (b.len > max) {
		b.len = cut_at(b.data, max - 3);
		b.data[b.len] = '\0';
		bh_buf_addstr(&b, "...");
	}
	ret = bh_buf_error(&b) ? NULL : json_stringn(bh_buf_str(&b), b.len);
	bh_buf_done(&b);
	return ret;
}

/* A diff keeps its lines and tabs. */
static void tame_lines(struct bh_buf *b, const char *s, size_t len)
{
	while (len) {
		size_t n = 0;

		while (n < len && s[n] != '\n' && s[n] != '\t')
			n++;
		bh_tame(b, s, n);
		if (n < len)
			bh_buf_add(b, s + n++, 1);
		s += n;
		len -= n;
	}
}

/* Whole lines of S that fit: how many bytes of it, and what they look like in B. */
static size_t take_lines(struct bh_buf *b, const char *s, size_t len)
{
	size_t taken = 0;

	while (taken < len) {
		const char *end = memchr(s + taken, '\n', len - taken);
		size_t n = end ? (size_t)(end - s) + 1 - taken : len - taken, before = b->len;

		if (n <= BH_AUDIT_DIFF_MAX)
			tame_lines(b, s + taken, n);
		if (n > BH_AUDIT_DIFF_MAX || bh_buf_error(b) == -EFBIG) {
			b->error = 0;
			b->len = before;
			if (b->data)
				b->data[before] = '\0';
			break;
		}
		taken += n;
	}
	return taken;
}

static int add_diff(json_t *o, const char *diff, size_t len)
{
	char sum[DIGEST_HEX];
	struct bh_buf b;
	size_t taken;
	int r;

	bh_buf_init(&b, BH_AUDIT_DIFF_MAX);
	taken = take_lines(&b, diff, len);
	r = bh_buf_error(&b);
	if (r >= 0)
		r = json_object_set_new(o, "diff", json_stringn(bh_buf_str(&b), b.len));
	bh_buf_done(&b);
	if (r < 0 || taken == len)
		return r < 0 ? -ENOMEM : 0;
	digest_bytes(diff + taken, len - taken, sum);
	r = json_object_set_new(
		o, "cut",
		json_pack("{s:I, s:s}", "bytes", (json_int_t)(len - taken), "sha256", sum));
	return r < 0 ? -ENOMEM : 0;
}

static int add_objects(json_t *o, const struct audit_entry *e)
{
	size_t n = e->n_objects < BH_AUDIT_OBJECTS_MAX ? e->n_objects : BH_AUDIT_OBJECTS_MAX;
	json_t *list = json_array();
	int r = 0;

	for (size_t i = 0; r >= 0 && i < n; i++)
		r = json_array_append_new(list, tame_string(e->objects[i], BH_AUDIT_WORD_MAX));
	if (json_object_set_new(o, "objects", list) < 0)
		r = -1;
	if (r >= 0 && n < e->n_objects)
		r = json_object_set_new(o, "more_objects",
					json_integer((json_int_t)(e->n_objects - n)));
	return r < 0 ? -ENOMEM : 0;
}

static json_t *make_who(const struct audit_entry *e)
{
	return json_pack("{s:I, s:I, s:I, s:o, s:o}", "uid", (json_int_t)e->who.uid, "gid",
			 (json_int_t)e->who.gid, "pid", (json_int_t)e->who.pid, "name",
			 tame_string(e->who.name, BH_AUDIT_WORD_MAX), "role",
			 tame_string(e->who.role, BH_AUDIT_WORD_MAX));
}

static int fill(json_t *o, const struct audit_entry *e, uint64_t seq, const char *prev,
		json_t *extra)
{
	char when[BH_TIME_STR];
	json_t *made =
		json_pack("{s:I, s:s, s:o, s:s, s:s, s:s, s:s, s:o, s:s}", "seq", (json_int_t)seq,
			  "when", bh_format_time_usec(when, e->when), "who", make_who(e), "action",
			  e->action, "before", e->before ? e->before : "", "after",
			  e->after ? e->after : "", "outcome", audit_outcome_name(e->outcome),
			  "detail", tame_string(e->detail, BH_AUDIT_DETAIL_MAX), "prev", prev);
	int r = made && json_object_update(o, made) >= 0 ? 0 : -ENOMEM;

	json_decref(made);
	if (r >= 0)
		r = add_objects(o, e);
	if (r >= 0)
		r = add_diff(o, e->diff ? e->diff : "", e->diff ? e->diff_len : 0);
	if (r >= 0 && extra && json_object_update_missing(o, extra) < 0)
		r = -ENOMEM;
	return r;
}

static int finish(json_t *o, struct bh_buf *line, char hash[DIGEST_HEX])
{
	bh_autofree char *bare = json_dumps(o, CANONICAL);
	bh_autofree char *whole = NULL;

	if (!bare)
		return -ENOMEM;
	digest_bytes(bare, strlen(bare), hash);
	if (json_object_set_new(o, "hash", json_string(hash)) < 0)
		return -ENOMEM;
	whole = json_dumps(o, CANONICAL);
	if (!whole)
		return -ENOMEM;
	bh_buf_reset(line);
	bh_buf_addstr(line, whole);
	bh_buf_addstr(line, "\n");
	return bh_buf_error(line);
}

static int check(const struct audit_entry *e, struct bh_err *err)
{
	if (!e->action || !bh_name_is_valid(e->action))
		return bh_err_set(err, -EINVAL, "an audit entry needs the name of an action");
	if ((e->before && e->before[0] && !is_digest(e->before)) ||
	    (e->after && e->after[0] && !is_digest(e->after)))
		return bh_err_set(err, -EINVAL, "a generation is 64 hex digits");
	return 0;
}

int entry_write(const struct audit_entry *e, uint64_t seq, const char *prev, json_t *extra,
		struct bh_buf *line, char ret_hash[DIGEST_HEX], struct bh_err *err)
{
	int r = check(e, err);
	json_t *o;

	if (r < 0)
		return r;
	o = json_object();
	r = o ? fill(o, e, seq, prev, extra) : -ENOMEM;
	if (r >= 0)
		r = finish(o, line, ret_hash);
	json_decref(o);
	if (r == -ENOMEM)
		return bh_err_oom(err);
	return r < 0 ? bh_err_errno(err, r, "an audit entry") : 0;
}

/* --- reading --------------------------------------------------------------------------------- */

static bool is_intact(const struct entry_line *l, const char *data, size_t len)
{
	bh_autofree char *whole = json_dumps(l->json, CANONICAL);
	bh_autofree char *bare = NULL;
	char sum[DIGEST_HEX];
	json_t *copy;

	if (!whole || strlen(whole) != len || memcmp(whole, data, len) != 0)
		return false;
	copy = json_copy(l->json);
	if (copy)
		json_object_del(copy, "hash");
	bare = json_dumps(copy, CANONICAL);
	json_decref(copy);
	if (!bare)
		return false;
	digest_bytes(bare, strlen(bare), sum);
	return strcmp(sum, l->hash) == 0;
}

/* All that is promised of an entry; a later version may add to it. */
static bool has_shape(json_t *json, struct entry_line *ret)
{
	const char *when, *name, *role, *before, *after, *outcome, *diff;
	json_int_t seq, uid, gid, pid;
	json_t *objects, *o;
	int64_t t;
	size_t i;

	if (json_unpack(
		    json,
		    "{s:I, s:s, s:{s:I, s:I, s:I, s:s, s:s}, s:s, s:o, s:s, s:s, s:s, s:s, s:s, "
		    "s:s, s:s}",
		    "seq", &seq, "when", &when, "who", "uid", &uid, "gid", &gid, "pid", &pid,
		    "name", &name, "role", &role, "action", &ret->action, "objects", &objects,
		    "diff", &diff, "before", &before, "after", &after, "outcome", &outcome,
		    "detail", &ret->detail, "prev", &ret->prev, "hash", &ret->hash) < 0)
		return false;
	if (seq < 1 || seq > AUDIT_SEQ_MAX || bh_parse_time(when, &t) < 0 ||
	    !json_is_array(objects) || !is_digest(ret->prev) || !is_digest(ret->hash) ||
	    !bh_name_is_valid(ret->action) || (before[0] && !is_digest(before)) ||
	    (after[0] && !is_digest(after)))
		return false;
	json_array_foreach (objects, i, o)
		if (!json_is_string(o))
			return false;
	ret->seq = seq;
	return true;
}

int entry_read(const char *data, size_t len, struct entry_line *ret)
{
	struct entry_line l = { 0 };

	if (len > BH_AUDIT_LINE_MAX)
		return -EBADMSG;
	l.json = json_loadb(data, len, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(l.json) || !has_shape(l.json, &l)) {
		json_decref(l.json);
		return -EBADMSG;
	}
	l.intact = is_intact(&l, data, len);
	*ret = l;
	return 0;
}

bool entry_pruned(const struct entry_line *line, struct audit_pruned *ret)
{
	json_int_t first, last;
	const char *sum;

	if (strcmp(line->action, "prune") != 0 ||
	    json_unpack(line->json, "{s:{s:I, s:I, s:s}}", "pruned", "first", &first, "last", &last,
			"sum", &sum) < 0 ||
	    first < 1 || last < first || !is_digest(sum))
		return false;
	*ret = (struct audit_pruned) { first, last, sum };
	return true;
}
