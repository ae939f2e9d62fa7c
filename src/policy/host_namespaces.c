/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host.h"

#include <errno.h>
#include <string.h>

#include <bulkhead/base/limits.h>
#include <bulkhead/model/endpoint.h>

#include "k8s.h"

/* namespaces: what labels the namespaces of NetworkPolicies have. */

struct naming {
	const char *namespace;
	struct bh_vec labels; /* struct namespace_label */
};

static int add_label(struct reader *rd, const struct node *n, void *arg)
{
	struct naming *x = arg;
	struct namespace_label l = {
		.namespace = x->namespace,
		.key = bh_arena_strdup(rd->arena, n->key->text),
		.value = bh_arena_strdup(rd->arena, n->text),
	}, *slot;

	if (!l.key || !l.value)
		return -ENOMEM;
	if (strcmp(l.key, NAMESPACE_NAME_LABEL) == 0 && strcmp(l.value, l.namespace) != 0)
		mistake(rd, n, "bad-label", "leave it out: every namespace has it",
			"label " NAMESPACE_NAME_LABEL " is the namespace's own name, not \"%s\"",
			SHOWN(n->text));
	slot = bh_vec_push(&x->labels);
	if (slot)
		*slot = l;
	else if (x->labels.n < x->labels.max)
		return -ENOMEM;
	else
		mistake(rd, n, "too-many", NULL, "more than %d labels of namespaces",
			BH_NAMESPACE_LABELS_MAX);
	return 0;
}

static int read_namespace(struct reader *rd, const struct node *n, struct naming *x)
{
	char what[HINT_MAX];

	/* A Compose project may have more in its name than Kubernetes allows in a namespace's. */
	if (!*n->key->text || k8s_label_value_wrong(n->key->text)) {
		mistake(rd, n->key, "bad-name",
			"write the namespace, or the Compose project, as bulkhead endpoints --json "
			"shows it",
			"bad namespace \"%s\"", SHOWN(n->key->text));
		return 0;
	}
	snprintf(what, sizeof(what), "namespace \"%s\"", SHOWN(n->key->text));
	if (!node_takes(rd, n, TAKES_MAP, what, "{} or its labels, like {team: retail}"))
		return 0;
	x->namespace = bh_arena_strdup(rd->arena, n->key->text);
	return x->namespace ? k8s_read_labels(rd, n, add_label, x) : -ENOMEM;
}

int host_read_namespaces(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	struct host_config *c = out;
	struct naming x = { 0 };
	int r = 0;

	bh_vec_init(&x.labels, sizeof(struct namespace_label), BH_NAMESPACE_LABELS_MAX);
	for (const struct node *k = n->first; r >= 0 && k; k = k->next)
		r = read_namespace(rd, k, &x);
	c->namespace_labels = bh_arena_memdup(rd->arena, x.labels.data,
					      x.labels.n * sizeof(struct namespace_label));
	c->n_namespace_labels = x.labels.n;
	if (r >= 0 && !c->namespace_labels)
		r = -ENOMEM;
	bh_vec_done(&x.labels);
	return r;
}
