/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/model/endpoint.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/arena.h>
#include <bulkhead/base/buf.h>
#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/err.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>

#include "namespace_labels.h"

const char *endpoint_runtime_name(enum endpoint_runtime r)
{
	static const char *const names[] = {
		[ENDPOINT_NETNS] = "netns",     [ENDPOINT_DOCKER] = "docker",
		[ENDPOINT_PODMAN] = "podman",   [ENDPOINT_CNI] = "cni",
		[ENDPOINT_OCI] = "oci",         [ENDPOINT_INVENTORY] = "inventory",
		[ENDPOINT_UNKNOWN] = "unknown",
	};

	return names[r];
}

const char *endpoint_obstacle_text(enum endpoint_obstacle o)
{
	static const char *const texts[] = {
		[ENDPOINT_HOLDABLE] = "",
		[ENDPOINT_HOST_NETWORK] =
			"it shares the host's network namespace, where nothing is enforced",
		[ENDPOINT_PRIVILEGED] = "it is privileged: root in it can take the table away",
		[ENDPOINT_NET_ADMIN] = "it has CAP_NET_ADMIN: root in it can take the table away",
		[ENDPOINT_RAW_SOCKETS] = "it may open raw sockets (CAP_NET_RAW), and this kernel "
					 "cannot hold frames made by hand; drop the capability",
		[ENDPOINT_XDP_SOCKETS] = "it may open sockets of AF_XDP (CAP_NET_RAW), whose "
					 "frames pass every table; run bulkheadd, which keeps "
					 "them out, or drop the capability",
		[ENDPOINT_NO_NETNS] = "its network namespace was not found",
		[ENDPOINT_OWN_STACK] =
			"its runtime has a network stack of its own, which no table here sees",
		[ENDPOINT_UNREADABLE] = "what its engine says of it cannot be read: what it is, "
					"and may do, is not known",
	};

	return texts[o];
}

static const char *const obstacle_words[] = {
	[ENDPOINT_HOLDABLE] = "",
	[ENDPOINT_HOST_NETWORK] = "host-network",
	[ENDPOINT_PRIVILEGED] = "privileged",
	[ENDPOINT_NET_ADMIN] = "net-admin",
	[ENDPOINT_RAW_SOCKETS] = "raw-sockets",
	[ENDPOINT_XDP_SOCKETS] = "xdp-sockets",
	[ENDPOINT_NO_NETNS] = "no-netns",
	[ENDPOINT_OWN_STACK] = "own-stack",
	[ENDPOINT_UNREADABLE] = "unreadable",
};

const char *endpoint_obstacle_word(enum endpoint_obstacle o)
{
	return obstacle_words[o];
}

enum endpoint_obstacle endpoint_obstacle_find(const char *word)
{
	for (size_t i = 0; i < BH_ARRAY_SIZE(obstacle_words); i++)
		if (strcmp(obstacle_words[i], word) == 0)
			return (enum endpoint_obstacle)i;
	return ENDPOINT_HOLDABLE;
}

const char *endpoint_format(char *out, size_t cap, const struct endpoint *e)
{
	enum { ID_SHOWN = 12 }; /* of a container's, as the engines' own tools do */
	size_t id_len = strlen(e->id), name_len = strlen(e->name);
	char name[256], cut[ID_SHOWN + 1], id[4 * ID_SHOWN + 1];

	if (e->runtime == ENDPOINT_UNKNOWN) {
		bh_escape_str(name, sizeof(name), e->name);
		snprintf(out, cap, "%s (unknown)", name);
		return out;
	}
	if (id_len >= name_len && strcmp(e->id + id_len - name_len, e->name) == 0) {
		bh_escape_str(out, cap, e->id);
		return out;
	}
	bh_escape_str(name, sizeof(name), e->name);
	snprintf(cut, sizeof(cut), "%s", e->id);
	bh_escape_str(id, sizeof(id), cut);
	snprintf(out, cap, "%s (%s)", name, id);
	return out;
}

void endpoint_set_free(struct endpoint_set *s)
{
	if (s)
		bh_arena_free(s->arena); /* S itself lives in it */
}

const char *endpoint_label(const struct endpoint *e, const char *key, bool image_labels)
{
	for (size_t i = 0; i < e->n_labels; i++)
		if (strcmp(e->labels[i].key, key) == 0)
			return e->labels[i].value;
	for (size_t i = 0; image_labels && i < e->n_image_labels; i++)
		if (strcmp(e->image_labels[i].key, key) == 0)
			return e->image_labels[i].value;
	return NULL;
}

