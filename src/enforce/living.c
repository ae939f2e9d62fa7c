/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "living.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Of a process that has ended and is not waited for yet, there is no namespace. */
static bool lives(const struct endpoint *e)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", e->pid);
	return stat(path, &st) == 0 && st.st_ino == e->netns_ino;
}

static bool has_id(const struct endpoint_set *s, const char *id)
{
	const struct endpoint *e = endpoint_set_find(s, id, NULL);

	return e && strcmp(e->id, id) == 0;
}

static bool is_missing(const struct endpoint *e, const struct endpoint_set *now)
{
	return endpoint_is_of_engine(e->runtime) && e->pid && e->netns_ino && !has_id(now, e->id) &&
	       lives(e);
}

static int add_missing(const struct endpoint_set *before, struct endpoint_set **now,
		       struct endpoint_builder *b, struct bh_err *err)
{
	struct endpoint_set *all = NULL;
	int r = endpoint_builder_add_set(b, *now, NULL, NULL, err);

	if (r >= 0)
		r = endpoint_builder_add_namespace_labels(b, (*now)->namespace_labels,
							  (*now)->n_namespace_labels, err);
	for (size_t i = 0; i < before->n && r >= 0; i++)
		if (is_missing(&before->endpoints[i], *now))
			r = endpoint_builder_add(b, &before->endpoints[i], err);
	if (r >= 0)
		r = endpoint_builder_finish(b, &all, err);
	if (r < 0)
		return r;
	endpoint_set_free(*now);
	*now = all;
	return 0;
}

int living_keep(const struct endpoint_set *before, struct endpoint_set **now, struct bh_err *err)
{
	struct endpoint_builder *b;
	bool missing = false;
	int r;

	for (size_t i = 0; before && i < before->n && !missing; i++)
		missing = is_missing(&before->endpoints[i], *now);
	if (!missing)
		return 0;
	b = endpoint_builder_new();
	r = b ? add_missing(before, now, b, err) : bh_err_oom(err);
	endpoint_builder_free(b);
	return r;
}
