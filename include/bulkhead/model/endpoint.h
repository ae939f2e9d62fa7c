/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_MODEL_ENDPOINT_H
#define BULKHEAD_MODEL_ENDPOINT_H

#include <bulkhead/base/addr.h>
#include <bulkhead/model/policy.h>

/*
 * An endpoint: something with addresses that a policy may speak of. Most are containers with a
 * network namespace on this host (subjects: they get a table); one without a netns is a peer
 * only. All strings are hostile: they come from containers, images and files.
 */

enum endpoint_runtime {
	ENDPOINT_NETNS,
	ENDPOINT_DOCKER,
	ENDPOINT_PODMAN,
	ENDPOINT_CNI, /* a pod, as who set its network up told it */
	ENDPOINT_OCI, /* a container that its hook told of */
	ENDPOINT_INVENTORY,
	/* a namespace that has just been made, and nobody has said whose it is: no policy can name it */
	ENDPOINT_UNKNOWN,
};
const char *endpoint_runtime_name(enum endpoint_runtime r);
/* One of a container engine, which lists its containers. */
static inline bool endpoint_is_of_engine(enum endpoint_runtime r)
{
	return r == ENDPOINT_DOCKER || r == ENDPOINT_PODMAN;
}
/* One that nobody lists: it is known from its start, by who started it. */
static inline bool endpoint_is_announced(enum endpoint_runtime r)
{
	return r == ENDPOINT_CNI || r == ENDPOINT_OCI;
}

/* Why an endpoint with a netns cannot be held (invariant 15); NONE = it can. */
enum endpoint_obstacle {
	ENDPOINT_HOLDABLE,
	ENDPOINT_HOST_NETWORK, /* shares the host's namespace: never touched */
	ENDPOINT_PRIVILEGED,   /* enforced, but it can take the table away */
	ENDPOINT_NET_ADMIN,    /* the same */
	ENDPOINT_RAW_SOCKETS,  /* it may open packet sockets and such of AF_XDP: CAP_NET_RAW */
	ENDPOINT_XDP_SOCKETS,  /* of those, only the second pass the tables */
	ENDPOINT_NO_NETNS,     /* running, but its namespace was not found */
	ENDPOINT_OWN_STACK,    /* gVisor, Kata: its packets do not pass the namespace's hooks */
	ENDPOINT_UNREADABLE,   /* what its engine says of it cannot be read: all else is unknown */
};
const char *endpoint_obstacle_text(enum endpoint_obstacle o); /* one sentence; "" = none */
const char *endpoint_obstacle_word(enum endpoint_obstacle o); /* "net-admin"; "" = none */
/* The obstacle of that word; ENDPOINT_HOLDABLE when there is none. */
enum endpoint_obstacle endpoint_obstacle_find(const char *word);

struct endpoint_port {
	const char *name;
	uint16_t port, proto;
};

struct endpoint {
	const char *id;   /* unique: "shop/web", container id, netns name */
	const char *name; /* what people call it */
	/* Kubernetes sense: builders take the label io.kubernetes.pod.namespace, else the Compose
	 * project, else "default", when it is not set */
	const char *namespace;
	enum endpoint_runtime runtime;
	const char *image; /* reference or NULL */
	/* What is really run, as the engine says; see model/image.h */
	const char *image_id;             /* "sha256:...", or NULL: not known */
	const char *const *image_digests; /* "NAME@sha256:...", of registries */
	size_t n_image_digests;
	const char *compose_project; /* or NULL */
	const char *compose_service; /* or NULL */
	const struct label *labels;  /* given at creation; these select */
	size_t n_labels;
	/* baked into the image; these select only if the host file says so */
	const struct label *image_labels;
	size_t n_image_labels;
	const struct bh_addr *addrs;
	size_t n_addrs;
	const struct endpoint_port *ports;
	size_t n_ports;
	const struct bh_addr *resolvers; /* that this endpoint sends DNS queries to; no loopback */
	size_t n_resolvers;
	const char *netns;  /* path to open, or NULL: no local namespace, a peer only */
	uint64_t netns_ino; /* inode of the namespace; 0 = unknown. Equal = shared namespace */
	int pid;            /* init process in the namespace, or 0 */
	enum endpoint_obstacle obstacle;
};

/* For a person, escaped: "shop/web", or "web (3f0c1b2a9d8e)". Returns OUT. */
const char *endpoint_format(char *out, size_t cap, const struct endpoint *e);

