/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_SRC_COMPILE_COMPILER_H
#define BULKHEAD_SRC_COMPILE_COMPILER_H

#include "follow.h"
#include "guard.h"

/* One run of compile_rulesets(), step by step: live rules, subjects, rulesets. */

/* Who decides what passes when no guardrail denies it. */
enum speaker { SPEAKER_NOBODY, SPEAKER_QUARANTINE, SPEAKER_SERVICES };

/* A port that the I-th name of an ingress rule stands for in this namespace. */
struct subject_port {
	uint32_t service, rule, name, port;
};

/* A namespace that gets a ruleset. Those that agree in all but `home` share one. */
struct subject {
	uint32_t home; /* its first endpoint */
	struct selection_list services, guards;
	enum speaker speaker;
	struct addr_list resolvers;    /* only when one of the services has `dns: allow` */
	const struct follow_hit *hits; /* only when one of them has `egress: follow` */
	size_t n_hits;
	const struct subject_port *ports; /* only when a rule of one of them names a port; sorted */
	size_t n_ports;
};

struct compiler {
	struct resolver resolver;
	struct live_service *live; /* [service] */
	struct guards guards;
	struct subject *subjects;
	size_t n_subjects;
	struct bh_vec hits; /* struct follow_hit */
	struct ruleset_list *out;
	struct bh_arena *names; /* of what rulesets say: as long as those are */
	struct bh_arena *plans; /* of live rules: as long as the compiler is */
	const char *generation;
	const struct bh_range *known;
	struct bh_err *err;
};

/* All rules, resolved and named. 0 or -errno with the sentence in c->err. */
int compiler_make_live(struct compiler *c);
/* The same in two steps: names, then what each rule's peers come to (nothing once it expired). */
int compiler_name_live(struct compiler *c);
int compiler_resolve_rule(struct compiler *c, size_t service, enum direction d, size_t i,
			  struct target *ret, struct named_list *ret_named);
/* --- named.c ----------------------------------------------------------------------------------- */

/* The numbers of a rule's named ports among those in WHERE, in the resolver's arena. -ENOMEM. */
int named_resolve(struct resolver *r, const struct rule *rule, const struct target *where,
		  struct named_list *ret);
bool named_list_equal(const struct named_list *x, const struct named_list *y);
/* Those that the members of a namespace have, for ingress rules of these services. -ENOMEM. */
int named_of_members(struct compiler *c, const uint32_t *members, size_t n, struct subject *s);
/* Warn of names that no port has where they are looked up: nothing is let through by them. */
void named_warn(struct compiler *c, struct diag_list *diags);
/* The ports of an ingress rule in the namespace of S, names replaced by numbers. -ENOMEM. */
int named_ports(struct compiler *c, const struct subject *s, uint32_t service, uint32_t rule,
		struct piece *p);

/*
 * One namespace from those of its N endpoints that compiler_is_subject(); without hits. *RET_ANY:
 * it gets a ruleset.
 */
int compiler_make_subject(struct compiler *c, const uint32_t *members, size_t n,
			  struct subject *ret, bool *ret_any);
bool compiler_is_subject(const struct compiler *c, uint32_t endpoint, bool all);
/* Does one of these services follow? */
bool compiler_follows(const struct compiler *c, const struct selection_list *services);
/* Everything but the endpoint and `known`, into c->out->arena. */
int compiler_make_ruleset(struct compiler *c, const struct subject *s, struct ruleset *ret);
/* Of it the rules: struct piece, to be freed with bh_vec_done() also after a failure. */
int compiler_make_pieces(struct compiler *c, const struct subject *s, struct bh_vec *ret);
/* Does it ask for `known`? */
bool compiler_says_world(const struct ruleset *r);
#define COMPILER_ENDPOINT_TEXT_MAX 100
/* Who gets a ruleset, sorted by what it will say, then by namespace. The same errors. */
int compiler_make_subjects(struct compiler *c, bool all);
/* 0 = the two get the same ruleset but for the endpoint. */
int subject_cmp_content(const struct subject *x, const struct subject *y);

static inline const struct service *compiler_service(const struct compiler *c, uint32_t i)
{
	return &c->resolver.in->policies->services[i];
}

static inline const struct endpoint *compiler_endpoint(const struct compiler *c, uint32_t i)
{
	return &c->resolver.in->endpoints->endpoints[i];
}

#endif
