/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/limits.h>
#include <bulkhead/model/changes.h>
#include <bulkhead/policy/format.h>
#include <bulkhead/policy/policy.h>

/*
 * Any text in its canonical form. Beyond not crashing: what is written is read with the same mistakes, or
 * as the same policies; it has every comment; it is canonical. Nothing has to be refused for being lost
 * on the way: what cannot be kept is known before.
 */

static void must(int true_for_all_input)
{
	if (!true_for_all_input)
		abort();
}

static int text_cmp(const void *a, const void *b)
{
	const struct diag *x = a, *y = b;

	return strcmp(x->id, y->id);
}

static void same_mistakes(struct diag_list *a, struct diag_list *b)
{
	must(a->errors == b->errors && a->warnings == b->warnings && a->n == b->n);
	if (!a->n || a->errors > BH_DIAGS_MAX)
		return;
	qsort(a->d, a->n, sizeof(*a->d), text_cmp);
	qsort(b->d, b->n, sizeof(*b->d), text_cmp);
	for (size_t i = 0; i < a->n; i++)
		must(strcmp(a->d[i].id, b->d[i].id) == 0);
}

static size_t count(const char *s, size_t len, char c)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += s[i] == c;
	return n;
}

static void same_policies(const struct policy_source *a, const struct policy_source *b)
{
	struct policy_set *x = NULL, *y = NULL;
	struct bh_err err = BH_ERR_INIT;
	struct policy_change *changes;
	struct diag_list dx, dy;
	size_t n;
	int r;

	diag_list_init(&dx);
	diag_list_init(&dy);
	r = policy_parse(a, 1, &x, &dx, &err);
	must(r == policy_parse(b, 1, &y, &dy, &err));
	same_mistakes(&dx, &dy);
	if (r == 0) {
		must(policy_changes(x, y, &changes, &n, &err) == 0 && n == 0);
		free(changes);
	}
	policy_set_free(x);
	policy_set_free(y);
	diag_list_done(&dx);
	diag_list_done(&dy);
}

static void none_is_lost(const struct diag_list *diags)
{
	for (size_t i = 0; i < diags->n; i++)
		must(!diags->d[i].hint || strncmp(diags->d[i].hint, "please report", 13) != 0);
}

static void check(const struct policy_source *src)
{
	struct policy_source formatted = { src->name, NULL, 0 };
	struct bh_err err = BH_ERR_INIT;
	struct diag_list diags;
	struct bh_buf out;
	int r;

	diag_list_init(&diags);
	bh_buf_init(&out, BH_FORMAT_BYTES_MAX);
	r = policy_format(src, &out, &diags, &err);
	must(r == 0 || r == -EINVAL);
	must((r == 0) == (diags.errors == 0));
	none_is_lost(&diags);
	if (r == 0) {
		formatted.data = bh_buf_str(&out);
		formatted.len = out.len;
		must(count(src->data, src->len, '#') <= count(formatted.data, formatted.len, '#') ||
		     memchr(src->data, '\\', src->len));
		same_policies(src, &formatted);
	}
	bh_buf_done(&out);
	diag_list_done(&diags);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct policy_source src = { "p.yaml", (const char *)data, size };

	check(&src);
	return 0;
}