/* To a policy: the id and the process are of no account. */
bool endpoint_looks_same(const struct endpoint *a, const struct endpoint *b);

struct bh_arena;

/* A label of a namespace in the sense of Kubernetes, beside the one that each has: its name. */
struct namespace_label {
	const char *namespace, *key, *value;
};
#define NAMESPACE_NAME_LABEL "kubernetes.io/metadata.name"

struct endpoint_set {
	struct bh_arena *arena;
	const struct endpoint *endpoints; /* sorted by id, ids unique */
	size_t n;
	const struct bh_addr *host_addrs; /* the host's own addresses, for entity: host */
	size_t n_host_addrs;
	/* By which whoever is in one of the host's subnets reaches it, too: nobody's, and not the world. */
	const struct bh_addr *shared_addrs;
	size_t n_shared_addrs;
	const struct namespace_label *namespace_labels; /* by namespace, then key; each once */
	size_t n_namespace_labels;
	const uint32_t *by_name; /* private: indexes in the order of names */
};

void endpoint_set_free(struct endpoint_set *s); /* takes NULL */
/* In everything. */
bool endpoint_set_equal(const struct endpoint_set *a, const struct endpoint_set *b);
/*
 * By id, else by name when exactly one has it; NULL otherwise. *ret_ambiguous (may be NULL)
 * tells.
 */
const struct endpoint *endpoint_set_find(const struct endpoint_set *s, const char *id_or_name,
					 bool *ret_ambiguous);
const char *endpoint_label(const struct endpoint *e, const char *key, bool image_labels);
/* The value of a label that namespace NAME has, or NULL. Every one has NAMESPACE_NAME_LABEL. */
const char *endpoint_set_namespace_label(const struct endpoint_set *s, const char *name,
					 const char *key);
bool endpoint_set_same_namespace_labels(const struct endpoint_set *a, const struct endpoint_set *b);

/* Builds an endpoint set from several sources. Strings and arrays are copied. */
struct endpoint_builder;
struct bh_err;

struct endpoint_builder *endpoint_builder_new(void);
void endpoint_builder_free(struct endpoint_builder *b); /* takes NULL */
/* -E2BIG over a cap, -EINVAL unusable (no id), -ENOMEM. */
int endpoint_builder_add(struct endpoint_builder *b, const struct endpoint *e, struct bh_err *err);
int endpoint_builder_add_host_addr(struct endpoint_builder *b, const struct bh_addr *a);
/*
 * Those of SRC for which KEEP (ARG) is true (NULL: all), and its addresses of the host, but no labels of
 * namespaces: whoever builds knows today's. Errors as above.
 */
int endpoint_builder_add_set(struct endpoint_builder *b, const struct endpoint_set *src,
			     bool (*keep)(const struct endpoint *e, const void *arg),
			     const void *arg, struct bh_err *err);
/* The endpoint of an engine, or of the inventory, that lives in this namespace; NULL: none. */
const struct endpoint *endpoint_builder_find_netns(const struct endpoint_builder *b,
						   uint64_t netns_ino);
/* The one of `ip netns` that is this namespace; NULL: none. */
const struct endpoint *endpoint_builder_find_name(const struct endpoint_builder *b,
						  uint64_t netns_ino);
/* The first that was added with this id; NULL: none. */
const struct endpoint *endpoint_builder_find(const struct endpoint_builder *b, const char *id);
/* Not the one with this id, if it lives by this process. */
void endpoint_builder_drop(struct endpoint_builder *b, const char *id, int pid);
/* Of two with this id, the one that was added first goes. */
void endpoint_builder_keep_last(struct endpoint_builder *b, const char *id);
/* A broadcast or anycast address that the host listens to; see bh_subnet_shared(). */
int endpoint_builder_add_shared_addr(struct endpoint_builder *b, const struct bh_addr *a);
/* Of two for one key of a namespace, the one that was added first stands. -E2BIG, -ENOMEM. */
int endpoint_builder_add_namespace_labels(struct endpoint_builder *b,
					  const struct namespace_label *l, size_t n,
					  struct bh_err *err);
/*
 * Takes everything; the builder is empty afterwards. A named namespace of which the name is all that is
 * said is left out when it belongs to a container of the set that an engine lists or a starter has
 * announced, or to one of which it is not known whose it is. -EEXIST: two endpoints have one id, named
 * in ERR.
 */
int endpoint_builder_finish(struct endpoint_builder *b, struct endpoint_set **ret,
			    struct bh_err *err);

#endif
