/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/cni/cni.h>

#include <stdio.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/text.h>
#include <bulkhead/model/json.h>

#include "words.h"

#define SHOWN 64 /* bytes of hostile text in a sentence */

/* --- the fields ----------------------------------------------------------------------------------- */

static int wrong(const char *key, const char *must, struct cni_error *err)
{
	return cni_fail(err, CNI_INVALID_CONFIG, "\"%s\" must be %s", key, must);
}

static int take_path(struct cni_config *c, const char *key, const json_t *v, struct cni_error *err)
{
	const char *s = json_string_value(v);

	if (!s || s[0] != '/' || strlen(s) >= BH_CNI_PATH_MAX)
		return wrong(key, "an absolute path", err);
	*(strcmp(key, "socket") == 0 ? &c->socket : &c->host_file) = s;
	return 0;
}

static int take_wait(struct cni_config *c, const char *key, const json_t *v, struct cni_error *err)
{
	const char *s = json_string_value(v);
	uint64_t seconds;

	if (!s || bh_parse_duration(s, 1, BH_CNI_WAIT_MAX_S, &seconds) < 0)
		return wrong(key, "a time from \"1s\" to \"10m\"", err);
	c->wait_ms = (unsigned)seconds * 1000;
	return 0;
}

static int take_without(struct cni_config *c, const char *key, const json_t *v,
			struct cni_error *err)
{
	const char *s = json_string_value(v);

	if (s && strcmp(s, "fail") == 0)
		c->without = CNI_FAIL_WITHOUT;
	else if (s && strcmp(s, "quarantine") == 0)
		c->without = CNI_QUARANTINE_WITHOUT;
	else
		return wrong(key, "\"fail\" or \"quarantine\"", err);
	return 0;
}

/* Whose container it is: Podman knows more of its own than it tells a plugin. */
static int take_runtime(struct cni_config *c, const char *key, const json_t *v,
			struct cni_error *err)
{
	const char *s = json_string_value(v);

	if (s && strcmp(s, "cni") == 0)
		c->runtime = ENDPOINT_CNI;
	else if (s && strcmp(s, "podman") == 0)
		c->runtime = ENDPOINT_PODMAN;
	else
		return wrong(key, "\"cni\" or \"podman\"", err);
	return 0;
}

static int take_globs(struct cni_config *c, const char *key, const json_t *v, struct cni_error *err)
{
	const json_t *item;
	size_t i;

	if (!json_is_array(v) || json_array_size(v) > BH_LABELS_MAX)
		return wrong(key, "a list of at most 256 patterns", err);
	json_array_foreach (v, i, item)
		if (!json_is_string(item) || !json_string_length(item))
			return wrong(key, "a list of patterns as in \"example.com/*\"", err);
	c->label_globs = v;
	return 0;
}

static int take_args(struct cni_config *c, const char *key, const json_t *v, struct cni_error *err)
{
	const json_t *ours;

	if (!json_is_object(v))
		return wrong(key, "an object", err);
	ours = json_object_get(v, "cni");
	c->labels = json_object_get(ours, "labels");
	return 0;
}

static int take_runtime_config(struct cni_config *c, const char *key, const json_t *v,
			       struct cni_error *err)
{
	if (!json_is_object(v))
		return wrong(key, "an object", err);
	c->annotations = json_object_get(v, "io.kubernetes.cri.pod-annotations");
	if (c->annotations && !json_is_object(c->annotations))
		return wrong("runtimeConfig.\"io.kubernetes.cri.pod-annotations\"", "an object",
			     err);
	return 0;
}

static int take_network(struct cni_config *c, const char *key, const json_t *v,
			struct cni_error *err)
{
	c->network = json_string_value(v);
	return c->network && word_is_name(c->network, BH_CNI_ID_MAX)
		       ? 0
		       : wrong(key, "the network's name: letters, digits and _.-", err);
}

