/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_IMPORT_COMPOSE_H
#define BULKHEAD_IMPORT_COMPOSE_H

#include <stddef.h>

#include <bulkhead/base/err.h>
#include <bulkhead/model/diag.h>
#include <bulkhead/model/source.h>

/*
 * A Docker Compose file to one policy a service, to begin with: in audit mode, in the canonical form,
 * each line with a comment that says what it was derived from. The file is hostile input: anchors, aliases
 * and merge keys are followed within limits (BH_COMPOSE_ in base/limits.h); what cannot be known without
 * other files or the environment is an error (extends, include) or a warning and a comment (variables).
 */

struct compose_policy {
	const char *name; /* of the service: document; a valid name, different from all others */
	const char *text;
	size_t len;
};

struct compose_import {
	struct bh_arena *arena;
	const struct compose_policy *policies; /* in the order of the file */
	size_t n;
};

/*
 * PROJECT: its name, or NULL: the file's own `name:`, else DIRECTORY in the spelling that Compose gives
 * it. 0 and *RET, for compose_import_free(); -EINVAL: mistakes are in DIAGS; -ENOMEM.
 */
int compose_import(const struct policy_source *src, const char *project, const char *directory,
		   struct compose_import **ret, struct diag_list *diags, struct bh_err *err);
void compose_import_free(struct compose_import *c); /* takes NULL */

#endif
