/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_POLICY_POLICY_H
#define BULKHEAD_POLICY_POLICY_H

#include <bulkhead/base/err.h>
#include <bulkhead/model/host.h>
#include <bulkhead/model/policy.h>

/*
 * Bytes to a policy set. Everything read here is input of the user, checked strictly: unknown and
 * duplicate keys, wrong types, anchors, aliases, tags, host bits, unknown names and sizes over
 * base/limits.h are located mistakes, all of them in one run. No I/O beyond the named files.
 */

/*
 * Parse N sources as one set. 0 and *ret_set (caller frees); -EINVAL when diags->errors > 0, and
 * then *ret_set is untouched; -ENOMEM. Warnings do not fail.
 */
int policy_parse(const struct policy_source *sources, size_t n, struct policy_set **ret_set,
		 struct diag_list *diags, struct bh_err *err);

/*
 * Read PATHS (each a file, or a directory whose *.yaml and *.yml are taken, sorted by name, not
 * recursive, dot files left out) and parse them as one set. Further errors: -ENOENT, -EACCES, ...
 * with ERR naming the path; -ENODATA for a directory without policy files.
 */
int policy_load(const char *const *paths, size_t n, struct policy_set **ret_set,
		struct diag_list *diags, struct bh_err *err);

/*
 * policy_load() in two steps, for those who keep the bytes that they parsed. policy_read() has the
 * errors of policy_load(), -EINVAL aside; a file that is too big is reported and left out, and
 * policy_files_parse() then fails.
 */
struct policy_files;
int policy_read(const char *const *paths, size_t n, struct policy_files **ret,
		struct diag_list *diags, struct bh_err *err);
/* The same of bytes that are in memory: copied. 0 or -ENOMEM. */
int policy_files_copy(const struct policy_source *sources, size_t n, struct policy_files **ret,
		      struct bh_err *err);
void policy_files_free(struct policy_files *f); /* takes NULL */
/* Sorted by name, as policy_set's digest has them. Borrowed from F. */
const struct policy_source *policy_files_sources(const struct policy_files *f, size_t *ret_n);
int policy_files_parse(const struct policy_files *f, struct policy_set **ret_set,
		       struct diag_list *diags, struct bh_err *err);

/*
 * The files that policy_read() would read now, in its order. FN's negative return ends it. Errors as
 * of policy_read() for paths that cannot be listed; then FN was not called.
 */
int policy_each_path(const char *const *paths, size_t n, int (*fn)(const char *path, void *arg),
		     void *arg, struct bh_err *err);

/* What stands in the files that policy_load() and host_config_load() read. */
struct policy_identity {
	char policies[DIGEST_HEX]; /* as policy_set's digest; "" when UNREAD */
	char host[DIGEST_HEX];     /* as host_config's digest; "" when UNREAD */
	char unread[BH_ERR_MAX];   /* why not all of it can be read; "" = it can */
};

bool policy_identity_equal(const struct policy_identity *a, const struct policy_identity *b);

/*
 * Of PATHS and the host file CONFIG (NULL as for host_config_load()) as they are now; nothing is
 * parsed. -ENOMEM, and *RET is untouched.
 */
int policy_identify(const char *const *paths, size_t n, const char *config,
		    struct policy_identity *ret, struct bh_err *err);

/*
 * Warnings that need the whole set: one-sided flows, expired rules (NOW: seconds since the
 * epoch).
 */
void policy_lint(const struct policy_set *set, int64_t now, struct diag_list *diags);

/*
 * The bytes of a host file. 0 and *RET, which the caller ends with host_config_done(); -EINVAL when
 * mistakes were reported, -ENOMEM. *RET is written only on success and not freed before: it must
 * own nothing.
 */
int host_config_parse(const struct policy_source *source, struct host_config *ret,
		      struct diag_list *diags, struct bh_err *err);

/*
 * The host file. PATH NULL = /etc/bulkhead/bulkhead.yaml, whose absence means the defaults.
 * *RET as above; same errors as policy_load().
 */
int host_config_load(const char *path, struct host_config *ret, struct diag_list *diags,
		     struct bh_err *err);

#endif
