/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_DOCKER_H
#define RUNTIME_DOCKER_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include <bulkhead/base/arena.h>
#include <bulkhead/base/buf.h>
#include <bulkhead/base/err.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/model/diag.h>
#include <bulkhead/model/endpoint.h>
#include <bulkhead/runtime/runtime.h>

/* The Docker API, which Podman speaks, too. Every answer is hostile. */

/* --- docker_api.c: asking -------------------------------------------------------------------- */

struct docker_api;

int64_t docker_now_ms(void); /* CLOCK_MONOTONIC */

/* WHO is what messages call it, SOCKET_PATH where it listens; both outlive the handle. */
int docker_api_open(const char *who, const char *socket_path, struct docker_api **ret,
		    struct bh_err *err);
void docker_api_close(struct docker_api *api); /* takes NULL */
/* From now on all questions together take BUDGET_MS at most; then -ETIMEDOUT. */
void docker_api_set_deadline(struct docker_api *api, int budget_ms);
/*
 * GET PATH ("/containers/json") into BODY, which is emptied first. -ESRCH: there is no such thing;
 * -ENOENT, -ECONNREFUSED, -EACCES: nobody answers there; -EFBIG, -ETIMEDOUT, -EIO: the sentence says it.
 */
int docker_api_get(struct docker_api *api, const char *path, struct bh_buf *body,
		   struct bh_err *err);

/* --- docker_parse.c: reading answers, no I/O ------------------------------------------------- */

/* What one container's document says. Strings live in the arena that the reader was given. */
struct docker_container {
	struct endpoint e;         /* labels undivided, resolvers and inode not known yet */
	bool alive;                /* runs, is paused or restarts: there is something to protect */
	bool host_network;         /* --network host */
	bool joined;               /* --network container:OTHER */
	const char *joins;         /* OTHER, an id where the engine says so; or NULL */
	const char *image_id;      /* or NULL: it has none, or it is not told */
	bool no_image;             /* the engine says that it has none */
	const char *sandbox;       /* path of its namespace, as its engine says; or NULL */
	const char *resolv_conf;   /* the file that it sees as /etc/resolv.conf; or NULL */
	const struct bh_addr *dns; /* --dns */
	size_t n_dns;
	const struct bh_addr *gateways; /* of its networks: Podman's name server listens there */
	size_t n_gateways;
};

struct reply;
/* The labels at KEY of the object O, which may be NULL; *RET_N of them. */
const struct label *docker_labels(struct reply *d, const json_t *o, const char *key, size_t *ret_n);

/* 64 hexadecimal digits: nothing else goes into a URL. */
bool docker_id_is_valid(const char *id);
/* The id of its image, a valid one: with "sha256:" before it. */
void docker_take_image_id(struct docker_container *c, const char *id, struct reply *d);
/* Letters, digits and "._-/:@" as in "localhost/app:1.2": it may go into a URL. */
bool docker_image_name_is_plain(const char *name);
/* "sha256:" and 64 hexadecimal digits, or these alone. */
bool docker_image_id_is_valid(const char *id);
/* At most 64 letters, digits, '_', '-' and '.', this not first. */
bool docker_network_id_is_valid(const char *id);

/*
 * The ids of GET /containers/json?all=1, valid ones all; those that have ended are left out unless
 * ENDED.
 */
int docker_parse_list(const char *json, size_t len, bool ended, struct bh_arena *arena,
		      const char ***ret_ids, size_t *ret_n, struct bh_err *err);

/*
 * The only container of GET /containers/json?all=1&filters={"id":["ID"]}, which Docker answers also
 * while it starts it: id, name, image and labels (undivided). Nothing else is known, so that it is
 * taken for one with raw sockets. -ENOENT: the list is empty; -EBADMSG.
 */
int docker_parse_listed(const char *json, size_t len, struct bh_arena *arena,
			struct docker_container *ret, struct bh_err *err);

