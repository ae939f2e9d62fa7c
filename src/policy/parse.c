/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/policy/policy.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <bulkhead/base/limits.h>

#include "parse.h"
#include "set.h"

static int read_documents(struct set_builder *b, struct doc_reader *d)
{
	for (;;) {
		struct bh_arena *tree = bh_arena_new();
		const struct node *root = NULL;
		int r;

		if (!tree)
			return -ENOMEM;
		r = doc_next(d, tree, &root);
		if (r > 0 && root) {
			int q = document_read(b, root);

			r = q < 0 ? q : r;
		}
		bh_arena_free(tree);
		if (r <= 0)
			return r;
	}
}

static int read_source(struct set_builder *b, const struct policy_source *src)
{
	const char *file = bh_arena_strdup(b->rd.arena, src->name);
	struct doc_reader d;
	int r;

	if (!file)
		return -ENOMEM;
	if (src->len > BH_POLICY_FILE_BYTES_MAX) {
		source_too_big(b->rd.diags, file);
		b->incomplete = true;
		return 0;
	}
	r = doc_open(&d, file, src->data, src->len, b->rd.diags);
	if (r >= 0) {
		r = read_documents(b, &d);
		doc_close(&d);
	}
	if (r != -EINVAL)
		return r;
	b->incomplete = true; /* reported; the other files are read all the same */
	return 0;
}

void source_too_big(struct diag_list *diags, const char *file)
{
	struct src_loc loc = { .file = file };

	diag_add(diags, DIAG_ERROR, &loc, "file-too-big", "split it into several files",
		 "larger than %u MiB; this file was not read", BH_POLICY_FILE_BYTES_MAX >> 20);
}

static const struct {
	size_t size, max;
	const char *many;
} kinds[NAME_KINDS] = {
	[NAME_SERVICE] = { sizeof(struct service), BH_SERVICES_MAX, "services" },
	[NAME_GROUP] = { sizeof(struct group), BH_GROUPS_MAX, "groups" },
	[NAME_SCOPE] = { sizeof(struct scope), BH_SCOPES_MAX, "scopes" },
	[NAME_GUARDRAIL] = { sizeof(struct guardrail), BH_GUARDRAILS_MAX, "guardrails" },
	[NAME_TEST] = { sizeof(struct policy_test), BH_TESTS_MAX, "tests" },
};

void *set_define(struct set_builder *b, enum name_kind kind, const struct node *root,
		 int *ret_error)
{
	void *slot = bh_vec_push(&b->defs[kind]);

	*ret_error = 0;
	if (slot)
		return slot;
	if (b->defs[kind].n < b->defs[kind].max) {
		*ret_error = -ENOMEM;
		return NULL;
	}
	b->incomplete = true;
	mistake(&b->rd, root, "too-many", NULL, "more than %zu %s", kinds[kind].max,
		kinds[kind].many);
	return NULL;
}

static int finish(struct set_builder *b, const struct policy_source *sources, size_t n,
		  struct policy_set **ret)
{
	struct bh_arena *arena = b->rd.arena;
	struct policy_set *set = bh_arena_alloc(arena, sizeof(*set));
	void *defs[NAME_KINDS];

	for (int k = 0; k < NAME_KINDS; k++) {
		defs[k] = bh_arena_memdup(arena, b->defs[k].data, b->defs[k].n * kinds[k].size);
		if (b->defs[k].n && !defs[k])
			return -ENOMEM;
	}
	if (!set)
		return -ENOMEM;
	*set = (struct policy_set) {
		.arena = arena,
		.services = defs[NAME_SERVICE],
		.n_services = b->defs[NAME_SERVICE].n,
		.groups = defs[NAME_GROUP],
		.n_groups = b->defs[NAME_GROUP].n,
		.scopes = defs[NAME_SCOPE],
		.n_scopes = b->defs[NAME_SCOPE].n,
		.guardrails = defs[NAME_GUARDRAIL],
		.n_guardrails = b->defs[NAME_GUARDRAIL].n,
		.tests = defs[NAME_TEST],
		.n_tests = b->defs[NAME_TEST].n,
		.n_accepts = b->n_accepts,
		.n_files = n,
	};
	digest_sources(sources, n, set->digest);
	*ret = set;
	return 0;
}

int sources_parse(const struct policy_source *sources, size_t n, bool incomplete,
		  struct policy_set **ret_set, struct diag_list *diags, struct bh_err *err)
{
	struct set_builder b = { .incomplete = incomplete };
	size_t errors = diags->errors;
	int r = 0;

	b.rd = (struct reader) { .arena = bh_arena_new(), .diags = diags, .user = &b };
	for (int k = 0; k < NAME_KINDS; k++)
		bh_vec_init(&b.defs[k], kinds[k].size, kinds[k].max);
	/* A name takes more than a byte of the files. */
	bh_vec_init(&b.refs, sizeof(struct ref), BH_POLICY_SET_BYTES_MAX);
	if (!b.rd.arena)
		r = -ENOMEM;
	for (size_t i = 0; r >= 0 && i < n; i++)
		r = read_source(&b, &sources[i]);
	if (r >= 0)
		r = names_check(&b);
	if (r >= 0 && (incomplete || diags->errors > errors))
		r = bh_err_set(err, -EINVAL, "the policies are not valid");
	if (r >= 0)
		r = finish(&b, sources, n, ret_set);
	if (r < 0)
		bh_arena_free(b.rd.arena);
	for (int k = 0; k < NAME_KINDS; k++)
		bh_vec_done(&b.defs[k]);
	bh_vec_done(&b.refs);
	return r == -ENOMEM ? bh_err_oom(err) : r;
}

int policy_parse(const struct policy_source *sources, size_t n, struct policy_set **ret_set,
		 struct diag_list *diags, struct bh_err *err)
{
	return sources_parse(sources, n, false, ret_set, diags, err);
}
