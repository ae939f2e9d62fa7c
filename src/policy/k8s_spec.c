/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "k8s.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>

/* spec: of a NetworkPolicy: whom it selects, and in which directions it isolates. */

struct spec {
	struct service *svc;
	struct pods pods;
	const struct node *selector, *types, *rules[DIRECTIONS]; /* the keys' values */
	bool type[DIRECTIONS];                                   /* stands in policyTypes: */
};

static int read_selector(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	struct spec *s = out;

	s->selector = n;
	return k8s_read_selector(rd, n, "a podSelector", &s->pods.labels);
}

static const struct {
	const char *key, *type;
} directions[DIRECTIONS] = {
	[DIRECTION_EGRESS] = { "egress", "Egress" },
	[DIRECTION_INGRESS] = { "ingress", "Ingress" },
};

static void read_type(struct reader *rd, const struct node *n, struct spec *s)
{
	static const char *const words[] = { "Ingress", "Egress" };
	char hint[HINT_MAX];

	if (!node_takes(rd, n, TAKES_TEXT, "an entry of policyTypes:", "Ingress or Egress"))
		return;
	for (int d = 0; d < DIRECTIONS; d++)
		if (strcmp(directions[d].type, n->text) == 0) {
			s->type[d] = true;
			return;
		}
	mistake(rd, n, "bad-value", hint_nearest(hint, n->text, words, BH_ARRAY_SIZE(words), NULL),
		"\"policyTypes\" takes Ingress and Egress, not \"%s\"", SHOWN(n->text));
}

static int read_types(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	struct spec *s = out;

	s->types = n;
	if (!node_fits(rd, n, DIRECTIONS, "policyTypes"))
		return 0;
	for (const struct node *c = n->first; c; c = c->next)
		read_type(rd, c, s);
	return 0;
}

static int read_direction(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	enum direction d = strcmp(f->key, "egress") == 0 ? DIRECTION_EGRESS : DIRECTION_INGRESS;
	struct spec *s = out;

	s->rules[d] = n;
	return k8s_read_rules(rd, n, d, s->pods.namespace, s->svc);
}

static const struct field fields[] = {
	{ .key = "podSelector",
	  .takes = TAKES_MAP,
	  .required = true,
	  .read = read_selector,
	  .example = "podSelector: {matchLabels: {app: web}}, or podSelector: {} to select every "
		     "pod of the namespace" },
	{ .key = "policyTypes",
	  .takes = TAKES_LIST,
	  .read = read_types,
	  .example = "policyTypes: [Ingress, Egress]" },
	{ .key = "ingress",
	  .takes = TAKES_LIST,
	  .read = read_direction,
	  .example = "ingress: [] to let nothing in, or a list of rules" },
	{ .key = "egress",
	  .takes = TAKES_LIST,
	  .read = read_direction,
	  .example = "egress: [] to let nothing out, or a list of rules" },
};

static const struct schema schema = SCHEMA("a NetworkPolicy's spec", fields, NULL);

/* Without policyTypes: ingress always, egress if there is a rule for it. */
static bool isolates(const struct spec *s, enum direction d)
{
	if (s->types && s->types->n)
		return s->type[d];
	return d == DIRECTION_INGRESS || s->svc->n_rules[DIRECTION_EGRESS];
}

/* Rules of a direction that is left alone have no effect: Kubernetes takes them, so say it. */
static void leave_open(struct reader *rd, struct spec *s, enum direction d)
{
	s->svc->leaves_open[d] = true;
	if (s->svc->n_rules[d])
		diag_add(rd->diags, DIAG_WARNING, &s->rules[d]->key->loc, "rules-without-type",
			 d == DIRECTION_EGRESS ? "add Egress to policyTypes:, or remove the rules"
					       : "add Ingress to policyTypes:, or remove the rules",
			 "policyTypes: does not have %s, so these rules have no effect",
			 directions[d].type);
	s->svc->n_rules[d] = 0;
}

static void note_places(struct spec *s, const struct node *spec)
{
	for (int d = 0; d < DIRECTIONS; d++) {
		if (s->rules[d])
			s->svc->direction_loc[d] = s->rules[d]->key->loc;
		else if (s->types)
			s->svc->direction_loc[d] = s->types->key->loc;
		else
			s->svc->direction_loc[d] = spec->key->loc;
	}
	s->svc->select.loc = s->selector ? s->selector->loc : spec->loc;
}

int k8s_read_spec(struct reader *rd, const struct node *spec, struct service *svc,
		  const char *namespace)
{
	struct spec s = { .svc = svc, .pods = { .namespace = namespace } };
	struct pods *pods = bh_arena_alloc(rd->arena, sizeof(*pods));
	int r = pods ? schema_read(rd, &schema, spec, &s) : -ENOMEM;

	if (r < 0)
		return r;
	*pods = s.pods;
	svc->select.pods = pods;
	note_places(&s, spec);
	for (int d = 0; d < DIRECTIONS; d++)
		if (!isolates(&s, (enum direction)d))
			leave_open(rd, &s, (enum direction)d);
	return k8s_find_exact(rd, pods);
}
