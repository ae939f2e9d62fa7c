/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_ENFORCE_ENFORCE_H
#define BULKHEAD_ENFORCE_ENFORCE_H

#include <bulkhead/enforce/holds.h>
#include <bulkhead/enforce/site.h>
#include <bulkhead/nft/nft.h>

/*
 * Want against have, namespace by namespace: the same code for the one-shot verbs and the daemon.
 * A failure in one namespace is that namespace's result; the others are done all the same.
 */

/*
 * How an endpoint stands. STATE_PROTECTED, STATE_AUDIT and STATE_GUARDED are what the policies ask
 * for.
 */
enum endpoint_state {
	STATE_PROTECTED,    /* the kernel enforces exactly the wanted ruleset */
	STATE_AUDIT,        /* the same, in audit mode: records, drops nothing */
	STATE_GUARDED,      /* the same, but only guardrails hold it: all else passes */
	STATE_DRIFT,        /* a table of ours is there, but it is not the wanted one */
	STATE_MISSING,      /* no table */
	STATE_WEAK,         /* the wanted table is there, but somebody inside can get round it */
	STATE_SHARED,       /* it is there, and allows what is meant for others in the namespace */
	STATE_UNREACHABLE,  /* the namespace cannot be opened or read */
	STATE_HOST_NETWORK, /* shares the host's namespace: never touched */
	STATE_OFF,          /* selected only by services with mode off */
	STATE_UNMANAGED,    /* no service selects it */
	STATE_PEER,         /* no namespace on this host: a peer only */
};
#define ENDPOINT_STATES (STATE_PEER + 1)

const char *endpoint_state_name(enum endpoint_state s);
/* Does this state break what the policies promise? */
bool endpoint_state_is_finding(enum endpoint_state s);

/* Of an endpoint whose service says privileges: {raw-sockets: deny}. */
enum raw_sockets {
	RAW_SOCKETS_NOT_ASKED, /* no service says so */
	RAW_SOCKETS_DENIED,
	RAW_SOCKETS_KEPT,    /* it has CAP_NET_RAW all the same */
	RAW_SOCKETS_UNKNOWN, /* its process does not run yet, or is not known */
};
const char *raw_sockets_name(enum raw_sockets s); /* "" when not asked */

/* Does a service that is enforced deny them to this endpoint of the selection's set? */
bool privileges_deny_raw(const struct policy_set *policies, const struct selection *selection,
			 size_t endpoint);

struct endpoint_status {
	size_t endpoint; /* index */
	enum raw_sockets raw_sockets;
	enum endpoint_state state;
	char why[BH_ERR_MAX]; /* one sentence, hostile text escaped; "" when protected */
	bool counted;         /* totals are valid */
	struct nft_totals totals;
	char generation[64]; /* of the table in the kernel, escaped; "" = none, or unreadable */
	/* The gravest in its network namespace, and whose it is; ENDPOINT_HOLDABLE = none. */
	enum endpoint_obstacle obstacle;
	size_t obstacle_of;
	/* All endpoints of its namespace, itself included; theirs only during the callback. */
	const uint32_t *members;
	size_t n_members;
};

/* Read every endpoint's namespace and compare. FN is called in the order of the endpoints. */
int enforce_status(struct site *s, int (*fn)(const struct endpoint_status *, void *), void *arg,
		   struct bh_err *err);

/* Of one of them. FN's as above; a look into its namespace. */
int enforce_status_of(struct site *s, size_t endpoint,
		      int (*fn)(const struct endpoint_status *, void *), void *arg,
		      struct bh_err *err);

/*
 * Does S->holds know that what is wanted stands in the endpoint's namespace (or nothing, where nothing
 * is wanted)? Nothing is looked at.
 */
bool enforce_stands(const struct site *s, size_t endpoint);

/* Can this kernel hold what our tables are made of? */
struct kernel_status {
	bool finding;           /* it cannot, or it is not known */
	char why[BH_ERR_MAX];   /* what is missing; "" when nothing is */
	char lacks[BH_ERR_MAX]; /* what it does without, and what that costs; "" when nothing */
};

/*
 * Ask the kernel, in a namespace of its own. RET is always valid. -EPERM, -EACCES: without the right
 * to ask, nothing is known and nothing found; other errors are findings.
 */
int enforce_kernel_status(struct kernel_status *ret, struct bh_err *err);

