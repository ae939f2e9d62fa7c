/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runc.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/model/jsontext.h>

#define PATH(...) ((const char *const[]) { __VA_ARGS__, NULL })
#define ROOT      ((const char *const[]) { NULL })

int runc_config_failed(int r, const char *key, struct bh_err *err)
{
	switch (r) {
	case -EEXIST:
		return bh_err_set(err, -EINVAL, "config.json has \"%s\" twice, or in another case",
				  key);
	case -ENOENT:
	case -EINVAL:
		return bh_err_set(err, -EINVAL, "\"%s\" of config.json is not what it should be",
				  key);
	default:
		return bh_err_errno(err, r, "\"%s\" of config.json", key);
	}
}

static int check(const struct bh_buf *config, struct bh_err *err)
{
	json_t *root = NULL;
	int r = jsontext_parse(bh_buf_str(config), config->len, &root, err);

	json_decref(root);
	return r < 0 ? bh_err_prefix(err, r, "config.json") : 0;
}

/* KEY of the object at PATH is there and opens with the bracket; null is as good as nothing. */
static int ensure(struct bh_buf *config, const char *const *path, const char *key,
		  const char *empty)
{
	const char *full[8] = { NULL };
	struct json_span at;
	size_t n = 0;
	int r;

	while (path[n]) {
		full[n] = path[n];
		n++;
	}
	full[n] = key;
	r = jsontext_find(config->data, config->len, full, &at);
	if (r < 0)
		return r;
	if (r > 0 && config->data[at.at] == empty[0])
		return 0;
	if (r > 0 && strncmp(config->data + at.at, "null", at.len) != 0)
		return -EINVAL;
	return jsontext_set(config, path, key, empty);
}

/* --- the hook ------------------------------------------------------------------------------------- */

/* The environment is ours: that of the engine may have libraries of others in it. */
static json_t *hook_object(const struct runc_hook *hook)
{
	json_t *args = json_array();

	for (const char *const *a = hook->args; *a; a++)
		if (json_array_append_new(args, json_string(*a)) < 0) {
			json_decref(args);
			return NULL;
		}
	return json_pack("{s:s, s:o, s:[s]}", "path", hook->path, "args", args, "env",
			 "PATH=/usr/sbin:/usr/bin:/sbin:/bin");
}

static bool has_hook(const struct bh_buf *config, const char *stage, json_t *hook)
{
	struct json_span in, e = { 0, 0 };

	if (jsontext_find(config->data, config->len, PATH("hooks", stage), &in) <= 0)
		return false;
	while (jsontext_next(config->data, in, &e)) {
		json_t *one = json_loadb(config->data + e.at, e.len, JSON_DECODE_INT_AS_REAL, NULL);
		bool same = json_equal(one, hook);

		json_decref(one);
		if (same)
			return true;
	}
	return false;
}

static int add_at(struct bh_buf *config, const char *stage, json_t *hook, const char *text)
{
	int r = ensure(config, PATH("hooks"), stage, "[]");

	if (r < 0 || has_hook(config, stage, hook))
		return r;
	return jsontext_append(config, PATH("hooks", stage), text);
}

int runc_config_add_hook(struct bh_buf *config, const struct runc_hook *hook, struct bh_err *err)
{
	json_t *object = hook_object(hook);
	bh_autofree char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
	int r = text ? check(config, err) : bh_err_oom(err);

	if (r >= 0) {
		r = ensure(config, ROOT, "hooks", "{}");
		if (r >= 0)
			r = add_at(config, "createRuntime", object, text);
		if (r >= 0)
			r = add_at(config, "poststop", object, text);
		if (r < 0)
			r = runc_config_failed(r, "hooks", err);
	}
	json_decref(object);
	return r;
}

/* --- whose it is ---------------------------------------------------------------------------------- */

