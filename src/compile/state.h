/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_SRC_COMPILE_STATE_H
#define BULKHEAD_SRC_COMPILE_STATE_H

#include "compiler.h"

/*
 * What compile_update() remembers from one set of endpoints to the next. Three kinds of memory: what
 * depends on the policies alone (plans, names), what is built anew from its predecessor each time,
 * in linear time (an epoch), and single results that are replaced when they came out otherwise
 * (lists of addresses, targets, boxes, contents).
 *
 * The steps, each of which hands on only what came out otherwise:
 *   endpoints -> delta -> epoch (who is who) -> lists -> rules, guardrails -> namespaces -> contents
 */

#define NONE UINT32_MAX

/* --- delta.c: which endpoints are others ------------------------------------------------------ */

struct delta {
	uint32_t *old_of; /* [new] -> index before, or NONE; keeps the order, as ids are sorted */
	uint32_t *new_of; /* [old] -> index now, or NONE */
	bool *touched;    /* [new]: appeared, or differs in what a policy can see */
	bool *gone;       /* [old]: vanished, or differs */
	uint32_t *list;   /* the touched, ascending */
	size_t n, n_gone;
	bool many; /* so many that going by endpoint costs more than building anew */
};

/* BEFORE may be NULL: none. Lives in ARENA. -ENOMEM. */
int delta_make(struct bh_arena *arena, const struct endpoint_set *before,
	       const struct endpoint_set *now, struct delta *ret);

/* --- epoch.c: who is who ---------------------------------------------------------------------- */

/* A namespace that gets a ruleset. */
struct space {
	uint32_t first, home; /* its first endpoint, and the first that makes it a subject */
	uint32_t before;      /* the space that it was, if no endpoint in it is touched; or NONE */
	struct content *content;
	uint64_t version;           /* of the content that `held` says the same as */
	struct ruleset_share *held; /* struct ruleset; one reference is ours */
	bool follows;
	size_t hits_at, n_hits;
};

struct epoch {
	struct bh_arena *arena;
	const struct endpoint_set *endpoints;
	struct selection selection;
	struct claim *addrs; /* of all endpoints, those that name nobody as well; sorted */
	size_t n_addrs;
	struct place *places; /* [n], sorted */
	struct claims claims;
	struct addr_list contested;
	bool **selects;              /* [guardrail][endpoint] */
	struct selection_list *with; /* [label set] -> endpoints */
	struct space *spaces;        /* by place */
	size_t n_spaces;
	uint32_t *space_at; /* [endpoint] -> the space that it is the first of, or NONE */
	struct bh_vec hits; /* struct follow_hit, of all namespaces that follow */
};

struct compile_state;

/* The first half: selection, labels, places, claims. Marks lists as touched. -ENOMEM. */
int epoch_make(struct compile_state *st, const struct delta *d, struct bh_err *err);
void epoch_done(struct epoch *e);

/* --- lists.c, rules.c: what peers come to ----------------------------------------------------- */

/* Lists of addresses: [service], then [label set], then these two. */
#define LIST_MANAGED 0
#define LIST_HOST    1
#define LISTS_MORE   2

/* What a rule or an entry of a guardrail looks at. */
struct needs {
	const uint32_t *lists;
	size_t n_lists;
	const uint32_t *ports; /* lists of those with a named port: the number may be another */
	size_t n_ports;
	bool known, contested;
};

/* How a target or a list came out otherwise: not at all, by a few addresses, or more than that. */
enum change { CHANGE_NONE, CHANGE_FEW, CHANGE_MUCH };

struct moves {
	enum change change;
	size_t at, n; /* CHANGE_FEW: these of st->moved */
};

struct plan {
	struct needs needs;
	struct moves moves;
	bool narrow;  /* some of its ports are ranges: single addresses of it are no hash then */
	void *memory; /* of its target or boxes, unless those are a list's */
};

