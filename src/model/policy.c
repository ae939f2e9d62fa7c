/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/model/policy.h>

#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/arena.h>

void policy_set_free(struct policy_set *p)
{
	if (p)
		bh_arena_free(p->arena); /* P itself lives in it */
}

const struct service *policy_set_service(const struct policy_set *p, const char *name)
{
	for (size_t i = 0; i < p->n_services; i++)
		if (strcmp(p->services[i].name, name) == 0)
			return &p->services[i];
	return NULL;
}

const struct group *policy_set_group(const struct policy_set *p, const char *name)
{
	for (size_t i = 0; i < p->n_groups; i++)
		if (strcmp(p->groups[i].name, name) == 0)
			return &p->groups[i];
	return NULL;
}

const struct scope *policy_set_scope(const struct policy_set *p, const char *name)
{
	for (size_t i = 0; i < p->n_scopes; i++)
		if (strcmp(p->scopes[i].name, name) == 0)
			return &p->scopes[i];
	return NULL;
}

const struct accept *accepts_find(const struct accepts *a, const char *lint)
{
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->a[i].lint, lint) == 0)
			return &a->a[i];
	return NULL;
}

const char *scope_field_name(enum scope_field f)
{
	static const char *const names[SCOPE_FIELDS] = {
		[SCOPE_REASON] = "reason",
		[SCOPE_OWNER] = "owner",
		[SCOPE_REVIEWED] = "reviewed",
		[SCOPE_TICKET] = "ticket",
	};

	return names[f];
}

bool policy_is_file_name(const char *name)
{
	const char *dot = strrchr(name, '.');

	return name[0] != '.' && dot && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0);
}
