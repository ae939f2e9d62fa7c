/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef OCI_RUNC_H
#define OCI_RUNC_H

#include <stdbool.h>
#include <stddef.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/base/err.h>
#include <bulkhead/model/endpoint.h>

/*
 * bulkhead-runc: what an engine starts in place of its OCI runtime. It adds our hook to the bundle of a
 * container that is made, takes privileges away where a policy says so, and becomes the real runtime,
 * with the arguments as they came.
 */

/* --- runc_args.c: what is asked of the runtime --------------------------------------------------- */

enum runc_task {
	RUNC_PASS,  /* nothing is started */
	RUNC_START, /* create, run, restore */
	RUNC_EXEC,  /* another process in a container that runs */
};

struct runc_call {
	enum runc_task task;
	const char *bundle;  /* RUNC_START: its directory */
	const char *id;      /* or NULL */
	const char *process; /* RUNC_EXEC: the file that says what is started, or NULL */
	const char *log;     /* where the engine looks for what went wrong, or NULL */
	bool log_json;
};

/*
 * ARGV, NULL at the end, is of the runtime alone: without its name, without options of ours. What is
 * returned is borrowed from it. *RET is of use, as far as it was read, also when it fails: -EINVAL when it may be
 * a start, but not one that is understood.
 */
int runc_args_parse(char *const argv[], struct runc_call *ret, struct bh_err *err);

/* --- runc_options.c: what the administrator says ------------------------------------------------- */

struct runc_options {
	const char *runtime; /* --bulkhead-runtime, else of the host file, else NULL */
	const char *hook;    /* --bulkhead-hook: the path of bulkhead-oci-hook; NULL: beside us */
	const char *config;  /* --bulkhead-config: the host file; NULL: the usual one */
	const char *socket;  /* --bulkhead-socket, or NULL */
	enum endpoint_runtime engine; /* --bulkhead-engine: docker (without), podman, oci */
	bool precreate;               /* --bulkhead-precreate: a hook of Podman's */
};

/* Those at the beginning of ARGV; *RET_REST is what follows. -EINVAL: one that we do not know. */
int runc_options_parse(char *const argv[], struct runc_options *ret, char *const **ret_rest,
		       struct bh_err *err);

/* The runtime itself, never ourselves; -ENOENT when there is none. OUT holds PATH_MAX bytes. */
int runc_find_runtime(const char *wanted, char *out, size_t cap, struct bh_err *err);

/* --- runc_config.c, runc_seccomp.c: the bundle's config.json -------------------------------------- */

struct runc_hook {
	const char *path;
	const char *const *args; /* the name first; NULL at the end */
};

/*
 * CONFIG, a text of JSON: add HOOK at the stages createRuntime and poststop, behind those that are there,
 * unless it is. All else stays, byte for byte. -EINVAL: it is no configuration that can be understood;
 * the text is of no use then.
 */
int runc_config_add_hook(struct bh_buf *config, const struct runc_hook *hook, struct bh_err *err);

/*
 * Take CAP_NET_RAW out of all sets, let seccomp refuse sockets of AF_PACKET and AF_XDP, and mark the
 * configuration by the annotation RUNC_RAW_ANNOTATION.
 */
#define RUNC_RAW_ANNOTATION "bulkhead.raw-sockets"
#define RUNC_RAW_DENIED     "denied"
int runc_config_deny_raw(struct bh_buf *config, struct bh_err *err);
/* Of a process alone, as `exec --process` takes it: the capability. */
int runc_process_deny_raw(struct bh_buf *process, struct bh_err *err);
/* Has it that mark? */
bool runc_config_denies_raw(const char *config, size_t len);

/* The id of the container whose configuration Podman is about to write, into OUT; -EINVAL: it says none. */
#define RUNC_ID_SIZE 65
int runc_config_podman_id(const char *config, size_t len, char out[RUNC_ID_SIZE],
			  struct bh_err *err);

/* The part of runc_config_deny_raw() that is about linux.seccomp. */
int runc_seccomp_deny_raw(struct bh_buf *config, struct bh_err *err);

/* Say that KEY at PATH cannot be edited, R being what jsontext_set() and its like return. */
int runc_config_failed(int r, const char *key, struct bh_err *err);

#endif
