/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/policy/policy.h>

#include <errno.h>
#include <endian.h>
#include <stdio.h>
#include <string.h>

#include <nettle/sha2.h>

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

/* Lengths stand before names and bytes, so that no two sets have the same input to the hash. */
static void digest(const struct policy_source *src, size_t n, char out[65])
{
	uint8_t sum[SHA256_DIGEST_SIZE];
	struct sha256_ctx ctx;

	sha256_init(&ctx);
	for (size_t i = 0; i < n; i++) {
		uint64_t len[2] = { htobe64(strlen(src[i].name)), htobe64(src[i].len) };

		sha256_update(&ctx, sizeof(len), (const uint8_t *)len);
		sha256_update(&ctx, strlen(src[i].name), (const uint8_t *)src[i].name);
		sha256_update(&ctx, src[i].len, (const uint8_t *)src[i].data);
	}
	sha256_digest(&ctx, sizeof(sum), sum);
	for (size_t i = 0; i < sizeof(sum); i++)
		sprintf(out + 2 * i, "%02x", sum[i]);
}

static int finish(struct set_builder *b, const struct policy_source *sources, size_t n,
		  struct policy_set **ret)
{
	struct bh_arena *arena = b->rd.arena;
	struct policy_set *set = bh_arena_alloc(arena, sizeof(*set));
	void *services =
		bh_arena_memdup(arena, b->services.data, b->services.n * sizeof(struct service));
	void *groups = bh_arena_memdup(arena, b->groups.data, b->groups.n * sizeof(struct group));

	if (!set || (b->services.n && !services) || (b->groups.n && !groups))
		return -ENOMEM;
	*set = (struct policy_set) {
		.arena = arena,
		.services = services,
		.n_services = b->services.n,
		.groups = groups,
		.n_groups = b->groups.n,
		.n_files = n,
	};
	digest(sources, n, set->digest);
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
	bh_vec_init(&b.services, sizeof(struct service), BH_SERVICES_MAX);
	bh_vec_init(&b.groups, sizeof(struct group), BH_GROUPS_MAX);
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
	bh_vec_done(&b.services);
	bh_vec_done(&b.groups);
	bh_vec_done(&b.refs);
	return r == -ENOMEM ? bh_err_oom(err) : r;
}

int policy_parse(const struct policy_source *sources, size_t n, struct policy_set **ret_set,
		 struct diag_list *diags, struct bh_err *err)
{
	return sources_parse(sources, n, false, ret_set, diags, err);
}
