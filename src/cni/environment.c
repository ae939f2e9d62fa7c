/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/cni/cni.h>

#include <stdio.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>

#include "words.h"

/* Letters, digits, and behind the first of those also _ . - : no path leads out of one. */
bool word_is_name(const char *s, size_t max)
{
	size_t len = strlen(s);

	if (!len || len > max || strspn(s, WORD_ALNUM) == 0)
		return false;
	return strspn(s, WORD_ALNUM "_.-") == len;
}

static bool is_container(const char *s)
{
	return word_is_name(s, BH_CNI_ID_MAX);
}

/* As the kernel's dev_valid_name(), which the specification follows. */
static bool is_ifname(const char *s)
{
	return strlen(s) < 16 && strcmp(s, ".") != 0 && strcmp(s, "..") != 0 &&
	       !strpbrk(s, "/: \t\n\v\f\r");
}

static bool is_path(const char *s)
{
	return s[0] == '/' && strlen(s) < BH_CNI_PATH_MAX;
}

static bool is_args(const char *s)
{
	return strlen(s) <= BH_CNI_ARGS_MAX;
}

#define ON(command) (1u << (command))

/* Sources: SPEC.md 1.1.0, "Operations"; CNI_PATH is for plugins that call others. */
static const struct variable {
	const char *name;
	size_t offset;
	bool (*valid)(const char *s);
	unsigned needed, used; /* by these commands; what nobody uses is not looked at */
} variables[] = {
	{ "CNI_CONTAINERID", offsetof(struct cni_environment, container), is_container,
	  ON(CNI_ADD) | ON(CNI_CHECK) | ON(CNI_DEL), 0 },
	{ "CNI_NETNS", offsetof(struct cni_environment, netns), is_path,
	  ON(CNI_ADD) | ON(CNI_CHECK), 0 },
	{ "CNI_IFNAME", offsetof(struct cni_environment, ifname), is_ifname,
	  ON(CNI_ADD) | ON(CNI_CHECK) | ON(CNI_DEL), 0 },
	{ "CNI_ARGS", offsetof(struct cni_environment, args), is_args, 0, ON(CNI_ADD) },
};

static const char *const commands[] = {
	[CNI_ADD] = "ADD",         [CNI_CHECK] = "CHECK", [CNI_DEL] = "DEL",
	[CNI_VERSION] = "VERSION", [CNI_GC] = "GC",       [CNI_STATUS] = "STATUS",
};

static bool command_of(const char *word, enum cni_command *ret)
{
	for (size_t i = 0; word && i < BH_ARRAY_SIZE(commands); i++)
		if (strcmp(word, commands[i]) == 0) {
			*ret = (enum cni_command)i;
			return true;
		}
	return false;
}

static const char *value_of(const struct cni_environment *e, const struct variable *v)
{
	const char *s = *(const char *const *)((const char *)e + v->offset);

	return s && s[0] ? s : NULL;
}

int cni_environment_check(const struct cni_environment *e, enum cni_command *ret,
			  struct cni_error *err)
{
	char bad[128] = "";
	enum cni_command command;

	if (!command_of(e->command, &command))
		return cni_fail(err, CNI_INVALID_ENVIRONMENT,
				"CNI_COMMAND must be ADD, CHECK, DEL, GC, STATUS or VERSION");
	for (size_t i = 0; i < BH_ARRAY_SIZE(variables); i++) {
		const struct variable *v = &variables[i];
		const char *s = value_of(e, v);
		size_t len = strlen(bad);

		if (!((v->needed | v->used) & ON(command)))
			continue;
		if (s ? !v->valid(s) : (v->needed & ON(command)) != 0)
			snprintf(bad + len, sizeof(bad) - len, "%s%s", len ? ", " : "", v->name);
	}
	if (bad[0])
		return cni_fail(err, CNI_INVALID_ENVIRONMENT, "missing or invalid: %s", bad);
	*ret = command;
	return 0;
}
