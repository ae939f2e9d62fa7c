/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_POLICY_CALLERS_PRIVATE_H
#define BULKHEAD_POLICY_CALLERS_PRIVATE_H

#include "lint.h"

/*
 * Which rules of a service may be about another one? Those that name it are found by its number; what
 * names no service is looked at each time.
 */
struct caller {
	uint32_t service; /* that is named; UINT32_MAX: none */
	uint32_t rule, peer;
	struct port_spec span; /* all ports of the rule lie in it */
};

struct caller_list {
	bool made;
	struct caller *c; /* by service, rule and peer */
	size_t n, named;  /* the first NAMED name a service */
};

struct callers {
	struct lint *l;
	struct caller_list *of[DIRECTIONS]; /* [service], each made when first asked for */
};

int callers_init(struct callers *c, struct lint *l); /* 0 or -ENOMEM */
void callers_done(struct callers *c);

/*
 * FN gets the rules of FAR in DIR that are in force and may be about an endpoint of NEAR, whose SAME are
 * the services that it may be, until it returns false. A rule may come more than once; with ONLY those
 * that may have a port of this rule, NULL: all. 0 or -ENOMEM.
 */
int callers_each(struct callers *c, size_t far, enum direction dir, size_t near,
		 const struct overlap *same, const struct rule *only,
		 bool (*fn)(const struct rule *r, void *arg), void *arg);

#endif
