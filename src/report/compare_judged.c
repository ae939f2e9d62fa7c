/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "compare.h"

/*
 * What is said of requirements. The same sentence in both reports is no change. Of what is left, sentences
 * with one key ("keys", beside each) are of one matter, of which something else is said now: another count,
 * age or line. A report of an earlier version has no keys: each of its sentences is its own.
 */

static const char *key_of(const json_t *requirement, const char *list, size_t i, const char *text)
{
	const json_t *keys = fact(fact(requirement, "keys"), list);
	const char *key = json_string_value(json_array_get(keys, i));

	return json_array_size(keys) == json_array_size(fact(requirement, list)) && key ? key
											: text;
}

/* {sentence: {"id", "key"}} */
static json_t *collect(const json_t *report, const char *list)
{
	json_t *set = json_object();
	const json_t *q, *f;
	size_t i, k;

	fact_each (report, "requirements", i, q)
		json_array_foreach (fact(q, list), k, f) {
			const char *id = fact_text(q, "id");
			const char *text = json_string_value(f) ? json_string_value(f) : "";
			json_t *line = json_sprintf("%s: %s", id, text);

			json_object_set_new(
				set, json_string_value(line),
				json_pack("{s:s, s:o}", "id", id, "key",
					  json_sprintf("%s: %s", id, key_of(q, list, k, text))));
			json_decref(line);
		}
	return set;
}

static void drop_same(json_t *a, json_t *b)
{
	const char *line;
	void *next;
	json_t *v;

	json_object_foreach_safe (a, next, line, v)
		if (json_object_get(b, line)) {
			json_object_del(b, line);
			json_object_del(a, line);
		}
}

/* {key: [sentences]} */
static json_t *by_key(json_t *set)
{
	json_t *keys = json_object(), *v;
	const char *line;

	json_object_foreach (set, line, v) {
		const char *key = fact_text(v, "key");

		if (!json_object_get(keys, key))
			json_object_set_new(keys, key, json_array());
		json_array_append_new(json_object_get(keys, key), json_string(line));
	}
	return keys;
}

/* Pairs of one matter leave both and are told. */
static json_t *take_changed(json_t *now, json_t *before)
{
	json_t *keys = by_key(before), *lines = json_array(), *v;
	const char *line;
	void *next;

	json_object_foreach_safe (now, next, line, v) {
		json_t *same = json_object_get(keys, fact_text(v, "key"));
		const char *old = json_string_value(json_array_get(same, 0));

		if (!old)
			continue;
		json_array_append_new(lines, json_sprintf("%s; before: %s", line, old));
		json_object_del(before, old);
		json_array_remove(same, 0);
		json_object_del(now, line);
	}
	json_decref(keys);
	return lines;
}

/* What is not known of it now: a finding that was there is not gone for that. */
static bool is_unknown(const json_t *report, const char *id)
{
	const json_t *q;
	size_t i;

	fact_each (report, "requirements", i, q)
		if (fact_equals(q, "id", id))
			return json_array_size(fact(q, "unknown"));
	return true;
}

/* NOW: only those of which all is known there, or not all; NULL: each. */
static json_t *lines_of(json_t *set, const json_t *now, bool unknown)
{
	json_t *lines = json_array(), *v;
	const char *line;

	json_object_foreach (set, line, v)
		if (!now || is_unknown(now, fact_text(v, "id")) == unknown)
			json_array_append_new(lines, json_string(line));
	return lines;
}

void compare_judged(json_t *parts, const json_t *now, const json_t *before)
{
	json_t *a = collect(now, "findings"), *b = collect(before, "findings"), *changed;

	drop_same(a, b);
	changed = take_changed(a, b);
	compare_add(parts, "Findings that are new", lines_of(a, NULL, false));
	compare_add(parts, "Findings that are gone", lines_of(b, now, false));
	compare_add(parts, "Findings that were not looked at again, or not in full",
		    lines_of(b, now, true));
	compare_add(parts, "Findings of which something else is said now", changed);
	json_decref(a);
	json_decref(b);
	/* a requirement may be not assessed as before, and for another reason */
	a = collect(now, "unknown");
	b = collect(before, "unknown");
	drop_same(a, b);
	changed = take_changed(a, b);
	compare_add(parts, "Not assessed now, because", lines_of(a, NULL, false));
	compare_add(parts, "Not assessed then, because", lines_of(b, NULL, false));
	compare_add(parts, "Not assessed as before, and something else is said", changed);
	json_decref(a);
	json_decref(b);
}
