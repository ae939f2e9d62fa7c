/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "set.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <bulkhead/base/limits.h>

/* Labels and prefixes: values that several kinds of mapping hold. */

static const char *label_key_wrong(const char *key)
{
	if (!*key)
		return "a label key is empty";
	for (const char *p = key; *p; p++)
		if ((unsigned char)*p <= ' ' || *p == '=' || *p == 0x7f)
			return "a label key holds no space and no =";
	return NULL;
}

static bool label_is_usable(struct reader *rd, const struct node *value)
{
	const char *why = label_key_wrong(value->key->text);
	char what[128], example[160];

	if (why) {
		mistake(rd, value->key, "bad-label", "write {KEY: VALUE}, like {app: web}",
			"bad label \"%s\": %s", SHOWN(value->key->text), why);
		return false;
	}
	snprintf(what, sizeof(what), "label \"%s\"", SHOWN(value->key->text));
	snprintf(example, sizeof(example), "%s: \"\" for an empty value", SHOWN(value->key->text));
	return node_takes(rd, value, TAKES_TEXT, what, node_is_null(value) ? example : NULL);
}

int labels_read(struct reader *rd, const struct node *n, const char *hint, const struct label **ret,
		size_t *ret_n)
{
	struct label *labels;
	size_t count = 0;

	if (!n->n)
		mistake(rd, n, "empty-labels", hint, "labels: {} names no label");
	if (!node_fits(rd, n, BH_LABELS_MAX, "labels"))
		return 0;
	labels = bh_arena_array(rd->arena, n->n + 1, sizeof(*labels));
	if (!labels)
		return -ENOMEM;
	for (const struct node *c = n->first; c; c = c->next) {
		struct label *l = &labels[count];

		if (!label_is_usable(rd, c))
			continue;
		l->key = bh_arena_strdup(rd->arena, c->key->text);
		l->value = bh_arena_strdup(rd->arena, c->text);
		if (!l->key || !l->value)
			return -ENOMEM;
		count++;
	}
	*ret = labels;
	*ret_n = count;
	return 0;
}

/* A hostname rather than a mistyped address: a letter that no address has. */
static bool looks_like_name(const char *s)
{
	for (; *s; s++)
		if ((*s >= 'g' && *s <= 'z') || (*s >= 'G' && *s <= 'Z'))
			return true;
	return false;
}

static const char *prefix_hint(const char *s)
{
	if (looks_like_name(s))
		return "names are not supported here by this version; write addresses, like "
		       "203.0.113.0/24";
	if (strncasecmp(s, "::ffff:", 7) == 0)
		return "an IPv4-mapped address is never on the wire; write the IPv4 address";
	return "write it like 203.0.113.0/24 or 2001:db8::/32";
}

const char *prefix_canon(char out[CANON_MAX], const char *text)
{
	struct bh_prefix p;
	char with_len[BH_PREFIX_STR];
	const char *s;

	if (bh_prefix_parse(text, &p) < 0)
		return NULL;
	s = bh_prefix_format(with_len, &p);
	/* A single address needs no length. */
	if (p.len == 8 * bh_addr_len(p.addr.family))
		snprintf(out, CANON_MAX, "%.*s", (int)strcspn(s, "/"), s);
	else
		snprintf(out, CANON_MAX, "%s", s);
	return out;
}

bool prefix_read(struct reader *rd, const struct node *n, struct bh_prefix *ret)
{
	char hint[HINT_MAX], text[BH_PREFIX_STR];
	int r;

	if (!node_takes(rd, n, TAKES_TEXT, "an address or prefix", "203.0.113.0/24"))
		return false;
	r = bh_prefix_parse(n->text, ret);
	if (r >= 0)
		return true;
	if (r == -EDOM) {
		snprintf(hint, sizeof(hint), "write %s", bh_prefix_format(text, ret));
		mistake(rd, n, "host-bits", hint, "\"%s\" has bits set behind its prefix length",
			SHOWN(n->text));
	} else if (r == -ERANGE) {
		mistake(rd, n, "bad-cidr", "at most /32 for IPv4, /128 for IPv6",
			"the prefix length of \"%s\" is too long", SHOWN(n->text));
	} else {
		mistake(rd, n, "bad-cidr", prefix_hint(n->text),
			"\"%s\" is not an address or prefix", SHOWN(n->text));
	}
	return false;
}

int prefixes_read(struct reader *rd, const struct node *list, size_t max, const char *what,
		  const struct bh_prefix **ret, size_t *ret_n)
{
	struct bh_prefix *p;
	size_t count = 0;

	if (!node_fits(rd, list, max, what))
		return 0;
	p = bh_arena_array(rd->arena, list->n + 1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	for (const struct node *c = list->first; c; c = c->next)
		if (prefix_read(rd, c, &p[count]))
			count++;
	*ret = p;
	*ret_n = count;
	return 0;
}
