/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/runtime/runtime.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/text.h>
#include <bulkhead/sys/netns.h>

#include "docker.h"
#include "docker_images.h"
#include "resolve.h"

/* include/uapi/linux/capability.h */
#define CAP_NET_ADMIN_BIT 12
#define CAP_NET_RAW_BIT   13

/* One listing of one engine. */
struct listing {
	const char *who;
	enum endpoint_runtime runtime;
	struct docker_api *api;
	struct bh_arena *arena;
	struct bh_buf body;
	struct bh_vec containers; /* struct docker_container */
	struct runtime_images *images;
	struct diag_list *diags;
	struct bh_err *err;
	uint64_t own_ino, init_ino;
};

static const char *shown_name(const struct docker_container *c, char *buf, size_t size)
{
	return bh_escape_str(buf, size, c->e.name ? c->e.name : c->e.id);
}

/* --- labels ---------------------------------------------------------------------------------- */

/* Each image is asked about once. */
static int find_image(struct listing *l, const char *id, const struct docker_image **ret)
{
	struct bh_err why = BH_ERR_INIT;
	char path[160];
	int r;

	*ret = docker_images_find(l->images, id);
	if (*ret)
		return 0;
	snprintf(path, sizeof(path), "/images/%s/json", id);
	r = docker_api_get(l->api, path, &l->body, &why);
	if (r < 0 && r != -ESRCH)
		return bh_err_set(l->err, r, "%s", why.msg);
	return docker_images_add(l->images, id, r < 0 ? NULL : bh_buf_str(&l->body), l->body.len,
				 ret, l->err);
}

static int divide_labels(struct listing *l, struct docker_container *c)
{
	const struct docker_image *img = NULL;
	char name[256];
	int r = 0;

	if (docker_made_without_image(c, l->runtime))
		return docker_divide_labels(c, NULL, 0, l->arena, l->err);
	if (c->image_id)
		r = find_image(l, c->image_id, &img);
	if (r < 0)
		return r;
	if (img && img->cut)
		diag_add(l->diags, DIAG_WARNING, NULL, "image-digests", NULL,
			 "%s container %s: its image has more than %d digests; those behind do not "
			 "select",
			 l->who, shown_name(c, name, sizeof(name)), BH_ENDPOINT_DIGESTS_MAX);
	if (img && !img->gone)
		r = docker_take_digests(c, img, l->arena, l->err);
	if (r < 0)
		return r;
	if (img && !img->gone)
		return docker_divide_labels(c, img->labels, img->n_labels, l->arena, l->err);
	diag_add(l->diags, DIAG_WARNING, NULL, "image-gone", "start the container again",
		 "%s container %s: its image is %s, so that none of its labels is known to be "
		 "given at creation: they do not select",
		 l->who, shown_name(c, name, sizeof(name)), img ? "gone" : "not known");
	return docker_distrust_labels(c, l->arena, l->err);
}

/* --- what the kernel says of it -------------------------------------------------------------- */

/* What a process in it can ever have. */
static bool read_bounding(int pid, unsigned long long *ret)
{
	bh_autofree char *text = NULL;
	const char *at;
	char path[64];
	size_t len;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	if (!pid || bh_read_file(path, BH_RESOLV_CONF_BYTES_MAX, &text, &len) < 0)
		return false;
	at = strstr(text, "\nCapBnd:");
	return at && sscanf(at, "\nCapBnd: %llx", ret) == 1;
}

int runtime_may_open_raw(int pid, bool *ret)
{
	unsigned long long bounding;

	if (!read_bounding(pid, &bounding))
		return -ESRCH;
	*ret = bounding >> CAP_NET_RAW_BIT & 1;
	return 0;
}

/* Engines give and keep capabilities that the document does not name: the kernel knows. */
static enum endpoint_obstacle obstacle_by_caps(enum endpoint_obstacle said, int pid)
{
	unsigned long long bounding;

