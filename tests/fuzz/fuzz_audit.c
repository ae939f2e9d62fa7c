/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>

#include "../../src/store/chain.h"
#include "../../src/store/genfile.h"

/*
 * Somebody else's audit trail and generation. Beyond not crashing: a line that is whole is made from
 * what it says, byte for byte; findings are counted as they are told and harm no terminal; a generation
 * that is accepted has the digest of its files, and written again it is the same.
 */

static void must(int true_for_all_input)
{
	if (!true_for_all_input)
		abort();
}

static void must_be_tame(const char *s)
{
	struct bh_buf b;

	bh_buf_init(&b, 1 << 20);
	bh_tame(&b, s, strlen(s));
	must(strcmp(bh_buf_str(&b), s) == 0);
	bh_buf_done(&b);
}

static void on_finding(const struct audit_finding *f, void *arg)
{
	++*(size_t *)arg;
	must(f->text[0] && f->first <= f->last && audit_fault_name(f->fault) != NULL);
	must_be_tame(f->text);
}

static void as_line(struct chain *c, const char *data, size_t len)
{
	struct audit_item item = { .file = "audit.jsonl", .line = 1 };
	int64_t next = c->next;

	chain_line(c, &item, data, len);
	must((item.entry != NULL) == (item.seq != 0));
	must(item.entry || !item.intact);
	must(c->next >= next);
	json_decref((json_t *)item.entry);
}

static void as_trail(const char *data, size_t size)
{
	const struct audit_head head = { .seq = 3, .hash = ZERO_DIGEST };
	size_t told = 0, lines = 0;
	struct chain c;

	chain_init(&c, on_finding, &told);
	c.head = head;
	while (size) {
		const char *newline = memchr(data, '\n', size);
		size_t n = newline ? (size_t)(newline - data) : size;

		as_line(&c, data, n);
		n += newline != NULL;
		data += n;
		size -= n;
		lines++;
	}
	chain_end(&c, &head);
	must(told == c.verdict.findings);
	must(c.verdict.entries <= lines);
	must(c.verdict.first <= c.verdict.last);
}

static void check_generation(struct generation *g)
{
	struct generation_info info = g->info;
	char digest[DIGEST_HEX];
	struct bh_buf b;

	must(genfile_is_id(g->info.id) && g->n_files == g->info.n_files);
	must_be_tame(g->info.name);
	digest_sources(g->files, g->n_files, digest);
	must(strcmp(digest, g->info.digest) == 0);
	bh_buf_init(&b, BH_GENERATION_BYTES_MAX);
	must(genfile_write(g->files, g->n_files, g->host.name ? &g->host : NULL, &info, &b) == 0);
	must(strcmp(info.id, g->info.id) == 0);
	bh_buf_done(&b);
}

static void as_generation(const uint8_t *data, size_t size)
{
	char *copy = malloc(size ? size : 1);
	struct generation *g = NULL;

	if (!copy)
		return;
	memcpy(copy, data, size);
	if (genfile_read(copy, size, &g) < 0) {
		must(!g);
		free(copy);
		return;
	}
	check_generation(g);
	generation_free(g); /* and the copy */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	as_trail((const char *)data, size);
	as_generation(data, size);
	return 0;
}