static int take_previous(struct cni_config *c, const char *key, const json_t *v,
			 struct cni_error *err)
{
	const json_t *version = json_object_get(v, "cniVersion");

	if (!json_is_object(v))
		return wrong(key, "an object", err);
	if (version &&
	    (!json_is_string(version) || strcmp(json_string_value(version), c->version->name) != 0))
		return cni_fail(err, CNI_INVALID_CONFIG,
				"\"prevResult\" must be of the configuration's version, %s",
				c->version->name);
	c->previous = (json_t *)v;
	return 0;
}

/* Its first name stands in the specification, its second is what libcni sends beside it. */
static int take_attachments(struct cni_config *c, const char *key, const json_t *v,
			    struct cni_error *err)
{
	const json_t *item;
	size_t i;

	if (!json_is_array(v) || json_array_size(v) > BH_CNI_ATTACHMENTS_MAX)
		return wrong(key, "a list of at most 20000 attachments", err);
	json_array_foreach (v, i, item) {
		const char *id = json_string_value(json_object_get(item, "containerID"));

		if (!id || !word_is_name(id, BH_CNI_ID_MAX))
			return wrong(key, "a list of objects with a containerID", err);
	}
	c->attachments = v;
	return 0;
}

/* "cniVersion" comes before all of them. Without a function: ours to know, and of no use here. */
static const struct field {
	const char *name;
	int (*take)(struct cni_config *c, const char *key, const json_t *v, struct cni_error *err);
	bool always; /* also where what is wrong is passed over: DEL, GC */
} fields[] = {
	{ "cniVersion", NULL, false },
	{ "cniVersions", NULL, false },
	{ "type", NULL, false },
	{ "capabilities", NULL, false },
	{ "disableCheck", NULL, false },
	{ "disableGC", NULL, false },
	{ "name", take_network, true },
	{ "args", take_args, false },
	{ "runtimeConfig", take_runtime_config, false },
	{ "prevResult", take_previous, false },
	{ "cni.dev/attachments", take_attachments, true },
	{ "cni.dev/valid-attachments", take_attachments, true },
	{ "socket", take_path, true },
	{ "hostFile", take_path, true },
	{ "wait", take_wait, true },
	{ "withoutDaemon", take_without, true },
	{ "runtime", take_runtime, true },
	{ "annotationLabels", take_globs, false },
};

/* --- all of it ------------------------------------------------------------------------------------ */

static const struct field *find_field(const char *key)
{
	for (size_t i = 0; i < BH_ARRAY_SIZE(fields); i++)
		if (strcmp(fields[i].name, key) == 0)
			return &fields[i];
	return NULL;
}

/* With key and value, as the specification wants it. */
static int unknown_field(const char *key, const json_t *v, struct cni_error *err)
{
	bh_autofree char *text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
	const char *names[BH_ARRAY_SIZE(fields)], *near;
	char safe_key[SHOWN], safe[SHOWN];

	for (size_t i = 0; i < BH_ARRAY_SIZE(fields); i++)
		names[i] = fields[i].name;
	near = bh_nearest(key, names, BH_ARRAY_SIZE(fields));
	return cni_fail(err, CNI_UNSUPPORTED_FIELD, "unsupported field \"%s\": %s%s%s%s",
			bh_escape_str(safe_key, sizeof(safe_key), key),
			bh_escape_str(safe, sizeof(safe), text ? text : "?"),
			near ? " (did you mean \"" : "", near ? near : "", near ? "\"?)" : "");
}

/* What begins with cni.dev/ is the runtimes'. */
static int take_field(struct cni_config *c, const char *key, const json_t *v, bool strict,
		      struct cni_error *err)
{
	const struct field *f = find_field(key);

	if (!f)
		return !strict || strncmp(key, "cni.dev/", 8) == 0 ? 0 : unknown_field(key, v, err);
	return f->take && (strict || f->always) ? f->take(c, key, v, err) : 0;
}

