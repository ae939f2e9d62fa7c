/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/cni/cni.h>

#include <string.h>

#include <bulkhead/base/arena.h>
#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/text.h>

#define SHOWN 64 /* bytes of hostile text in a sentence */

/* Who says it. What an earlier one said stands. */
enum source { FROM_NETWORK, FROM_ENVIRONMENT, FROM_ARGS, FROM_ANNOTATIONS };

struct taking {
	struct cni_labels *out;
	const struct cni_config *config;
	enum source source;
	size_t mine; /* the first label of this source */
	struct cni_error *err;
};

static const char *const places[] = {
	[FROM_NETWORK] = "name",
	[FROM_ENVIRONMENT] = "CNI_ARGS",
	[FROM_ARGS] = "args.cni.labels",
	[FROM_ANNOTATIONS] = "runtimeConfig.\"io.kubernetes.cri.pod-annotations\"",
};

static int refuse(const struct taking *t, const char *key, const char *why)
{
	char safe[SHOWN];

	return cni_fail(
		t->err,
		t->source == FROM_ENVIRONMENT ? CNI_INVALID_ENVIRONMENT : CNI_INVALID_CONFIG,
		"%s: %s: %s", places[t->source], bh_escape_str(safe, sizeof(safe), key), why);
}

static size_t find(const struct cni_labels *l, const char *key)
{
	size_t i = 0;

	while (i < l->n && strcmp(l->labels[i].key, key) != 0)
		i++;
	return i;
}

/* KEY is of one that is there: may it be said again? */
static int again(const struct taking *t, const struct label *there, size_t i, const char *value)
{
	if (i < t->mine || strcmp(there->value, value) == 0)
		return 0;
	return refuse(t, there->key, "it is said twice, and not the same");
}

static int put(struct taking *t, const char *key, const char *value)
{
	struct cni_labels *l = t->out;
	size_t len = strlen(key) + strlen(value), i = find(l, key);

	if (i < l->n)
		return again(t, &l->labels[i], i, value);
	if (!key[0] || strchr(key, '='))
		return refuse(t, key, "a label's key has no '=' in it, and is not empty");
	if (strlen(key) > BH_RUNTIME_LABEL_BYTES_MAX || strlen(value) > BH_RUNTIME_LABEL_BYTES_MAX)
		return refuse(t, key, "a label has at most 4096 bytes");
	if (l->n == BH_LABELS_MAX)
		return refuse(t, key, "a container has at most 256 labels");
	if (l->bytes + len > BH_CNI_LABELS_BYTES_MAX)
		return refuse(t, key, "the labels of a container have at most 48 KiB together");
	l->labels[l->n++] = (struct label) { key, value };
	l->bytes += len;
	return 0;
}

static void begin(struct taking *t, enum source source)
{
	t->source = source;
	t->mine = t->out->n;
}

/* --- CNI_ARGS ------------------------------------------------------------------------------------- */

/*
 * What runtimes say, as labels that others of their containers have, too. NULL: not about who it is.
 * Sources: containerd and CRI-O (K8S_*), Nomad's networking_cni.go and its driver of Docker (labels).
 */
static const struct word {
	const char *name, *label;
} words[] = {
	{ "K8S_POD_NAMESPACE", "io.kubernetes.pod.namespace" },
	{ "K8S_POD_NAME", "io.kubernetes.pod.name" },
	{ "K8S_POD_UID", "io.kubernetes.pod.uid" },
	{ "K8S_POD_INFRA_CONTAINER_ID", NULL },
	{ "NOMAD_NAMESPACE", "com.hashicorp.nomad.namespace" },
	{ "NOMAD_JOB_ID", "com.hashicorp.nomad.job_id" },
	{ "NOMAD_GROUP_NAME", "com.hashicorp.nomad.task_group_name" },
	{ "NOMAD_ALLOC_ID", "com.hashicorp.nomad.alloc_id" },
	{ "IgnoreUnknown", NULL },
	{ "IP", NULL },
	{ "MAC", NULL },
	{ "GATEWAY", NULL },
};

static const char *label_of(const char *name)
{
	for (size_t i = 0; i < BH_ARRAY_SIZE(words); i++)
		if (strcmp(words[i].name, name) == 0)
			return words[i].label;
	return name;
}

