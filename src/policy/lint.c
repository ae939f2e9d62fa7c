/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lint.h"

#include <errno.h>
#include <stdlib.h>

#include <bulkhead/base/limits.h>
#include <bulkhead/policy/lint.h>
#include <bulkhead/policy/policy.h>

#include "cover.h"
#include "schema.h"

static const struct accept *find_accept(const struct lint_about *about, const char *id)
{
	const struct accept *a = about->rule ? accepts_find(about->rule, id) : NULL;

	return a ? a : accepts_find(about->document, id);
}

void lint_later(struct lint *l, const struct lint_about *about, const char *id)
{
	const struct accept *a = find_accept(about, id);

	if (a)
		l->used[a->index] = true;
}

void lint_warn(struct lint *l, const struct lint_about *about, const struct src_loc *loc,
	       const char *id, const char *hint, const char *fmt, ...)
{
	const struct accept *a = find_accept(about, id);
	va_list ap;

	lint_later(l, about, id);
	va_start(ap, fmt);
	diag_vadd(l->diags, DIAG_WARNING, a ? a->reason : NULL, loc, id, hint, fmt, ap);
	va_end(ap);
}

const struct service *lint_service(const struct lint *l, const char *name)
{
	const struct name_entry *e = names_find(l->services, l->set->n_services, name);

	return e ? &l->set->services[e->index] : NULL;
}

const struct group *lint_group(const struct lint *l, const char *name)
{
	const struct name_entry *e = names_find(l->groups, l->set->n_groups, name);

	return e ? &l->set->groups[e->index] : NULL;
}

const struct scope *lint_scope(const struct lint *l, const char *name)
{
	const struct name_entry *e = names_find(l->scopes, l->set->n_scopes, name);

	return e ? &l->set->scopes[e->index] : NULL;
}

/* --- entries of accept: that silence nothing ---------------------------------------------- */

/* What needs endpoints may be found on another host. */
static void report_unused(struct lint *l, const struct accepts *list)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct accept *a = &list->a[i];

		if (!l->used[a->index] && !lint_find(a->lint)->endpoints)
			diag_add(l->diags, DIAG_WARNING, &a->loc, "unused-accept",
				 "remove the entry", "there is no \"%s\" here to accept", a->lint);
	}
}

static void report_unused_of_rules(struct lint *l, const struct service *svc)
{
	for (unsigned d = 0; d < DIRECTIONS; d++)
		for (size_t k = 0; k < svc->n_rules[d]; k++)
			report_unused(l, &svc->rules[d][k].accepts);
}

static void report_all_unused(struct lint *l)
{
	const struct policy_set *set = l->set;

	for (size_t i = 0; i < set->n_services; i++) {
		report_unused(l, &set->services[i].accepts);
		report_unused_of_rules(l, &set->services[i]);
	}
	for (size_t i = 0; i < set->n_groups; i++)
		report_unused(l, &set->groups[i].accepts);
	for (size_t i = 0; i < set->n_scopes; i++)
		report_unused(l, &set->scopes[i].accepts);
	for (size_t i = 0; i < set->n_guardrails; i++) {
		report_unused(l, &set->guardrails[i].accepts);
		for (size_t k = 0; k < set->guardrails[i].n_deny; k++)
			report_unused(l, &set->guardrails[i].deny[k].rule.accepts);
	}
}

/* --- one run ------------------------------------------------------------------------------ */

static void end(struct lint *l)
{
	overlaps_done(&l->overlaps);
	group_covers_free(l->group_covers, l->set->n_groups);
	free(l->services);
	free(l->groups);
	free(l->scopes);
	free(l->used);
}

#define NAMES(l, kind)                                                                             \
	do {                                                                                       \
		for (size_t i_ = 0; i_ < (l)->set->n_##kind; i_++)                                 \
			(l)->kind[i_] = (struct name_entry) { (l)->set->kind[i_].name, i_ };       \
		names_sort((l)->kind, (l)->set->n_##kind);                                         \
	} while (0)

static int begin(struct lint *l)
{
	const struct policy_set *set = l->set;

	l->steps = BH_LINT_STEPS_MAX;
	l->services = calloc(set->n_services + 1, sizeof(*l->services));
	l->groups = calloc(set->n_groups + 1, sizeof(*l->groups));
	l->scopes = calloc(set->n_scopes + 1, sizeof(*l->scopes));
	l->used = calloc(set->n_accepts + 1, sizeof(*l->used));
	l->group_covers = group_covers_new(set);
	if (overlaps_init(&l->overlaps, set) < 0 || !l->services || !l->groups || !l->scopes ||
	    !l->used || !l->group_covers)
		return -ENOMEM;
	NAMES(l, services);
	NAMES(l, groups);
	NAMES(l, scopes);
	return 0;
}

static int run(struct lint *l)
{
	int r = begin(l);

	if (r < 0)
		return r;
	lint_rules(l);
	r = lint_scopes(l);
	if (r >= 0)
		r = lint_names(l);
	if (r >= 0)
		r = lint_flows(l);
	if (r >= 0)
		r = lint_covered(l);
	if (r >= 0 && !l->exhausted)
		report_all_unused(l);
	return r;
}

void policy_lint(const struct policy_set *set, int64_t now, struct diag_list *diags)
{
	struct lint l = { .set = set, .now = now, .diags = diags };
	const struct src_loc nowhere = { 0 };
	int r;

	if (!set->n_services && !set->n_guardrails)
		diag_add(diags, DIAG_WARNING, &nowhere, "no-service", NULL,
			 "there is no service in the policies: no container is protected");
	r = run(&l);
	if (r < 0)
		diag_add(diags, DIAG_WARNING, &nowhere, "not-checked", NULL,
			 "out of memory: not all was looked for");
	else if (l.exhausted)
		diag_add(diags, DIAG_WARNING, &nowhere, "not-checked",
			 "split rules with very many peers, or use groups",
			 "%d comparisons were not enough: not all was looked for",
			 BH_LINT_STEPS_MAX);
	end(&l);
}
