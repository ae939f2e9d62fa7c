/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "docker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <jansson.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/text.h>
#include <bulkhead/runtime/runtime.h>

#define PID_MAX 4194304 /* the kernel's PID_MAX_LIMIT */

/* One document; the first mistake sticks, and then every value reads as absent. */
struct doc {
	struct bh_arena *arena;
	struct bh_err *err;
	json_t *root;
	int r;
};

static int doc_open(struct doc *d, const char *json, size_t len, json_type type, const char *what)
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

static void doc_oom(struct doc *d)
{
	if (d->r >= 0)
		d->r = bh_err_oom(d->err);
}

static void doc_wrong(struct doc *d, const char *key, const char *text)
{
	char shown[128];

	if (d->r >= 0)
		d->r = bh_err_set(d->err, -EBADMSG, "%s %s",
				  bh_escape_str(shown, sizeof(shown), key), text);
}

/* --- values: absent and null are the same ---------------------------------------------------- */

static json_t *member(struct doc *d, const json_t *o, const char *key, json_type type)
{
	json_t *v = o && d->r >= 0 ? json_object_get(o, key) : NULL;

	if (!v || json_is_null(v))
		return NULL;
	if (json_typeof(v) == type)
		return v;
	doc_wrong(d, key, "has the wrong type");
	return NULL;
}

static bool flag(struct doc *d, const json_t *o, const char *key)
{
	json_t *v = o && d->r >= 0 ? json_object_get(o, key) : NULL;

	if (v && !json_is_boolean(v) && !json_is_null(v))
		doc_wrong(d, key, "has the wrong type");
	return json_is_true(v);
}

/* A string, borrowed from the document; the empty one is NULL: engines write it for "none". */
static const char *borrow(struct doc *d, const json_t *o, const char *key)
{
	json_t *v = member(d, o, key, JSON_STRING);

	if (!v || json_string_length(v) == 0)
		return NULL;
	if (json_string_length(v) > BH_RUNTIME_LABEL_BYTES_MAX) {
		doc_wrong(d, key, "is too long");
		return NULL;
	}
	return json_string_value(v);
}

static const char *text(struct doc *d, const json_t *o, const char *key)
{
	const char *s = borrow(d, o, key), *copy = s ? bh_arena_strdup(d->arena, s) : NULL;

	if (s && !copy)
		doc_oom(d);
	return copy;
}

/* A path is taken only when it is absolute. */
static const char *path(struct doc *d, const json_t *o, const char *key)
{
	const char *s = text(d, o, key);

	return s && s[0] == '/' ? s : NULL;
}

static int number(struct doc *d, const json_t *o, const char *key, int max)
{
	json_int_t n = json_integer_value(member(d, o, key, JSON_INTEGER));

	if (n >= 0 && n <= max)
		return (int)n;
	doc_wrong(d, key, "is out of range");
	return 0;
}

static void add_addr(struct doc *d, const char *s, const char *key, struct bh_addr *out, size_t cap,
		     size_t *n)
{
	struct bh_addr a;

	if (!s)
		return;
	if (bh_addr_parse(s, &a) < 0) {
		doc_wrong(d, key, "is not an address");
		return;
	}
	for (size_t i = 0; i < *n; i++)
		if (bh_addr_cmp(&out[i], &a) == 0)
			return;
	if (*n == cap)
		doc_wrong(d, key, "is one address more than an endpoint may have");
	else
		out[(*n)++] = a;
}

static struct bh_addr *addr_array(struct doc *d, size_t n)
{
	struct bh_addr *out = bh_arena_array(d->arena, n, sizeof(*out));

	if (!out)
		doc_oom(d);
	return out;
}

/* --- labels ---------------------------------------------------------------------------------- */