/* What an apply could not mend, known before anything is written. */
enum preflight_about { PREFLIGHT_KERNEL, PREFLIGHT_SERVICE, PREFLIGHT_ENDPOINT };

struct preflight_finding {
	enum preflight_about about;
	size_t index;                    /* of the service or the endpoint */
	enum endpoint_state state;       /* of an endpoint: as status will say it */
	enum endpoint_obstacle obstacle; /* of an endpoint: as there */
	char why[BH_ERR_MAX];            /* one sentence, hostile text escaped */
};

/* "NAME: STATE: WHY" of a finding, for a person. Returns OUT. */
const char *preflight_format(char *out, size_t cap, const struct site *s,
			     const struct preflight_finding *f);

/* What could not be looked at for want of privileges; only without ENTER. */
struct preflight_unseen {
	size_t endpoints;
	bool kernel;
};

/*
 * For --strict: everything that keeps what the policies select from being held, and that writing
 * tables does not mend: FN is called for each. Nothing is changed. ENTER: go into the namespaces as
 * an apply would, and fail without the right to; otherwise look as far as privileges go. A daemon that
 * enters holds the namespace from then on, tables apart; its next apply lets go of what it shall not.
 */
int enforce_preflight(struct site *s, bool enter,
		      int (*fn)(const struct preflight_finding *, void *), void *arg,
		      struct preflight_unseen *ret_unseen, struct bh_err *err);

enum apply_outcome { APPLY_CREATED, APPLY_UPDATED, APPLY_UNCHANGED, APPLY_REMOVED, APPLY_FAILED };
const char *apply_outcome_name(enum apply_outcome o);

struct apply_result {
	size_t endpoint; /* index: the first endpoint of the namespace */
	enum apply_outcome outcome;
	int error;            /* -errno when failed */
	char why[BH_ERR_MAX]; /* when failed: one sentence; when updated: what had drifted, or "" */
};

/* Somebody else had changed the tables, and they were put right. */
static inline bool apply_was_repair(const struct apply_result *res)
{
	return res->outcome != APPLY_FAILED && res->why[0];
}

/*
 * Make every namespace match: write what is wanted, verify it by reading it back, and take the
 * table away from namespaces of known endpoints that no policy wants any more. FN is called once a
 * namespace that has, had or should have a table, in the order of the endpoints, when all are done:
 * several processes share the work. 0 also when some failed: FN has seen them.
 */
int enforce_apply(struct site *s, int (*fn)(const struct apply_result *, void *), void *arg,
		  struct bh_err *err);

/*
 * The same for a daemon (S->holds), which knows what it left in each namespace and holds on to it.
 * FN is called for what was changed or failed, and with KEEP_READ_ALL for each namespace as above.
 */
enum keep_care {
	KEEP_CHANGED, /* only where something else is wanted than what was left, or hold_doubt() said so */
	KEEP_LOOK, /* also where somebody made a commit; and some, in turn, are read back whole */
	KEEP_READ_ALL,
};
int enforce_keep(struct site *s, enum keep_care care,
		 int (*fn)(const struct apply_result *, void *), void *arg, struct bh_err *err);

/*
 * At once, for a namespace that has just been made and of which nothing is known: everything denied,
 * in both directions. The hold is opened; the next enforce_keep() makes it what the site wants. *RET_INO: the
 * namespace. -EEXIST: it is held already. -EAGAIN: nothing is mounted at PATH yet.
 */
int enforce_deny_first(struct holds *holds, const char *path, uint64_t *ret_ino,
		       struct bh_err *err);

/* What apply would do with one namespace, and has not done. */
struct plan_item {
	size_t endpoint;            /* index: the first endpoint of the namespace */
	enum apply_outcome outcome; /* that it would have; APPLY_FAILED: it cannot be looked at */
	char why[BH_ERR_MAX];       /* what differs first, or why it cannot be looked at; or "" */
	const struct ruleset *have; /* what stands there, when it can be read; for the callback */
	const struct ruleset *want; /* NULL: no table */
};

/* Read every namespace and tell what enforce_apply() would do; nothing is changed. FN as there. */
int enforce_plan(struct site *s, int (*fn)(const struct plan_item *, void *), void *arg,
		 struct bh_err *err);

/* Take our table out of every namespace of the site's endpoints, and touch nothing else. */
int enforce_clean(struct site *s, int (*fn)(const struct apply_result *, void *), void *arg,
		  struct bh_err *err);

#endif
