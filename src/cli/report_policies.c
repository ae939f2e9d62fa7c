/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>
#include <bulkhead/policy/policy.h>

#include "report.h"

/* What the policies say of the scope, and who may write them. */

void gather_text(json_t *o, const char *key, const char *s)
{
	struct bh_buf b;

	if (!s || !s[0])
		return;
	bh_buf_init(&b, 1 << 20);
	bh_tame(&b, s, strlen(s));
	json_object_set_new(o, key, json_string(bh_buf_str(&b)));
	bh_buf_done(&b);
}

json_t *gather_state(const char *state, const char *why)
{
	json_t *o = json_pack("{s:s}", "state", state);

	gather_text(o, "why", why);
	return o;
}

bool gather_is_joined(const char *text, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = text; len && (at = strstr(at, word)); at += len)
		if ((at == text || at[-1] == ' ' || at[-1] == ',') &&
		    (at[len] == '\0' || at[len] == ','))
			return true;
	return false;
}

bool gather_is_inside(const struct gathering *g, const struct service *s)
{
	return s && s->scope && strcmp(s->scope, g->scope->name) == 0;
}

static void put_where(json_t *o, const struct src_loc *loc)
{
	char file[512], where[600];

	snprintf(where, sizeof(where), "%s:%u",
		 bh_escape_str(file, sizeof(file), loc->file ? loc->file : "policy"), loc->line);
	json_object_set_new(o, "where", json_string(where));
}

/* --- the scope -------------------------------------------------------------------------------- */

static json_t *scope_object(const struct scope *s)
{
	json_t *requires = json_object();
	json_t *o = json_pack("{s:s, s:i, s:o}", "name", s->name, "review_days",
			      (int)s->review_days, "requires", requires);

	gather_text(o, "title", s->title);
	gather_text(o, "framework", s->framework);
	put_where(o, &s->loc);
	for (int f = 0; f < SCOPE_FIELDS; f++)
		json_object_set_new(requires, scope_field_name((enum scope_field)f),
				    json_boolean(s->require[f]));
	return o;
}

static json_t *service_object(const struct service *s)
{
	json_t *o = json_pack("{s:s, s:s, s:b, s:b}", "name", s->name, "mode", mode_name(s->mode),
			      "log_denied", s->log_denied, "log_allowed", s->log_allowed);

	gather_text(o, "owner", s->owner);
	put_where(o, &s->loc);
	return o;
}

/* --- guardrails ------------------------------------------------------------------------------- */

static bool selects_inside(const struct gathering *g, const struct guardrail *r)
{
	if (r->all || (r->scope && strcmp(r->scope, g->scope->name) == 0))
		return true;
	for (size_t i = 0; i < r->n_services; i++)
		if (gather_is_inside(g, policy_set_service(g->site->policies, r->services[i])))
			return true;
	return false;
}

static json_t *guardrail_object(const struct guardrail *r)
{
	json_t *reasons = json_array(), *o = json_pack("{s:s}", "name", r->name);

	put_where(o, &r->loc);
	for (size_t i = 0; i < r->n_deny; i++) {
		json_t *one = json_object();

		gather_text(one, "reason", r->deny[i].rule.reason);
		if (json_object_get(one, "reason"))
			json_array_append(reasons, json_object_get(one, "reason"));
		json_decref(one);
	}
	json_object_set_new(o, "reasons", reasons);
	return o;
}

/* --- who may write ---------------------------------------------------------------------------- */

static void add_path(json_t *paths, const char *path)
{
	json_t *o = json_object();
	struct stat st;
	const char *why = NULL;

	if (stat(path, &st) < 0)
		why = "it cannot be looked at";
	else if (st.st_uid != 0)
		why = "it belongs to somebody else than root";
	else if (st.st_mode & (S_IWGRP | S_IWOTH) && !(st.st_mode & S_ISVTX))
		why = "others than its owner may write to it";
	gather_text(o, "path", path);
	json_object_set_new(o, "safe", json_boolean(!why));
	gather_text(o, "why", why);
	json_array_append_new(paths, o);
}

static int on_path(const char *path, void *arg)
{
	add_path(arg, path);
	return 0;
}

static json_t *paths_list(const struct cli_options *o)
{
	json_t *paths = json_array();

	for (size_t i = 0; i < o->n_policies; i++) {
		struct stat st;

		if (stat(o->policies[i], &st) == 0 && S_ISDIR(st.st_mode))
			add_path(paths, o->policies[i]);
	}
	policy_each_path(o->policies, o->n_policies, on_path, paths, NULL);
	return paths;
}

int gather_policies(struct gathering *g, size_t warnings)
{
	const struct policy_set *p = g->site->policies;
	json_t *guardrails = json_array(), *services = json_array();

	json_object_set_new(g->report, "scope", scope_object(g->scope));
	for (size_t i = 0; i < p->n_guardrails; i++)
		if (selects_inside(g, &p->guardrails[i]))
			json_array_append_new(guardrails, guardrail_object(&p->guardrails[i]));
	for (size_t i = 0; i < p->n_services; i++)
		if (gather_is_inside(g, &p->services[i]))
			json_array_append_new(services, service_object(&p->services[i]));
	json_object_set_new(g->report, "policies",
			    json_pack("{s:s, s:i, s:i, s:o, s:o}", "digest", p->digest, "files",
				      (int)p->n_files, "warnings", (int)warnings, "guardrails",
				      guardrails, "paths", paths_list(g->options)));
	json_object_set_new(g->report, "services", services);
	return CLI_YES;
}