/* One that no policy can name, being too long, cannot select either: it is left out. */
static const struct label *labels(struct doc *d, const json_t *o, size_t *ret_n)
{
	json_t *v = member(d, o, "Labels", JSON_OBJECT), *item;
	struct label *out = bh_arena_array(d->arena, json_object_size(v), sizeof(*out));
	const char *key;

	*ret_n = 0;
	if (!out)
		doc_oom(d);
	json_object_foreach (v, key, item) {
		struct label l;

		if (!out || !json_is_string(item)) {
			doc_wrong(d, "Labels", "has a value that is no string");
			break;
		}
		if (strlen(key) > BH_RUNTIME_LABEL_BYTES_MAX ||
		    json_string_length(item) > BH_RUNTIME_LABEL_BYTES_MAX)
			continue;
		l.key = bh_arena_strdup(d->arena, key);
		l.value = bh_arena_strdup(d->arena, json_string_value(item));
		if (l.key && l.value)
			out[(*ret_n)++] = l;
		else
			doc_oom(d);
	}
	return out;
}

/* --- containers ------------------------------------------------------------------------------ */

static bool is_hex(const char *s, size_t n)
{
	return strlen(s) == n && strspn(s, "0123456789abcdef") == n;
}

bool docker_id_is_valid(const char *id)
{
	return is_hex(id, 64);
}

bool docker_image_id_is_valid(const char *id)
{
	return is_hex(strncmp(id, "sha256:", 7) == 0 ? id + 7 : id, 64);
}

/* Is CAP in the list, as "NET_ADMIN" or "CAP_NET_ADMIN" in any case, or are all of them? */
static bool lists_cap(struct doc *d, const json_t *host, const char *key, const char *cap)
{
	json_t *list = member(d, host, key, JSON_ARRAY), *item;
	size_t i;

	json_array_foreach (list, i, item) {
		const char *s = json_string_value(item);

		if (s && strncasecmp(s, "CAP_", 4) == 0)
			s += 4;
		if (s && (strcasecmp(s, cap) == 0 || strcasecmp(s, "ALL") == 0))
			return true;
	}
	return false;
}

/* Docker gives NET_RAW unless told not to; NET_ADMIN it does not. */
static enum endpoint_obstacle cap_obstacle(struct doc *d, const json_t *host)
{
	if (lists_cap(d, host, "CapAdd", "NET_ADMIN"))
		return ENDPOINT_NET_ADMIN;
	if (lists_cap(d, host, "CapAdd", "NET_RAW") || !lists_cap(d, host, "CapDrop", "NET_RAW"))
		return ENDPOINT_RAW_SOCKETS;
	return ENDPOINT_HOLDABLE;
}

/* Engines that give a container a kernel or a network stack of its own, by how they are named. */
static bool has_own_stack(const char *engine)
{
	static const char *const words[] = { "runsc", "gvisor", "kata", "firecracker" };

	for (size_t i = 0; engine && i < BH_ARRAY_SIZE(words); i++)
		if (strcasestr(engine, words[i]))
			return true;
	return false;
}

static enum endpoint_obstacle obstacle(struct doc *d, const json_t *host, bool host_network)
{
	if (host_network)
		return ENDPOINT_HOST_NETWORK;
	if (has_own_stack(borrow(d, host, "Runtime")))
		return ENDPOINT_OWN_STACK;
	if (flag(d, host, "Privileged"))
		return ENDPOINT_PRIVILEGED;
	return cap_obstacle(d, host);
}

static void take_host_config(struct doc *d, const json_t *root, struct docker_container *c)
{
	const json_t *host = member(d, root, "HostConfig", JSON_OBJECT), *item;
	const char *mode = borrow(d, host, "NetworkMode");
	json_t *list = member(d, host, "Dns", JSON_ARRAY);
	struct bh_addr *dns = addr_array(d, BH_ENDPOINT_RESOLVERS_MAX);
	size_t i;

	c->host_network = mode && strcmp(mode, "host") == 0;
	c->joined = mode && strncmp(mode, "container:", 10) == 0;
	c->e.obstacle = obstacle(d, host, c->host_network);
	c->dns = dns;
	json_array_foreach (list, i, item)
		if (dns && json_is_string(item) && c->n_dns < BH_ENDPOINT_RESOLVERS_MAX &&
		    bh_addr_parse(json_string_value(item), &dns[c->n_dns]) == 0)
			c->n_dns++;
}

