/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/runtime/runtime.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <bulkhead/base/arena.h>
#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>
#include <bulkhead/model/image.h>

#include "resolve.h"

/* One reading of one inventory: where we are in it, and what was found wrong. */
struct reader {
	struct src_loc loc; /* the file: jansson keeps no places of values */
	struct diag_list *diags;
	struct bh_arena *arena;
	struct endpoint_builder *builder;
	char path[128]; /* "endpoints[3].addresses[0]" */
	bool oom;
};

static void mistake(struct reader *rd, const char *id, const char *hint, const char *text)
{
	diag_add(rd->diags, DIAG_ERROR, &rd->loc, id, hint, "%s: %s", rd->path, text);
}

static void wrong_type(struct reader *rd, const char *wanted)
{
	char text[96];

	snprintf(text, sizeof(text), "must be %s", wanted);
	mistake(rd, "wrong-type", NULL, text);
}

/* The path grows by a piece for the time of a visit; both return what path_cut() cuts back to. */
static size_t path_key(struct reader *rd, const char *key)
{
	size_t len = strlen(rd->path);
	char safe[64];

	snprintf(rd->path + len, sizeof(rd->path) - len, "%s%s", len ? "." : "",
		 bh_escape_str(safe, sizeof(safe), key));
	return len;
}

static size_t path_index(struct reader *rd, size_t index)
{
	size_t len = strlen(rd->path);

	snprintf(rd->path + len, sizeof(rd->path) - len, "[%zu]", index);
	return len;
}

static void path_cut(struct reader *rd, size_t len)
{
	rd->path[len] = '\0';
}

/* --- values ---------------------------------------------------------------------------------- */

/* A string without NUL, at most BH_YAML_SCALAR_MAX bytes, into the arena; NULL after a mistake. */
static const char *take_string(struct reader *rd, const json_t *v)
{
	const char *copy;

	if (!json_is_string(v)) {
		wrong_type(rd, "a string");
		return NULL;
	}
	if (json_string_length(v) > BH_YAML_SCALAR_MAX ||
	    strlen(json_string_value(v)) != json_string_length(v)) {
		mistake(rd, "bad-string", NULL, "is too long or has a NUL byte");
		return NULL;
	}
	copy = bh_arena_strdup(rd->arena, json_string_value(v));
	rd->oom |= !copy;
	return copy;
}

static bool take_address(struct reader *rd, const json_t *v, struct bh_addr *ret)
{
	const char *s = take_string(rd, v);
	char text[160], safe[96];

	if (!s)
		return false;
	if (bh_addr_parse(s, ret) == 0)
		return true;
	snprintf(text, sizeof(text), "'%s' is not an IPv4 or IPv6 address",
		 bh_escape_str(safe, sizeof(safe), s));
	mistake(rd, "bad-address", "write it without a prefix length, as in 10.77.1.1", text);
	return false;
}

static const struct bh_addr *take_addresses(struct reader *rd, const json_t *v, size_t max,
					    size_t *ret_n)
{
	struct bh_addr *out;
	const json_t *item;
	size_t i;

	*ret_n = 0;
	if (!json_is_array(v)) {
		wrong_type(rd, "a list of addresses");
		return NULL;
	}
	if (json_array_size(v) > max) {
		mistake(rd, "too-many", NULL, "has more addresses than an endpoint may have");
		return NULL;
	}
	out = bh_arena_array(rd->arena, json_array_size(v), sizeof(*out));
	rd->oom |= !out;
	json_array_foreach (v, i, item) {
		size_t at = path_index(rd, i);

		if (out && take_address(rd, item, &out[*ret_n]))
			(*ret_n)++;
		path_cut(rd, at);
	}
	return out;
}