/* 64 hexadecimal digits, and nothing that goes on with one in front of them. */
static bool take_id(const char *s, size_t len, char out[RUNC_ID_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	const char *at;

	if (len < RUNC_ID_SIZE - 1)
		return false;
	at = s + len - (RUNC_ID_SIZE - 1);
	if (strspn(at, digits) < RUNC_ID_SIZE - 1 || (at > s && strchr(digits, at[-1])))
		return false;
	memcpy(out, at, RUNC_ID_SIZE - 1);
	out[RUNC_ID_SIZE - 1] = '\0';
	return true;
}

/* ".../libpod-ID" or "machine.slice:libpod:ID"; without cgroups, by a file that Podman mounts itself. */
int runc_config_podman_id(const char *config, size_t len, char out[RUNC_ID_SIZE],
			  struct bh_err *err)
{
	static const char file[] = "/userdata/.containerenv";
	json_t *root = NULL, *mount;
	const char *s;
	size_t i;
	int r = jsontext_parse(config, len, &root, err);

	if (r < 0)
		return bh_err_prefix(err, r, "config.json");
	s = json_string_value(json_object_get(json_object_get(root, "linux"), "cgroupsPath"));
	r = s && take_id(s, strlen(s), out) ? 0 : -EINVAL;
	json_array_foreach (json_object_get(root, "mounts"), i, mount) {
		s = json_string_value(json_object_get(mount, "source"));
		if (r < 0 && s && strlen(s) > strlen(file) &&
		    strcmp(s + strlen(s) - strlen(file), file) == 0 &&
		    take_id(s, strlen(s) - strlen(file), out))
			r = 0;
	}
	json_decref(root);
	return r < 0 ? bh_err_set(err, r, "config.json does not say whose it is") : 0;
}

/* --- raw sockets ---------------------------------------------------------------------------------- */

static const char *const cap_sets[] = { "bounding", "effective", "inheritable", "permitted",
					"ambient" };

static bool is_net_raw(const json_t *v)
{
	const char *s = json_string_value(v);

	return s && strcasecmp(s, "CAP_NET_RAW") == 0;
}

/* The array at PATH, the last of which is KEY, without the capability. */
static int drop_from(struct bh_buf *text, const char *const *in, const char *const *path)
{
	bh_autofree char *now = NULL;
	struct json_span at;
	const char *key;
	json_t *set;
	int r = jsontext_find(text->data, text->len, path, &at);

	if (r <= 0 || text->data[at.at] != '[')
		return r > 0 && text->data[at.at] != 'n' ? -EINVAL : r;
	while (path[1])
		path++;
	key = *path;
	set = json_loadb(text->data + at.at, at.len, 0, NULL);
	for (size_t i = json_array_size(set); i > 0; i--)
		if (is_net_raw(json_array_get(set, i - 1)))
			json_array_remove(set, i - 1);
	now = set ? json_dumps(set, JSON_COMPACT) : NULL;
	json_decref(set);
	return now ? jsontext_set(text, in, key, now) : -ENOMEM;
}

int runc_process_deny_raw(struct bh_buf *process, struct bh_err *err)
{
	int r = check(process, err);

	for (size_t i = 0; i < BH_ARRAY_SIZE(cap_sets) && r >= 0; i++) {
		r = drop_from(process, PATH("capabilities"), PATH("capabilities", cap_sets[i]));
		if (r < 0)
			r = runc_config_failed(r, "capabilities", err);
	}
	return r < 0 ? r : 0;
}

static int drop_all(struct bh_buf *config)
{
	int r = 0;

	for (size_t i = 0; i < BH_ARRAY_SIZE(cap_sets) && r >= 0; i++)
		r = drop_from(config, PATH("process", "capabilities"),
			      PATH("process", "capabilities", cap_sets[i]));
	return r;
}

int runc_config_deny_raw(struct bh_buf *config, struct bh_err *err)
{
	int r = check(config, err);

	if (r < 0)
		return r;
	r = drop_all(config);
	if (r < 0)
		return runc_config_failed(r, "capabilities", err);
	r = ensure(config, ROOT, "linux", "{}");
	if (r < 0)
		return runc_config_failed(r, "linux", err);
	r = runc_seccomp_deny_raw(config, err);
	if (r < 0)
		return r;
	r = ensure(config, ROOT, "annotations", "{}");
	if (r >= 0)
		r = jsontext_set(config, PATH("annotations"), RUNC_RAW_ANNOTATION,
				 "\"" RUNC_RAW_DENIED "\"");
	return r < 0 ? runc_config_failed(r, "annotations", err) : 0;
}

bool runc_config_denies_raw(const char *config, size_t len)
{
	struct json_span at;

	return jsontext_find(config, len, PATH("annotations", RUNC_RAW_ANNOTATION), &at) > 0 &&
	       at.len == strlen("\"" RUNC_RAW_DENIED "\"") &&
	       strncmp(config + at.at, "\"" RUNC_RAW_DENIED "\"", at.len) == 0;
}
