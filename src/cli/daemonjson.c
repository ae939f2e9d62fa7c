/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemonjson.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/model/jsontext.h>

#define PATH(...) ((const char *const[]) { __VA_ARGS__, NULL })
#define ROOT      ((const char *const[]) { NULL })
#define PROGRAM   "/bulkhead-runc"

static bool is_blank(const char *s)
{
	return s[strspn(s, " \t\r\n")] == '\0';
}

static json_t *load(const char *text)
{
	return text ? json_loads(text, JSON_DECODE_INT_AS_REAL, NULL) : NULL;
}

static bool is_ours(const json_t *runtime)
{
	const char *path = json_string_value(json_object_get(runtime, "path"));
	size_t len = path ? strlen(path) : 0;

	return len > strlen(PROGRAM) && strcmp(path + len - strlen(PROGRAM), PROGRAM) == 0;
}

static json_t *runtime_of(const json_t *root)
{
	return json_object_get(json_object_get(root, "runtimes"), DAEMONJSON_RUNTIME);
}

bool daemonjson_has_ours(const char *text, size_t len)
{
	json_t *root = NULL;
	bool ours = jsontext_parse(text, len, &root, NULL) >= 0 && is_ours(runtime_of(root));

	json_decref(root);
	return ours;
}

/* What we could not edit without guessing. */
static int check(const json_t *root, struct bh_err *err)
{
	const json_t *runtimes = json_object_get(root, "runtimes"), *ours = runtime_of(root);
	const json_t *chosen = json_object_get(root, "default-runtime");

	if (runtimes && !json_is_object(runtimes))
		return bh_err_set(err, -EINVAL, "\"runtimes\" is no object");
	if (chosen && !json_is_string(chosen))
		return bh_err_set(err, -EINVAL, "\"default-runtime\" is no string");
	if (ours && !is_ours(ours))
		return bh_err_set(err, -EINVAL,
				  "it has a runtime \"" DAEMONJSON_RUNTIME
				  "\" that is not ours: rename or remove it");
	return 0;
}

static int open_text(struct bh_buf *text, json_t **ret, struct bh_err *err)
{
	int r = jsontext_parse(bh_buf_str(text), text->len, ret, err);

	if (r < 0)
		return r;
	r = check(*ret, err);
	if (r < 0)
		json_decref(*ret);
	return r;
}

static int failed(int r, struct bh_err *err)
{
	if (r == -EEXIST)
		return bh_err_set(
			err, -EINVAL,
			"\"runtimes\" or \"default-runtime\" is there twice, or in another case");
	return r < 0 ? bh_err_errno(err, r, "it cannot be edited") : 0;
}

/* --- install -------------------------------------------------------------------------------------- */

static json_t *runtime_object(const struct daemonjson_runtime *rt)
{
	json_t *o = json_pack("{s:s}", "path", rt->path), *args = json_array();

	for (const char *const *a = rt->args; *a; a++)
		json_array_append_new(args, json_string(*a));
	if (json_array_size(args))
		json_object_set(o, "runtimeArgs", args);
	json_decref(args);
	return o;
}

static int set_runtime(struct bh_buf *text, const json_t *root, const json_t *want)
{
	bh_autofree char *value = want ? json_dumps(want, 0) : NULL;
	int r = value ? 0 : -ENOMEM;

	if (r >= 0 && json_equal(runtime_of(root), want))
		return 0;
	if (r >= 0 && !json_object_get(root, "runtimes"))
		r = jsontext_set(text, ROOT, "runtimes", "{}");
	return r < 0 ? r : jsontext_set(text, PATH("runtimes"), DAEMONJSON_RUNTIME, value);
}

int daemonjson_install(struct bh_buf *text, const struct daemonjson_runtime *rt, struct bh_err *err)
{
	json_t *root = NULL, *want;
	int r = is_blank(bh_buf_str(text)) ? (bh_buf_reset(text), bh_buf_addstr(text, "{\n}\n"))
					   : 0;

	r = r < 0 ? bh_err_oom(err) : open_text(text, &root, err);
	if (r < 0)
		return r;
	want = runtime_object(rt);
	r = set_runtime(text, root, want);
	if (r >= 0 && rt->as_default)
		r = jsontext_set(text, ROOT, "default-runtime", "\"" DAEMONJSON_RUNTIME "\"");
	json_decref(want);
	json_decref(root);
	return failed(r, err);
}

/* --- uninstall ------------------------------------------------------------------------------------ */

/* Back to what it was, or to Docker's own. */
static int reset_default(struct bh_buf *text, const json_t *root, const json_t *before)
{
	const char *now = json_string_value(json_object_get(root, "default-runtime"));
	json_t *then = json_object_get(before, "default-runtime");
	bh_autofree char *value = then ? json_dumps(then, JSON_ENCODE_ANY) : NULL;

	if (!now || strcmp(now, DAEMONJSON_RUNTIME) != 0)
		return 0;
	return value ? jsontext_set(text, ROOT, "default-runtime", value)
		     : jsontext_remove(text, ROOT, "default-runtime");
}

static int remove_runtime(struct bh_buf *text, const json_t *root, const json_t *before)
{
	const json_t *runtimes = json_object_get(root, "runtimes");
	bool alone = runtime_of(root) && json_object_size(runtimes) == 1;

	if (alone && !json_object_get(before, "runtimes"))
		return jsontext_remove(text, ROOT, "runtimes");
	return runtimes ? jsontext_remove(text, PATH("runtimes"), DAEMONJSON_RUNTIME) : 0;
}

/* The same but for its layout: then it is what it was. */
static int restore(struct bh_buf *text, const char *before, const json_t *was)
{
	json_t *now = load(bh_buf_str(text));
	bool same = before ? json_equal(now, was) || (is_blank(before) && !json_object_size(now))
			   : !json_object_size(now);

	json_decref(now);
	if (!same)
		return 0;
	bh_buf_reset(text);
	return bh_buf_addstr(text, before ? before : "");
}

int daemonjson_uninstall(struct bh_buf *text, const char *before, struct bh_err *err)
{
	json_t *root = NULL, *was = load(before);
	int r = open_text(text, &root, err);

	if (r < 0) {
		json_decref(was);
		return r;
	}
	r = remove_runtime(text, root, was);
	if (r >= 0)
		r = reset_default(text, root, was);
	if (r >= 0)
		r = restore(text, before, was);
	json_decref(root);
	json_decref(was);
	return failed(r, err);
}
