/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_ENFORCE_SITE_H
#define BULKHEAD_ENFORCE_SITE_H

#include <bulkhead/base/err.h>
#include <bulkhead/compile/compile.h>
#include <bulkhead/model/diag.h>
#include <bulkhead/model/endpoint.h>
#include <bulkhead/model/host.h>
#include <bulkhead/model/policy.h>
#include <bulkhead/model/ruleset.h>

/*
 * A site: the policies, the endpoints of this host, and what the first mean for the second. Filled
 * step by step, each step on its own failing with nothing changed; the one-shot verbs and the
 * daemon use the same steps.
 */
struct site {
	struct host_config host;        /* owned */
	struct policy_set *policies;    /* NULL until site_load_policies() */
	struct policy_files *files;     /* the bytes that they were made of; NULL as above */
	struct endpoint_set *endpoints; /* NULL until site_load_endpoints() */
	struct selection *selection;    /* NULL until site_compile() */
	struct ruleset_list *rulesets;  /* NULL until site_compile() */
	uint64_t serial;                /* of all sites, each site_compile() has another */
	struct compile_state *state;    /* owned; NULL: each site_compile() is the first */
	int64_t now;                    /* seconds since the epoch, taken once */
	bool outdated;                  /* ENDPOINTS are those of an earlier look: site_assume() */
	struct holds *holds;            /* borrowed: what a daemon keeps open; NULL: this is none */
};

struct site_options {
	const char *config;          /* host file; NULL = the default place, which may be absent */
	const char *const *policies; /* paths */
	size_t n_policies;
	const char *inventory; /* when set, endpoints come from nowhere else */
	const char *netns_dir, *docker_socket, *podman_socket; /* NULL = as the host file has it */
	/* Borrowed: containers that were known before, for a site that has none yet; may be NULL. */
	const struct endpoint_set *known;
	struct runtime_images *images; /* borrowed; NULL: asked for anew each time */
	/*
	 * The last source, for who knows of namespaces that nobody lists yet; may be NULL. POLICIES: those that
	 * they are listed for.
	 */
	int (*add_more)(struct endpoint_builder *b, const struct policy_set *policies,
			struct diag_list *diags, void *arg, struct bh_err *err);
	void *arg;
};

void site_init(struct site *s);
void site_done(struct site *s);

/* The host file and the policies, lint included. Errors as policy_load(). */
int site_load_policies(struct site *s, const struct site_options *o, struct diag_list *diags,
		       struct bh_err *err);
/* The host file alone, for verbs that work without policies. */
int site_load_config(struct site *s, const struct site_options *o, struct diag_list *diags,
		     struct bh_err *err);
/* *ret_is_input: the failure is a mistake in what the user gave, not in the host. */
int site_load_endpoints(struct site *s, const struct site_options *o, struct diag_list *diags,
			bool *ret_is_input, struct bh_err *err);
/* Services that select nobody; site_compile() says so. */
void site_lint_nobody(const struct site *s, struct diag_list *diags);
/*
 * Services that would select more if labels of images counted, or if digests of images were none. After
 * site_compile(). 0 or -ENOMEM.
 */
int site_lint_images(const struct site *s, struct diag_list *diags, struct bh_err *err);
/*
 * Endpoints and rulesets anew, for the policies that S has; on failure S stays as it was. *RET_INPUT
 * as above.
 */
int site_refresh(struct site *s, const struct site_options *o, struct diag_list *diags,
		 bool *ret_is_input, struct bh_err *err);
/* They cannot be listed now, and are taken to be KNOWN (copied). As site_refresh(). */
int site_assume(struct site *s, const struct endpoint_set *known, struct diag_list *diags,
		struct bh_err *err);
/* What became another, or came or went. */
struct site_hint {
	enum endpoint_runtime runtime; /* of an engine: a container; ENDPOINT_NETNS: a named one */
	const char *id;                /* of the container; the name */
	int ended_pid; /* a process that has ended, though its engine may not know; 0: none */
	bool ended;    /* set: its engine knows, and says that it does not run */
};
/*
 * As site_refresh(), but only those N are asked about; all others stay as they were, and so do the
 * host's own addresses. S has endpoints. Not with an inventory, which is a file: -EOPNOTSUPP.
 * 1: something is another; 0: nothing is, and S is untouched. < 0: not all could be asked; S is as it
 * was, without those whose process has ended.
 */
int site_refresh_some(struct site *s, const struct site_options *o, struct site_hint *hints,
		      size_t n, struct diag_list *diags, struct bh_err *err);
/* Policies x endpoints. With ALL_SUBJECTS also for endpoints without a namespace (explain). */
int site_compile(struct site *s, bool all_subjects, struct diag_list *diags, struct bh_err *err);

/* The ruleset of the namespace that endpoint I is in; NULL: none, or nothing is compiled yet. */
const struct ruleset_item *site_item_of(const struct site *s, size_t i);

/* Does a service that is not off, a guardrail or the host file want endpoint I held? S is compiled. */
bool site_is_wanted(const struct site *s, size_t i);

/* Names of the services that endpoint I is, joined with ", "; "" when none. Returns OUT. */
const char *site_services_of(const struct site *s, size_t i, char *out, size_t cap);
/* The scopes of these services, each once, in the same way. */
const char *site_scopes_of(const struct site *s, size_t i, char *out, size_t cap);

#endif