/* --- looking up --------------------------------------------------------------------------- */

/* First index in the name order whose name is not before NAME. */
static size_t name_lower_bound(const struct endpoint_set *s, const char *name)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(s->endpoints[s->by_name[mid]].name, name) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static int compare_id(const void *key, const void *e)
{
	return strcmp(key, ((const struct endpoint *)e)->id);
}

const struct endpoint *endpoint_set_find(const struct endpoint_set *s, const char *id_or_name,
					 bool *ret_ambiguous)
{
	const struct endpoint *e;
	size_t i;

	if (ret_ambiguous)
		*ret_ambiguous = false;
	if (s->n == 0)
		return NULL;
	e = bsearch(id_or_name, s->endpoints, s->n, sizeof(*e), compare_id);
	if (e)
		return e;
	i = name_lower_bound(s, id_or_name);
	if (i == s->n || strcmp(s->endpoints[s->by_name[i]].name, id_or_name) != 0)
		return NULL;
	if (i + 1 < s->n && strcmp(s->endpoints[s->by_name[i + 1]].name, id_or_name) == 0) {
		if (ret_ambiguous)
			*ret_ambiguous = true;
		return NULL;
	}
	return &s->endpoints[s->by_name[i]];
}

/* --- building ----------------------------------------------------------------------------- */

struct endpoint_builder {
	struct bh_arena *arena;
	struct bh_vec endpoints;
	struct bh_vec host_addrs, shared_addrs;
	struct bh_vec namespace_labels; /* strings in the arena */
};

static void builder_reset(struct endpoint_builder *b)
{
	bh_vec_init(&b->endpoints, sizeof(struct endpoint), BH_ENDPOINTS_MAX);
	bh_vec_init(&b->host_addrs, sizeof(struct bh_addr), BH_HOST_ADDRS_MAX);
	bh_vec_init(&b->shared_addrs, sizeof(struct bh_addr), BH_SHARED_ADDRS_MAX);
	bh_vec_init(&b->namespace_labels, sizeof(struct namespace_label), BH_NAMESPACE_LABELS_MAX);
	b->arena = NULL;
}

struct endpoint_builder *endpoint_builder_new(void)
{
	struct endpoint_builder *b = calloc(1, sizeof(*b));

	if (b)
		builder_reset(b);
	return b;
}

void endpoint_builder_free(struct endpoint_builder *b)
{
	if (!b)
		return;
	bh_vec_done(&b->endpoints);
	bh_vec_done(&b->host_addrs);
	bh_vec_done(&b->shared_addrs);
	bh_vec_done(&b->namespace_labels);
	bh_arena_free(b->arena);
	free(b);
}

static struct bh_arena *builder_arena(struct endpoint_builder *b)
{
	if (!b->arena)
		b->arena = bh_arena_new();
	return b->arena;
}

/* NULL stays NULL; sets *FAILED when out of memory. */
static const char *keep(struct bh_arena *a, const char *s, bool *failed)
{
	const char *copy = s ? bh_arena_strdup(a, s) : NULL;

	*failed |= s && !copy;
	return copy;
}

static const char *const *keep_texts(struct bh_arena *a, const char *const *v, size_t n,
				     bool *failed)
{
	const char **out = bh_arena_array(a, n, sizeof(*out));

	*failed |= !out;
	for (size_t i = 0; out && i < n; i++)
		out[i] = keep(a, v[i], failed);
	return out;
}

static const struct label *keep_labels(struct bh_arena *a, const struct label *l, size_t n,
				       bool *failed)
{
	struct label *out = bh_arena_array(a, n, sizeof(*out));

	*failed |= !out;
	for (size_t i = 0; out && i < n; i++)
		out[i] = (struct label) { keep(a, l[i].key, failed), keep(a, l[i].value, failed) };
	return out;
}

static const struct endpoint_port *keep_ports(struct bh_arena *a, const struct endpoint_port *p,
					      size_t n, bool *failed)
{
	struct endpoint_port *out = bh_arena_memdup(a, p, n * sizeof(*p));

	*failed |= !out;
	for (size_t i = 0; out && i < n; i++)
		out[i].name = keep(a, p[i].name, failed);
	return out;
}

static const struct bh_addr *keep_addrs(struct bh_arena *a, const struct bh_addr *addrs, size_t n,
					bool *failed)
{
	const struct bh_addr *out = bh_arena_memdup(a, addrs, n * sizeof(*addrs));

	*failed |= !out;
	return out;
}

