/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_ADVISE_PRIVATE_H
#define BULKHEAD_ADVISE_PRIVATE_H

#include <bulkhead/advise/advise.h>
#include <bulkhead/base/arena.h>
#include <bulkhead/base/buf.h>
#include <bulkhead/model/addrindex.h>
#include <bulkhead/policy/edit.h>
#include <bulkhead/policy/policy.h>

#define NONE UINT32_MAX

/* --- view.c: what policies mean for the endpoints --------------------------------------------- */

struct view {
	struct compile_input in;
	struct selection *selection;
	struct ruleset_list *rulesets;
	struct explainer *explainer;
};

int view_build(struct view *v, const struct policy_set *policies, const struct advise_input *in,
	       struct bh_err *err);
void view_done(struct view *v);

/* --- flows ----------------------------------------------------------------------------------- */

/* One end of a flow: an address, and who has it; or an endpoint with whichever address it has. */
struct end {
	struct explain_party party;
	uint32_t endpoint; /* or NONE */
};

enum flow_state { FLOW_CHOSEN, FLOW_REFUSED, FLOW_PASSES };

struct chosen {
	struct end from, to;
	struct port_spec port;
	bool asked[DIRECTIONS]; /* whose policy counts: EGRESS of FROM, INGRESS of TO */
	const char *record, *text;
	enum flow_state state;
};

struct adviser {
	struct bh_arena *arena;
	struct addr_index owners; /* endpoints, by their addresses */
	const struct advise_input *in;
	struct view before;
	struct bh_vec flows, refused, notes;
	struct bh_vec wants; /* struct want */
	struct bh_vec edits; /* struct policy_edit *, in the order of files' services */
	size_t refused_more;
};

/* What an explanation says of one end. */
const struct explain_end *end_of(const struct explanation *x, enum direction d);
/* Does this end let it pass, and not only for being in audit mode? */
bool end_is_clean(const struct explain_end *e);
/* A flow by the policies of V: those ends that are asked. -ENOMEM. */
int flow_judge(const struct view *v, const struct chosen *f, struct explanation *x, bool *ret_clean,
	       struct bh_err *err);
/* "web -> ledger 6379/tcp", in the arena; NULL: out of memory. */
const char *flow_text(struct adviser *a, const struct end *from, const struct end *to,
		      const struct port_spec *port);
int owners_index(struct adviser *a, struct bh_err *err);
/* The endpoint that has this address; NONE: nobody here, or two claim it. */
uint32_t owner_of(const struct adviser *a, const struct bh_addr *addr);
bool endpoint_has(const struct endpoint_set *set, uint32_t endpoint, const struct bh_addr *addr);
/* As people call it, escaped; "" for NONE. */
#define NAME_STR 80
const char *endpoint_called(const struct endpoint_set *set, uint32_t endpoint, char out[NAME_STR]);

/* Once for a flow; its texts say which it was. `why` is copied. */
int refuse(struct adviser *a, struct chosen *f, const struct advice_refusal *why,
	   struct bh_err *err);
/* A record that became no flow: each reason once for what looks the same. All is copied. */
int refuse_record(struct adviser *a, const char *record, const char *flow, const char *why,
		  struct bh_err *err);
int refuse_for(struct adviser *a, struct chosen *f, struct bh_err *err, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* Each sentence once. */
int note(struct adviser *a, struct bh_err *err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* --- want.c: whose policy has to say what ----------------------------------------------------- */

struct want {
	size_t flow;    /* index */
	size_t service; /* whose policy; index */
	enum direction direction;
	bool dns;
	uint32_t peer;           /* service, or NONE: then ADDR */
	struct bh_addr addr;     /* the far end */
	const struct rule *rule; /* that is extended, or NULL */
	bool need[SCOPE_FIELDS];
	struct port_spec port;
	struct policy_edit *edit; /* that does it */
};

/* The wants of all flows that are chosen still; others become FLOW_PASSES or FLOW_REFUSED. */
int wants_find(struct adviser *a, struct bh_err *err);

/* --- match.c: which rule is about whom -------------------------------------------------------- */

/* The rule of SERVICE that is for exactly this peer, and could have one port more; or NULL. */
const struct rule *match_rule(const struct adviser *a, const struct service *service,
			      const struct want *w, uint32_t far);
/* What scopes require of a flow between SERVICE and PEER (NULL: no service). */
void match_fields(const struct adviser *a, const struct service *service,
		  const struct service *peer, bool need[SCOPE_FIELDS]);
bool match_labels(const struct adviser *a, const struct peer *p, uint32_t endpoint);

/* --- join.c: wants to as few edits as can be -------------------------------------------------- */

int wants_join(struct adviser *a, struct bh_err *err);

/* --- attempt.c: are they what was asked for? -------------------------------------------------- */

struct attempt {
	struct policy_source *sources; /* all, edited or not */
	struct bh_buf *texts;          /* of those that are edited; the others are empty */
	size_t n_texts;
	struct policy_files *files;
	struct policy_set *policies;
	struct view after;
};

/* 1: A's edits do it; 0: some flows were refused, so all is to be found anew. */
int attempt_edits(struct adviser *a, struct attempt *t, struct bh_err *err);
void attempt_done(struct attempt *t);
/* The same edits as a person gets them: with placeholders. */
int attempt_texts(struct adviser *a, struct advice *ret, struct bh_err *err);

/* --- also.c ---------------------------------------------------------------------------------- */

int also_find(struct adviser *a, const struct attempt *t, struct advice *ret, struct bh_err *err);

/* --- remark.c -------------------------------------------------------------------------------- */

/* Scopes that the flows touch, and addresses that are more than they seem. */
int remark_wants(struct adviser *a, struct bh_err *err);

#endif