static void take_networks(struct doc *d, const json_t *root, struct docker_container *c)
{
	const json_t *settings = member(d, root, "NetworkSettings", JSON_OBJECT);
	json_t *networks = member(d, settings, "Networks", JSON_OBJECT), *net;
	struct bh_addr *own = addr_array(d, BH_ENDPOINT_ADDRS_MAX);
	struct bh_addr *gateways = addr_array(d, BH_ENDPOINT_ADDRS_MAX);
	const char *name;

	c->sandbox = path(d, settings, "SandboxKey");
	c->e.addrs = own;
	c->gateways = gateways;
	json_object_foreach (networks, name, net) {
		if (json_is_null(net))
			continue;
		if (!json_is_object(net))
			doc_wrong(d, "Networks", "has a value that is no object");
		if (d->r < 0)
			return;
		add_addr(d, borrow(d, net, "IPAddress"), "IPAddress", own, BH_ENDPOINT_ADDRS_MAX,
			 &c->e.n_addrs);
		add_addr(d, borrow(d, net, "GlobalIPv6Address"), "GlobalIPv6Address", own,
			 BH_ENDPOINT_ADDRS_MAX, &c->e.n_addrs);
		add_addr(d, borrow(d, net, "Gateway"), "Gateway", gateways, BH_ENDPOINT_ADDRS_MAX,
			 &c->n_gateways);
		add_addr(d, borrow(d, net, "IPv6Gateway"), "IPv6Gateway", gateways,
			 BH_ENDPOINT_ADDRS_MAX, &c->n_gateways);
	}
}

static void take_name(struct doc *d, struct docker_container *c)
{
	const char *name = text(d, d->root, "Name");

	c->e.name = name && name[0] == '/' && name[1] ? name + 1 : name;
}

/* Podman writes "sha256:" and no reference of a container that was made of a --rootfs. */
static void take_image_id(struct doc *d, struct docker_container *c)
{
	const json_t *v = d->r >= 0 ? json_object_get(d->root, "Image") : NULL;
	const char *id = json_string_value(v);

	if (!id)
		return;
	if (docker_image_id_is_valid(id))
		c->image_id = text(d, d->root, "Image");
	else
		c->no_image = !c->e.image && (!id[0] || strcmp(id, "sha256:") == 0);
}

static void take_identity(struct doc *d, struct docker_container *c)
{
	const json_t *config = member(d, d->root, "Config", JSON_OBJECT);

	c->e.id = text(d, d->root, "Id");
	if (d->r >= 0 && (!c->e.id || !docker_id_is_valid(c->e.id)))
		doc_wrong(d, "Id", "is not 64 hexadecimal digits");
	take_name(d, c);
	c->e.image = text(d, config, "Image");
	c->e.labels = labels(d, config, &c->e.n_labels);
	take_image_id(d, c);
	c->resolv_conf = path(d, d->root, "ResolvConfPath");
}

static void take_state(struct doc *d, struct docker_container *c)
{
	const json_t *state = member(d, d->root, "State", JSON_OBJECT);

	c->e.pid = number(d, state, "Pid", PID_MAX);
	/* Podman does not call a paused one running. Its namespace and connections stay. */
	c->alive = flag(d, state, "Running") || flag(d, state, "Paused") ||
		   flag(d, state, "Restarting") || c->e.pid;
}

int docker_parse_container(const char *json, size_t len, struct bh_arena *arena,
			   struct docker_container *ret, struct bh_err *err)
{
	struct doc d = { .arena = arena, .err = err };
	struct docker_container c = { 0 };
	int r = doc_open(&d, json, len, JSON_OBJECT, "the container's document");

