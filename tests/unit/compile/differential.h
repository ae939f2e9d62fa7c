/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_TESTS_UNIT_COMPILE_DIFFERENTIAL_H
#define BULKHEAD_TESTS_UNIT_COMPILE_DIFFERENTIAL_H

/* A site that changes, compiled anew and step by step, and the two compared to the last byte. */

#include <errno.h>
#include <stdio.h>

#include "population.h"

struct differential {
	struct pop pop;
	struct compile_state *state;
	struct endpoint_set *endpoints; /* of the last step */
	struct ruleset_list *list;
	size_t shared, changed; /* over all steps: how often either happened */
	char why[256];
};

/* --- to the last byte ------------------------------------------------------------------------- */

static inline bool diff_text(const char *a, const char *b)
{
	return (!a && !b) || (a && b && strcmp(a, b) == 0);
}

static inline bool diff_entries(const struct entry_list *a, const struct entry_list *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (entry_cmp(&a->e[i], &b->e[i]) != 0 || a->e[i].rule != b->e[i].rule ||
		    a->e[i].expires != b->e[i].expires)
			return false;
	return true;
}

static inline bool diff_rules(const struct ruleset *a, const struct ruleset *b)
{
	if (a->n_rules != b->n_rules)
		return false;
	for (size_t i = 0; i < a->n_rules; i++)
		if (!diff_text(a->rules[i].name, b->rules[i].name) ||
		    !diff_text(a->rules[i].where, b->rules[i].where) ||
		    a->rules[i].direction != b->rules[i].direction)
			return false;
	return true;
}

static inline bool diff_known(const struct ruleset *a, const struct ruleset *b)
{
	return a->n_known == b->n_known &&
	       (!a->n_known || memcmp(a->known, b->known, a->n_known * sizeof(*a->known)) == 0);
}

static inline bool diff_ruleset(const struct ruleset *a, const struct ruleset *b, char *why,
				size_t cap)
{
	bool same = ruleset_equal(a, b, why, cap);

	if (!same)
		return false;
	snprintf(why, cap, "ruleset_equal() is blind to it");
	same = diff_text(a->endpoint, b->endpoint) && diff_text(a->services, b->services) &&
	       diff_text(a->generation, b->generation) && a->open == b->open &&
	       a->mode == b->mode && a->on_deny == b->on_deny && a->log_denied == b->log_denied &&
	       a->log_allowed == b->log_allowed && diff_rules(a, b) && diff_known(a, b);
	for (int d = 0; d < DIRECTIONS; d++) {
		same = same && diff_text(a->deny_where[d], b->deny_where[d]);
		for (int k = 0; k < ENTRY_KINDS; k++)
			same = same && diff_entries(&a->entries[d][k], &b->entries[d][k]);
		for (int k = 0; k < GUARD_KINDS; k++)
			same = same && diff_entries(&a->guards[d][k], &b->guards[d][k]);
	}
	return same;
}

static inline bool diff_lists(struct differential *d, const struct ruleset_list *want,
			      const struct ruleset_list *have, size_t n_endpoints)
{
	char text[96];

	if (want->n != have->n) {
		snprintf(d->why, sizeof(d->why), "%zu rulesets instead of %zu", have->n, want->n);
		return false;
	}
	for (size_t i = 0; i < want->n; i++) {
		if (want->items[i].endpoint == have->items[i].endpoint &&
		    diff_ruleset(want->items[i].ruleset, have->items[i].ruleset, text,
				 sizeof(text)))
			continue;
		snprintf(d->why, sizeof(d->why), "endpoint %s: %s",
			 want->items[i].ruleset->endpoint,
			 want->items[i].endpoint == have->items[i].endpoint ? text : "another one");
		return false;
	}
	snprintf(d->why, sizeof(d->why), "namespaces or guarded endpoints differ");
	return memcmp(want->home_of, have->home_of, n_endpoints * sizeof(*want->home_of)) == 0 &&
	       memcmp(want->guarded, have->guarded, n_endpoints * sizeof(*want->guarded)) == 0;
}

static inline bool diff_diags(struct differential *d, const struct diag_list *want,
			      const struct diag_list *have)
{
	snprintf(d->why, sizeof(d->why), "%zu warnings instead of %zu", have->n, want->n);
	if (want->n != have->n)
		return false;
	for (size_t i = 0; i < want->n; i++)
		if (strcmp(want->d[i].text, have->d[i].text) != 0) {
			snprintf(d->why, sizeof(d->why), "another warning: %.200s",
				 have->d[i].text);
			return false;
		}
	return true;
}

/* --- the changes ------------------------------------------------------------------------------ */

static inline const struct ruleset *diff_item(const struct ruleset_list *l, size_t endpoint)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->items[i].endpoint == endpoint)
			return l->items[i].ruleset;
	return NULL;
}

static inline bool same_place(const struct endpoint *a, const struct endpoint *b)
{
	if (a->netns_ino || b->netns_ino)
		return a->netns_ino == b->netns_ino;
	return strcmp(a->netns, b->netns) == 0;
}