static int take_version(struct cni_config *c, struct cni_error *err)
{
	const json_t *v = json_object_get(c->root, "cniVersion");
	const char *name = json_string_value(v);
	char safe[SHOWN];

	if (v && !name)
		return cni_fail(err, CNI_UNDECODABLE, "\"cniVersion\" must be a string");
	c->version = name ? cni_version_find(name) : NULL;
	if (c->version)
		return 0;
	return cni_fail(err, CNI_INCOMPATIBLE_VERSION,
			"cniVersion %s is not supported; 0.3.0 to %s are, in a list of plugins",
			name ? bh_escape_str(safe, sizeof(safe), name) : "0.1.0 (there is none)",
			CNI_NEWEST);
}

/* Does the version know the command? */
static int version_allows(const struct cni_version *v, enum cni_command command,
			  struct cni_error *err)
{
	bool newer = command == CNI_GC || command == CNI_STATUS;

	if ((command == CNI_CHECK && !v->check) || (newer && !v->gc))
		return cni_fail(err, CNI_INCOMPATIBLE_VERSION,
				"cniVersion %s does not know this command", v->name);
	return 0;
}

static int is_complete(const struct cni_config *c, enum cni_command command, struct cni_error *err)
{
	if (!c->network && command != CNI_STATUS)
		return wrong("name", "there", err);
	if (!c->previous && (command == CNI_ADD || command == CNI_CHECK))
		return cni_fail(err, CNI_INVALID_CONFIG,
				"\"prevResult\" is missing: bulkhead-cni makes no interface, and "
				"stands behind the plugin that does in the list");
	if (!c->attachments && command == CNI_GC)
		return wrong("cni.dev/valid-attachments", "there", err);
	return 0;
}

static int take_all(struct cni_config *c, enum cni_command command, struct cni_error *err)
{
	bool strict = command != CNI_DEL && command != CNI_GC;
	const char *key;
	json_t *v;

	json_object_foreach (c->root, key, v) {
		int r = take_field(c, key, v, strict, err);

		if (r < 0)
			return r;
	}
	return is_complete(c, command, err);
}

static int parse(const char *text, size_t len, struct cni_config *c, struct cni_error *err)
{
	char safe[2 * SHOWN];
	json_error_t why;

	if (len > BH_CNI_CONFIG_MAX)
		return cni_fail(err, CNI_UNDECODABLE, "the configuration has more than %u bytes",
				BH_CNI_CONFIG_MAX);
	c->root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);
	if (c->root && json_is_object(c->root))
		return 0;
	return cni_fail(err, CNI_UNDECODABLE, "the configuration is no JSON object: %s",
			c->root ? "it is something else"
				: bh_escape_str(safe, sizeof(safe), why.text));
}

int cni_config_parse(const char *text, size_t len, enum cni_command command, struct cni_config *ret,
		     const char **ret_version, struct cni_error *err)
{
	int r;

	*ret = (struct cni_config) { .runtime = ENDPOINT_CNI };
	r = parse(text, len, ret, err);
	if (r >= 0)
		r = take_version(ret, err);
	if (r >= 0 && ret_version)
		*ret_version = ret->version->name;
	if (r >= 0)
		r = version_allows(ret->version, command, err);
	if (r >= 0)
		r = take_all(ret, command, err);
	if (r < 0)
		cni_config_done(ret);
	return r;
}

void cni_config_done(struct cni_config *c)
{
	json_decref(c->root);
	*c = (struct cni_config) { 0 };
}

bool cni_config_attached(const struct cni_config *c, const char *container)
{
	const json_t *item;
	size_t i;

	json_array_foreach (c->attachments, i, item)
		if (strcmp(json_string_value(json_object_get(item, "containerID")), container) == 0)
			return true;
	return false;
}

int cni_result_write(const struct cni_config *c, struct bh_buf *out)
{
	json_t *result = json_copy(c->previous);

	if (!json_object_get(result, "cniVersion"))
		json_object_set_new(result, "cniVersion", json_string(c->version->name));
	return json_take_line(result, out);
}
