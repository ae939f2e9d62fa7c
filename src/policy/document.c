/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "k8s.h"

#include <stdio.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>

/*
 * A document is what its first key says; one of Kubernetes may have its keys in any order.
 */
static const struct kind {
	const char *key;
	int (*read)(struct set_builder *b, const struct node *root);
	const struct schema *schema;
} kinds[] = {
	{ "service", service_read, &service_schema },
	{ "group", group_read, &group_schema },
	{ "guardrail", guardrail_read, &guardrail_schema },
	{ "scope", scope_read, &scope_schema },
	{ "test", test_read, &test_schema },
};

static const struct kind *find_kind(const char *key)
{
	for (size_t i = 0; i < BH_ARRAY_SIZE(kinds); i++)
		if (strcmp(kinds[i].key, key) == 0)
			return &kinds[i];
	return NULL;
}

bool document_kind(size_t i, struct document_kind *ret)
{
	if (i >= BH_ARRAY_SIZE(kinds))
		return false;
	*ret = (struct document_kind) { kinds[i].key, kinds[i].schema };
	return true;
}

const struct schema *document_schema(const struct node *root)
{
	const struct kind *kind = NULL;

	if (root->kind == NODE_MAP && root->first)
		kind = find_kind(root->first->key->text);
	return kind ? kind->schema : NULL;
}

/* The first key says nothing; a later one may. */
static void report_unknown(struct set_builder *b, const struct node *root)
{
	static const char *const words[] = { "service", "group", "guardrail",
					     "scope",   "test",  "apiVersion" };
	const struct node *first = root->first->key;
	char hint[HINT_MAX];

	for (const struct node *c = root->first; c; c = c->next) {
		const struct kind *kind = find_kind(c->key->text);

		if (!kind)
			continue;
		snprintf(hint, sizeof(hint), "move \"%s:\" from line %u to the top", kind->key,
			 c->key->loc.line);
		mistake(&b->rd, first, "unknown-document", hint,
			"a document begins with service:, group:, guardrail:, scope: or test:, "
			"not with \"%s\"",
			SHOWN(first->text));
		return;
	}
	mistake(&b->rd, first, "unknown-document",
		hint_nearest(hint, first->text, words, BH_ARRAY_SIZE(words), NULL),
		"a document begins with service:, group:, guardrail:, scope: or test:, not with "
		"\"%s\"",
		SHOWN(first->text));
}

int document_read(struct set_builder *b, const struct node *root)
{
	const struct kind *kind;

	if (root->kind == NODE_MAP && root->first) {
		if (k8s_is_document(root))
			return k8s_read(b, root);
		kind = find_kind(root->first->key->text);
		if (kind)
			return kind->read(b, root);
		report_unknown(b, root);
	} else if (root->kind != NODE_BAD) {
		mistake(&b->rd, root, "unknown-document", "begin with service: NAME",
			"a document is a mapping that begins with service:, group:, guardrail:, "
			"scope: or test:");
	}
	b->incomplete = true;
	return 0;
}
