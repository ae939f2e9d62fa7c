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
#include <bulkhead/model/image.h>
#include <bulkhead/runtime/runtime.h>

#include "reply.h"

#define PID_MAX 4194304 /* the kernel's PID_MAX_LIMIT */

/* --- labels ---------------------------------------------------------------------------------- */

/* One that no policy can name, being too long, cannot select either: it is left out. */
const struct label *docker_labels(struct reply *d, const json_t *o, const char *key_of,
				  size_t *ret_n)
{
	json_t *v = reply_member(d, o, key_of, JSON_OBJECT), *item;
	struct label *out = bh_arena_array(d->arena, json_object_size(v), sizeof(*out));
	const char *key;

	*ret_n = 0;
	if (!out)
		reply_oom(d);
	json_object_foreach (v, key, item) {
		struct label l;

		if (!out || !json_is_string(item)) {
			reply_wrong(d, key_of, "has a value that is no string");
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
			reply_oom(d);
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
static bool lists_cap(struct reply *d, const json_t *host, const char *key, const char *cap)
{
	json_t *list = reply_member(d, host, key, JSON_ARRAY), *item;
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
static enum endpoint_obstacle cap_obstacle(struct reply *d, const json_t *host)
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

static enum endpoint_obstacle obstacle(struct reply *d, const json_t *host, bool host_network)
{
	if (host_network)
		return ENDPOINT_HOST_NETWORK;
	if (has_own_stack(reply_borrow(d, host, "Runtime")))
		return ENDPOINT_OWN_STACK;
	if (reply_flag(d, host, "Privileged"))
		return ENDPOINT_PRIVILEGED;
	return cap_obstacle(d, host);
}

static void take_host_config(struct reply *d, const json_t *root, struct docker_container *c)
{
	const json_t *host = reply_member(d, root, "HostConfig", JSON_OBJECT), *item;
	const char *mode = reply_borrow(d, host, "NetworkMode");
	json_t *list = reply_member(d, host, "Dns", JSON_ARRAY);
	struct bh_addr *dns = reply_addr_array(d, BH_ENDPOINT_RESOLVERS_MAX);
	size_t i;

	c->host_network = mode && strcmp(mode, "host") == 0;
	c->joined = mode && strncmp(mode, "container:", 10) == 0;
	c->joins = c->joined ? reply_text(d, host, "NetworkMode") : NULL;
	c->joins = c->joins ? c->joins + 10 : NULL;
	c->e.obstacle = obstacle(d, host, c->host_network);
	c->dns = dns;
	json_array_foreach (list, i, item)
		if (dns && json_is_string(item) && c->n_dns < BH_ENDPOINT_RESOLVERS_MAX &&
		    bh_addr_parse(json_string_value(item), &dns[c->n_dns]) == 0)
			c->n_dns++;
}

static void take_networks(struct reply *d, const json_t *root, struct docker_container *c)
{
	const json_t *settings = reply_member(d, root, "NetworkSettings", JSON_OBJECT);
	json_t *networks = reply_member(d, settings, "Networks", JSON_OBJECT), *net;
	struct bh_addr *own = reply_addr_array(d, BH_ENDPOINT_ADDRS_MAX);
	struct bh_addr *gateways = reply_addr_array(d, BH_ENDPOINT_ADDRS_MAX);
	const char *name;

	c->sandbox = reply_path(d, settings, "SandboxKey");
	c->e.addrs = own;
	c->gateways = gateways;
	json_object_foreach (networks, name, net) {
		if (json_is_null(net))
			continue;
		if (!json_is_object(net))
			reply_wrong(d, "Networks", "has a value that is no object");
		if (d->r < 0)
			return;
		reply_add_addr(d, reply_borrow(d, net, "IPAddress"), "IPAddress", own,
			       BH_ENDPOINT_ADDRS_MAX, &c->e.n_addrs);
		reply_add_addr(d, reply_borrow(d, net, "GlobalIPv6Address"), "GlobalIPv6Address",
			       own, BH_ENDPOINT_ADDRS_MAX, &c->e.n_addrs);
		reply_add_addr(d, reply_borrow(d, net, "Gateway"), "Gateway", gateways,
			       BH_ENDPOINT_ADDRS_MAX, &c->n_gateways);
		reply_add_addr(d, reply_borrow(d, net, "IPv6Gateway"), "IPv6Gateway", gateways,
			       BH_ENDPOINT_ADDRS_MAX, &c->n_gateways);
	}
}

static void take_name(struct reply *d, struct docker_container *c)
{
	const char *name = reply_text(d, d->root, "Name");

	c->e.name = name && name[0] == '/' && name[1] ? name + 1 : name;
}

/* Some leave "sha256:" out. */
void docker_take_image_id(struct docker_container *c, const char *id, struct reply *d)
{
	char full[80];

	snprintf(full, sizeof(full), "%s%s", id[6] == ':' ? "" : "sha256:", id);
	c->image_id = c->e.image_id = bh_arena_strdup(d->arena, full);
	if (!c->image_id)
		reply_oom(d);
}

/* Podman writes "sha256:" and no reference of a container that was made of a --rootfs. */
static void take_image_id(struct reply *d, struct docker_container *c)
{
	const json_t *v = d->r >= 0 ? json_object_get(d->root, "Image") : NULL;
	const char *id = json_string_value(v);

	if (!id)
		return;
	if (docker_image_id_is_valid(id))
		docker_take_image_id(c, id, d);
	else
		c->no_image = !c->e.image && (!id[0] || strcmp(id, "sha256:") == 0);
}

static void take_identity(struct reply *d, struct docker_container *c)
{
	const json_t *config = reply_member(d, d->root, "Config", JSON_OBJECT);

	c->e.id = reply_text(d, d->root, "Id");
	if (d->r >= 0 && (!c->e.id || !docker_id_is_valid(c->e.id)))
		reply_wrong(d, "Id", "is not 64 hexadecimal digits");
	take_name(d, c);
	c->e.image = reply_text(d, config, "Image");
	c->e.labels = docker_labels(d, config, "Labels", &c->e.n_labels);
	take_image_id(d, c);
	c->resolv_conf = reply_path(d, d->root, "ResolvConfPath");
}

static void take_state(struct reply *d, struct docker_container *c)
{
	const json_t *state = reply_member(d, d->root, "State", JSON_OBJECT);

	c->e.pid = reply_number(d, state, "Pid", PID_MAX);
	/* Podman does not call a paused one running. Its namespace and connections stay. */
	c->alive = reply_flag(d, state, "Running") || reply_flag(d, state, "Paused") ||
		   reply_flag(d, state, "Restarting") || c->e.pid;
}

int docker_parse_container(const char *json, size_t len, struct bh_arena *arena,
			   struct docker_container *ret, struct bh_err *err)
{
	struct reply d = { .arena = arena, .err = err };
	struct docker_container c = { 0 };
	int r = reply_open(&d, json, len, JSON_OBJECT, "the container's document");

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

static void take_sandbox(struct reply *d, struct docker_container *c)
{
	c->sandbox = reply_path(d, reply_member(d, d->root, "NetworkSettings", JSON_OBJECT),
				"SandboxKey");
}

int docker_parse_remains(const char *json, size_t len, struct bh_arena *arena, const char *id,
			 struct docker_container *ret)
{
	static void (*const takes[])(struct reply *, struct docker_container *) = {
		take_name,
		take_state,
		take_sandbox,
	};
	struct reply d = { .arena = arena };

	*ret = (struct docker_container) { .alive = true };
	ret->e.id = bh_arena_strdup(arena, id);
	if (!ret->e.id)
		return -ENOMEM;
	if (reply_open(&d, json, len, JSON_OBJECT, "") < 0)
		return 0;
	for (size_t i = 0; i < BH_ARRAY_SIZE(takes) && d.r != -ENOMEM; i++) {
		struct reply part = { .arena = arena, .root = d.root };

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
static bool has_ended(struct reply *d, const json_t *item)
{
	const char *state = reply_borrow(d, item, "State");

	return state && (strcmp(state, "exited") == 0 || strcmp(state, "dead") == 0);
}

/*
 * Made and never run, or between two runs: no process, nothing to look at. While it is being started, its
 * engine does not answer about it, and the start may wait for us: each would wait for the other.
 */
static bool has_not_begun(struct reply *d, const json_t *item)
{
	const char *state = reply_borrow(d, item, "State");

	return state && (strcmp(state, "created") == 0 || strcmp(state, "restarting") == 0);
}

static int take_ids(struct reply *d, bool ended, const char **ids, size_t *n)
{
	const json_t *item;
	size_t i;

	json_array_foreach (d->root, i, item) {
		const char *id;

		if (!json_is_object(item))
			reply_wrong(d, "the list of containers", "has an entry that is no object");
		id = reply_text(d, item, "Id");
		if (d->r >= 0 && (!id || !docker_id_is_valid(id)))
			reply_wrong(d, "Id", "is not 64 hexadecimal digits");
		if (!ended && (has_ended(d, item) || has_not_begun(d, item)))
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

int docker_parse_list(const char *json, size_t len, bool ended, struct bh_arena *arena,
		      const char ***ret_ids, size_t *ret_n, struct bh_err *err)
{
	struct reply d = { .arena = arena, .err = err };
	const char **ids;
	size_t n = 0;
	int r = reply_open(&d, json, len, JSON_ARRAY, "the list of containers");

	if (r < 0)
		return r;
	ids = bh_arena_array(arena, json_array_size(d.root), sizeof(*ids));
	r = ids ? take_ids(&d, ended, ids, &n) : bh_err_oom(err);
	json_decref(d.root);
	if (r < 0)
		return r;
	*ret_ids = ids;
	*ret_n = n;
	return 0;
}

static void take_listed(struct reply *d, const json_t *item, struct docker_container *c)
{
	const json_t *host = reply_member(d, item, "HostConfig", JSON_OBJECT);
	const char *mode = reply_borrow(d, host, "NetworkMode"), *name, *image, *state;

	c->e.id = reply_text(d, item, "Id");
	if (d->r >= 0 && (!c->e.id || !docker_id_is_valid(c->e.id)))
		reply_wrong(d, "Id", "is not 64 hexadecimal digits");
	name = json_string_value(json_array_get(reply_member(d, item, "Names", JSON_ARRAY), 0));
	c->e.name = name ? bh_arena_strdup(d->arena, name + (name[0] == '/')) : NULL;
	c->e.image = reply_text(d, item, "Image");
	image = reply_borrow(d, item, "ImageID");
	if (image && docker_image_id_is_valid(image))
		docker_take_image_id(c, image, d);
	c->e.labels = docker_labels(d, item, "Labels", &c->e.n_labels);
	c->e.obstacle = ENDPOINT_RAW_SOCKETS;
	state = reply_borrow(d, item, "State");
	c->alive = !state || (strcmp(state, "created") != 0 && !has_ended(d, item));
	c->host_network = mode && strcmp(mode, "host") == 0;
	c->joined = mode && strncmp(mode, "container:", 10) == 0;
}

int docker_parse_listed(const char *json, size_t len, struct bh_arena *arena,
			struct docker_container *ret, struct bh_err *err)
{
	struct reply d = { .arena = arena, .err = err };
	struct docker_container c = { 0 };
	int r = reply_open(&d, json, len, JSON_ARRAY, "the list of containers");

	if (r < 0)
		return r;
	if (!json_array_size(d.root))
		d.r = bh_err_set(err, -ENOENT, "there is no such container");
	else if (!json_is_object(json_array_get(d.root, 0)))
		reply_wrong(&d, "the list of containers", "has an entry that is no object");
	else
		take_listed(&d, json_array_get(d.root, 0), &c);
	json_decref(d.root);
	if (d.r < 0)
		return d.r;
	*ret = c;
	return 0;
}

/* Docker writes "<none>@<none>" where there is none. */
static void take_digests(struct reply *d, struct docker_image *image)
{
	json_t *list = reply_member(d, d->root, "RepoDigests", JSON_ARRAY), *item;
	const char **out = bh_arena_array(d->arena, BH_ENDPOINT_DIGESTS_MAX, sizeof(*out));
	size_t i;

	if (!out)
		reply_oom(d);
	json_array_foreach (list, i, item) {
		const char *s = json_string_value(item);

		if (!out || !s || !image_repo_digest_is_valid(s))
			continue;
		image->cut = image->n_digests == BH_ENDPOINT_DIGESTS_MAX;
		if (image->cut)
			break;
		out[image->n_digests] = bh_arena_strdup(d->arena, s);
		if (!out[image->n_digests++])
			reply_oom(d);
	}
	image->digests = out;
}

int docker_parse_image(const char *json, size_t len, struct bh_arena *arena,
		       struct docker_image *ret, struct bh_err *err)
{
	struct reply d = { .arena = arena, .err = err };
	struct docker_image image = { 0 };
	int r = reply_open(&d, json, len, JSON_OBJECT, "the image's document");

	if (r < 0)
		return r;
	image.labels = docker_labels(&d, reply_member(&d, d.root, "Config", JSON_OBJECT), "Labels",
				     &image.n_labels);
	take_digests(&d, &image);
	json_decref(d.root);
	if (d.r < 0)
		return d.r;
	*ret = image;
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
	return docker_take_ports(&c->e, arena, err);
}

int docker_take_digests(struct docker_container *c, const struct docker_image *image,
			struct bh_arena *arena, struct bh_err *err)
{
	const char **out = bh_arena_array(arena, image->n_digests, sizeof(*out));

	for (size_t i = 0; out && i < image->n_digests; i++) {
		out[i] = bh_arena_strdup(arena, image->digests[i]);
		if (!out[i])
			return bh_err_oom(err);
	}
	c->e.image_digests = out;
	c->e.n_image_digests = out ? image->n_digests : 0;
	return out ? 0 : bh_err_oom(err);
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
	struct docker_image image = { 0 };
	int r = docker_parse_container(container_json, container_len, arena, c, err);

	if (r < 0)
		return r;
	if (!image_json && !docker_made_without_image(c, runtime))
		return docker_distrust_labels(c, arena, err);
	if (image_json)
		r = docker_parse_image(image_json, image_len, arena, &image, err);
	if (r >= 0)
		r = docker_take_digests(c, &image, arena, err);
	return r < 0 ? r : docker_divide_labels(c, image.labels, image.n_labels, arena, err);
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
