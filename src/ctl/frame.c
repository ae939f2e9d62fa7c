/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "frame.h"

#include <errno.h>
#include <string.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>

#define SHOWN_MAX 96

const char *ctl_tame(char out[BH_ERR_MAX], const char *s)
{
	struct bh_buf b;
	size_t n;

	bh_buf_init(&b, 5 * BH_CTL_FRAME_MAX); /* four for one, and the capacity's slack */
	bh_tame(&b, s, strlen(s));
	n = b.len;
	if (n >= BH_ERR_MAX) {
		n = BH_ERR_MAX - 4;
		while (n > 0 && (b.data[n] & 0xc0) == 0x80) /* not within a character */
			n--;
	}
	snprintf(out, BH_ERR_MAX, "%.*s%s", (int)n, bh_buf_str(&b), n < b.len ? "..." : "");
	bh_buf_done(&b);
	return out;
}

/* --- reading --------------------------------------------------------------------------------- */

/*
 * The parser recurses, so this looks before it does. Up to the first mistake, where the parser
 * ends, both see the same nesting.
 */
static bool is_too_deep(const char *data, size_t len)
{
	bool in_string = false;
	unsigned depth = 0;

	for (size_t i = 0; i < len; i++) {
		char c = data[i];

		if (in_string && c == '\\')
			i++;
		else if (c == '"')
			in_string = !in_string;
		else if (!in_string && (c == '{' || c == '[') && ++depth > BH_CTL_DEPTH_MAX)
			return true;
		else if (!in_string && (c == '}' || c == ']') && depth > 0)
			depth--;
	}
	return false;
}

/* One JSON object and nothing else. */
static int parse_object(const char *data, size_t len, json_t **ret, struct bh_err *err)
{
	char safe[JSON_ERROR_TEXT_LENGTH * 4];
	json_error_t why;
	json_t *root;

	if (len > BH_CTL_FRAME_MAX)
		return bh_err_set(err, -EINVAL, "the message has more than %u bytes",
				  BH_CTL_FRAME_MAX);
	if (is_too_deep(data, len))
		return bh_err_set(err, -EINVAL, "the message is nested more than %d deep",
				  BH_CTL_DEPTH_MAX);
	root = json_loadb(data, len, JSON_REJECT_DUPLICATES, &why);
	if (!root && json_error_code(&why) == json_error_out_of_memory)
		return bh_err_oom(err);
	if (!root)
		return bh_err_set(err, -EINVAL, "the message is not JSON: %s",
				  bh_escape_str(safe, sizeof(safe), why.text));
	if (!json_is_object(root)) {
		json_decref(root);
		return bh_err_set(err, -EINVAL, "the message is not a JSON object");
	}
	*ret = root;
	return 0;
}

static int check_head(const json_t *root, struct bh_err *err)
{
	const json_t *v = json_object_get(root, "v"), *verb = json_object_get(root, "do");

	if (!json_is_integer(v) || !json_is_string(verb))
		return bh_err_set(err, -EINVAL, "a request has a number \"v\" and a string \"do\"");
	if (json_integer_value(v) != CTL_VERSION)
		return bh_err_set(err, -EPROTONOSUPPORT,
				  "this daemon speaks version %d of the protocol, not %lld",
				  CTL_VERSION, (long long)json_integer_value(v));
	return 0;
}

int ctl_request_parse(const char *data, size_t len, struct ctl_request *ret, struct bh_err *err)
{
	json_t *root;
	int r = parse_object(data, len, &root, err);

	if (r < 0)
		return r;
	r = check_head(root, err);
	if (r < 0) {
		json_decref(root);
		return r;
	}
	*ret = (struct ctl_request) { root, json_incref(json_object_get(root, "do")) };
	json_object_del(root, "v");
	json_object_del(root, "do");
	return 0;
}

void ctl_request_done(struct ctl_request *r)
{
	json_decref(r->args);
	json_decref(r->verb);
	*r = (struct ctl_request) { 0 };
}

static bool is_list_of_strings(const json_t *v)
{
	const json_t *item;
	size_t i;

	if (!json_is_array(v))
		return false;
	json_array_foreach (v, i, item)
		if (!json_is_string(item))
			return false;
	return true;
}

