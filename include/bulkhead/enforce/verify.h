/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_ENFORCE_VERIFY_H
#define BULKHEAD_ENFORCE_VERIFY_H

#include <bulkhead/enforce/enforce.h>

/*
 * Is what is declared what is enforced? Every namespace's kernel state is read back and compared, as for
 * `status`, and then what status does not look at: who else has a hand in it, and who stands beside it
 * (docs/verify.md). Read only, whether or not a daemon owns the tables.
 */

enum verify_severity { VERIFY_NOTE, VERIFY_WARNING, VERIFY_ERROR };
#define VERIFY_SEVERITIES 3
const char *verify_severity_name(enum verify_severity s); /* "note", "warning", "error" */

/* What can be found, in one table. An id never changes its meaning. */
struct verify_info {
	const char *id; /* kebab-case */
	enum verify_severity severity;
	const char *title; /* one sentence */
	const char *why;   /* what is bad about it: one sentence */
	const char *fix;   /* the way out: one sentence */
};
extern const struct verify_info verify_infos[]; /* by id */
extern const size_t verify_infos_n;
const struct verify_info *verify_find(const char *id); /* or NULL */

#define VERIFY_NOBODY SIZE_MAX
struct verify_finding {
	const struct verify_info *info;
	size_t endpoint;       /* index; VERIFY_NOBODY: it is about none */
	uint64_t netns;        /* inode, where it is about a namespace; else 0 */
	char text[BH_ERR_MAX]; /* one sentence, hostile text escaped */
};

struct verify_options {
	const char *scope; /* NULL: everything; else the name of one that exists */
	/* Endpoints were given, and are not all that this host has: nobody else is looked for. */
	bool given;
	/* A daemon answers; OURS (may be NULL): it says that it holds the queues of this endpoint. */
	bool daemon;
	bool (*ours)(const char *endpoint_id, void *arg);
	const char *in_force; /* digest of its policies, 16 digits or more; NULL: not known */

	int (*found)(const struct verify_finding *f, void *arg);
	/* How each endpoint of the scope stands, before its findings. May be NULL. */
	int (*status)(const struct endpoint_status *st, void *arg);
	void *arg; /* of all three */
};

struct verify_sums {
	size_t endpoints;  /* that were to be looked at: of the scope */
	size_t namespaces; /* that were read back to the end */
	size_t protected;  /* endpoints of which exactly what is wanted is enforced */
	size_t findings[VERIFY_SEVERITIES];
};

/*
 * SITE is compiled. Nothing to look at, and what cannot be read, are findings. A negative return of a callback
 * ends it. -ENOMEM; other errors are those of the whole.
 */
int enforce_verify(struct site *s, const struct verify_options *o, struct verify_sums *ret,
		   struct bh_err *err);
/* Nothing was found but notes, and something was looked at. */
bool verify_passed(const struct verify_sums *s);

#endif