struct compile_state {
	struct compiler c;
	struct compile_input in; /* of the last call; policies, endpoints borrowed */
	struct host_config host;
	char digest[65];
	bool filled;
	struct ruleset_list carrier; /* lends c.out an arena */
	struct ruleset_share *names;
	struct bh_arena *plans;
	struct epoch now, next;
	struct label_sets label_sets;
	struct addr_list *lists; /* r->services are the first of them */
	struct moves *moves;     /* [list] */
	bool *touched, *changed; /* [list]: its members or their addresses; what came of it */
	struct addr_list turned; /* addresses that became contested, or ceased to be */
	bool known_changed;
	struct ruleset_share *known;          /* NULL: not asked for yet */
	struct plan **rule_plans[DIRECTIONS]; /* [service][rule] */
	struct plan **deny_plans;             /* [guardrail][entry] */
	bool *service_changed, *guard_changed;
	struct bh_vec moved; /* struct bh_addr: in or out of a target or a list */
	struct content **buckets;
	uint64_t versions; /* given out so far */
	size_t n_buckets, n_contents;
	struct bh_vec buried; /* void *: freed when nothing refers to it any more */
	struct bh_arena *scratch;
};

static inline size_t state_list_of_set(const struct compile_state *st, size_t set)
{
	return st->c.resolver.in->policies->n_services + set;
}

static inline size_t state_list_more(const struct compile_state *st, size_t which)
{
	return state_list_of_set(st, st->label_sets.n) + which;
}

/* Once for a policy set: label sets, names, what each rule needs. */
int plans_make(struct compile_state *st, struct bh_err *err);
/* Lists of addresses that were touched, and `known`. -ENOMEM, -E2BIG with ERR set. */
int lists_update(struct compile_state *st, struct diag_list *diags, struct bh_err *err);
/* Targets and boxes of what looks at something that changed, or expired. */
int rules_update(struct compile_state *st, bool all, struct bh_err *err);
/* What is in one of two lists only, to st->moved. */
struct moves state_note_moves(struct compile_state *st, const struct addr_list *x,
			      const struct addr_list *y);
/* Free P when this update is over. -ENOMEM: it is not taken. */
int state_bury(struct compile_state *st, void *p);

/* --- spaces.c, contents.c, mend.c: namespaces, and those that say the same ------------------------------ */

/* What a body lives in: entries of each direction, guards, and the rest; or one for several. */
enum content_part { PART_EGRESS, PART_INGRESS, PART_GUARDS, PART_HEAD };
#define CONTENT_PARTS 4

struct content {
	struct content *next; /* in its bucket */
	uint64_t hash;
	struct subject key; /* without a home; lives behind this struct */
	struct ruleset body;
	uint64_t version;             /* another one, another body */
	struct ruleset_share *bundle; /* keeps the parts */
	struct ruleset_share *parts[CONTENT_PARTS];
	bool built, stale, used;
};

/* The namespaces of st->next, with hits and contents, but no rulesets. */
int spaces_update(struct compile_state *st, const struct delta *d, struct bh_err *err);
/* The content of namespaces that will say what KEY says, made when there is none. NULL: no memory. */
struct content *content_get(struct compile_state *st, const struct subject *key);
/* Mark those whose rulesets may have become others. */
void contents_mark(struct compile_state *st);
/* Its body, compiled if it has to be. */
int content_build(struct compile_state *st, struct content *k, struct bh_err *err);
/* The same from the body that it has; false: it has to be compiled anew. */
bool content_mend(struct compile_state *st, struct content *k, int *ret);
/* A share of its own for a part of a body. NULL: no memory, with ERR set. */
struct ruleset_share *content_new_part(struct bh_err *err, struct bh_arena **ret_arena);
/* K says BODY from now on. PARTS: a reference each, which is taken in any case. */
int content_set_body(struct compile_state *st, struct content *k, const struct ruleset *body,
		     struct ruleset_share *const *parts);
/* What the compiler makes next goes into ARENA. */
void content_lend(struct compile_state *st, struct bh_arena *arena);
bool content_same_list(const struct entry_list *x, const struct entry_list *y);
/* Free those that no namespace used since. */
void contents_sweep(struct compile_state *st);
void contents_free(struct compile_state *st);
/* The same to the last byte, but for the endpoint and `known`. */
bool content_same_body(const struct ruleset *a, const struct ruleset *b);

#endif