static const char *namespace_of(const struct endpoint *e)
{
	const char *pod = endpoint_label(e, "io.kubernetes.pod.namespace", false);

	if (e->namespace)
		return e->namespace;
	return pod ? pod : e->compose_project ? e->compose_project : "default";
}

/* A deep copy of *SRC into the arena. */
static bool keep_endpoint(struct bh_arena *a, const struct endpoint *src, struct endpoint *dst)
{
	bool failed = false;

	*dst = *src;
	dst->id = keep(a, src->id, &failed);
	dst->name = keep(a, src->name ? src->name : src->id, &failed);
	dst->namespace = keep(a, namespace_of(src), &failed);
	dst->image = keep(a, src->image, &failed);
	dst->image_id = keep(a, src->image_id, &failed);
	dst->image_digests = keep_texts(a, src->image_digests, src->n_image_digests, &failed);
	dst->compose_project = keep(a, src->compose_project, &failed);
	dst->compose_service = keep(a, src->compose_service, &failed);
	dst->netns = keep(a, src->netns, &failed);
	dst->labels = keep_labels(a, src->labels, src->n_labels, &failed);
	dst->image_labels = keep_labels(a, src->image_labels, src->n_image_labels, &failed);
	dst->ports = keep_ports(a, src->ports, src->n_ports, &failed);
	dst->addrs = keep_addrs(a, src->addrs, src->n_addrs, &failed);
	dst->resolvers = keep_addrs(a, src->resolvers, src->n_resolvers, &failed);
	return !failed;
}

/* Which cap of base/limits.h does this endpoint break? NULL = none. */
static const char *over_cap(const struct endpoint *e)
{
	if (e->n_labels > BH_LABELS_MAX || e->n_image_labels > BH_LABELS_MAX)
		return "labels";
	if (e->n_addrs > BH_ENDPOINT_ADDRS_MAX)
		return "addresses";
	if (e->n_ports > BH_ENDPOINT_PORTS_MAX)
		return "ports";
	if (e->n_resolvers > BH_ENDPOINT_RESOLVERS_MAX)
		return "resolvers";
	return NULL;
}

int endpoint_builder_add(struct endpoint_builder *b, const struct endpoint *e, struct bh_err *err)
{
	char shown[128];
	const char *cap;
	struct endpoint *slot;

	if (!e->id || !e->id[0])
		return bh_err_set(err, -EINVAL, "an endpoint has no id");
	bh_escape_str(shown, sizeof(shown), e->id);
	cap = over_cap(e);
	if (cap)
		return bh_err_set(err, -E2BIG, "endpoint %s has too many %s", shown, cap);
	if (b->endpoints.n == BH_ENDPOINTS_MAX)
		return bh_err_set(err, -E2BIG, "more than %d endpoints", BH_ENDPOINTS_MAX);
	if (!builder_arena(b))
		return bh_err_oom(err);
	slot = bh_vec_push(&b->endpoints);
	if (!slot)
		return bh_err_oom(err);
	if (!keep_endpoint(b->arena, e, slot)) {
		b->endpoints.n--;
		return bh_err_oom(err);
	}
	return 0;
}

static int add_addr(struct bh_vec *v, const struct bh_addr *a)
{
	struct bh_addr *slot = bh_vec_push(v);

	if (!slot)
		return v->n == v->max ? -E2BIG : -ENOMEM;
	*slot = *a;
	return 0;
}

int endpoint_builder_add_host_addr(struct endpoint_builder *b, const struct bh_addr *a)
{
	return add_addr(&b->host_addrs, a);
}

int endpoint_builder_add_shared_addr(struct endpoint_builder *b, const struct bh_addr *a)
{
	return add_addr(&b->shared_addrs, a);
}

static int add_namespace_label(struct endpoint_builder *b, const struct namespace_label *l)
{
	struct namespace_label copy;
	bool failed = false;
	struct namespace_label *slot;

	if (!builder_arena(b))
		return -ENOMEM;
	copy.namespace = keep(b->arena, l->namespace, &failed);
	copy.key = keep(b->arena, l->key, &failed);
	copy.value = keep(b->arena, l->value, &failed);
	slot = failed ? NULL : bh_vec_push(&b->namespace_labels);
	if (!slot)
		return !failed && b->namespace_labels.n == BH_NAMESPACE_LABELS_MAX ? -E2BIG
										   : -ENOMEM;
	*slot = copy;
	return 0;
}

