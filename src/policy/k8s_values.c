/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "k8s.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

/* Names, labels and texts as Kubernetes takes them. */

#define DIGITS "0123456789"
#define LOWER  "abcdefghijklmnopqrstuvwxyz" DIGITS
#define MIXED  LOWER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* Only of CHARS, with one of ENDS at both ends, 1 to MAX of them. */
static bool is_made_of(const char *s, size_t len, const char *chars, const char *ends, size_t max)
{
	return len && len <= max && strspn(s, chars) >= len && strchr(ends, s[0]) &&
	       strchr(ends, s[len - 1]);
}

static bool is_dns_label(const char *s, size_t len)
{
	return is_made_of(s, len, LOWER "-", LOWER, 63);
}

static bool is_dns_subdomain(const char *s, size_t len)
{
	size_t part;

	if (len > 253)
		return false;
	for (const char *end = s + len; s < end; s += part + 1) {
		part = strcspn(s, ".");
		if (part > (size_t)(end - s))
			part = (size_t)(end - s);
		/* of a subdomain no part is bounded by itself */
		if (!is_made_of(s, part, LOWER "-", LOWER, 253))
			return false;
		if (s + part + 1 == end)
			return false; /* it ends with a dot */
	}
	return len > 0;
}

const char *k8s_label_key_wrong(const char *s)
{
	const char *slash = strchr(s, '/'), *name = slash ? slash + 1 : s;

	if (slash && !is_dns_subdomain(s, (size_t)(slash - s)))
		return "what stands before the / is a DNS name, like app.kubernetes.io";
	if (!is_made_of(name, strlen(name), MIXED "-_.", MIXED, 63))
		return "a label's name is 1 to 63 of letters, digits, -, _ and ., with a letter or "
		       "digit at both ends";
	return NULL;
}

const char *k8s_label_value_wrong(const char *s)
{
	if (!*s || is_made_of(s, strlen(s), MIXED "-_.", MIXED, 63))
		return NULL;
	return "a label's value is empty, or 1 to 63 of letters, digits, -, _ and ., with a letter "
	       "or digit at both ends";
}

const char *k8s_namespace_wrong(const char *s)
{
	return is_dns_label(s, strlen(s)) ? NULL
					  : "a namespace is 1 to 63 of a-z, 0-9 and -, with a "
					    "letter or digit at both ends";
}

const char *k8s_policy_name_wrong(const char *s)
{
	return is_dns_subdomain(s, strlen(s)) ? NULL
					      : "a name is 1 to 253 of a-z, 0-9, - and ., with a "
						"letter or digit at both ends of each part";
}

const char *k8s_port_name_wrong(const char *s)
{
	if (!is_made_of(s, strlen(s), LOWER "-", LOWER, 15) || strstr(s, "--"))
		return "a port's name is 1 to 15 of a-z, 0-9 and single -, with a letter or digit "
		       "at "
		       "both ends";
	if (strspn(s, DIGITS "-") == strlen(s))
		return "a port's name has a letter in it";
	return NULL;
}

/* --- what YAML takes for no text -------------------------------------------------------------- */

/* yes, Yes, YES, but not yES. */
static bool is_word(const char *s, const char *word)
{
	bool lower = true, upper = true;

	if (strcasecmp(s, word) != 0)
		return false;
	for (const char *p = s + 1; *s && *p; p++) {
		lower &= *p >= 'a';
		upper &= *p < 'a';
	}
	return lower || (upper && *s < 'a');
}

static bool is_among(const char *s, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (is_word(s, words[i]))
			return true;
	return false;
}

static bool is_number(const char *s)
{
	char digits[128], *end;
	size_t n = 0;

	s += *s == '-' || *s == '+';
	if (!strchr(DIGITS ".", *s) || !*s)
		return false;
	if (strcasecmp(s, ".inf") == 0 || strcasecmp(s, ".nan") == 0)
		return true;
	if (s[0] == '0' && (s[1] == 'o' || s[1] == 'b') && s[2])
		return strspn(s + 2, "01234567_") == strlen(s + 2);
	for (; *s && n < sizeof(digits) - 1; s++)
		if (*s != '_')
			digits[n++] = *s;
	digits[n] = '\0';
	if (*s)
		return false;
	strtod(digits, &end);
	return end > digits && !*end;
}

/* NULL: a text. */
static const char *kind_of(const char *s)
{
	static const char *const truth[] = { "true", "false", "yes", "no", "on", "off", "y", "n" };
	static const char *const nothing[] = { "null" };

	if (is_among(s, truth, BH_ARRAY_SIZE(truth)))
		return "a truth value";
	if (is_among(s, nothing, BH_ARRAY_SIZE(nothing)))
		return "no value";
	return is_number(s) ? "a number" : NULL;
}

bool k8s_is_text(struct reader *rd, const struct node *n, const char *what)
{
	char hint[HINT_MAX];
	const char *kind;

	if (!node_takes(rd, n, TAKES_TEXT, what, NULL))
		return false;
	kind = n->plain ? kind_of(n->text) : NULL;
	if (!kind)
		return true;
	snprintf(hint, sizeof(hint), "write \"%s\", with quotes", SHOWN(n->text));
	mistake(rd, n, "wrong-type", hint, "%s takes text, and without quotes %s is %s", what,
		SHOWN(n->text), kind);
	return false;
}

/* --- maps of labels --------------------------------------------------------------------------- */

static bool is_label(struct reader *rd, const struct node *n)
{
	const char *why = k8s_label_key_wrong(n->key->text);
	char what[HINT_MAX];

	if (why) {
		mistake(rd, n->key, "bad-label", why, "bad label key \"%s\"", SHOWN(n->key->text));
		return false;
	}
	snprintf(what, sizeof(what), "label \"%s\"", SHOWN(n->key->text));
	if (!k8s_is_text(rd, n, what))
		return false;
	why = k8s_label_value_wrong(n->text);
	if (why)
		mistake(rd, n, "bad-label", why, "bad value \"%s\" of label \"%s\"", SHOWN(n->text),
			SHOWN(n->key->text));
	return !why;
}

int k8s_read_labels(struct reader *rd, const struct node *n,
		    int (*add)(struct reader *rd, const struct node *n, void *arg), void *arg)
{
	int r = 0;

	if (!node_fits(rd, n, BH_LABELS_MAX, "labels"))
		return 0;
	for (const struct node *c = n->first; r >= 0 && c; c = c->next)
		if (is_label(rd, c) && add)
			r = add(rd, c, arg);
	return r;
}
