/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runc.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/text.h>

#define PREFIX "--bulkhead-"

static int take_engine(const char *value, enum endpoint_runtime *ret, struct bh_err *err)
{
	static const enum endpoint_runtime engines[] = { ENDPOINT_DOCKER, ENDPOINT_PODMAN };
	char shown[64];

	for (size_t i = 0; i < BH_ARRAY_SIZE(engines); i++)
		if (strcmp(value, endpoint_runtime_name(engines[i])) == 0) {
			*ret = engines[i];
			return 0;
		}
	return bh_err_set(err, -EINVAL, PREFIX "engine is docker or podman, not '%s'",
			  bh_escape_str(shown, sizeof(shown), value));
}

static int take(const char *word, struct runc_options *ret, struct bh_err *err)
{
	const struct {
		const char *name;
		const char **to;
	} texts[] = {
		{ "runtime=", &ret->runtime },
		{ "hook=", &ret->hook },
		{ "config=", &ret->config },
		{ "socket=", &ret->socket },
	};
	char shown[128];

	for (size_t i = 0; i < BH_ARRAY_SIZE(texts); i++) {
		const char *value = word + strlen(texts[i].name);

		if (strncmp(word, texts[i].name, strlen(texts[i].name)) != 0)
			continue;
		if (value[0] != '/')
			return bh_err_set(err, -EINVAL, PREFIX "%s takes a path that begins with /",
					  texts[i].name);
		*texts[i].to = value;
		return 0;
	}
	if (strncmp(word, "engine=", 7) == 0)
		return take_engine(word + 7, &ret->engine, err);
	if (strcmp(word, "precreate") == 0) {
		ret->precreate = true;
		return 0;
	}
	return bh_err_set(err, -EINVAL, "unknown option '" PREFIX "%s'",
			  bh_escape_str(shown, sizeof(shown), word));
}

int runc_options_parse(char *const argv[], struct runc_options *ret, char *const **ret_rest,
		       struct bh_err *err)
{
	*ret = (struct runc_options) { .engine = ENDPOINT_DOCKER };
	for (; *argv && strncmp(*argv, PREFIX, strlen(PREFIX)) == 0; argv++) {
		int r = take(*argv + strlen(PREFIX), ret, err);

		if (r < 0)
			return r;
	}
	*ret_rest = argv;
	return 0;
}

/* --- the runtime ---------------------------------------------------------------------------------- */

static bool is_program(const char *path)
{
	struct stat st, own;

	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode) || access(path, X_OK) < 0)
		return false;
	return stat("/proc/self/exe", &own) < 0 || st.st_dev != own.st_dev ||
	       st.st_ino != own.st_ino;
}

/* Not by $PATH: whoever starts us may have any. */
int runc_find_runtime(const char *wanted, char *out, size_t cap, struct bh_err *err)
{
	static const char *const places[] = { "/usr/sbin/runc", "/usr/bin/runc",
					      "/usr/local/sbin/runc", "/usr/local/bin/runc" };
	const char *found = wanted;
	char shown[256];

	for (size_t i = 0; i < BH_ARRAY_SIZE(places) && !found; i++)
		if (is_program(places[i]))
			found = places[i];
	if (!found)
		return bh_err_set(err, -ENOENT,
				  "there is no runc in /usr or /usr/local; name the runtime by "
				  "starts: {runtime: PATH} in the host file");
	if (!is_program(found))
		return bh_err_set(err, -ENOENT, "%s is no runtime: no program, or this one",
				  bh_escape_str(shown, sizeof(shown), found));
	if (snprintf(out, cap, "%s", found) >= (int)cap)
		return bh_err_set(err, -ENAMETOOLONG, "the path of the runtime is too long");
	return 0;
}