static const struct label *take_labels(struct reader *rd, json_t *v, size_t *ret_n)
{
	struct label *out;
	const char *key;
	json_t *item;

	*ret_n = 0;
	if (!json_is_object(v) || json_object_size(v) > BH_LABELS_MAX) {
		wrong_type(rd, "an object of at most 256 labels");
		return NULL;
	}
	out = bh_arena_array(rd->arena, json_object_size(v), sizeof(*out));
	rd->oom |= !out;
	json_object_foreach (v, key, item) {
		size_t at = path_key(rd, key);
		const char *value = take_string(rd, item);

		if (out && value) {
			out[*ret_n].key = bh_arena_strdup(rd->arena, key);
			out[*ret_n].value = value;
			rd->oom |= !out[(*ret_n)++].key;
		}
		path_cut(rd, at);
	}
	return out;
}

/* --- objects: a table of keys ---------------------------------------------------------------- */

struct key_reader {
	const char *key;
	void (*take)(struct reader *rd, json_t *v, void *target);
};

/* Visit every key of an object; those that the table does not have are mistakes. */
static void take_object(struct reader *rd, json_t *v, const struct key_reader *keys, size_t n,
			void *target)
{
	const char *key, *names[16], *near;
	char hint[96];
	json_t *item;

	if (!json_is_object(v)) {
		wrong_type(rd, "an object");
		return;
	}
	for (size_t i = 0; i < n; i++)
		names[i] = keys[i].key;
	json_object_foreach (v, key, item) {
		size_t at = path_key(rd, key), i = 0;

		while (i < n && strcmp(keys[i].key, key) != 0)
			i++;
		if (i < n) {
			keys[i].take(rd, item, target);
		} else {
			near = bh_nearest(key, names, n);
			snprintf(hint, sizeof(hint), "did you mean %s?", near ? near : "");
			mistake(rd, "unknown-key", near ? hint : NULL, "there is no such key");
		}
		path_cut(rd, at);
	}
}

/* --- endpoints ------------------------------------------------------------------------------- */

static void ep_id(struct reader *rd, json_t *v, void *e)
{
	((struct endpoint *)e)->id = take_string(rd, v);
}

static void ep_name(struct reader *rd, json_t *v, void *e)
{
	((struct endpoint *)e)->name = take_string(rd, v);
}

static void ep_namespace(struct reader *rd, json_t *v, void *e)
{
	((struct endpoint *)e)->namespace = take_string(rd, v);
}

static void ep_image(struct reader *rd, json_t *v, void *e)
{
	((struct endpoint *)e)->image = take_string(rd, v);
}

static void ep_image_id(struct reader *rd, json_t *v, void *target)
{
	struct endpoint *e = target;

	e->image_id = take_string(rd, v);
	if (e->image_id && !image_digest_is_valid(e->image_id))
		mistake(rd, "bad-image", NULL, "must be sha256: and 64 hexadecimal digits");
}

static void take_digest(struct reader *rd, const json_t *v, const char **ret)
{
	*ret = take_string(rd, v);
	if (*ret && !image_repo_digest_is_valid(*ret))
		mistake(rd, "bad-image", "leave a tag out",
			"must be NAME@sha256: and 64 hexadecimal digits");
}

static void ep_image_digests(struct reader *rd, json_t *v, void *target)
{
	struct endpoint *e = target;
	const char **out;
	json_t *item;
	size_t i;

	if (!json_is_array(v) || json_array_size(v) > BH_ENDPOINT_DIGESTS_MAX) {
		wrong_type(rd, "a list of at most 64 digests");
		return;
	}
	out = bh_arena_array(rd->arena, json_array_size(v), sizeof(*out));
	rd->oom |= !out;
	json_array_foreach (v, i, item) {
		size_t at = path_index(rd, i);

		if (out)
			take_digest(rd, item, &out[i]);
		path_cut(rd, at);
		if (out && !out[i])
			return;
	}
	e->image_digests = out;
	e->n_image_digests = out ? json_array_size(v) : 0;
}

static void ep_netns(struct reader *rd, json_t *v, void *e)
{
	((struct endpoint *)e)->netns = take_string(rd, v);
}

static void ep_labels(struct reader *rd, json_t *v, void *target)
{
	struct endpoint *e = target;

	e->labels = take_labels(rd, v, &e->n_labels);
}

static void ep_image_labels(struct reader *rd, json_t *v, void *target)
{
	struct endpoint *e = target;

	e->image_labels = take_labels(rd, v, &e->n_image_labels);
}

