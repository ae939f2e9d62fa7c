/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>
#include <bulkhead/store/inforce.h>

#include "cli.h"

/* As long as names are mostly unique, and rollback takes. */
#define SHORT_ID 12

static void notice(const char *text, void *arg)
{
	fprintf(stderr, "bulkhead: %s\n", text);
}

static const char *mark_of(const struct generation_info *g, const struct in_force *now)
{
	if (strcmp(g->id, now->id) == 0)
		return now->waits ? "?" : "*";
	return strcmp(g->id, now->before) == 0 ? "-" : " ";
}

static void print_text(const struct generation_info *g, const struct in_force *now)
{
	char when[BH_TIME_STR];

	printf("%s %.*s  %s  %s(%u)  %zu %s, %zu bytes\n", mark_of(g, now), SHORT_ID, g->id,
	       bh_format_time(when, g->when), g->name, g->uid, g->n_files,
	       g->n_files == 1 ? "file" : "files", g->bytes);
}

static void print_json(const struct generation_info *g, const struct in_force *now)
{
	bool in_force = strcmp(g->id, now->id) == 0;
	char when[BH_TIME_STR];
	json_t *o = json_pack("{s:s, s:s, s:I, s:s, s:{s:I, s:s}, s:I, s:I, s:b, s:b, s:b}",
			      "generation", g->id, "policies", g->digest, "number",
			      (json_int_t)g->number, "when", bh_format_time(when, g->when), "who",
			      "uid", (json_int_t)g->uid, "name", g->name, "files",
			      (json_int_t)g->n_files, "bytes", (json_int_t)g->bytes, "in_force",
			      in_force, "unconfirmed", in_force && now->waits, "before",
			      strcmp(g->id, now->before) == 0);

	cli_print_object(o);
	json_decref(o);
}

int cli_list_generations(const struct cli_options *o)
{
	bh_autofree struct generation_info *g = NULL;
	struct bh_err err = BH_ERR_INIT;
	struct in_force now;
	char dir[PATH_MAX];
	size_t n = 0;
	int r;

	if (snprintf(dir, sizeof(dir), "%s/generations", o->store ? o->store : BH_STORE_DIR) >=
	    (int)sizeof(dir))
		return cli_fail(CLI_USAGE, "history: the store's name is too long");
	if (in_force_load(o->store, &now, &err) < 0) {
		notice(err.msg, NULL);
		err = (struct bh_err)BH_ERR_INIT;
	}
	r = generations_list(dir, &g, &n, notice, NULL, &err);
	if (r < 0)
		return cli_fail(CLI_FAILED, "%s", err.msg);
	for (size_t i = 0; i < n; i++) {
		if (o->json)
			print_json(&g[i], &now);
		else
			print_text(&g[i], &now);
	}
	return n ? CLI_YES : cli_fail(CLI_NO, "history: no generation is kept in %s", dir);
}
