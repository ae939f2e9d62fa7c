/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runc.h"

#include <errno.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/text.h>

/*
 * The command lines of runc, crun and youki: options of all, a subcommand, options of its own, operands.
 * Written as --name value, --name=value, or with one dash (runc's parser does not mind).
 */

/* Options that have a value: of all subcommands, and of those that are read here. */
static const char *const global_values[] = {
	"log", "log-format", "log-level", "root", "criu", "rootless", "cgroup-manager", "r", "l",
};
static const char *const own_values[] = {
	/* of those that start */
	"bundle",
	"b",
	"console-socket",
	"pid-file",
	"preserve-fds",
	/* restore */
	"image-path",
	"work-path",
	"manage-cgroups-mode",
	"empty-ns",
	"lsm-profile",
	"lsm-mount-context",
	"status-fd",
	"page-server",
	/* exec */
	"process",
	"p",
	"cwd",
	"env",
	"e",
	"user",
	"u",
	"additional-gids",
	"g",
	"process-label",
	"apparmor",
	"cap",
	"c",
	"cgroup",
};

static const struct {
	const char *name;
	enum runc_task task;
} subcommands[] = {
	{ "create", RUNC_START }, { "run", RUNC_START },       { "restore", RUNC_START },
	{ "exec", RUNC_EXEC },    { "checkpoint", RUNC_PASS }, { "delete", RUNC_PASS },
	{ "events", RUNC_PASS },  { "features", RUNC_PASS },   { "help", RUNC_PASS },
	{ "info", RUNC_PASS },    { "kill", RUNC_PASS },       { "list", RUNC_PASS },
	{ "pause", RUNC_PASS },   { "ps", RUNC_PASS },         { "resume", RUNC_PASS },
	{ "spec", RUNC_PASS },    { "start", RUNC_PASS },      { "state", RUNC_PASS },
	{ "update", RUNC_PASS },
};

struct option {
	char name[32]; /* without dashes; "" = no option that is known here: it is longer */
	const char *value;
};

static bool is_one_of(const char *name, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(name, words[i]) == 0)
			return true;
	return false;
}

/* **AT begins with a dash. Its value may be the next argument, which is then passed over. */
static void take_option(char *const **at, const char *const *with_value, size_t n,
			struct option *ret)
{
	const char *word = **at + ((*at)[0][1] == '-' ? 2 : 1);
	size_t len = strcspn(word, "=");

	*ret = (struct option) { .value = word[len] ? word + len + 1 : NULL };
	if (len < sizeof(ret->name))
		memcpy(ret->name, word, len);
	if (!ret->value && is_one_of(ret->name, with_value, n) && (*at)[1])
		ret->value = *++*at;
	++*at;
}

static void take_global(const struct option *o, struct runc_call *ret)
{
	if (!o->value)
		return;
	if (strcmp(o->name, "log") == 0)
		ret->log = o->value;
	else if (strcmp(o->name, "log-format") == 0)
		ret->log_json = strcmp(o->value, "json") == 0;
}

static int take_own(const struct option *o, struct runc_call *ret, struct bh_err *err)
{
	bool starts = ret->task == RUNC_START;

	if (strcmp(o->name, "bundle") == 0 || strcmp(o->name, "b") == 0)
		ret->bundle = o->value ? o->value : ret->bundle;
	else if (strcmp(o->name, "process") == 0 || strcmp(o->name, "p") == 0)
		ret->process = o->value;
	else if (starts && (strcmp(o->name, "config") == 0 || strcmp(o->name, "f") == 0))
		return bh_err_set(err, -EINVAL,
				  "--config is not supported: the hook goes into the bundle's "
				  "config.json");
	return 0;
}

/* Some runtimes take options behind operands, too. */
static int read_own(char *const *at, struct runc_call *ret, struct bh_err *err)
{
	bool operands = false;

	while (*at) {
		struct option o;
		int r;

		if (operands || (*at)[0] != '-' || !(*at)[1]) {
			ret->id = ret->id ? ret->id : *at;
			at++;
			if (ret->task == RUNC_EXEC)
				return 0; /* the rest is a command line of its own */
			continue;
		}
		if (strcmp(*at, "--") == 0) {
			operands = true;
			at++;
			continue;
		}
		take_option(&at, own_values, BH_ARRAY_SIZE(own_values), &o);
		r = take_own(&o, ret, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/*
 * A word that is no subcommand may be the value of an option that is not known here. Then it is not known
 * either whether something is started: it is not, if it could be.
 */
static int unknown(char *const *at, struct bh_err *err)
{
	char shown[64];

	for (char *const *p = at; *p; p++)
		for (size_t i = 0; i < BH_ARRAY_SIZE(subcommands); i++)
			if (subcommands[i].task == RUNC_START &&
			    strcmp(*p, subcommands[i].name) == 0)
				return bh_err_set(err, -EINVAL,
						  "it is not known what '%s' is, in front of '%s'",
						  bh_escape_str(shown, sizeof(shown), *at), *p);
	return 0;
}

int runc_args_parse(char *const argv[], struct runc_call *ret, struct bh_err *err)
{
	char *const *at = argv;

	*ret = (struct runc_call) { .task = RUNC_PASS, .bundle = "." };
	while (*at && (*at)[0] == '-' && (*at)[1]) {
		struct option o;

		take_option(&at, global_values, BH_ARRAY_SIZE(global_values), &o);
		take_global(&o, ret);
	}
	if (!*at)
		return 0;
	for (size_t i = 0; i < BH_ARRAY_SIZE(subcommands); i++) {
		if (strcmp(*at, subcommands[i].name) != 0)
			continue;
		ret->task = subcommands[i].task;
		return ret->task == RUNC_PASS ? 0 : read_own(at + 1, ret, err);
	}
	return unknown(at, err);
}