static void ep_addresses(struct reader *rd, json_t *v, void *target)
{
	struct endpoint *e = target;

	e->addrs = take_addresses(rd, v, BH_ENDPOINT_ADDRS_MAX, &e->n_addrs);
}

static void ep_resolvers(struct reader *rd, json_t *v, void *target)
{
	struct endpoint *e = target;

	e->resolvers = take_addresses(rd, v, BH_ENDPOINT_RESOLVERS_MAX, &e->n_resolvers);
}

static void ep_runtime(struct reader *rd, json_t *v, void *target)
{
	static const enum endpoint_runtime all[] = { ENDPOINT_NETNS,  ENDPOINT_DOCKER,
						     ENDPOINT_PODMAN, ENDPOINT_CNI,
						     ENDPOINT_OCI,    ENDPOINT_INVENTORY };
	const char *s = take_string(rd, v);

	if (!s)
		return;
	for (size_t i = 0; i < BH_ARRAY_SIZE(all); i++)
		if (strcmp(endpoint_runtime_name(all[i]), s) == 0) {
			((struct endpoint *)target)->runtime = all[i];
			return;
		}
	mistake(rd, "bad-runtime", NULL, "must be netns, docker, podman, cni, oci or inventory");
}

/* What only the one who wrote the file can know: here nobody is asked. */
static void ep_obstacle(struct reader *rd, json_t *v, void *target)
{
	struct endpoint *e = target;
	const char *s = take_string(rd, v);

	if (!s)
		return;
	e->obstacle = endpoint_obstacle_find(s);
	if (e->obstacle == ENDPOINT_HOLDABLE || e->obstacle == ENDPOINT_UNREADABLE)
		mistake(rd, "bad-obstacle", NULL,
			"must be host-network, privileged, net-admin, raw-sockets, own-stack or "
			"no-netns");
}

/* "project/service" */
static void ep_compose(struct reader *rd, json_t *v, void *target)
{
	struct endpoint *e = target;
	const char *s = take_string(rd, v), *slash = s ? strchr(s, '/') : NULL;

	if (!s)
		return;
	if (!slash || slash == s || !slash[1]) {
		mistake(rd, "bad-compose", NULL, "must be PROJECT/SERVICE");
		return;
	}
	e->compose_project = bh_arena_strndup(rd->arena, s, (size_t)(slash - s));
	e->compose_service = slash + 1;
	rd->oom |= !e->compose_project;
}

static void port_name(struct reader *rd, json_t *v, void *p)
{
	((struct endpoint_port *)p)->name = take_string(rd, v);
}

static void port_number(struct reader *rd, json_t *v, void *p)
{
	json_int_t n = json_integer_value(v);

	if (!json_is_integer(v) || n < 1 || n > 65535)
		mistake(rd, "bad-port", NULL, "must be a number from 1 to 65535");
	else
		((struct endpoint_port *)p)->port = (uint16_t)n;
}

static void port_protocol(struct reader *rd, json_t *v, void *p)
{
	static const struct {
		const char *name;
		uint16_t proto;
	} protos[] = { { "TCP", IPPROTO_TCP }, { "UDP", IPPROTO_UDP }, { "SCTP", IPPROTO_SCTP } };
	const char *s = take_string(rd, v);

	if (!s)
		return;
	for (size_t i = 0; i < BH_ARRAY_SIZE(protos); i++)
		if (strcmp(protos[i].name, s) == 0) {
			((struct endpoint_port *)p)->proto = protos[i].proto;
			return;
		}
	mistake(rd, "bad-protocol", NULL, "must be TCP, UDP or SCTP");
}

