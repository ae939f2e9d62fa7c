/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_CNI_CNI_H
#define BULKHEAD_CNI_CNI_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/base/err.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/model/endpoint.h>

/*
 * The pure parts of `bulkhead-cni`: what a runtime says to a plugin of the Container Network
 * Interface (github.com/containernetworking/cni, SPEC.md, 0.3.0 to 1.1.0), and what it is told.
 * Environment and standard input come from a runtime, which is trusted with the identity of what it
 * starts and with nothing else: labels and annotations in them were written by whoever asked for a pod.
 */

/* --- errors ------------------------------------------------------------------------------------- */

/* The numbers are the specification's up to 99, and ours from there on. */
enum cni_code {
	CNI_NONE = 0,
	CNI_INCOMPATIBLE_VERSION = 1,
	CNI_UNSUPPORTED_FIELD = 2,
	CNI_INVALID_ENVIRONMENT = 4,
	CNI_IO_FAILURE = 5,
	CNI_UNDECODABLE = 6,
	CNI_INVALID_CONFIG = 7,
	CNI_TRY_AGAIN = 11,
	CNI_NOT_AVAILABLE = 50,
	CNI_NOT_HELD = 100, /* ADD: no policy is in force, the container must not start */
	CNI_ALTERED = 101,  /* CHECK: what stands in the kernel is not what is wanted */
};

struct cni_error {
	enum cni_code code;
	struct bh_err err;
};

/* clang-format off */
#define CNI_ERROR_INIT { CNI_NONE, BH_ERR_INIT }
/* clang-format on */

/* Set both (ERR may be NULL) and return -EBADMSG. Hostile text is for the caller to escape. */
int cni_fail(struct cni_error *err, enum cni_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The error object of the specification, for standard output. VERSION NULL: the newest. */
int cni_error_write(const struct cni_error *err, const char *version, struct bh_buf *out);

/* --- versions ----------------------------------------------------------------------------------- */

struct cni_version {
	const char *name;
	bool check; /* knows CHECK, and DEL is given a prevResult */
	bool gc;    /* knows GC and STATUS */
};

#define CNI_NEWEST "1.1.0"

/* NULL: not one of ours. */
const struct cni_version *cni_version_find(const char *name);
/* The answer to VERSION; ASKED is what stdin had for cniVersion, or NULL. */
int cni_version_write(const char *asked, struct bh_buf *out);

/* --- the environment ---------------------------------------------------------------------------- */

enum cni_command { CNI_ADD, CNI_CHECK, CNI_DEL, CNI_VERSION, CNI_GC, CNI_STATUS };

/* As they are in the environment, borrowed; NULL and "" are: not given. */
struct cni_environment {
	const char *command, *container, *netns, *ifname, *args;
};

/*
 * Is all there that the command needs, and of the right form? The path of the namespace is not opened.
 * Sets *RET. CNI_INVALID_ENVIRONMENT, with the name of every variable that is wrong.
 */
int cni_environment_check(const struct cni_environment *e, enum cni_command *ret,
			  struct cni_error *err);

/* --- the configuration, from standard input --------------------------------------------------- */

enum cni_without_daemon { CNI_AS_HOST_SAYS, CNI_FAIL_WITHOUT, CNI_QUARANTINE_WITHOUT };

struct cni_config {
	json_t *root; /* owned; all else points into it */
	const struct cni_version *version;
	const char *network;
	const char *socket;    /* NULL: as the host file has it */
	const char *host_file; /* NULL: the default one */
	unsigned wait_ms;      /* 0: as the host file has it */
	enum cni_without_daemon without;
	enum endpoint_runtime runtime;
	json_t *previous;          /* prevResult, or NULL */
	const json_t *labels;      /* args.cni.labels, or NULL */
	const json_t *annotations; /* of the pod, or NULL */
	const json_t *label_globs; /* annotationLabels, or NULL */
	const json_t *attachments; /* that are valid, of GC, or NULL */
};

/*
 * Read LEN bytes, at most BH_CNI_CONFIG_MAX. For ADD, CHECK and STATUS a field that is not known is
 * refused; what takes something away goes on without. ADD and CHECK need a prevResult: this plugin
 * makes no interface. On failure RET is empty, and *RET_VERSION (may be NULL) is the version that an
 * error is to be told in.
 */
int cni_config_parse(const char *text, size_t len, enum cni_command command, struct cni_config *ret,
		     const char **ret_version, struct cni_error *err);
void cni_config_done(struct cni_config *c);

/* Does the list of GC have an attachment of this container? */
bool cni_config_attached(const struct cni_config *c, const char *container);

/* prevResult as it came, with the version it is of. */
int cni_result_write(const struct cni_config *c, struct bh_buf *out);

/* --- labels --------------------------------------------------------------------------------------- */

#define CNI_NETWORK_LABEL "cni.network" /* the name in the configuration */

/* Strings borrowed from the configuration, or in the arena. */
struct cni_labels {
	struct bh_arena *arena;
	struct label labels[BH_LABELS_MAX];
	size_t n, bytes;
	const char *name; /* of the pod, or NULL */
};

/*
 * Who this is, by CNI_ARGS, args.cni.labels and the annotations, in this order: what an earlier one
 * says of a key stands. Annotations become labels `annotation.KEY`, those that annotationLabels names
 * by their own key; none speaks for the runtime (RESERVED in labels.c), and one over
 * BH_RUNTIME_LABEL_BYTES_MAX is left out, since no policy could name it. All else that cannot be taken
 * is an error: a container with half its labels would be somebody else.
 */
int cni_labels_take(const struct cni_environment *e, const struct cni_config *c,
		    struct cni_labels *ret, struct cni_error *err);
void cni_labels_done(struct cni_labels *l);

#endif