/* What it had to be; NULL when it is. */
static const char *wrong_type(const json_t *v, enum ctl_type type)
{
	switch (type) {
	case CTL_TYPE_STRING:
		return json_is_string(v) ? NULL : "a string";
	case CTL_TYPE_INTEGER:
		return json_is_integer(v) ? NULL : "an integer";
	case CTL_TYPE_BOOLEAN:
		return json_is_boolean(v) ? NULL : "true or false";
	case CTL_TYPE_STRINGS:
		return is_list_of_strings(v) ? NULL : "a list of strings";
	}
	return "of a known type";
}

static const struct ctl_arg *find_arg(const struct ctl_arg *args, const char *name)
{
	for (; args && args->name; args++)
		if (strcmp(args->name, name) == 0)
			return args;
	return NULL;
}

int ctl_args_check(const json_t *values, const struct ctl_arg *args, struct bh_err *err)
{
	const char *key, *wanted;
	const struct ctl_arg *a;
	char safe[SHOWN_MAX];
	json_t *v;

	json_object_foreach ((json_t *)values, key, v) {
		a = find_arg(args, key);
		if (!a)
			return bh_err_set(err, -EINVAL, "unknown argument \"%s\"",
					  bh_escape_str(safe, sizeof(safe), key));
		wanted = wrong_type(v, a->type);
		if (wanted)
			return bh_err_set(err, -EINVAL, "\"%s\" must be %s", a->name, wanted);
	}
	for (a = args; a && a->name; a++)
		if (a->required && !json_object_get(values, a->name))
			return bh_err_set(err, -EINVAL, "the argument \"%s\" is missing", a->name);
	return 0;
}

static int take_end(const json_t *end, struct ctl_end *ret)
{
	const json_t *code = json_object_get(end, "exit"), *error = json_object_get(end, "error");

	if (!json_is_object(end) || json_object_size(end) != (error ? 2 : 1) ||
	    !json_is_integer(code) || json_integer_value(code) < 0 ||
	    json_integer_value(code) > 255 || (error && !json_is_string(error)))
		return -EBADMSG;
	ret->exit = (int)json_integer_value(code);
	ctl_tame(ret->error, error ? json_string_value(error) : "");
	return 0;
}

static int take_answer(const json_t *root, json_t **ret_item, struct ctl_end *ret_end)
{
	json_t *item = json_object_get(root, "item");

	if (json_object_size(root) != 1)
		return -EBADMSG;
	if (!item)
		return take_end(json_object_get(root, "end"), ret_end);
	if (!json_is_object(item))
		return -EBADMSG;
	*ret_item = json_incref(item);
	return 1;
}

int ctl_answer_parse(const char *data, size_t len, json_t **ret_item, struct ctl_end *ret_end,
		     struct bh_err *err)
{
	json_t *root;
	int r = parse_object(data, len, &root, err);

	if (r < 0)
		return r == -EINVAL ? -EBADMSG : r;
	r = take_answer(root, ret_item, ret_end);
	json_decref(root);
	return r < 0 ? bh_err_set(err, r, "the answer is neither an item nor an end") : r;
}

/* --- writing --------------------------------------------------------------------------------- */

/* Takes the reference. NULL: what was to be packed was not there. */
static ssize_t write_object(char *out, json_t *object)
{
	size_t n;

	if (!object)
		return -ENOMEM;
	n = json_dumpb(object, out, BH_CTL_FRAME_MAX, JSON_COMPACT);
	json_decref(object);
	return n == 0 ? -ENOMEM : n > BH_CTL_FRAME_MAX ? -EMSGSIZE : (ssize_t)n;
}

ssize_t ctl_item_write(char *out, json_t *item)
{
	return write_object(out, json_pack("{s:o}", "item", item));
}

ssize_t ctl_end_write(char *out, int exit, const char *error)
{
	char tame[BH_ERR_MAX];

	if (!error || !error[0])
		return write_object(out, json_pack("{s:{s:i}}", "end", "exit", exit));
	return write_object(out, json_pack("{s:{s:i,s:s}}", "end", "exit", exit, "error",
					   ctl_tame(tame, error)));
}

ssize_t ctl_request_write(char *out, const char *verb, json_t *args)
{
	json_t *root = json_pack("{s:i,s:s}", "v", CTL_VERSION, "do", verb);

	if (root && args && json_object_update_missing(root, args) < 0) {
		json_decref(root);
		root = NULL;
	}
	json_decref(args);
	return write_object(out, root);
}
