/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_COMPILE_COMPILE_H
#define BULKHEAD_COMPILE_COMPILE_H

#include <bulkhead/base/err.h>
#include <bulkhead/model/diag.h>
#include <bulkhead/model/endpoint.h>
#include <bulkhead/model/host.h>
#include <bulkhead/model/policy.h>
#include <bulkhead/model/ruleset.h>

/*
 * Policies x endpoints -> one ruleset per namespace. Pure: no I/O, no privileges, no clock; the
 * same input gives the same output, byte for byte, in any order of endpoints.
 */

/* Which services an endpoint is, and which endpoints a service has. Indexes, ascending. */
struct selection_list {
	const uint32_t *i;
	size_t n;
};

struct selection {
	struct bh_arena *arena;
	struct selection_list *services_of;  /* [endpoint] -> services */
	struct selection_list *endpoints_of; /* [service] -> endpoints */
};

/* Match every selector against every endpoint. IMAGE_LABELS: labels baked into images count. */
int selection_new(const struct policy_set *policies, const struct endpoint_set *endpoints,
		  bool image_labels, struct selection **ret, struct bh_err *err);
void selection_free(struct selection *s);

struct compile_input {
	const struct policy_set *policies;
	const struct endpoint_set *endpoints;
	const struct host_config *host;
	int64_t now; /* seconds since the epoch: rules that expired before it are left out */
};

/*
 * Compile for every endpoint that a service with a mode other than off or a guardrail selects, that
 * has a netns and is not in the host's namespace (with UNMANAGED_QUARANTINE also for those that no
 * service selects). With ALL_SUBJECTS, endpoints without a netns get a ruleset too (for explain). Endpoints
 * of one namespace (netns_ino equal, not 0) get one ruleset: the union.
 * Warnings in DIAGS: an address claimed twice (denied everywhere), a cap reached.
 */
int compile_rulesets(const struct compile_input *in, bool all_subjects, struct ruleset_list **ret,
		     struct diag_list *diags, struct bh_err *err);

/* --- again and again ------------------------------------------------------------------------ */

/*
 * compile_rulesets() for whoever compiles the same policies over and over while endpoints come, go
 * and change: the same rulesets, but only what can have become another is compiled, and the others
 * are shared from list to list. A state remembers the last call.
 */
struct compile_state;

struct compile_state *compile_state_new(void);     /* NULL: out of memory */
void compile_state_free(struct compile_state *st); /* takes NULL */
/* Forget the last call: for when its policies or endpoints are to be freed before the next one. */
void compile_state_reset(struct compile_state *st);

enum compile_change_kind { COMPILE_APPEARED, COMPILE_CHANGED, COMPILE_VANISHED };

/* A namespace, told by its inode (else its path), whose ruleset is not the one of the last call. */
struct compile_change {
	enum compile_change_kind kind;
	size_t before; /* ruleset_item.endpoint, as of the last call; 0 when it appeared */
	size_t after;  /* the same, now; 0 when it vanished */
};

struct compile_changes {
	const struct compile_change *c; /* lives in the list that came with it; by `after`, then the
					 * vanished */
	size_t n;
	bool all; /* nothing was remembered: every namespace counts as appeared */
};

/*
 * Compile IN as compile_rulesets(in, false, ...) does, warnings included. *RET is the caller's
 * (ruleset_list_free()), for as long as he likes; a namespace that is not among *RET_CHANGES has the
 * very same struct ruleset in it as in the list before. IN's policies and endpoints stay borrowed
 * until the next call has returned, or compile_state_reset(). The policies must be unchanged if
 * they are the same pointer; with others, or another host file, all is compiled. After a failure
 * (errors as compile_rulesets()) nothing is remembered.
 *
 * An inode is given out again by the kernel: a namespace that is not among the changes may still be
 * a new one without a table.
 */
int compile_update(struct compile_state *st, const struct compile_input *in,
		   struct ruleset_list **ret, struct compile_changes *ret_changes,
		   struct diag_list *diags, struct bh_err *err);

/* --- rules and their counters ----------------------------------------------------------------- */

/* A rule as it is written, and the name of what counts it in every namespace that it holds in. */
struct compile_rule {
	const struct service *service;     /* NULL: an entry of */
	const struct guardrail *guardrail; /* this one */
	const struct rule *rule;           /* NULL: dns: allow */
	enum direction direction;
	const struct src_loc *loc;
	const char *name; /* of the counter; until FN returns */
};
/*
 * Each of them, services first, in the order of the files. What a service takes over from others
 * (egress: follow) is not written and not handed out. A negative return of FN ends it. -ENOMEM.
 */
int compile_each_rule(const struct policy_set *p,
		      int (*fn)(const struct compile_rule *r, void *arg), void *arg,
		      struct bh_err *err);

/* --- explain ------------------------------------------------------------------------------ */

enum explain_verdict { EXPLAIN_ALLOW, EXPLAIN_DENY };

