/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "k8s.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

/*
 * Kubernetes documents: a NetworkPolicy, or a list of them. Each becomes a struct service with a name
 * of its own kind; what it says of traffic is in k8s_spec.c and k8s_rule.c.
 */

#define API "networking.k8s.io/v1"

static int skip(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	return 0;
}

/* What Kubernetes keeps for itself: it says nothing of traffic. */
#define SKIPPED(k)                                                                                 \
	{                                                                                          \
		.key = (k), .takes = TAKES_ANYTHING, .read = skip                                  \
	}

/* --- metadata --------------------------------------------------------------------------------- */

struct metadata {
	const struct node *name, *namespace;
};

/* A text that WRONG has nothing against; where it stands goes to *RET. */
static void read_name(struct reader *rd, const struct node *n, const char *what,
		      const char *(*wrong)(const char *s), const struct node **ret)
{
	const char *why;

	if (!k8s_is_text(rd, n, what))
		return;
	why = wrong(n->text);
	if (why)
		mistake(rd, n, "bad-name", why, "bad %s \"%s\"", what, SHOWN(n->text));
	else
		*ret = n;
}

static int read_policy_name(struct reader *rd, const struct field *f, const struct node *n,
			    void *out)
{
	struct metadata *m = out;

	read_name(rd, n, "name", k8s_policy_name_wrong, &m->name);
	return 0;
}

static int read_namespace(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	struct metadata *m = out;

	read_name(rd, n, "namespace", k8s_namespace_wrong, &m->namespace);
	return 0;
}

static int read_labels(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	return k8s_read_labels(rd, n, NULL, NULL);
}

static const struct field metadata_fields[] = {
	{ .key = "name",
	  .takes = TAKES_TEXT,
	  .required = true,
	  .read = read_policy_name,
	  .example = "name: web" },
	{ .key = "namespace",
	  .takes = TAKES_TEXT,
	  .read = read_namespace,
	  .example = "namespace: shop" },
	{ .key = "labels", .takes = TAKES_MAP, .read = read_labels, .example = "labels: {a: b}" },
	SKIPPED("annotations"),
	SKIPPED("creationTimestamp"),
	SKIPPED("deletionGracePeriodSeconds"),
	SKIPPED("deletionTimestamp"),
	SKIPPED("finalizers"),
	SKIPPED("generateName"),
	SKIPPED("generation"),
	SKIPPED("managedFields"),
	SKIPPED("ownerReferences"),
	SKIPPED("resourceVersion"),
	SKIPPED("selfLink"),
	SKIPPED("uid"),
};

static const struct schema metadata_schema =
	SCHEMA("metadata", metadata_fields, "metadata: {name: web, namespace: shop}");

static int read_metadata(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	return schema_read(rd, &metadata_schema, n, out);
}

/* --- a NetworkPolicy -------------------------------------------------------------------------- */

static const struct field policy_fields[] = {
	SKIPPED("apiVersion"), /* looked at before */
	SKIPPED("kind"),
	{ .key = "metadata",
	  .takes = TAKES_MAP,
	  .required = true,
	  .read = read_metadata,
	  .example = "metadata: {name: web, namespace: shop}" },
	/* read when the namespace is known */
	{ .key = "spec",
	  .takes = TAKES_MAP,
	  .required = true,
	  .read = skip,
	  .example = "spec: {podSelector: {}}" },
	SKIPPED("status"),
};

static const struct schema policy_schema = SCHEMA("a NetworkPolicy", policy_fields, NULL);

static int fill(struct set_builder *b, const struct node *root, const struct metadata *m,
		struct service *svc)
{
	const struct node *spec = node_find(root, "spec"), *at = m->name ? m->name : root;
	const char *namespace = m->namespace ? m->namespace->text : "default";
	const char *own = bh_arena_strdup(b->rd.arena, namespace);

	if (m->name)
		svc->name = bh_arena_printf(b->rd.arena, K8S_NAME_PREFIX "%s/%s", namespace,
					    m->name->text);
	else
		b->incomplete = true;
	svc->loc = svc->dns_loc = at->loc;
	for (int d = 0; d < DIRECTIONS; d++)
		svc->direction_loc[d] = at->loc;
	if (!own || (m->name && !svc->name))
		return -ENOMEM;
	return spec && spec->kind == NODE_MAP ? k8s_read_spec(&b->rd, spec, svc, own) : 0;
}

static int read_policy(struct set_builder *b, const struct node *root)
{
	struct metadata m = { 0 };
	struct service *svc;
	int r;

	svc = set_define(b, NAME_SERVICE, root, &r);
	if (!svc)
		return r;
	svc->is_k8s = true;
	svc->log_denied = true;
	r = meaning_of(root, NULL, &svc->meaning);
	if (r >= 0)
		r = schema_read(&b->rd, &policy_schema, root, &m);
	return r < 0 ? r : fill(b, root, &m, svc);
}