static void ep_ports(struct reader *rd, json_t *v, void *target)
{
	static const struct key_reader keys[] = {
		{ "name", port_name },
		{ "port", port_number },
		{ "protocol", port_protocol },
	};
	struct endpoint *e = target;
	struct endpoint_port *out;
	json_t *item;
	size_t i;

	if (!json_is_array(v) || json_array_size(v) > BH_ENDPOINT_PORTS_MAX) {
		wrong_type(rd, "a list of at most 1024 ports");
		return;
	}
	out = bh_arena_array(rd->arena, json_array_size(v), sizeof(*out));
	rd->oom |= !out;
	json_array_foreach (v, i, item) {
		size_t at = path_index(rd, i);

		if (out) {
			out[i].proto = IPPROTO_TCP;
			take_object(rd, item, keys, BH_ARRAY_SIZE(keys), &out[i]);
			if (json_is_object(item) && !json_object_get(item, "port"))
				mistake(rd, "missing-port", NULL, "has no port");
		}
		path_cut(rd, at);
	}
	e->ports = out;
	e->n_ports = out ? json_array_size(v) : 0;
}

static const struct key_reader endpoint_keys[] = {
	{ "id", ep_id },
	{ "name", ep_name },
	{ "namespace", ep_namespace },
	{ "labels", ep_labels },
	{ "image_labels", ep_image_labels },
	{ "addresses", ep_addresses },
	{ "ports", ep_ports },
	{ "netns", ep_netns },
	{ "image", ep_image },
	{ "image_id", ep_image_id },
	{ "image_digests", ep_image_digests },
	{ "runtime", ep_runtime },
	{ "compose", ep_compose },
	{ "resolvers", ep_resolvers },
	{ "obstacle", ep_obstacle },
};

/* A namespace that is the host's, or not there, is none that a table could go to. */
static bool goes_without_netns(enum endpoint_obstacle o)
{
	return o == ENDPOINT_HOST_NETWORK || o == ENDPOINT_NO_NETNS;
}

static void take_endpoint(struct reader *rd, json_t *v)
{
	struct endpoint e = { .runtime = ENDPOINT_INVENTORY };
	struct bh_err err = BH_ERR_INIT;
	int r;

	take_object(rd, v, endpoint_keys, BH_ARRAY_SIZE(endpoint_keys), &e);
	if (rd->oom)
		return;
	if (json_is_object(v) && (!json_object_get(v, "id") || (e.id && !e.id[0]))) {
		mistake(rd, "missing-id", "add \"id\"", "has no id");
		return;
	}
	if (!e.id)
		return;
	if (e.netns && goes_without_netns(e.obstacle))
		mistake(rd, "bad-obstacle", "leave \"netns\" out",
			"an endpoint without a namespace of its own names one");
	if (e.netns)
		e.netns_ino = runtime_netns_ino(e.netns);
	r = endpoint_builder_add(rd->builder, &e, &err);
	if (r == -ENOMEM)
		rd->oom = true;
	else if (r < 0)
		mistake(rd, "bad-endpoint", NULL, err.msg);
}

static void top_endpoints(struct reader *rd, json_t *v, void *target)
{
	json_t *item;
	size_t i;

	if (!json_is_array(v)) {
		wrong_type(rd, "a list of endpoints");
		return;
	}
	json_array_foreach (v, i, item) {
		size_t at = path_index(rd, i);

		take_endpoint(rd, item);
		path_cut(rd, at);
	}
}

/* --- the rest -------------------------------------------------------------------------------- */

static void add_namespace(struct reader *rd, const char *name, const struct label *l, size_t n)
{
	struct bh_err err = BH_ERR_INIT;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < n; i++) {
		const struct namespace_label label = { name, l[i].key, l[i].value };

		if (strcmp(l[i].key, NAMESPACE_NAME_LABEL) == 0 && strcmp(l[i].value, name) != 0)
			mistake(rd, "bad-label", "leave it out: every namespace has it",
				"label " NAMESPACE_NAME_LABEL " is the namespace's own name");
		r = endpoint_builder_add_namespace_labels(rd->builder, &label, 1, &err);
	}
	rd->oom |= r == -ENOMEM;
	if (r == -E2BIG)
		mistake(rd, "too-many", NULL, err.msg);
}

static void top_namespaces(struct reader *rd, json_t *v, void *target)
{
	const struct label *labels;
	const char *key;
	json_t *item;
	size_t n;

	if (!json_is_object(v)) {
		wrong_type(rd, "an object of namespaces and their labels");
		return;
	}
	json_object_foreach (v, key, item) {
		size_t at = path_key(rd, key);

		labels = take_labels(rd, item, &n);
		if (labels && !rd->oom)
			add_namespace(rd, key, labels, n);
		path_cut(rd, at);
	}
}