int endpoint_builder_add_namespace_labels(struct endpoint_builder *b,
					  const struct namespace_label *l, size_t n,
					  struct bh_err *err)
{
	int r = 0;

	for (size_t i = 0; i < n && r >= 0; i++)
		r = add_namespace_label(b, &l[i]);
	if (r == -E2BIG)
		return bh_err_set(err, r, "more than %d labels of namespaces",
				  BH_NAMESPACE_LABELS_MAX);
	return r < 0 ? bh_err_oom(err) : 0;
}

static int add_addrs(struct bh_vec *v, const struct bh_addr *a, size_t n)
{
	int r = 0;

	for (size_t i = 0; i < n && r >= 0; i++)
		r = add_addr(v, &a[i]);
	return r;
}

int endpoint_builder_add_set(struct endpoint_builder *b, const struct endpoint_set *src,
			     bool (*wanted)(const struct endpoint *, const void *), const void *arg,
			     struct bh_err *err)
{
	int r = add_addrs(&b->host_addrs, src->host_addrs, src->n_host_addrs);

	if (r >= 0)
		r = add_addrs(&b->shared_addrs, src->shared_addrs, src->n_shared_addrs);
	if (r < 0)
		return bh_err_errno(err, r, "the host's addresses");
	for (size_t i = 0; i < src->n && r >= 0; i++)
		if (!wanted || wanted(&src->endpoints[i], arg))
			r = endpoint_builder_add(b, &src->endpoints[i], err);
	return r;
}

const struct endpoint *endpoint_builder_find_netns(const struct endpoint_builder *b,
						   uint64_t netns_ino)
{
	const struct endpoint *e = b->endpoints.data;

	for (size_t i = 0; i < b->endpoints.n; i++)
		if (e[i].netns_ino == netns_ino && e[i].runtime != ENDPOINT_NETNS &&
		    e[i].runtime != ENDPOINT_UNKNOWN)
			return &e[i];
	return NULL;
}

const struct endpoint *endpoint_builder_find_name(const struct endpoint_builder *b,
						  uint64_t netns_ino)
{
	const struct endpoint *e = b->endpoints.data;

	for (size_t i = 0; i < b->endpoints.n; i++)
		if (e[i].netns_ino == netns_ino && e[i].runtime == ENDPOINT_NETNS)
			return &e[i];
	return NULL;
}

const struct endpoint *endpoint_builder_find(const struct endpoint_builder *b, const char *id)
{
	const struct endpoint *e = b->endpoints.data;

	for (size_t i = 0; i < b->endpoints.n; i++)
		if (strcmp(e[i].id, id) == 0)
			return &e[i];
	return NULL;
}

void endpoint_builder_drop(struct endpoint_builder *b, const char *id, int pid)
{
	struct endpoint *e = b->endpoints.data;
	size_t kept = 0;

	for (size_t i = 0; i < b->endpoints.n; i++)
		if (strcmp(e[i].id, id) != 0 || e[i].pid != pid)
			e[kept++] = e[i];
	b->endpoints.n = kept;
}

void endpoint_builder_keep_last(struct endpoint_builder *b, const char *id)
{
	struct endpoint *e = b->endpoints.data;
	size_t last = 0, kept = 0;

	for (size_t i = 0; i < b->endpoints.n; i++)
		if (strcmp(e[i].id, id) == 0)
			last = i;
	for (size_t i = 0; i < b->endpoints.n; i++)
		if (i == last || strcmp(e[i].id, id) != 0)
			e[kept++] = e[i];
	b->endpoints.n = kept;
}

static int order_id(const void *a, const void *b)
{
	return strcmp(((const struct endpoint *)a)->id, ((const struct endpoint *)b)->id);
}

