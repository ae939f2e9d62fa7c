/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "json.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>

/* jansson itself ends at 2048, by recursion. */
static bool is_too_deep(const char *data, size_t len)
{
	bool in_string = false;
	unsigned depth = 0;

	for (size_t i = 0; i < len; i++) {
		char c = data[i];

		if (c == '"')
			in_string = !in_string;
		else if (in_string)
			i += c == '\\';
		else if (c == '{' || c == '[')
			depth++;
		else if ((c == '}' || c == ']') && depth)
			depth--;
		if (depth > BH_OCI_DEPTH_MAX)
			return true;
	}
	return false;
}

int oci_json(const char *data, size_t len, size_t max, json_t **ret, struct bh_err *err)
{
	json_error_t why;
	char shown[256];
	json_t *root;

	if (len > max)
		return bh_err_set(err, -EINVAL, "it has more than %zu bytes", max);
	if (is_too_deep(data, len))
		return bh_err_set(err, -EINVAL, "it is nested more than %d deep", BH_OCI_DEPTH_MAX);
	root = json_loadb(data, len, JSON_REJECT_DUPLICATES, &why);
	if (!root && json_error_code(&why) == json_error_out_of_memory)
		return bh_err_oom(err);
	if (!root)
		return bh_err_set(err, -EINVAL, "it is not JSON: line %d: %s", why.line,
				  bh_escape_str(shown, sizeof(shown), why.text));
	if (!json_is_object(root)) {
		json_decref(root);
		return bh_err_set(err, -EINVAL, "it is not a JSON object");
	}
	*ret = root;
	return 0;
}

int oci_string(const json_t *map, const char *key, size_t max, const char **ret, struct bh_err *err)
{
	const json_t *v = json_object_get(map, key);

	*ret = json_string_value(v);
	if (v && !*ret)
		return bh_err_set(err, -EINVAL, "\"%s\" must be a string", key);
	if (v && (json_string_length(v) == 0 || json_string_length(v) > max))
		return bh_err_set(err, -EINVAL, "\"%s\" must have 1 to %zu bytes, not %zu", key,
				  max, json_string_length(v));
	return 0;
}

static int typed(const json_t *map, const char *key, bool (*is)(const json_t *), const char *what,
		 const json_t **ret, struct bh_err *err)
{
	const json_t *v = json_object_get(map, key);

	*ret = v && !json_is_null(v) ? v : NULL;
	if (*ret && !is(v))
		return bh_err_set(err, -EINVAL, "\"%s\" must be %s", key, what);
	return 0;
}

static bool is_object(const json_t *v)
{
	return json_is_object(v);
}

static bool is_array(const json_t *v)
{
	return json_is_array(v);
}

int oci_object(const json_t *map, const char *key, const json_t **ret, struct bh_err *err)
{
	return typed(map, key, is_object, "an object", ret, err);
}

int oci_array(const json_t *map, const char *key, const json_t **ret, struct bh_err *err)
{
	return typed(map, key, is_array, "a list", ret, err);
}

int oci_strings(const json_t *map, const char *key, const json_t **ret, struct bh_err *err)
{
	int r = oci_object(map, key, ret, err);
	const char *member;
	char shown[128];
	json_t *v;

	if (r < 0 || !*ret)
		return r;
	json_object_foreach ((json_t *)*ret, member, v)
		if (!json_is_string(v))
			return bh_err_set(err, -EINVAL, "\"%s\": \"%s\" must be a string", key,
					  bh_escape_str(shown, sizeof(shown), member));
	return 0;
}