/* --- what kind of document -------------------------------------------------------------------- */

static const struct node *text_of(const struct node *map, const char *key)
{
	const struct node *n = node_find(map, key);

	return n && n->kind == NODE_TEXT && !node_is_null(n) ? n : NULL;
}

static int read_kind(struct set_builder *b, const struct node *root, bool in_list);

static int read_items(struct set_builder *b, const struct node *items)
{
	int r = 0;

	if (!node_takes(&b->rd, items, TAKES_LIST, "\"items\"", "items: []") ||
	    !node_fits(&b->rd, items, BH_K8S_ITEMS_MAX, "items"))
		return 0;
	for (const struct node *c = items->first; r >= 0 && c; c = c->next)
		r = read_kind(b, c, true);
	return r;
}

static const struct field list_fields[] = {
	SKIPPED("apiVersion"),
	SKIPPED("kind"),
	SKIPPED("metadata"),
	{ .key = "items",
	  .takes = TAKES_LIST,
	  .required = true,
	  .read = skip,
	  .example = "items: []" },
};

static const struct schema list_schema = SCHEMA("a list", list_fields, NULL);

static int read_list(struct set_builder *b, const struct node *root)
{
	const struct node *items = node_find(root, "items");
	int r = schema_read(&b->rd, &list_schema, root, NULL);

	return r < 0 || !items ? r : read_items(b, items);
}

static const struct kind {
	const char *kind, *api;
	int (*read)(struct set_builder *b, const struct node *root);
} kinds[] = {
	{ "NetworkPolicy", API, read_policy },
	{ "NetworkPolicyList", API, read_list },
	{ "List", "v1", read_list },
};

/* Not a kind that is read here: the others are no policies, or misspelt. */
static void report_kind(struct set_builder *b, const struct node *kind)
{
	static const char *const words[] = { "NetworkPolicy", "NetworkPolicyList", "List" };
	char hint[HINT_MAX];

	b->incomplete = true;
	mistake(&b->rd, kind, "not-supported",
		hint_nearest(hint, kind->text, words, BH_ARRAY_SIZE(words),
			     "move it out of the policy directory"),
		"kind \"%s\" is not read here: of Kubernetes only NetworkPolicy and lists of it "
		"are",
		SHOWN(kind->text));
}

static bool check_api(struct set_builder *b, const struct node *root, const struct node *api,
		      const struct kind *k)
{
	char hint[HINT_MAX];

	if (api && strcmp(api->text, k->api) == 0)
		return true;
	snprintf(hint, sizeof(hint), "write apiVersion: %s", k->api);
	b->incomplete = true;
	if (api)
		mistake(&b->rd, api, "not-supported", hint,
			"apiVersion \"%s\" of a %s is not read here", SHOWN(api->text), k->kind);
	else
		mistake(&b->rd, root, "missing-key", hint, "a %s needs \"apiVersion\"", k->kind);
	return false;
}

/* In a list of the API neither apiVersion nor kind needs to stand. */
static int read_kind(struct set_builder *b, const struct node *root, bool in_list)
{
	const struct node *api, *kind;

	if (!node_takes(&b->rd, root, TAKES_MAP, "a Kubernetes document", NULL)) {
		b->incomplete = true;
		return 0;
	}
	api = text_of(root, "apiVersion");
	kind = text_of(root, "kind");
	if (in_list && !node_find(root, "kind") && !node_find(root, "apiVersion"))
		return read_policy(b, root);
	if (!kind) {
		b->incomplete = true;
		mistake(&b->rd, root, "missing-key", "for example kind: NetworkPolicy",
			"a Kubernetes document needs \"kind\"");
		return 0;
	}
	for (size_t i = 0; i < BH_ARRAY_SIZE(kinds) - (in_list ? 2 : 0); i++)
		if (strcmp(kinds[i].kind, kind->text) == 0)
			return check_api(b, root, api, &kinds[i]) ? kinds[i].read(b, root) : 0;
	report_kind(b, kind);
	return 0;
}

int k8s_read(struct set_builder *b, const struct node *root)
{
	return read_kind(b, root, false);
}

bool k8s_is_document(const struct node *root)
{
	static const char *const first[] = { "apiVersion", "kind",  "metadata",
					     "spec",       "items", "status" };
	const char *key = root->first->key->text;

	for (size_t i = 0; i < BH_ARRAY_SIZE(first); i++)
		if (strcmp(first[i], key) == 0)
			return i < 2 || node_find(root, "apiVersion") || node_find(root, "kind");
	return false;
}