	if (said != ENDPOINT_HOLDABLE && said != ENDPOINT_RAW_SOCKETS)
		return said;
	if (!read_bounding(pid, &bounding))
		return said;
	if (bounding >> CAP_NET_ADMIN_BIT & 1)
		return ENDPOINT_NET_ADMIN;
	return bounding >> CAP_NET_RAW_BIT & 1 ? ENDPOINT_RAW_SOCKETS : ENDPOINT_HOLDABLE;
}

/*
 * The namespace of its first process, by the file that the engine keeps for it when that is the
 * same: a process id may pass to another process, that file does not.
 */
static int open_netns(struct listing *l, struct docker_container *c, const char *proc, int *ret_fd)
{
	bh_autoclose int by_pid = -1, by_file = -1;
	uint64_t pid_ino = 0, file_ino = 0;
	int r = -ENOENT;

	if (c->e.pid)
		r = netns_open(proc, &by_pid, &pid_ino, NULL);
	if (c->sandbox && netns_open(c->sandbox, &by_file, &file_ino, NULL) >= 0 &&
	    (by_pid < 0 || file_ino == pid_ino)) {
		c->e.netns = c->sandbox;
		c->e.netns_ino = file_ino;
		*ret_fd = BH_STEAL_FD(by_file);
		return 0;
	}
	if (by_pid < 0)
		return r;
	c->e.netns = bh_arena_strdup(l->arena, proc);
	c->e.netns_ino = pid_ino;
	*ret_fd = BH_STEAL_FD(by_pid);
	return c->e.netns ? 0 : bh_err_oom(l->err);
}

/* The engine's addresses and those inside, each once. */
static int add_inner_addrs(struct listing *l, struct docker_container *c, int fd)
{
	struct bh_addr inner[BH_ENDPOINT_ADDRS_MAX], *all;
	size_t n_inner = 0, n = c->e.n_addrs;
	char name[256];
	struct bh_err why = BH_ERR_INIT;
	int r = runtime_netns_addrs(fd, inner, BH_ARRAY_SIZE(inner), &n_inner, &why);

	if (r == -EPERM)
		return 0; /* asked without the right to look inside */
	if (r < 0 && r != -E2BIG)
		return bh_err_set(l->err, r, "%s", why.msg);
	all = bh_arena_array(l->arena, n + n_inner, sizeof(*all));
	if (!all)
		return bh_err_oom(l->err);
	memcpy(all, c->e.addrs, n * sizeof(*all));
	for (size_t i = 0; i < n_inner; i++) {
		size_t k = 0;

		while (k < n && bh_addr_cmp(&all[k], &inner[i]) != 0)
			k++;
		if (k == n)
			all[n++] = inner[i];
	}
	/* Root inside may add addresses; this must not stop the work for all others. */
	if (r == -E2BIG || n > BH_ENDPOINT_ADDRS_MAX) {
		diag_add(l->diags, DIAG_WARNING, NULL, "too-many-addresses", NULL,
			 "%s container %s has more than %d addresses: only those that %s gave it "
			 "count",
			 l->who, shown_name(c, name, sizeof(name)), BH_ENDPOINT_ADDRS_MAX, l->who);
		return 0;
	}
	c->e.addrs = all;
	c->e.n_addrs = n;
	return 0;
}

/* The host's namespace is never touched; its addresses are the host's, not the engine's word. */
static void mark_host(struct docker_container *c)
{
	c->host_network = true;
	c->e.obstacle = ENDPOINT_HOST_NETWORK;
	c->e.netns = NULL;
	c->e.n_addrs = 0;
}