/* One change on its own: it names what is there, and what it says of it holds. */
static inline bool check_change(const struct differential *d, const struct compile_change *c,
				const struct endpoint_set *e, const struct ruleset_list *now)
{
	const struct ruleset *a, *b;
	char text[96];

	a = c->kind == COMPILE_APPEARED ? NULL : diff_item(d->list, c->before);
	b = c->kind == COMPILE_VANISHED ? NULL : diff_item(now, c->after);
	if ((c->kind != COMPILE_APPEARED && !a) || (c->kind != COMPILE_VANISHED && !b))
		return false;
	return c->kind != COMPILE_CHANGED ||
	       (same_place(&d->endpoints->endpoints[c->before], &e->endpoints[c->after]) &&
		!diff_ruleset(a, b, text, sizeof(text)));
}

/* Every namespace is either among the changes, or has the very same ruleset as before. */
static inline bool check_changes(struct differential *d, const struct compile_changes *c,
				 const struct endpoint_set *e, const struct ruleset_list *now)
{
	size_t n = d->endpoints ? d->endpoints->n : 0, kept = 0;
	bool *told = calloc(e->n + 1, 1), *lost = calloc(n + 1, 1), good = told && lost;

	for (size_t i = 0; good && !c->all && i < c->n; i++) {
		good = check_change(d, &c->c[i], e, now);
		if (c->c[i].kind != COMPILE_VANISHED)
			told[c->c[i].after] = true;
		if (c->c[i].kind != COMPILE_APPEARED)
			lost[c->c[i].before] = true;
	}
	for (size_t i = 0; good && !c->all && i < now->n; i++) {
		const struct ruleset *old = NULL;

		if (told[now->items[i].endpoint])
			continue;
		for (size_t k = 0; k < d->list->n && !old; k++)
			if (d->list->items[k].ruleset == now->items[i].ruleset &&
			    !lost[d->list->items[k].endpoint])
				old = d->list->items[k].ruleset;
		good = old != NULL;
		kept++;
	}
	for (size_t i = 0; good && !c->all && i < d->list->n; i++)
		kept -= !lost[d->list->items[i].endpoint];
	good = good && kept == 0;
	snprintf(d->why, sizeof(d->why), "the changes are not what changed");
	d->changed += c->n;
	d->shared += now->n - (c->n < now->n ? c->n : now->n);
	free(told);
	free(lost);
	return good;
}

/* --- steps ------------------------------------------------------------------------------------ */

static inline void differential_init(struct differential *d, const struct pop_random *random)
{
	struct pop_shape shape = { .odd = true };
	struct pop first = { .random = *random };

	if (!first.random.state)
		first.random.state = 88172645463325252u;
	shape.services = 3 + pop_rnd(&first, 12);
	shape.endpoints = 4 + pop_rnd(&first, 40);
	shape.teams = 2 + pop_rnd(&first, 4);
	shape.scopes = 1 + pop_rnd(&first, 3);
	shape.guardrails = pop_rnd(&first, 6);
	shape.addresses = 10 + pop_rnd(&first, 120);
	*d = (struct differential) { .state = compile_state_new() };
	assert(d->state);
	pop_init(&d->pop, &shape, &first.random);
}

static inline void differential_done(struct differential *d)
{
	ruleset_list_free(d->list);
	endpoint_set_free(d->endpoints);
	compile_state_free(d->state);
	pop_done(&d->pop);
}

static inline void differential_change(struct differential *d)
{
	struct pop *p = &d->pop;
	unsigned n = pop_one_in(p, 12) ? p->shape.endpoints / 2 : 1 + pop_rnd(p, 2);

	while (n--)
		pop_change_one(p, pop_rnd(p, p->shape.endpoints));
	if (pop_one_in(p, 6))
		p->now += (int64_t)pop_rnd(p, 60) - 10;
	if (pop_one_in(p, 15))
		p->host_addrs = pop_rnd(p, 6);
	if (pop_one_in(p, 25))
		p->zones = pop_rnd(p, 64);
	if (pop_one_in(p, 40))
		p->host.unmanaged = (enum unmanaged)pop_rnd(p, 2);
	if (pop_one_in(p, 40))
		p->host.image_labels = pop_one_in(p, 2);
}

/* Change something and compile it both ways; false with d->why when they are not the same. */
static inline bool differential_step(struct differential *d)
{
	struct endpoint_set *e = pop_endpoints(&d->pop);
	struct compile_input in = pop_input(&d->pop, e);
	struct ruleset_list *want = NULL, *have = NULL;
	struct compile_changes changes = { 0 };
	struct diag_list said[2];
	int r_want, r_have;
	bool good;

	diag_list_init(&said[0]);
	diag_list_init(&said[1]);
	r_want = compile_rulesets(&in, false, &want, &said[0], NULL);
	r_have = compile_update(d->state, &in, &have, &changes, &said[1], NULL);
	snprintf(d->why, sizeof(d->why), "returned %d instead of %d", r_have, r_want);
	good = r_want == r_have && (r_want < 0 || (diff_lists(d, want, have, e->n) &&
						   diff_diags(d, &said[0], &said[1]) &&
						   check_changes(d, &changes, e, have)));
	diag_list_done(&said[0]);
	diag_list_done(&said[1]);
	ruleset_list_free(want);
	ruleset_list_free(d->list);
	endpoint_set_free(d->endpoints);
	d->list = have;
	d->endpoints = e;
	differential_change(d);
	return good;
}

#endif
