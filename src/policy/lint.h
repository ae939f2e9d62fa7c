/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_POLICY_LINT_PRIVATE_H
#define BULKHEAD_POLICY_LINT_PRIVATE_H

#include <stdint.h>

#include <bulkhead/model/policy.h>

#include "overlap.h"
#include "set.h"

/* One run over a set. All lookups are by sorted names: time grows as the set does. */
struct lint {
	const struct policy_set *set;
	int64_t now;
	struct diag_list *diags;
	struct name_entry *services, *groups, *scopes; /* sorted */
	bool *used;                                    /* [accept.index] */
	struct overlaps overlaps;
	struct group_cover *group_covers; /* [group] */
	size_t steps;                     /* what is left of BH_LINT_STEPS_MAX */
	bool exhausted;
};

/* Whose accept: counts for what is said. */
struct lint_about {
	const struct accepts *document, *rule; /* RULE may be NULL */
};
#define ABOUT(doc, r)       (&(const struct lint_about) { &(doc)->accepts, &(r)->accepts })
#define ABOUT_DOCUMENT(doc) (&(const struct lint_about) { &(doc)->accepts, NULL })

/* A warning, unless one of ABOUT accepts it. */
void lint_warn(struct lint *l, const struct lint_about *about, const struct src_loc *loc,
	       const char *id, const char *hint, const char *fmt, ...)
	__attribute__((format(printf, 6, 7)));
/* It will be said when it is time: who accepts it now is not too early. */
void lint_later(struct lint *l, const struct lint_about *about, const char *id);

/* So many comparisons are made now. False: there were too many, and it will be told. */
static inline bool lint_step(struct lint *l, size_t n)
{
	l->exhausted = l->exhausted || l->steps < n;
	l->steps -= l->exhausted ? 0 : n;
	return !l->exhausted;
}

static inline bool rule_is_over(const struct rule *r, int64_t now)
{
	return r->expires && r->expires <= now;
}

const struct service *lint_service(const struct lint *l, const char *name); /* or NULL */
const struct group *lint_group(const struct lint *l, const char *name);
const struct scope *lint_scope(const struct lint *l, const char *name);
static inline size_t lint_service_index(const struct lint *l, const struct service *s)
{
	return (size_t)(s - l->set->services);
}

/* Each of a file. 0 or -ENOMEM. */
void lint_rules(struct lint *l);  /* what a rule says by itself: lint_rules.c */
int lint_flows(struct lint *l);   /* both ends: lint_flows.c */
int lint_scopes(struct lint *l);  /* lint_scopes.c */
int lint_covered(struct lint *l); /* shadowed rules, overlaps: lint_covered.c */
int lint_names(struct lint *l);   /* groups and scopes: lint_names.c */

/* No peer can have an address in it: of rules and guardrails. */
bool peer_has_no_address(const struct lint *l, const struct peer *p);

#endif
