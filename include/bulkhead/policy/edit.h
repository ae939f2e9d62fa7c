/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_POLICY_EDIT_H
#define BULKHEAD_POLICY_EDIT_H

#include <bulkhead/base/buf.h>
#include <bulkhead/base/err.h>
#include <bulkhead/model/policy.h>

/*
 * Edits of a policy file's text: what is new is put in, and everything else, comments and layout
 * included, stays byte by byte as it was.
 */

enum policy_edit_kind {
	POLICY_EDIT_PORTS, /* ports for a rule that is there */
	POLICY_EDIT_RULE,  /* a rule at the end of ingress: or egress:, which is made if need be */
	POLICY_EDIT_DNS,   /* dns: allow */
	POLICY_EDIT_OWNER, /* owner: TODO */
};

/* What waits to be written by a person; policy_parse() refuses it. */
#define POLICY_PLACEHOLDER "TODO"

/* One edit of one service. All is borrowed. */
struct policy_edit {
	enum policy_edit_kind kind;
	const struct service *service; /* its loc.file is the file, and names a source */
	enum direction direction;      /* PORTS, RULE */
	const struct rule *rule;       /* PORTS: of that service, with ports: */
	const struct peer *peers;      /* RULE: each has a service, or a cidr, and nothing else */
	size_t n_peers;
	const struct port_spec *ports; /* PORTS, RULE; one at least */
	size_t n_ports;
	bool todo
		[SCOPE_FIELDS]; /* RULE: these have to be written by a person; owner is none of it */
	/* What became of it. */
	unsigned line, n_lines; /* where it stands in the new text */
	const char *trouble;    /* static: why this text cannot be edited; NULL = it was */
	unsigned trouble_line;  /* in the old text */
};

/*
 * Apply N edits, all of the file SRC, which policy_parse() has found valid. Those of one service stand
 * together, PORTS before RULE before DNS and OWNER, and no two of them are about the same. FILL: a date that stands
 * for everything that a person has to write, so that the text can be tried; NULL: the placeholder.
 * 0 and the new text in OUT; -ENOTSUP: some edits have `trouble`, and OUT is of no use; -ENOMEM; -EFBIG
 * (OUT is full).
 */
int policy_edit(const struct policy_source *src, struct policy_edit *const *edits, size_t n,
		const char *fill, struct bh_buf *out, struct bh_err *err);

/* What a person would have to write, where policy_edit() cannot: some lines of YAML. */
void policy_edit_text(const struct policy_edit *e, struct bh_buf *out);

#endif
