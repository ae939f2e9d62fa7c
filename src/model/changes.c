/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/model/changes.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>

const char *policy_kind_name(enum policy_kind kind)
{
	switch (kind) {
	case POLICY_SERVICE:
		return "service";
	case POLICY_GROUP:
		return "group";
	case POLICY_SCOPE:
		return "scope";
	case POLICY_GUARDRAIL:
		return "guardrail";
	}
	return "";
}

/* --- one set, sorted ------------------------------------------------------------------------- */

struct object {
	enum policy_kind kind;
	const char *name;
	const struct src_loc *loc;
	const struct meaning *meaning;
	const struct service *service; /* or NULL */
};

struct index {
	struct object *objects; /* by kind and name */
	size_t n;
	const char **guarded; /* services that guardrails name, sorted */
	size_t n_guarded;
};

static int object_cmp(const void *a, const void *b)
{
	const struct object *x = a, *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return strcmp(x->name, y->name);
}

static int name_cmp(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

#define ADD(i, what, from)                                                                         \
	((i)->objects[(i)->n++] =                                                                  \
		 (struct object) { what, (from)->name, &(from)->loc, &(from)->meaning, NULL })

static int index_objects(struct index *i, const struct policy_set *p)
{
	size_t n = p->n_services + p->n_groups + p->n_scopes + p->n_guardrails;

	i->objects = calloc(n + 1, sizeof(*i->objects));
	if (!i->objects)
		return -ENOMEM;
	for (size_t k = 0; k < p->n_services; k++) {
		ADD(i, POLICY_SERVICE, &p->services[k]);
		i->objects[i->n - 1].service = &p->services[k];
	}
	for (size_t k = 0; k < p->n_groups; k++)
		ADD(i, POLICY_GROUP, &p->groups[k]);
	for (size_t k = 0; k < p->n_scopes; k++)
		ADD(i, POLICY_SCOPE, &p->scopes[k]);
	for (size_t k = 0; k < p->n_guardrails; k++)
		ADD(i, POLICY_GUARDRAIL, &p->guardrails[k]);
	qsort(i->objects, i->n, sizeof(*i->objects), object_cmp);
	return 0;
}

/* Every service that a guardrail names, to FN; twice: to count, then to store. */
static void each_named(const struct policy_set *p, void (*fn)(const char *name, void *), void *arg)
{
	for (size_t i = 0; i < p->n_guardrails; i++) {
		const struct guardrail *g = &p->guardrails[i];

		for (size_t k = 0; k < g->n_services; k++)
			fn(g->services[k], arg);
		for (size_t k = 0; k < g->n_deny; k++) {
			const struct deny *d = &g->deny[k];

			for (size_t m = 0; m < d->rule.n_peers; m++)
				fn(d->rule.peers[m].service, arg);
			for (size_t m = 0; m < d->n_unless; m++)
				fn(d->unless[m].peer.service, arg);
		}
	}
}

static void count_name(const char *name, void *arg)
{
	struct index *i = arg;

	i->n_guarded += name != NULL;
}

static void store_name(const char *name, void *arg)
{
	struct index *i = arg;

	if (name)
		i->guarded[i->n_guarded++] = name;
}

static int index_guarded(struct index *i, const struct policy_set *p)
{
	each_named(p, count_name, i);
	i->guarded = calloc(i->n_guarded + 1, sizeof(*i->guarded));
	if (!i->guarded)
		return -ENOMEM;
	i->n_guarded = 0;
	each_named(p, store_name, i);
	qsort(i->guarded, i->n_guarded, sizeof(*i->guarded), name_cmp);
	return 0;
}

static int index_build(struct index *i, const struct policy_set *p)
{
	int r = p ? index_objects(i, p) : 0;

	return r < 0 || !p ? r : index_guarded(i, p);
}

static void index_done(struct index *i)
{
	free(i->objects);
	free(i->guarded);
}

static bool is_guarded(const struct index *i, const char *name)
{
	return i->n_guarded &&
	       bsearch(&name, i->guarded, i->n_guarded, sizeof(*i->guarded), name_cmp);
}

/* --- boundaries ------------------------------------------------------------------------------ */

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool has_label(const struct selector *s, const struct label *l)
{
	for (size_t i = 0; i < s->n_labels; i++)
		if (strcmp(s->labels[i].key, l->key) == 0 &&
		    strcmp(s->labels[i].value, l->value) == 0)
			return true;
	return false;
}

/* Keys of labels are unique, so that as many, each of them there, are the same. */
static bool same_select(const struct selector *a, const struct selector *b)
{
	if (a->n_labels != b->n_labels || !same_text(a->compose, b->compose) ||
	    !same_text(a->name, b->name) || !same_text(a->image, b->image) ||
	    !same_text(a->runtime, b->runtime))
		return false;
	for (size_t i = 0; i < a->n_labels; i++)
		if (!has_label(b, &a->labels[i]))
			return false;
	return true;
}

static bool crosses_boundary(const struct index *before, const struct index *after,
			     const char *name, const struct service *old, const struct service *new)
{
	if (!(old && old->scope) && !(new &&new->scope) && !is_guarded(before, name) &&
	    !is_guarded(after, name))
		return false;
	return !old || !new || !same_text(old->scope, new->scope) ||
	       !same_select(&old->select, &new->select);
}

/* --- two sets -------------------------------------------------------------------------------- */

static struct policy_change compare(const struct index *before, const struct index *after,
				    const struct object *old, const struct object *new)
{
	const struct object *one = new ? new : old;
	const struct service *was = old ? old->service : NULL, *is = new ? new->service : NULL;

	return (struct policy_change) {
		.kind = one->kind,
		.name = one->name,
		.before = old,
		.after = new,
		.owner_before = was ? was->owner : NULL,
		.owner_after = is ? is->owner : NULL,
		.loc = *one->loc,
		.boundary = (was || is) && crosses_boundary(before, after, one->name, was, is),
	};
}

static size_t merge(const struct index *before, const struct index *after,
		    struct policy_change *out)
{
	size_t i = 0, k = 0, n = 0;

	while (i < before->n || k < after->n) {
		const struct object *old = i < before->n ? &before->objects[i] : NULL;
		const struct object *new = k < after->n ? &after->objects[k] : NULL;
		int order = !old ? 1 : !new ? -1 : object_cmp(old, new);

		i += order <= 0;
		k += order >= 0;
		if (order == 0 && strcmp(old->meaning->digest, new->meaning->digest) == 0)
			continue;
		out[n++] = compare(before, after, order <= 0 ? old : NULL, order >= 0 ? new : NULL);
	}
	return n;
}

int policy_changes(const struct policy_set *before, const struct policy_set *after,
		   struct policy_change **ret, size_t *ret_n, struct bh_err *err)
{
	struct index old = { 0 }, new = { 0 };
	struct policy_change *changes = NULL;
	int r = index_build(&old, before);

	if (r >= 0)
		r = index_build(&new, after);
	if (r >= 0) {
		changes = calloc(old.n + new.n + 1, sizeof(*changes));
		r = changes ? 0 : -ENOMEM;
	}
	if (r >= 0) {
		*ret_n = merge(&old, &new, changes);
		*ret = changes;
	}
	index_done(&old);
	index_done(&new);
	return r < 0 ? bh_err_oom(err) : 0;
}