static int find_netns(struct listing *l, struct docker_container *c)
{
	bh_autoclose int fd = -1;
	char proc[64];
	int r;

	snprintf(proc, sizeof(proc), "/proc/%d/ns/net", c->e.pid);
	r = open_netns(l, c, proc, &fd);
	if (r == -ENOMEM)
		return r;
	if (c->host_network ||
	    (r >= 0 && (c->e.netns_ino == l->own_ino || c->e.netns_ino == l->init_ino))) {
		mark_host(c);
		return r < 0 ? 0 : add_inner_addrs(l, c, fd);
	}
	if (r == -EACCES || r == -EPERM) {
		/* It is there; whoever has to enter it will say that it may not. */
		c->e.netns = c->sandbox ? c->sandbox : bh_arena_strdup(l->arena, proc);
		return c->e.netns ? 0 : bh_err_oom(l->err);
	}
	if (r < 0) {
		c->e.obstacle = ENDPOINT_NO_NETNS;
		return 0;
	}
	c->e.obstacle = obstacle_by_caps(c->e.obstacle, c->e.pid);
	return add_inner_addrs(l, c, fd);
}

static int find_resolvers(struct listing *l, struct docker_container *c)
{
	struct bh_addr found[BH_ENDPOINT_RESOLVERS_MAX];
	size_t left_out;
	char name[256];

	c->e.n_resolvers = docker_resolvers(c, found, BH_ARRAY_SIZE(found), &left_out);
	c->e.resolvers = bh_arena_memdup(l->arena, found, c->e.n_resolvers * sizeof(*found));
	if (!c->e.resolvers)
		return bh_err_oom(l->err);
	if (left_out)
		diag_add(l->diags, DIAG_WARNING, NULL, "unknown-resolver",
			 "name it in an egress rule if it is meant to be used",
			 "%s container %s: its resolv.conf was changed and names %zu name server%s "
			 "that neither %s nor this host gave it: \"dns: allow\" does not cover %s",
			 l->who, shown_name(c, name, sizeof(name)), left_out,
			 left_out == 1 ? "" : "s", l->who, left_out == 1 ? "it" : "them");
	return 0;
}

/* --- the listing ----------------------------------------------------------------------------- */

static int take_container(struct listing *l, struct docker_container *c)
{
	int r = divide_labels(l, c);

	c->e.runtime = l->runtime;
	return r < 0 ? r : find_netns(l, c);
}

/*
 * Its document cannot be read. That is no reason to hold up all others; what stands in its
 * namespace is left there, as nothing is known of what it should be.
 */
static int take_remains(struct listing *l, const char *id, const char *why,
			struct docker_container *c)
{
	bh_autoclose int fd = -1;
	char name[256], proc[64];
	int r = docker_parse_remains(bh_buf_str(&l->body), l->body.len, l->arena, id, c);

	if (r < 0)
		return bh_err_oom(l->err);
	if (!c->alive)
		return 0;
	diag_add(l->diags, DIAG_WARNING, NULL, "unreadable-container", NULL,
		 "%s container %s: %s: nothing is enforced for it", l->who,
		 shown_name(c, name, sizeof(name)), why);
	snprintf(proc, sizeof(proc), "/proc/%d/ns/net", c->e.pid);
	if (open_netns(l, c, proc, &fd) == -ENOMEM) /* for its inode: it is no named one */
		return -ENOMEM;
	c->e.runtime = l->runtime;
	c->e.netns = NULL;
	c->e.obstacle = ENDPOINT_UNREADABLE;
	return 0;
}

static int read_container(struct listing *l, const char *id, struct docker_container *c)
{
	struct bh_err why = BH_ERR_INIT;
	int r = docker_parse_container(bh_buf_str(&l->body), l->body.len, l->arena, c, &why);

	if (r >= 0 && strcmp(c->e.id, id) != 0)
		r = bh_err_set(&why, -EBADMSG, "the answer speaks of %s", c->e.id);
	if (r == -EBADMSG)
		return take_remains(l, id, why.msg, c);
	if (r < 0)
		return bh_err_set(l->err, r, "%s", why.msg);
	return c->alive ? take_container(l, c) : 0;
}