	if (r < 0)
		return r;
	take_identity(&d, &c);
	take_state(&d, &c);
	take_host_config(&d, d.root, &c);
	take_networks(&d, d.root, &c);
	json_decref(d.root);
	if (d.r < 0)
		return d.r;
	*ret = c;
	return 0;
}

static void take_sandbox(struct doc *d, struct docker_container *c)
{
	c->sandbox = path(d, member(d, d->root, "NetworkSettings", JSON_OBJECT), "SandboxKey");
}

int docker_parse_remains(const char *json, size_t len, struct bh_arena *arena, const char *id,
			 struct docker_container *ret)
{
	static void (*const takes[])(struct doc *, struct docker_container *) = {
		take_name,
		take_state,
		take_sandbox,
	};
	struct doc d = { .arena = arena };

	*ret = (struct docker_container) { .alive = true };
	ret->e.id = bh_arena_strdup(arena, id);
	if (!ret->e.id)
		return -ENOMEM;
	if (doc_open(&d, json, len, JSON_OBJECT, "") < 0)
		return 0;
	for (size_t i = 0; i < BH_ARRAY_SIZE(takes) && d.r != -ENOMEM; i++) {
		struct doc part = { .arena = arena, .root = d.root };

		takes[i](&part, ret);
		if (takes[i] == take_state && part.r < 0)
			ret->alive = true; /* not known: better one too many */
		d.r = part.r;
	}
	json_decref(d.root);
	return d.r == -ENOMEM ? -ENOMEM : 0;
}

/* --- the other documents --------------------------------------------------------------------- */

/* Of one that has ended there is nothing to protect; a state not known here is looked at. */
static bool has_ended(struct doc *d, const json_t *item)
{
	const char *state = borrow(d, item, "State");

	return state && (strcmp(state, "exited") == 0 || strcmp(state, "dead") == 0);
}

static int take_ids(struct doc *d, const char **ids, size_t *n)
{
	const json_t *item;
	size_t i;

	json_array_foreach (d->root, i, item) {
		const char *id;

		if (!json_is_object(item))
			doc_wrong(d, "the list of containers", "has an entry that is no object");
		id = text(d, item, "Id");
		if (d->r >= 0 && (!id || !docker_id_is_valid(id)))
			doc_wrong(d, "Id", "is not 64 hexadecimal digits");
		if (has_ended(d, item))
			continue;
		if (d->r < 0)
			return d->r;
		if (*n == BH_ENDPOINTS_MAX)
			return bh_err_set(d->err, -E2BIG, "more than %d containers",
					  BH_ENDPOINTS_MAX);
		ids[(*n)++] = id;
	}
	return 0;
}

int docker_parse_list(const char *json, size_t len, struct bh_arena *arena, const char ***ret_ids,
		      size_t *ret_n, struct bh_err *err)
{
	struct doc d = { .arena = arena, .err = err };
	const char **ids;
	size_t n = 0;
	int r = doc_open(&d, json, len, JSON_ARRAY, "the list of containers");

	if (r < 0)
		return r;
	ids = bh_arena_array(arena, json_array_size(d.root), sizeof(*ids));
	r = ids ? take_ids(&d, ids, &n) : bh_err_oom(err);
	json_decref(d.root);
	if (r < 0)
		return r;
	*ret_ids = ids;
	*ret_n = n;
	return 0;
}

int docker_parse_image(const char *json, size_t len, struct bh_arena *arena,
		       const struct label **ret_labels, size_t *ret_n, struct bh_err *err)
{
	struct doc d = { .arena = arena, .err = err };
	const struct label *found;
	size_t n;
	int r = doc_open(&d, json, len, JSON_OBJECT, "the image's document");

	if (r < 0)
		return r;
	found = labels(&d, member(&d, d.root, "Config", JSON_OBJECT), &n);
	json_decref(d.root);
	if (d.r < 0)
		return d.r;
	*ret_labels = found;
	*ret_n = n;
	return 0;
}

/* --- whose label is it ----------------------------------------------------------------------- */

static int order_key(const void *a, const void *b)
{
	return strcmp(((const struct label *)a)->key, ((const struct label *)b)->key);
}