static int take_pair(struct taking *t, char *pair)
{
	char *value = strchr(pair, '=');
	const char *label;

	if (!value || value == pair)
		return refuse(t, pair, "must be KEY=VALUE");
	*value++ = '\0';
	if (!bh_is_utf8(value) || !bh_is_utf8(pair))
		return refuse(t, pair, "is no UTF-8");
	label = label_of(pair);
	if (!label || !value[0])
		return 0;
	if (strcmp(pair, "K8S_POD_NAME") == 0)
		t->out->name = value;
	return put(t, label, value);
}

static int take_environment(struct taking *t, const char *args)
{
	char *copy, *pair;

	begin(t, FROM_ENVIRONMENT);
	if (!args || !args[0])
		return 0;
	copy = bh_arena_strdup(t->out->arena, args);
	if (!copy)
		return cni_fail(t->err, CNI_IO_FAILURE, "out of memory");
	while ((pair = strsep(&copy, ";"))) {
		int r = take_pair(t, pair);

		if (r < 0)
			return r;
	}
	return 0;
}

/* --- the configuration ---------------------------------------------------------------------------- */

static int take_args(struct taking *t, const json_t *labels)
{
	const json_t *item;
	size_t i;
	int r = 0;

	begin(t, FROM_ARGS);
	if (labels && !json_is_array(labels))
		return refuse(t, "labels", "must be a list of {\"key\": ..., \"value\": ...}");
	json_array_foreach (labels, i, item) {
		const char *key = json_string_value(json_object_get(item, "key"));
		const char *value = json_string_value(json_object_get(item, "value"));

		if (!key || !value)
			return refuse(t, "labels", "each has the texts \"key\" and \"value\"");
		r = put(t, key, value);
		if (r < 0)
			return r;
	}
	return r;
}

/* What runtimes say of a container: whoever writes a pod's annotations does not say it for them. */
static const char *const reserved[] = {
	"io.kubernetes.*", "com.docker.*", "com.hashicorp.nomad.*", "io.podman.*", "annotation.*",
};

static bool matches(const char *const *globs, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++)
		if (bh_glob_match(globs[i], key))
			return true;
	return false;
}

static bool is_label(const struct taking *t, const char *key)
{
	const json_t *glob;
	size_t i;

	if (matches(reserved, BH_ARRAY_SIZE(reserved), key))
		return false;
	json_array_foreach (t->config->label_globs, i, glob)
		if (bh_glob_match(json_string_value(glob), key))
			return true;
	return false;
}

static int take_annotation(struct taking *t, const char *key, const json_t *v)
{
	const char *value = json_string_value(v);

	if (!value)
		return refuse(t, key, "must be a text");
	if (strlen(key) + strlen("annotation.") > BH_RUNTIME_LABEL_BYTES_MAX ||
	    json_string_length(v) > BH_RUNTIME_LABEL_BYTES_MAX)
		return 0;
	if (!is_label(t, key))
		key = bh_arena_printf(t->out->arena, "annotation.%s", key);
	return key ? put(t, key, value) : cni_fail(t->err, CNI_IO_FAILURE, "out of memory");
}

static int take_annotations(struct taking *t)
{
	const char *key;
	json_t *v;

	begin(t, FROM_ANNOTATIONS);
	json_object_foreach ((json_t *)t->config->annotations, key, v) {
		int r = take_annotation(t, key, v);

		if (r < 0)
			return r;
	}
	return 0;
}

int cni_labels_take(const struct cni_environment *e, const struct cni_config *c,
		    struct cni_labels *ret, struct cni_error *err)
{
	struct taking t = { .out = ret, .config = c, .err = err };
	int r;

	*ret = (struct cni_labels) { .arena = bh_arena_new() };
	if (!ret->arena)
		return cni_fail(err, CNI_IO_FAILURE, "out of memory");
	begin(&t, FROM_NETWORK);
	r = put(&t, CNI_NETWORK_LABEL, c->network);
	if (r >= 0)
		r = take_environment(&t, e->args);
	if (r >= 0)
		r = take_args(&t, c->labels);
	if (r >= 0)
		r = take_annotations(&t);
	if (r < 0)
		cni_labels_done(ret);
	return r;
}

void cni_labels_done(struct cni_labels *l)
{
	bh_arena_free(l->arena);
	*l = (struct cni_labels) { 0 };
}