static int order_ino(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int order_addr(const void *a, const void *b)
{
	return bh_addr_cmp(a, b);
}

/* Whoever says what lives in a namespace. */
static bool is_told(const struct endpoint *e)
{
	return endpoint_is_of_engine(e->runtime) || endpoint_is_announced(e->runtime);
}

/* As `ip netns` lists it: its name is all there is. An inventory that says more means it. */
static bool is_name_only(const struct endpoint *e)
{
	return e->runtime == ENDPOINT_NETNS && e->n_labels == 1 &&
	       strcmp(e->labels[0].key, "netns") == 0 && strcmp(e->labels[0].value, e->id) == 0;
}

/* Something in the file system, and nothing that says what lives there. */
static bool is_bare(const struct endpoint *e)
{
	return (is_name_only(e) || e->runtime == ENDPOINT_UNKNOWN) && e->netns_ino;
}

/* Without those that are bare and in the namespace of one that TELLS more. */
static int drop_told(struct bh_vec *v, bool (*tells)(const struct endpoint *))
{
	struct endpoint *e = v->data;
	uint64_t *inos = calloc(v->n + 1, sizeof(*inos));
	size_t n = 0, kept = 0;

	if (!inos)
		return -ENOMEM;
	for (size_t i = 0; i < v->n; i++)
		if (tells(&e[i]))
			inos[n++] = e[i].netns_ino;
	if (n)
		qsort(inos, n, sizeof(*inos), order_ino);
	for (size_t i = 0; i < v->n; i++)
		if (tells(&e[i]) || !is_bare(&e[i]) || !n ||
		    !bsearch(&e[i].netns_ino, inos, n, sizeof(*inos), order_ino))
			e[kept++] = e[i];
	v->n = kept;
	free(inos);
	return 0;
}

static bool is_unknown(const struct endpoint *e)
{
	return e->runtime == ENDPOINT_UNKNOWN;
}

/*
 * Container engines and CNI keep their namespaces where `ip netns` looks, too: such a one is listed once,
 * as the container, or as unknown as long as it is not said whose it is.
 */
static int drop_engine_namespaces(struct bh_vec *v)
{
	int r = drop_told(v, is_told);

	return r < 0 ? r : drop_told(v, is_unknown);
}

static int order_name(const void *a, const void *b, void *arg)
{
	const struct endpoint *e = arg;
	uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
	int r = strcmp(e[i].name, e[j].name);

	return r ? r : (i > j) - (i < j);
}

static int index_names(struct endpoint_set *s)
{
	uint32_t *by_name = bh_arena_array(s->arena, s->n, sizeof(*by_name));

	if (!by_name)
		return -ENOMEM;
	for (size_t i = 0; i < s->n; i++)
		by_name[i] = (uint32_t)i;
	qsort_r(by_name, s->n, sizeof(*by_name), order_name, (void *)s->endpoints);
	s->by_name = by_name;
	return 0;
}

static const struct bh_addr *take_addrs(struct bh_arena *arena, struct bh_vec *v, size_t *ret_n)
{
	if (v->n)
		qsort(v->data, v->n, sizeof(struct bh_addr), order_addr);
	*ret_n = v->n;
	return bh_arena_memdup(arena, v->data, v->n * sizeof(struct bh_addr));
}

/* Sort, copy into the arena, and index. */
static int assemble(struct endpoint_builder *b, struct endpoint_set **ret)
{
	struct endpoint_set *s = bh_arena_alloc(b->arena, sizeof(*s));

	if (!s || drop_engine_namespaces(&b->endpoints) < 0)
		return -ENOMEM;
	if (b->endpoints.n)
		qsort(b->endpoints.data, b->endpoints.n, sizeof(struct endpoint), order_id);
	s->arena = b->arena;
	s->n = b->endpoints.n;
	s->endpoints = bh_arena_memdup(b->arena, b->endpoints.data, s->n * sizeof(struct endpoint));
	s->host_addrs = take_addrs(b->arena, &b->host_addrs, &s->n_host_addrs);
	s->shared_addrs = take_addrs(b->arena, &b->shared_addrs, &s->n_shared_addrs);
	if (!s->endpoints || !s->host_addrs || !s->shared_addrs || index_names(s) < 0 ||
	    namespace_labels_take(b->arena, &b->namespace_labels, s) < 0)
		return -ENOMEM;
	*ret = s;
	return 0;
}

int endpoint_builder_finish(struct endpoint_builder *b, struct endpoint_set **ret,
			    struct bh_err *err)
{
	struct endpoint_set *s;
	char shown[128];

	if (!builder_arena(b) || assemble(b, &s) < 0)
		return bh_err_oom(err);
	for (size_t i = 1; i < s->n; i++)
		if (strcmp(s->endpoints[i - 1].id, s->endpoints[i].id) == 0)
			return bh_err_set(err, -EEXIST, "two endpoints have the id %s",
					  bh_escape_str(shown, sizeof(shown), s->endpoints[i].id));
	bh_vec_done(&b->endpoints);
	bh_vec_done(&b->host_addrs);
	bh_vec_done(&b->shared_addrs);
	bh_vec_done(&b->namespace_labels);
	builder_reset(b);
	*ret = s;
	return 0;
}