/* GET /containers/ID/json. -EBADMSG with the place in ERR when a value has the wrong type. */
int docker_parse_container(const char *json, size_t len, struct bh_arena *arena,
			   struct docker_container *ret, struct bh_err *err);

/* GET /networks/ID. The caller frees *RET (NULL when there are none). */
int docker_parse_network(const char *json, size_t len, struct runtime_attachment **ret,
			 size_t *ret_n, struct bh_err *err);

/*
 * What can be used of a document that the above refused: name, process and file of the namespace,
 * each if it is right; ID is the id. -ENOMEM.
 */
int docker_parse_remains(const char *json, size_t len, struct bh_arena *arena, const char *id,
			 struct docker_container *ret);

/*
 * What Podman tells of the making of a container, GET /events?stream=false&filters={"container":["ID"],
 * "event":["create"]}, also while it starts it: id, name, image (as it was named) and labels
 * (undivided). Those called "name", "image", "podId" and "containerExitCode" are not told. -ENOENT: it
 * tells of none; -EBADMSG.
 */
int docker_parse_told(const char *json, size_t len, struct bh_arena *arena,
		      struct docker_container *ret, struct bh_err *err);

/* What a container's identity needs of its image. */
struct docker_image {
	const struct label *labels;
	size_t n_labels;
	const char *const *digests; /* "NAME@sha256:...", of registries */
	size_t n_digests;
	bool cut;  /* there are more digests than BH_ENDPOINT_DIGESTS_MAX */
	bool gone; /* or cannot be read */
};

/* GET /images/ID/json. */
int docker_parse_image(const char *json, size_t len, struct bh_arena *arena,
		       struct docker_image *ret, struct bh_err *err);

/* "Id" of GET /images/NAME/json, if it says one, is the id of the image of C, whose strings are ARENA's. */
void docker_parse_image_id(const char *json, size_t len, struct bh_arena *arena,
			   struct docker_container *c);

/* The digests of IMAGE, copied to ARENA. -ENOMEM with ERR set. */
int docker_take_digests(struct docker_container *c, const struct docker_image *image,
			struct bh_arena *arena, struct bh_err *err);

/*
 * Divide the container's labels: those that its image has with the same value are the image's,
 * the others were given at creation, an image's label with another value among them.
 */
int docker_divide_labels(struct docker_container *c, const struct label *image, size_t n_image,
			 struct bh_arena *arena, struct bh_err *err);

/* Names of ports, from a label that was given. -ENOMEM with ERR set. */
int docker_take_ports(struct endpoint *e, struct bh_arena *arena, struct bh_err *err);

/* Podman's --rootfs: there is no image whose labels could be among the container's. */
bool docker_made_without_image(const struct docker_container *c, enum endpoint_runtime runtime);

/* Its image is not known: every label may be the image's. */
int docker_distrust_labels(struct docker_container *c, struct bh_arena *arena, struct bh_err *err);

/* --- docker_dns.c: where its DNS queries go -------------------------------------------------- */

/*
 * The name servers to which DNS queries leave the container's namespace, into OUT; none when its
 * resolv.conf cannot be read. That file is the container's own to write, so it is believed only as
 * far as the engine or the host vouches for it; *ret_left_out counts what was not believed.
 */
size_t docker_resolvers(const struct docker_container *c, struct bh_addr *out, size_t cap,
			size_t *ret_left_out);
/*
 * The same without I/O: TEXT is the file, VOUCHED that it is as the engine wrote it, HOST what a
 * container gets that was given no --dns.
 */
size_t docker_resolvers_from(const struct docker_container *c, const char *text, bool vouched,
			     const struct bh_addr *host, size_t n_host, struct bh_addr *out,
			     size_t cap, size_t *ret_left_out);

/* Those that it will be given when it starts: its own, or the host's. */
size_t docker_resolvers_expected(const struct docker_container *c, struct bh_addr *out, size_t cap);

#endif
