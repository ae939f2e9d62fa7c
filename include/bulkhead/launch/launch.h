/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_LAUNCH_LAUNCH_H
#define BULKHEAD_LAUNCH_LAUNCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <bulkhead/base/err.h>
#include <bulkhead/model/endpoint.h>

/*
 * The side of those who start containers (an OCI hook, a CNI plugin): nothing of a container runs
 * before its policy is in force. Short-lived, and so as small as can be.
 */

/* What is about to start. All borrowed; strings are hostile. */
struct launch_request {
	enum endpoint_runtime runtime; /* docker, podman, oci or cni */
	const char *id;
	const char *name, *image; /* NULL: not known; of oci and cni they count, as labels do */
	/* absolute path of its network namespace; NULL: the host's own, with that obstacle and a PID */
	const char *netns;
	bool own_netns;             /* made for it: nobody else may be in there */
	uint64_t netns_ino;         /* that the starter saw there; 0: it did not look */
	int pid;                    /* its first process; 0: there is none yet */
	const struct label *labels; /* no key has a "=" */
	size_t n_labels;
	enum endpoint_obstacle obstacle; /* what it may do, if the starter knows */
};

struct launch_options {
	const char *socket; /* the daemon's */
	unsigned wait_ms;   /* for all of it */
	bool quarantine; /* without the daemon: go on with everything denied, in place of failing */
	const char *runtime; /* starts: {runtime: ...}, or NULL */
	char *text, *text2;  /* owned; launch_options_done() */
};

/* The defaults, and what the host file (CONFIG; NULL: the default place) says. Errors as host_config_load(). */
int launch_options_read(const char *config, struct launch_options *ret, struct bh_err *err);
void launch_options_done(struct launch_options *o);

enum launch_outcome { LAUNCH_IN_FORCE, LAUNCH_QUARANTINED };

/*
 * Ask the daemon and wait until the policy is in force. When it cannot be asked, does not answer in
 * time or dies meanwhile, everything is denied in the namespace, unless tables of ours stand there
 * already: then LAUNCH_QUARANTINED if the options say so, else an error. In a namespace that was not made for it
 * nobody is quarantined by tables that let something pass: they are another's. Never 0 with the namespace open;
 * in that of the host, which nobody closes, nobody is quarantined.
 * -EPERM: the daemon says that this must not start; ERR has why. STATE (32 bytes, may be NULL) gets the word
 * of the daemon for how it stands: "protected", "unmanaged", ...
 */
#define LAUNCH_STATE_MAX 32
int launch_hold(const struct launch_request *rq, const struct launch_options *o,
		enum launch_outcome *ret, char *ret_state, struct bh_err *err);

/*
 * Before it is made: is the container to be started without raw sockets? What it is, an engine knows: only docker
 * and podman. Errors as launch_hold(), but nothing is denied.
 */
int launch_denies_raw(enum endpoint_runtime runtime, const char *id, const struct launch_options *o,
		      bool *ret, struct bh_err *err);

/*
 * The container is gone: that of RQ's runtime and id, which may be another's by now, so of its netns, netns_ino
 * and pid what is known is told, too. Without the daemon: -ENOENT, ...; it will see for itself.
 */
int launch_release(const struct launch_request *rq, const struct launch_options *o,
		   struct bh_err *err);

/*
 * Deny everything in the namespace, both ways, for good, unless tables of ours stand there, whole or owned by
 * the daemon. Needs CAP_SYS_ADMIN and CAP_NET_ADMIN. INO: as netns_ino above. 1: those that stand let something pass.
 */
int launch_deny(const char *netns, uint64_t ino, struct bh_err *err);

#endif
