/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "set.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

static void require_one(struct reader *rd, const struct node *n, struct scope *s)
{
	const char *words[SCOPE_FIELDS];
	char hint[HINT_MAX];

	if (!node_takes(rd, n, TAKES_TEXT, "an entry of \"require\"", "reason"))
		return;
	for (int i = 0; i < SCOPE_FIELDS; i++) {
		words[i] = scope_field_name((enum scope_field)i);
		if (strcmp(words[i], n->text) != 0)
			continue;
		if (s->require[i])
			mistake(rd, n, "bad-value", "remove one of the two",
				"\"require\" names %s twice", words[i]);
		s->require[i] = true;
		return;
	}
	mistake(rd, n, "bad-value", hint_nearest(hint, n->text, words, SCOPE_FIELDS, NULL),
		"\"require\" takes reason, owner, reviewed and ticket, not \"%s\"", SHOWN(n->text));
}

static int read_require(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	if (node_fits(rd, n, BH_YAML_KEYS_MAX, "required fields"))
		for (const struct node *c = n->first; c; c = c->next)
			require_one(rd, c, out);
	return 0;
}

/* "180d" */
static int read_review(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	size_t len = strlen(n->text);
	struct scope *s = out;
	char digits[8];
	uint64_t days;

	if (len > 1 && len < sizeof(digits) && n->text[len - 1] == 'd') {
		snprintf(digits, sizeof(digits), "%.*s", (int)len - 1, n->text);
		if (bh_parse_u64(digits, 1, BH_REVIEW_DAYS_MAX, &days) >= 0) {
			s->review_days = (unsigned)days;
			return 0;
		}
	}
	mistake(rd, n, "bad-value", "write a number of days, 1d to 3650d, like 180d",
		"\"%s\" takes days, not \"%s\"", f->key, SHOWN(n->text));
	return 0;
}

static const struct field fields[] = {
	{ .key = "scope",
	  .about = "Name of the scope, unique in all files; the first key",
	  .takes = TAKES_TEXT,
	  .read = schema_read_name,
	  .offset = offsetof(struct scope, name),
	  .example = "scope: NAME" },
	{ .key = "title",
	  .about = "What it is called in reports",
	  .takes = TAKES_TEXT,
	  .read = schema_read_string,
	  .offset = offsetof(struct scope, title),
	  .example = "title: Cardholder data environment" },
	{ .key = "framework",
	  .about = "What its reports are checked against",
	  .takes = TAKES_TEXT,
	  .read = schema_read_string,
	  .offset = offsetof(struct scope, framework),
	  .example = "framework: pci-dss-4.0.1" },
	{ .key = "require",
	  .about = "What every flow that crosses this scope must carry",
	  .shape = SHAPE_REQUIRED,
	  .takes = TAKES_LIST,
	  .read = read_require,
	  .example = "require: [reason, owner, reviewed]" },
	{ .key = "review-every",
	  .about = "A flow whose reviewed is older is warned about",
	  .shape = SHAPE_DAYS,
	  .takes = TAKES_TEXT,
	  .read = read_review,
	  .example = "review-every: 180d" },
	ACCEPT_FIELD(offsetof(struct scope, accepts)),
};

const struct schema scope_schema = SCHEMA("a scope", fields, NULL);

int scope_read(struct set_builder *b, const struct node *root)
{
	int r;
	struct scope *s = set_define(b, NAME_SCOPE, root, &r);

	if (!s)
		return r;
	s->loc = root->first->loc;
	r = meaning_of(root, &scope_schema, &s->meaning);
	if (r < 0)
		return r;
	r = schema_read(&b->rd, &scope_schema, root, s);
	if (!s->name)
		b->incomplete = true;
	return r;
}
