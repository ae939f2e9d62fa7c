/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_MODEL_HOST_H
#define BULKHEAD_MODEL_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <bulkhead/base/addr.h>
#include <bulkhead/model/diag.h>
#include <bulkhead/model/source.h>
#include <bulkhead/model/digest.h>

/*
 * The host file (--config; default /etc/bulkhead/bulkhead.yaml, absent = all defaults): what is said
 * of this host and not of services. Format: docs/policy-format.md.
 */

#define HOST_CONFIG_FILE "/etc/bulkhead/bulkhead.yaml"

/* unmanaged: containers that no service selects. */
enum unmanaged { UNMANAGED_IGNORE, UNMANAGED_QUARANTINE };

/* new-namespaces: those that have appeared and are nobody's yet, until it is known whose they are. */
enum new_namespaces { NEW_NAMESPACES_IGNORE, NEW_NAMESPACES_QUARANTINE };

enum host_role { HOST_ROLE_VIEWER, HOST_ROLE_OPERATOR, HOST_ROLE_ADMIN };

/* An entry of roles:. */
struct host_grant {
	struct src_loc loc; /* of the user or group */
	bool is_group;
	const char *who; /* a name, or an ID when it is all digits: at most UINT32_MAX - 1 then */
	enum host_role role;
	bool everything;           /* owners: is not there */
	const char *const *owners; /* at least one, each once, unless EVERYTHING */
	size_t n_owners;
};

struct host_control {
	const char *socket;
	const char *group;            /* whose members may connect: name or GID; NULL = root's */
	const char *read_only_socket; /* NULL = none */
};

struct host_metrics {
	bool listen;
	struct bh_addr addr; /* a loopback address */
	uint16_t port;
	const char *textfile; /* NULL = none; ends with .prom */
};

/* How much of the past is kept; all within the bounds of base/limits.h. */
struct host_retention {
	uint32_t audit_files, generations, denied_days, denied_megabytes;
};

/* Where records and signals go besides the store: an entry of outputs:. */
enum output_kind { OUTPUT_FILE, OUTPUT_JOURNAL, OUTPUT_SYSLOG };
enum output_format { OUTPUT_JSON, OUTPUT_OCSF, OUTPUT_ECS, OUTPUT_TEXT };
enum output_what { OUTPUT_BOTH, OUTPUT_RECORDS, OUTPUT_SIGNALS };

struct host_output {
	struct src_loc loc;
	enum output_kind kind;
	const char
		*path; /* of the file, or of the socket; absolute. Of the journal: NULL = its own */
	enum output_format format;
	enum output_what what;
	uint32_t facility;         /* OUTPUT_SYSLOG: 0..23 */
	uint32_t rotate_megabytes; /* OUTPUT_FILE: the next one begins then; 0 = never by us */
	uint32_t rotate_keep;      /* older files that are kept: PATH.1 is the youngest of them */
};

/* Bounds that a site may set narrower or wider; all within those of base/limits.h. */
struct host_limits {
	uint32_t flows; /* denied flows that the logger keeps in memory */
	uint32_t
		records_per_second; /* of one endpoint; what is beyond becomes aggregated records */
};

/* starts: what who starts a container does when bulkheadd does not answer, and for how long it waits. */
enum starts_without { STARTS_FAIL, STARTS_QUARANTINE };

struct host_starts {
	enum starts_without without_daemon;
	uint32_t wait_s;
	const char *
		runtime; /* that bulkhead-runc becomes: an absolute path; NULL: it looks for runc */
};

struct namespace_label; /* model/endpoint.h */

struct host_config {
	struct bh_arena *arena; /* all text and lists that are no defaults; NULL = there is none */
	struct policy_source
		source;    /* its bytes, as they were read; name NULL = there is no file */
	bool image_labels; /* image-labels: select — labels baked into images select too */
	enum unmanaged unmanaged;
	enum new_namespaces new_namespaces;
	bool strict; /* strict: true — apply refuses what cannot be held, as --strict */
	bool docker, podman, netns; /* runtimes: which are asked; default all */
	const char *docker_socket, *podman_socket;
	const struct host_grant *grants;
	size_t n_grants;
	struct host_control control;
	struct host_metrics metrics;
	struct host_retention retention;
	const struct host_output *outputs;
	size_t n_outputs;
	struct host_limits limits;
	struct host_starts starts;
	/* namespaces: by namespace, in the order of the file; one key of a namespace once */
	const struct namespace_label *namespace_labels;
	size_t n_namespace_labels;
	bool watch; /* policies: {watch: true} — the daemon reads files anew when they change */
	char digest[DIGEST_HEX]; /* of the file's bytes; "" = there is none */
};

/* The defaults; what C had is forgotten, not freed. */
void host_config_init(struct host_config *c);
/* Free all that C owns; it has the defaults then. Moving C by assignment moves the ownership. */
void host_config_done(struct host_config *c);

#endif