/* "10.77.0.254", or "10.77.0.254/24" to tell the subnet, too. */
static int host_address(struct reader *rd, const json_t *v)
{
	const char *s = take_string(rd, v);
	struct bh_addr a, shared[2];
	char text[160], safe[96];
	uint8_t len;
	int r;

	if (!s)
		return 0;
	if (bh_interface_parse(s, &a, &len) < 0) {
		snprintf(text, sizeof(text), "'%s' is not an IPv4 or IPv6 address",
			 bh_escape_str(safe, sizeof(safe), s));
		mistake(rd, "bad-address", "write 10.77.0.254 or 10.77.0.254/24", text);
		return 0;
	}
	r = endpoint_builder_add_host_addr(rd->builder, &a);
	for (size_t n = bh_subnet_shared(&a, len, shared); r >= 0 && n-- > 0;)
		r = endpoint_builder_add_shared_addr(rd->builder, &shared[n]);
	return r;
}

static void host_addresses(struct reader *rd, json_t *v, void *target)
{
	const json_t *item;
	size_t i;
	int r = 0;

	if (!json_is_array(v)) {
		wrong_type(rd, "a list of addresses");
		return;
	}
	json_array_foreach (v, i, item) {
		size_t at = path_index(rd, i);

		if (r >= 0)
			r = host_address(rd, item);
		path_cut(rd, at);
	}
	rd->oom |= r == -ENOMEM;
	if (r == -E2BIG)
		mistake(rd, "too-many", NULL, "the host has too many addresses in all");
}

static void top_host(struct reader *rd, json_t *v, void *target)
{
	static const struct key_reader keys[] = { { "addresses", host_addresses } };

	take_object(rd, v, keys, BH_ARRAY_SIZE(keys), NULL);
}

static const struct key_reader top_keys[] = {
	{ "namespaces", top_namespaces },
	{ "endpoints", top_endpoints },
	{ "host", top_host },
};

int runtime_inventory_parse(const char *name, const char *data, size_t len,
			    struct endpoint_builder *b, struct diag_list *diags, struct bh_err *err)
{
	struct reader rd = { .loc = { .file = name }, .diags = diags, .builder = b };
	size_t errors_before = diags->errors;
	json_error_t why;
	char safe[JSON_ERROR_TEXT_LENGTH * 4];
	json_t *root = json_loadb(data, len, JSON_REJECT_DUPLICATES, &why);

	if (!root) {
		struct src_loc at = { name, why.line > 0 ? (unsigned)why.line : 1,
				      why.column > 0 ? (unsigned)why.column : 1 };

		diag_add(diags, DIAG_ERROR, &at, "bad-json", NULL, "the inventory is not JSON: %s",
			 bh_escape_str(safe, sizeof(safe), why.text));
		return -EINVAL;
	}
	rd.arena = bh_arena_new();
	if (rd.arena) {
		snprintf(rd.path, sizeof(rd.path), "%s", "");
		if (json_is_object(root))
			take_object(&rd, root, top_keys, BH_ARRAY_SIZE(top_keys), NULL);
		else
			diag_add(diags, DIAG_ERROR, &rd.loc, "wrong-type", NULL,
				 "the inventory must be a JSON object with \"endpoints\"");
	}
	json_decref(root);
	rd.oom |= !rd.arena;
	bh_arena_free(rd.arena);
	if (rd.oom)
		return bh_err_oom(err);
	return diags->errors > errors_before ? -EINVAL : 0;
}

int runtime_inventory_load(const char *path, struct endpoint_builder *b, struct diag_list *diags,
			   struct bh_err *err)
{
	bh_autofree char *data = NULL;
	char safe[256];
	size_t len;
	int r = bh_read_file(path, BH_INVENTORY_BYTES_MAX, &data, &len);

	if (r < 0)
		return bh_err_errno(err, r, "inventory %s",
				    bh_escape_str(safe, sizeof(safe), path));
	return runtime_inventory_parse(path, data, len, b, diags, err);
}
