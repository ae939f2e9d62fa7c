/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_EARLY_H
#define RUNTIME_EARLY_H

#include <uthash.h>

#include <bulkhead/base/arena.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/runtime/early.h>

#include "docker.h"
#include "docker_async.h"

/* early.c keeps the table, early_ask.c fills it. */

/*
 * Where a container is in a network. The address of one that went is given to the next, and what the
 * engine says of both may be late: a place tells whose a namespace is only if it was asked for after
 * that namespace was seen to have its addresses. By then they can be nobody else's.
 */
struct place {
	char network[RUNTIME_ID_SIZE];
	uint8_t mac[6];
	struct bh_addr addrs[2];
	size_t n_addrs;
	uint64_t asked; /* when the question was asked that this answers: early->clock */
	uint64_t
		seen_in; /* the namespace that was seen to have these addresses, by its caller's number */
	uint64_t seen; /* and when */
};

enum container_state {
	CONTAINER_UNKNOWN, /* to be asked about */
	CONTAINER_ASKED,   /* the question is under way: itself, then its image */
	CONTAINER_KNOWN,
	CONTAINER_REFUSED, /* the answer was of no use; the next event asks anew */
};

struct container {
	char id[RUNTIME_ID_SIZE];
	struct runtime_early *early;
	enum container_state state;
	bool running;                /* nothing to find any more, until it dies */
	bool unsure;                 /* no event said whether it runs: the answer will */
	bool named;                  /* its start is held: somebody waits to know it */
	unsigned tries;              /* answers that did not come in time */
	struct bh_arena *arena;      /* of `doc` */
	struct docker_container doc; /* labels divided once it is known */
	bool partial;                /* not its document: its name servers are not known */
	struct docker_call *call, *listed, *image;
	struct place places[BH_EARLY_NETWORKS_MAX];
	size_t n_places;
	UT_hash_handle hh;
};

/* A network that is being asked about. */
struct network {
	char id[RUNTIME_ID_SIZE];
	struct runtime_early *early;
	bool again;     /* there was a connect after the question */
	uint64_t asked; /* early->clock */
	struct docker_call *call;
	UT_hash_handle hh;
};

struct runtime_early {
	const char *who;
	char *socket_path;
	enum endpoint_runtime runtime;
	struct runtime_images *images;
	runtime_early_known_fn *on_known;
	void *arg;
	uint64_t own_ino;
	struct docker_async *http;
	struct docker_call *list;
	struct container *containers;
	struct network *networks;
	size_t asking;              /* containers */
	uint64_t clock;             /* one more for each question about a network, and each sight */
	struct net_devices devices; /* of the namespace that is looked at */
};

/* --- early.c ---------------------------------------------------------------------------------- */

struct container *early_find(struct runtime_early *early, const char *id);
/* It may be there; NULL: no room, or no memory. */
struct container *early_add(struct runtime_early *early, const char *id);
void early_forget(struct container *c);
/* Its place in that network, empty when it is new; NULL: it has too many. */
struct place *early_place(struct container *c, const char *network);
struct place *early_place_in(struct container *c, const char *network); /* or NULL */
void early_leave(struct container *c, const char *network);

/* --- early_ask.c ------------------------------------------------------------------------------ */

/* About those that nothing is known of, BH_EARLY_ASKING_MAX at a time. */
void early_ask_containers(struct runtime_early *early);
/*
 * It is being started, and its document is not answered. Docker's list is; of Podman, what it tells of
 * the making of it.
 */
void early_ask_listed(struct container *c);
/* Its document, once more: what is known meanwhile stays so. */
void early_ask_again(struct container *c);
/* All that may answer, for who holds its start. */
void early_ask_named(struct container *c);
void early_ask_network(struct runtime_early *early, const char *network);
bool early_asks_network(const struct runtime_early *early, const char *network);
void early_ask_list(struct runtime_early *early);
/* Those about networks and the list. */
void early_cancel_questions(struct runtime_early *early);

#endif
