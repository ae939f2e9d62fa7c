/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_ADVISE_ADVISE_H
#define BULKHEAD_ADVISE_ADVISE_H

#include <bulkhead/compile/compile.h>
#include <bulkhead/model/record.h>
#include <bulkhead/model/source.h>

/*
 * From flows that are denied, or only recorded by a service in audit mode, to the smallest edit of
 * the policies that lets them pass. Pure: no I/O, no privileges, no clock. Nothing is proposed that was
 * not tried: the edited text is parsed and compiled, and each flow is judged anew.
 */

/* All is borrowed for the life of the adviser. */
struct advise_input {
	const struct policy_set *policies;   /* of SOURCES */
	const struct policy_source *sources; /* the bytes that they were made of */
	size_t n_sources;
	const struct endpoint_set *endpoints;
	const struct host_config *host;
	int64_t now; /* seconds since the epoch */
};

struct adviser;

int adviser_new(const struct advise_input *in, struct adviser **ret, struct bh_err *err);
void adviser_free(struct adviser *a); /* takes NULL */

/*
 * A flow that is to pass. RECORD: which one it was, for a person ("denied.json:3", copied). The same flow
 * again is passed over. What cannot be let pass is found by adviser_advise(), and is no error. -E2BIG:
 * more than BH_SUGGEST_FLOWS_MAX different flows; -ENOMEM.
 */
int adviser_add_record(struct adviser *a, const struct flow_record *r, const char *record,
		       struct bh_err *err);
/* PORT is one port or ICMP type: explain_port_is_one(), else -EINVAL. */
int adviser_add_flow(struct adviser *a, const struct explain_party *from,
		     const struct explain_party *to, const struct port_spec *port,
		     const char *record, struct bh_err *err);

/* Texts are for a person and escaped, but for names of files and lines of theirs. */

struct advice_file {
	const char *name, *old, *new; /* as the source has it; the bytes before and after */
	size_t old_len, new_len;
};

struct advice_edit {
	const char *file;
	unsigned line;    /* in the new text; the first of ADD */
	const char **add; /* whole lines, without their ends, as they stand in the new text */
	size_t n_add;
	const char *says; /* "payments may send to ledger on 6379/tcp" */
};

struct advice_refusal {
	const char *record, *flow; /* which, and what: "web -> ledger 6379/tcp" */
	const char *why;           /* one sentence */
	const char *guardrail;     /* that forbids it, or NULL */
	const char *where;   /* FILE:LINE of the guardrail, or of what cannot be edited; NULL */
	const char *by_hand; /* lines of YAML, where only the text was in the way; NULL */
};

struct advice {
	struct advice_file *files; /* that change */
	size_t n_files;
	struct advice_edit *edits;
	size_t n_edits;
	struct advice_refusal *refused; /* the first BH_SUGGEST_REFUSED_MAX */
	size_t n_refused, refused_more;
	const char **also; /* what else would pass: "web-2 -> ledger 6379/tcp" */
	size_t n_also, also_more;
	const char **notes; /* what a person should know: scopes, addresses, placeholders */
	size_t n_notes;
	bool todo; /* something is a placeholder */
};

/* Lives in A. Once. */
int adviser_advise(struct adviser *a, struct advice *ret, struct bh_err *err);

#endif
