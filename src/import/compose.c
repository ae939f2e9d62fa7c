/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/import/compose.h>

#include <errno.h>
#include <string.h>

#include <bulkhead/base/limits.h>

#include "compose.h"

static int write_policies(const struct compose_file *f, struct compose_import *c)
{
	struct compose_policy *policies = bh_arena_array(c->arena, f->n, sizeof(*policies));
	struct bh_buf text;
	int r = policies ? 0 : -ENOMEM;

	bh_buf_init(&text, BH_COMPOSE_POLICY_MAX);
	for (size_t i = 0; r >= 0 && i < f->n; i++) {
		bh_buf_reset(&text);
		compose_write(f, &f->services[i], &text);
		r = bh_buf_error(&text);
		policies[i].name = f->services[i].policy;
		policies[i].len = text.len;
		policies[i].text = bh_arena_strndup(c->arena, bh_buf_str(&text), text.len);
		if (!policies[i].text)
			r = -ENOMEM;
	}
	bh_buf_done(&text);
	c->policies = policies;
	c->n = f->n;
	return r;
}

/* What comments call the file: the last part of its path, as it can stand in one. */
static const char *base_name(struct bh_arena *arena, const char *path)
{
	const char *slash = strrchr(path, '/');
	char shown[128];

	return bh_arena_strdup(arena,
			       bh_escape_str(shown, sizeof(shown), slash ? slash + 1 : path));
}

static int import(const struct policy_source *src, const char *project, const char *directory,
		  struct compose_import *c, struct diag_list *diags)
{
	struct compose_file f = { .base = base_name(c->arena, src->name) };
	size_t errors = diags->errors;
	int r = f.base ? tree_open(&f.tree, src, c->arena, diags) : -ENOMEM;

	if (r < 0)
		return r;
	r = compose_read(&f, project, directory);
	if (r >= 0 && diags->errors > errors)
		r = -EINVAL;
	if (r >= 0)
		r = write_policies(&f, c);
	tree_close(&f.tree);
	return r;
}

int compose_import(const struct policy_source *src, const char *project, const char *directory,
		   struct compose_import **ret, struct diag_list *diags, struct bh_err *err)
{
	struct bh_arena *arena = bh_arena_new();
	struct compose_import *c = arena ? bh_arena_alloc(arena, sizeof(*c)) : NULL;
	int r = c ? 0 : -ENOMEM;

	if (c) {
		c->arena = arena;
		r = import(src, project, directory, c, diags);
	}
	if (r >= 0) {
		*ret = c;
		return 0;
	}
	bh_arena_free(arena);
	if (r == -ENOMEM)
		return bh_err_oom(err);
	return bh_err_set(err, r, "%s cannot be read as a Compose file", src->name);
}

void compose_import_free(struct compose_import *c)
{
	if (c)
		bh_arena_free(c->arena);
}
