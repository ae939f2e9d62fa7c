/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/store/generations.h>

#include <string.h>

#include <bulkhead/base/linediff.h>
#include <bulkhead/base/text.h>

static const struct policy_source nothing = { NULL, "", 0 };

static void put_name(struct bh_buf *out, const char *before, const struct policy_source *f)
{
	bh_buf_addstr(out, before);
	if (f->name)
		bh_escape(out, f->name, strlen(f->name));
	else
		bh_buf_addstr(out, "/dev/null");
	bh_buf_addstr(out, "\n");
}

/* An empty file that comes or goes has a head and no hunk. */
static int diff_file(const struct policy_source *old, const struct policy_source *new,
		     struct bh_buf *out)
{
	if (old->name && new->name &&
	    old->len == new->len &&memcmp(old->data, new->data, old->len) == 0)
		return 0;
	put_name(out, "--- ", old);
	put_name(out, "+++ ", new);
	return linediff(old->data, old->len, new->data, new->len, out);
}

/* Both are sorted by name. */
int generation_diff_sources(const struct policy_source *old, size_t n_old,
			    const struct policy_source *new, size_t n_new, struct bh_buf *out)
{
	size_t i = 0, j = 0;
	int r = 0;

	while (r >= 0 && (i < n_old || j < n_new)) {
		int order = i == n_old ? 1 : j == n_new ? -1 : strcmp(old[i].name, new[j].name);

		r = diff_file(order <= 0 ? &old[i] : &nothing, order >= 0 ? &new[j] : &nothing,
			      out);
		i += order <= 0;
		j += order >= 0;
	}
	return r < 0 ? r : bh_buf_error(out);
}

int generation_diff(const struct generation *old, const struct generation *new, struct bh_buf *out)
{
	const struct policy_source *old_host = old && old->host.name ? &old->host : &nothing;
	const struct policy_source *new_host = new->host.name ? &new->host : &nothing;
	int r = generation_diff_sources(old ? old->files : NULL, old ? old->n_files : 0, new->files,
					new->n_files, out);

	if (r >= 0 && (old_host->name || new_host->name))
		r = diff_file(old_host, new_host, out);
	return r < 0 ? r : bh_buf_error(out);
}
