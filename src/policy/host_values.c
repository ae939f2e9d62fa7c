/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host.h"

#include <errno.h>
#include <string.h>

#include <bulkhead/base/limits.h>

bool host_is_true(const struct node *n)
{
	return n->plain && strcmp(n->text, "true") == 0;
}

bool host_is_false(const struct node *n)
{
	return n->plain && strcmp(n->text, "false") == 0;
}

static bool is_quoted_word(const struct node *n)
{
	return !n->plain && (strcmp(n->text, "true") == 0 || strcmp(n->text, "false") == 0);
}

int host_read_path(struct reader *rd, const struct field *f, const struct node *n,
		   const char *takes, size_t max, const char **ret)
{
	size_t len = strlen(n->text);
	const char *path;

	if (is_quoted_word(n)) {
		mistake(rd, n, "bad-value", "remove the quotes",
			"\"%s\" takes %s, not the text \"%s\"", f->key, takes, SHOWN(n->text));
		return 0;
	}
	if (n->text[0] != '/') {
		mistake(rd, n, "bad-value", "a path begins with /", "\"%s\" takes %s, not \"%s\"",
			f->key, takes, SHOWN(n->text));
		return 0;
	}
	if (len > max || n->text[len - 1] == '/') {
		mistake(rd, n, "bad-value", NULL, "%s, not \"%s\"",
			len > max ? "this path is too long" : "a file is wanted", SHOWN(n->text));
		return 0;
	}
	path = bh_arena_strdup(rd->arena, n->text);
	if (!path)
		return -ENOMEM;
	*ret = path;
	return 0;
}

/* Where these are looked up, ":" parts the columns. */
static bool is_account_name(const char *s)
{
	size_t len = strlen(s);

	if (len == 0 || len > BH_ACCOUNT_NAME_MAX || *s == '-')
		return false;
	for (; *s; s++)
		if ((unsigned char)*s <= ' ' || *s == 0x7f || *s == ':' || *s == '/')
			return false;
	return true;
}

int host_read_account(struct reader *rd, const struct field *f, const struct node *n,
		      const char **ret)
{
	uint64_t id;
	const char *who;

	/* The last one means "nobody in particular" to the kernel. */
	if (bh_parse_u64(n->text, 0, UINT32_MAX - 1, &id) == -ERANGE) {
		mistake(rd, n, "bad-value", NULL, "an ID is at most %u, not %s", UINT32_MAX - 1,
			SHOWN(n->text));
		return 0;
	}
	if (!is_account_name(n->text)) {
		mistake(rd, n, "bad-value", "write it as id(1) shows it", "\"%s\" is no %s's name",
			SHOWN(n->text), f->key);
		return 0;
	}
	who = bh_arena_strdup(rd->arena, n->text);
	if (!who)
		return -ENOMEM;
	*ret = who;
	return 0;
}