/* One that ended since the list was made is none. */
static int inspect(struct listing *l, const char *id)
{
	struct docker_container c = { 0 }, *slot;
	struct bh_err why = BH_ERR_INIT;
	char path[128];
	int r;

	snprintf(path, sizeof(path), "/containers/%s/json", id);
	r = docker_api_get(l->api, path, &l->body, &why);
	if (r == -ESRCH)
		return 0;
	if (r < 0)
		return bh_err_set(l->err, r, "%s", why.msg);
	r = read_container(l, id, &c);
	if (r < 0)
		return bh_err_prefix(l->err, r, "%s container %.12s", l->who, id);
	if (!c.alive)
		return 0;
	slot = bh_vec_push(&l->containers);
	if (!slot)
		return bh_err_oom(l->err);
	*slot = c;
	return 0;
}

static void join_host(struct listing *l, const struct docker_container *host)
{
	struct docker_container *v = l->containers.data;

	for (size_t i = 0; i < l->containers.n; i++)
		if (!v[i].host_network && v[i].e.netns_ino == host->e.netns_ino) {
			mark_host(&v[i]);
			v[i].e.addrs = host->e.addrs;
			v[i].e.n_addrs = host->e.n_addrs;
		}
}

/* A container that joined one of --network host is in the host's namespace as well. */
static void mark_host_sharers(struct listing *l)
{
	const struct docker_container *v = l->containers.data;

	for (size_t i = 0; i < l->containers.n; i++)
		if (v[i].host_network && v[i].e.netns_ino)
			join_host(l, &v[i]);
}

/* The container whose network and resolv.conf this one has joined, or itself. */
static struct docker_container *dns_owner(struct listing *l, struct docker_container *c)
{
	struct docker_container *v = l->containers.data;

	for (size_t i = 0; c->joined && c->resolv_conf && i < l->containers.n; i++)
		if (!v[i].joined && v[i].resolv_conf &&
		    strcmp(v[i].resolv_conf, c->resolv_conf) == 0)
			return &v[i];
	return c;
}

static int find_all_resolvers(struct listing *l)
{
	struct docker_container *v = l->containers.data;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < l->containers.n; i++)
		if (!v[i].host_network && dns_owner(l, &v[i]) == &v[i])
			r = find_resolvers(l, &v[i]);
	for (size_t i = 0; r >= 0 && i < l->containers.n; i++) {
		v[i].e.resolvers = dns_owner(l, &v[i])->e.resolvers;
		v[i].e.n_resolvers = dns_owner(l, &v[i])->e.n_resolvers;
	}
	return r;
}

static int add_all(struct listing *l, struct endpoint_builder *b)
{
	const struct docker_container *v = l->containers.data;
	int r;

	mark_host_sharers(l);
	r = find_all_resolvers(l);
	for (size_t i = 0; r >= 0 && i < l->containers.n; i++)
		r = endpoint_builder_add(b, &v[i].e, l->err);
	return r;
}

static int ask_all(struct listing *l)
{
	const char **ids;
	size_t n = 0;
	int r = docker_api_get(l->api, "/containers/json?all=1", &l->body, l->err);

	if (r >= 0)
		r = docker_parse_list(bh_buf_str(&l->body), l->body.len, false, l->arena, &ids, &n,
				      l->err);
	for (size_t i = 0; r >= 0 && i < n; i++)
		r = inspect(l, ids[i]);
	return r;
}

/* IMAGES NULL: the listing's own. */
static int open_listing(struct listing *l, const char *socket_path, struct runtime_images *images,
			struct bh_err *err)
{
	int r = 0;

