/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_COMPILE_FLOWS_H
#define BULKHEAD_COMPILE_FLOWS_H

#include <bulkhead/base/arena.h>
#include <bulkhead/base/err.h>
#include <bulkhead/model/host.h>
#include <bulkhead/model/policy.h>

/*
 * Flows as policies have them, without endpoints: between services, and between a service and the
 * addresses outside. What is compared is what may pass and not how it is written: a rule that moved,
 * was worded otherwise or split in two is no difference, and ranges of ports and addresses are taken
 * from each other exactly. Pure, as all of compile is.
 */

enum flow_change_kind {
	FLOW_OPENS,  /* passes after, and not before */
	FLOW_CLOSES, /* the other way round */
	FLOW_ENDS,   /* passes both times, but until another time */
	/* one end allows it, or does no longer, while the other one refuses it all the time */
	FLOW_HALF_OPENS,
	FLOW_HALF_CLOSES,
};
const char *flow_change_word(enum flow_change_kind kind); /* "opens", ..., "one end opens" */

/* Places are FILE:LINE, escaped; [direction]: of the rule at the source, at the destination. */
struct flow_change {
	enum flow_change_kind kind;
	const char *source, *destination; /* "web", "web {team=shop}", "the world", "10.0.0.0/8" */
	const char *ports;                /* "8081/tcp, 53/udp" */
	const char *before[2], *after[2]; /* NULL: nothing allows it there, or it is outside */
	const char *refused; /* what refuses it when it does not pass; NULL: an end is not there */
	int64_t ends_before, ends_after; /* seconds since the epoch; 0 = never */
};

/* What is said by name: of a service, a guardrail or a scope. */
struct named_change {
	const char *kind, *name;      /* "service", "payments" */
	const char *what;             /* "is new", "mode: enforce, then audit" */
	struct src_loc before, after; /* .file NULL: it is not there */
};

struct policy_diff {
	struct bh_arena *arena; /* everything lives in it */
	const struct flow_change *flows;
	size_t n_flows;
	const struct named_change *named;
	size_t n_named;
	size_t labels_left_out; /* sets of labels, named by peers, that were not looked at */
};

/*
 * From BEFORE to AFTER, both of policy_parse(); rules that expired before NOW allow nothing. The
 * caller frees *RET with policy_diff_free(). -ENOMEM, -E2BIG.
 */
int policy_diff(const struct policy_set *before, const struct policy_set *after,
		const struct host_config *host, int64_t now, struct policy_diff **ret,
		struct bh_err *err);
void policy_diff_free(struct policy_diff *d); /* takes NULL */

#endif