/* What one end says. */
struct explain_end {
	bool enforced;         /* false: no ruleset here (outside, unmanaged, mode off) */
	bool allowed;          /* true as well when not enforced or in audit mode */
	bool audit;            /* would have been denied, but the service is in audit mode */
	bool guardrail;        /* a guardrail denies it: rule and where are its */
	const char *services;  /* borrowed from the ruleset, or NULL */
	const char *rule;      /* counter name of the rule that allows, or of the guardrail's */
	const char *where;     /* FILE:LINE that decides: of the rule, or of the default deny; NULL
				* where nothing does */
	const char *near_rule; /* nearest rule that almost matched, or NULL */
	const char *near_where;
	char near_text[160]; /* what differs: "allows 5432/tcp, not 6379/tcp" */
};

struct explanation {
	enum explain_verdict verdict;
	struct bh_addr from, to; /* the pair that decided (allow wins over deny) */
	struct explain_end source, destination;
	char sentence[512]; /* for a person */
};

/* An end of a question: an endpoint (index) or an address. */
struct explain_party {
	bool is_endpoint;
	size_t endpoint;
	struct bh_addr addr;
};

struct explainer;
/* RULESETS must come from compile_rulesets(..., true, ...). All inputs are borrowed. */
int explainer_new(const struct compile_input *in, const struct ruleset_list *rulesets,
		  struct explainer **ret, struct bh_err *err);
void explainer_free(struct explainer *x);

/*
 * "web", "shop/web" or an address -> a party. -ENOENT with a hint in ERR; -EEXIST when
 * ambiguous.
 */
int explain_party_parse(const struct endpoint_set *endpoints, const char *s,
			struct explain_party *ret, struct bh_err *err);

/* One port or ICMP type, or `icmp` alone (an echo-request): what can be asked about. */
bool explain_port_is_one(const struct port_spec *port);

/*
 * ALLOW if any pair of addresses of one family passes at both ends. An endpoint to itself: allow.
 * -EINVAL unless explain_port_is_one().
 */
int explain(const struct explainer *x, const struct explain_party *from,
	    const struct explain_party *to, const struct port_spec *port, struct explanation *ret,
	    struct bh_err *err);
/* The verdict alone, fast: for --batch. DENY unless explain_port_is_one(). */
enum explain_verdict explain_verdict(const struct explainer *x, const struct explain_party *from,
				     const struct explain_party *to, const struct port_spec *port);

/* --- without endpoints ----------------------------------------------------------------------- */

/*
 * A stand-in is an endpoint that nobody runs: it has what the select: of its service names and
 * nothing else (a wildcard is the word stand-in), an address of each family, and no name of its own.
 * So a policy set can be asked what it means where there are no containers.
 */
#define STANDINS_MAX 100000
struct standin_block {
	struct bh_addr first[2]; /* IPv4, IPv6: from here on they count up */
	bool resolver;           /* all of them ask the one at STANDIN_RESOLVER */
};
#define STANDIN_RESOLVER (STANDINS_MAX - 1)
#define STANDIN_HOST     (STANDINS_MAX - 2) /* for whoever gives the host an address */
/* Addresses that no prefix in the N sets names, if there are any among those for benchmarks, shared
 * or otherwise not in use; else ones that only wide prefixes cover. */
void standin_block_choose(const struct policy_set *const *sets, size_t n,
			  struct standin_block *ret);
/* The address of that number, below STANDINS_MAX. */
struct bh_addr standin_addr(const struct standin_block *block, uint32_t number, uint8_t family);
/*
 * Add one with this id, number and further labels. 1: it was; 0: the service selects none that has
 * these labels. -errno as endpoint_builder_add().
 */
int standin_add(struct endpoint_builder *b, const struct standin_block *block,
		const struct service *s, const struct label *labels, size_t n_labels,
		uint32_t number, const char *id, struct bh_err *err);

/* The same for pods that a peer names, whoever selects them. 0: also when it is not known which
 * namespace has the labels that are asked for. */
int standin_add_pods(struct endpoint_builder *b, const struct standin_block *block,
		     const struct pods *p, uint32_t number, const char *id, struct bh_err *err);
/* Can there be a stand-in for them? */
bool standin_fits_pods(const struct pods *p);

/* --- policy tests ---------------------------------------------------------------------------- */

/*
 * The tests of a policy set, asked one by one. INVENTORY may be NULL; a service that has no endpoint
 * in it has two stand-ins. All inputs are borrowed. Errors as compile_rulesets().
 */
struct trial;
int trial_new(const struct policy_set *policies, const struct endpoint_set *inventory,
	      const struct host_config *host, int64_t now, struct trial **ret,
	      struct diag_list *diags, struct bh_err *err);
void trial_free(struct trial *t); /* takes NULL */

struct trial_answer {
	bool passed;
	size_t pairs;         /* of endpoints that were asked about, up to the one that decided */
	struct explanation x; /* of that: the first that is not as expected, else the first */
};
/*
 * Is it as E expects, between each endpoint that from: names and each that to: names (another one,
 * where there is another)? -ENOENT: a name is nobody's, which DIAGS says; -ENOMEM.
 */
int trial_ask(const struct trial *t, const struct expectation *e, struct trial_answer *ret,
	      struct diag_list *diags, struct bh_err *err);

#endif