	l->who = l->runtime == ENDPOINT_PODMAN ? "Podman" : "Docker";
	l->err = err;
	l->images = images;
	l->arena = bh_arena_new();
	l->own_ino = netns_own_ino();
	l->init_ino = runtime_netns_ino("/proc/1/ns/net");
	bh_buf_init(&l->body, BH_RUNTIME_REPLY_BYTES_MAX);
	bh_vec_init(&l->containers, sizeof(struct docker_container), BH_ENDPOINTS_MAX);
	if (!l->arena)
		return bh_err_oom(err);
	if (!images)
		r = docker_images_new_listing(&l->images, err);
	return r < 0 ? r : docker_api_open(l->who, socket_path, &l->api, err);
}

static void close_listing(struct listing *l, bool own_images)
{
	docker_api_close(l->api);
	if (own_images)
		runtime_images_free(l->images);
	bh_vec_done(&l->containers);
	bh_buf_done(&l->body);
	bh_arena_free(l->arena);
}

int runtime_docker_list(const char *socket_path, enum endpoint_runtime runtime,
			struct endpoint_builder *b, struct diag_list *diags, struct bh_err *err)
{
	struct listing l = { .runtime = runtime, .diags = diags };
	int r = open_listing(&l, socket_path, NULL, err);

	if (r >= 0)
		r = ask_all(&l);
	if (r >= 0)
		r = add_all(&l, b);
	close_listing(&l, true);
	return r;
}

/* --- one of them ----------------------------------------------------------------------------- */

/* It, and those whose namespace it has joined: their resolvers and their host are its own. */
static int ask_one(struct listing *l, const char *id)
{
	size_t n = 0;
	int r = 0;

	while (r >= 0 && id && docker_id_is_valid(id) && n < BH_RUNTIME_JOINS_MAX) {
		const struct docker_container *v;

		r = inspect(l, id);
		if (l->containers.n == n)
			break;
		v = l->containers.data;
		id = v[n++].joins;
	}
	return r;
}

static int add_one(struct listing *l, struct endpoint_builder *b)
{
	const struct docker_container *v = l->containers.data;
	int r;

	if (!l->containers.n)
		return 0;
	mark_host_sharers(l);
	r = find_all_resolvers(l);
	if (r >= 0)
		r = endpoint_builder_add(b, &v->e, l->err);
	return r < 0 ? r : 1;
}

int runtime_docker_container(const char *socket_path, const char *id, enum endpoint_runtime runtime,
			     struct runtime_images *images, struct endpoint_builder *b,
			     struct diag_list *diags, struct bh_err *err)
{
	struct listing l = { .runtime = runtime, .diags = diags };
	int r;

	if (!docker_id_is_valid(id))
		return bh_err_set(err, -EINVAL, "a container's id is 64 hexadecimal digits");
	r = open_listing(&l, socket_path, images, err);
	if (r >= 0) {
		docker_api_set_deadline(l.api, BH_RUNTIME_ONE_MS);
		r = ask_one(&l, id);
	}
	if (r >= 0)
		r = add_one(&l, b);
	close_listing(&l, !images);
	return r;
}

int runtime_docker_network(const char *socket_path, const char *network,
			   enum endpoint_runtime runtime, struct runtime_attachment **ret,
			   size_t *ret_n, struct bh_err *err)
{
	struct docker_api *api;
	struct bh_buf body;
	char path[128];
	int r;

	if (!docker_network_id_is_valid(network))
		return bh_err_set(err, -EINVAL, "this is no id of a network");
	r = docker_api_open(runtime == ENDPOINT_PODMAN ? "Podman" : "Docker", socket_path, &api,
			    err);
	if (r < 0)
		return r;
	bh_buf_init(&body, BH_RUNTIME_REPLY_BYTES_MAX);
	docker_api_set_deadline(api, BH_RUNTIME_ONE_MS);
	snprintf(path, sizeof(path), "/networks/%s", network);
	r = docker_api_get(api, path, &body, err);
	if (r >= 0)
		r = docker_parse_network(bh_buf_str(&body), body.len, ret, ret_n, err);
	bh_buf_done(&body);
	docker_api_close(api);
	return r;
}
