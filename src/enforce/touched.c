/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/enforce/touched.h>

#include <stdio.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/model/changes.h>

static void add_object(struct touched *o, const char *kind, const char *name)
{
	size_t i = o->n++;

	if (i >= BH_AUDIT_OBJECTS_MAX)
		return;
	snprintf(o->text[i], sizeof(o->text[i]), "%s%s%s", kind, name ? "/" : "", name ? name : "");
	o->list[i] = o->text[i];
}

static void add_owner(struct touched *o, const char *owner)
{
	char text[BH_AUDIT_WORD_MAX];

	if (!owner || o->n >= BH_AUDIT_OBJECTS_MAX)
		return;
	snprintf(text, sizeof(text), "owner/%.*s", BH_AUDIT_WORD_MAX - 8, owner);
	for (size_t i = 0; i < o->n; i++)
		if (strcmp(o->text[i], text) == 0)
			return;
	add_object(o, text, NULL);
}

static bool other_host(const struct site *a, const struct site *b)
{
	const struct policy_source *x = &a->host.source, *y = &b->host.source;

	return x->len != y->len || (x->len && memcmp(x->data, y->data, x->len) != 0);
}

void site_touched(const struct site *before, const struct site *after, struct touched *o)
{
	bh_autofree struct policy_change *changes = NULL;
	size_t n = 0;

	o->n = 0;
	if (!before || !before->policies || !after || !after->policies ||
	    policy_changes(before->policies, after->policies, &changes, &n, NULL) < 0)
		return;
	for (size_t i = 0; i < n; i++) {
		add_owner(o, changes[i].owner_before);
		add_owner(o, changes[i].owner_after);
	}
	if (other_host(before, after))
		add_object(o, "host-file", NULL);
	for (size_t i = 0; i < n; i++)
		add_object(o, policy_kind_name(changes[i].kind), changes[i].name);
}
