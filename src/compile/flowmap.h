/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_SRC_COMPILE_FLOWMAP_H
#define BULKHEAD_SRC_COMPILE_FLOWMAP_H

#include <bulkhead/base/arena.h>
#include <bulkhead/base/buf.h>
#include <bulkhead/compile/compile.h>

#include "pieces.h"

/*
 * What policies allow, without endpoints: between any two services, and between a service and the
 * addresses outside. Each service has a stand-in, and one more for each set of labels that a peer
 * names and that the service can have; what they may do is read from their compiled rulesets, so it
 * is what the kernel would do, however the policies are worded.
 */

/* Who may be an end of a flow. Numbers are those of the stand-ins' addresses. */
enum party_kind {
	PARTY_SERVICE,
	PARTY_LABELLED,
	PARTY_ANOTHER,
	PARTY_PODS,
	PARTY_HOST,
	PARTY_RESOLVER
};

struct party {
	enum party_kind kind;
	const char *name;    /* "web", "web {team=shop}", "the host" */
	const char *service; /* or NULL */
	const struct label *labels;
	size_t n_labels;
	uint32_t base;           /* its service's first party */
	const struct pods *pods; /* that a peer names, whoever selects them */
};

/* All parties of one set of policies, or of two that are compared: the same numbers for both. */
struct cast {
	struct bh_arena *arena;
	struct standin_block block;
	struct party *parties; /* services by name, each followed by what else it has */
	size_t n;              /* without host and resolver */
	struct party host, resolver;
	size_t labels_left_out; /* sets of labels for which there was no room */
};

/* Everything lives in CAST's arena, and borrows from the N sets. -ENOMEM, -E2BIG. */
int cast_make(const struct policy_set *const *sets, size_t n, struct cast *ret, struct bh_err *err);
void cast_done(struct cast *c);
/* All addresses of the stand-ins, none of which is outside. */
struct bh_range cast_block(const struct cast *c, uint8_t family);
const struct party *cast_party(const struct cast *c, uint32_t number);

/* What one end allows of flows from SOURCE to DESTINATION. */
struct end_flow {
	uint32_t source, destination;
	struct pieces pieces[2]; /* over IPv4, over IPv6 */
};

/* And of flows with whoever is outside. */
struct outside_flow {
	uint32_t party;
	struct bh_range range;
	struct pieces pieces;
};

struct flowmap {
	const struct cast *cast;
	struct policy_set policies; /* as they are, but none is in audit or off */
	struct endpoint_set *endpoints;
	struct ruleset_list *rulesets;
	bool *there;                       /* [party]: is there one here? */
	const struct ruleset **ruleset_of; /* [party], NULL: it is not there, or nothing holds it */
	struct bh_vec ends[DIRECTIONS];    /* struct end_flow, by source and destination */
	struct bh_vec outside[DIRECTIONS]; /* struct outside_flow, by party and address */
	struct bh_rangeset world;          /* what entity: world means, but for the stand-ins */
	int64_t now;
};

int flowmap_make(const struct cast *cast, const struct policy_set *policies,
		 const struct host_config *host, int64_t now, struct flowmap *ret,
		 struct bh_err *err);
void flowmap_done(struct flowmap *m);

/* The flow of ENDS with that source and destination, or NULL. */
const struct end_flow *flowmap_find(const struct flowmap *m, enum direction d, uint32_t source,
				    uint32_t destination);
/* What that end alone allows, over either family. */
int flowmap_half(const struct flowmap *m, enum direction d, uint32_t source, uint32_t destination,
		 struct pieces *ret);
/* What both ends allow over one family; an end that is outside allows everything. */
int flowmap_both(const struct flowmap *m, uint32_t source, uint32_t destination,
		 struct pieces *ret);
/* FILE:LINE that refuses a flow at PARTY's end, or NULL: nothing does. */
const char *flowmap_refusal(const struct flowmap *m, enum direction d, uint32_t party,
			    const struct bh_addr *remote, uint32_t port);
/* The same as flowmap_both(): what guardrails of PARTY deny, all addresses, by address. */
int flowmap_guarded(const struct flowmap *m, enum direction d, uint32_t party, struct bh_vec *ret);
bool party_is_outside(const struct party *p);

/* "the world", "203.0.113.0/24, 10.0.0.1", "any address but 10.0.0.0/8". */
void flowmap_name_ranges(const struct flowmap *m, const struct bh_rangeset *s, struct bh_buf *out);

void outside_done(struct bh_vec *v);

#endif