static bool bakes(const struct label *sorted, size_t n, const struct label *l)
{
	const struct label *hit = n ? bsearch(l, sorted, n, sizeof(*l), order_key) : NULL;

	return hit && strcmp(hit->value, l->value) == 0;
}

/* What Compose and Kubernetes write at creation; an image cannot claim it. */
static void take_origin(struct endpoint *e)
{
	const char *pod = endpoint_label(e, "io.kubernetes.pod.namespace", false);

	e->compose_project = endpoint_label(e, "com.docker.compose.project", false);
	e->compose_service = endpoint_label(e, "com.docker.compose.service", false);
	e->namespace = pod ? pod : e->compose_project;
}

int docker_divide_labels(struct docker_container *c, const struct label *image, size_t n_image,
			 struct bh_arena *arena, struct bh_err *err)
{
	size_t n = c->e.n_labels;
	struct label *sorted = bh_arena_memdup(arena, image, n_image * sizeof(*image));
	struct label *own = bh_arena_array(arena, n, sizeof(*own));
	struct label *baked = bh_arena_array(arena, n, sizeof(*baked));

	if (!sorted || !own || !baked)
		return bh_err_oom(err);
	if (n_image)
		qsort(sorted, n_image, sizeof(*sorted), order_key);
	c->e.n_labels = 0;
	for (size_t i = 0; i < n; i++) {
		const struct label *l = &c->e.labels[i];

		if (!bakes(sorted, n_image, l))
			own[c->e.n_labels++] = *l;
		else if (c->e.n_image_labels < BH_LABELS_MAX) /* who made the image fills this */
			baked[c->e.n_image_labels++] = *l;
	}
	c->e.labels = own;
	c->e.image_labels = baked;
	take_origin(&c->e);
	return 0;
}

bool docker_made_without_image(const struct docker_container *c, enum endpoint_runtime runtime)
{
	return runtime == ENDPOINT_PODMAN && c->no_image;
}

int docker_distrust_labels(struct docker_container *c, struct bh_arena *arena, struct bh_err *err)
{
	return docker_divide_labels(c, c->e.labels, c->e.n_labels, arena, err);
}

/* --- a container without asking anybody ------------------------------------------------------ */

static int parse_both(const char *container_json, size_t container_len, const char *image_json,
		      size_t image_len, enum endpoint_runtime runtime, struct bh_arena *arena,
		      struct docker_container *c, struct bh_err *err)
{
	const struct label *image = NULL;
	size_t n_image = 0;
	int r = docker_parse_container(container_json, container_len, arena, c, err);

	if (r < 0)
		return r;
	if (!image_json && !docker_made_without_image(c, runtime))
		return docker_distrust_labels(c, arena, err);
	if (image_json)
		r = docker_parse_image(image_json, image_len, arena, &image, &n_image, err);
	return r < 0 ? r : docker_divide_labels(c, image, n_image, arena, err);
}

int runtime_docker_parse(const char *container_json, size_t container_len, const char *image_json,
			 size_t image_len, enum endpoint_runtime runtime,
			 struct endpoint_builder *b, struct bh_err *err)
{
	struct bh_arena *arena = bh_arena_new();
	struct docker_container c;
	char proc[64];
	int r;

	if (!arena)
		return bh_err_oom(err);
	r = parse_both(container_json, container_len, image_json, image_len, runtime, arena, &c,
		       err);
	if (r >= 0 && c.alive) {
		snprintf(proc, sizeof(proc), "/proc/%d/ns/net", c.e.pid);
		c.e.runtime = runtime;
		if (c.host_network)
			c.e.n_addrs = 0;
		else if (c.sandbox || c.e.pid)
			c.e.netns = c.sandbox ? c.sandbox : proc;
		else
			c.e.obstacle = ENDPOINT_NO_NETNS;
		r = endpoint_builder_add(b, &c.e, err);
	}
	bh_arena_free(arena);
	return r;
}
