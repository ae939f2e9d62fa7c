/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/linediff.h>
#include <bulkhead/base/text.h>
#include <bulkhead/sys/child.h>

#include "cli.h"
#include "daemonjson.h"

#define DAEMON_JSON "/etc/docker/daemon.json"
#define HOOKS_DIR   "/etc/containers/oci/hooks.d"
#define BEFORE      ".before-bulkhead"

/* A file of an engine: what it is, and what it is to become. */
struct edit {
	const char *verb;
	char path[PATH_MAX]; /* links followed */
	char *old;           /* NULL: there is none */
	size_t old_len;
	struct bh_buf text;
	bool removed; /* there shall be none */
	bool dry_run;
};

static int fail_edit(const struct edit *e, int r, const char *what)
{
	char shown[256];

	return cli_fail(r == -EINVAL ? CLI_USAGE : CLI_FAILED, "%s: %s: %s", e->verb,
			bh_escape_str(shown, sizeof(shown), e->path), what);
}

static void edit_done(struct edit *e)
{
	free(e->old);
	bh_buf_done(&e->text);
}

/* A link is followed: it is the file behind it that is edited, and its neighbour that keeps what it was. */
static int edit_open(struct edit *e, const struct cli_options *o, const char *verb,
		     const char *path)
{
	bh_autofree char *real = realpath(path, NULL);
	struct stat st;
	int r;

	*e = (struct edit) { .verb = verb, .dry_run = o->dry_run };
	bh_buf_init(&e->text, 2 * BH_ENGINE_FILE_BYTES_MAX);
	if (snprintf(e->path, sizeof(e->path), "%s", real ? real : path) >= (int)sizeof(e->path))
		return cli_fail(CLI_USAGE, "%s: a path is too long", verb);
	if (!real && lstat(path, &st) == 0)
		return fail_edit(e, 0, "a link that leads nowhere");
	r = bh_read_file(e->path, BH_ENGINE_FILE_BYTES_MAX, &e->old, &e->old_len);
	if (r < 0 && r != -ENOENT)
		return fail_edit(e, 0,
				 r == -EFBIG    ? "it has more than a megabyte"
				 : r == -EINVAL ? "it is no regular file"
						: strerror(-r));
	if (e->old && strlen(e->old) != e->old_len)
		return fail_edit(e, -EINVAL, "it has zero bytes in it");
	bh_buf_addstr(&e->text, e->old ? e->old : "");
	return bh_buf_error(&e->text) ? fail_edit(e, 0, "out of memory") : CLI_YES;
}

/* --- what is done to it --------------------------------------------------------------------------- */

static bool is_changed(const struct edit *e)
{
	return e->removed ? e->old != NULL : !e->old || strcmp(e->old, bh_buf_str(&e->text)) != 0;
}

static int show(const struct edit *e)
{
	const char *old = e->old ? e->old : "", *new = bh_buf_str(&e->text);
	char shown[256];
	struct bh_buf diff, safe;
	int code;

	bh_buf_init(&diff, BH_DIFF_BYTES_MAX);
	bh_buf_init(&safe, BH_DIFF_BYTES_MAX);
	bh_escape_str(shown, sizeof(shown), e->path);
	bh_buf_addf(&safe, "--- %s\n+++ %s\n", e->old ? shown : "/dev/null",
		    e->removed ? "/dev/null" : shown);
	linediff(old, e->old_len, new, e->text.len, &diff);
	for (char *line = diff.data, *end; line && *line; line = end + 1) {
		end = strchrnul(line, '\n');
		bh_tame(&safe, line, (size_t)(end - line));
		bh_buf_addstr(&safe, "\n");
		if (!*end)
			break;
	}
	bh_buf_done(&diff);
	code = cli_flush(&safe);
	bh_buf_done(&safe);
	return code;
}

static int write_out(const struct edit *e)
{
	if (e->removed)
		return unlink(e->path) < 0 && errno != ENOENT ? -errno : 0;
	if (!e->old)
		return cli_write_new(e->path, 0644, bh_buf_str(&e->text), e->text.len);
	return cli_rewrite(e->path, e->old, e->old_len, BH_ENGINE_FILE_BYTES_MAX,
			   bh_buf_str(&e->text), e->text.len);
}

/* CLI_YES: it is what it shall be; CLI_NO: it would be another, and stays. */
static int edit_end(const struct edit *e, const char *done)
{
	char shown[256];
	int r;

	if (!is_changed(e)) {
		printf("%s: nothing to do\n", bh_escape_str(shown, sizeof(shown), e->path));
		return CLI_YES;
	}
	if (e->dry_run)
		return show(e) == CLI_YES ? CLI_NO : CLI_FAILED;
	r = write_out(e);
	if (r == -ESTALE || r == -EEXIST)
		return fail_edit(e, 0, "it has changed meanwhile; it stays");
	if (r < 0)
		return fail_edit(e, 0, strerror(-r));
	printf("%s: %s\n", bh_escape_str(shown, sizeof(shown), e->path), done);
	return CLI_YES;
}

/* --- Docker --------------------------------------------------------------------------------------- */

static int before_path(const struct edit *e, char out[PATH_MAX])
{
	return snprintf(out, PATH_MAX, "%s" BEFORE, e->path) >= PATH_MAX ? -ENAMETOOLONG : 0;
}

/* What it was before us is kept from the first time on, and read by no more than it was: it may have passwords of proxies. */
static int keep_before(const struct edit *e)
{
	char path[PATH_MAX];
	struct stat st;
	int r = before_path(e, path);

	if (r < 0 || daemonjson_has_ours(e->old ? e->old : "", e->old_len))
		return r;
	if (!e->old)
		return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
	if (stat(e->path, &st) < 0)
		return -errno;
	return cli_write(path, st.st_mode & 07777, e->old, e->old_len);
}

static int make_dir_of(const char *path)
{
	bh_autofree char *dir = strdup(path);
	char *slash = dir ? strrchr(dir, '/') : NULL;

	if (!slash || slash == dir)
		return 0;
	*slash = '\0';
	return mkdir(dir, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

#define ARGS_MAX 4

struct own_paths {
	char runc[PATH_MAX], hook[PATH_MAX];
	char config[PATH_MAX + 32], runtime[PATH_MAX + 32];
	const char *args[ARGS_MAX];
};

static int make_absolute(const char *option, const char *path)
{
	if (path && path[0] != '/')
		return cli_fail(CLI_USAGE, "install: --%s takes a path that begins with /", option);
	return CLI_YES;
}

/* Our programs lie beside this one. */
static int find_own(struct own_paths *p, const struct cli_options *o)
{
	size_t n = 0;
	int code = make_absolute("config", o->config);

	if (code == CLI_YES)
		code = make_absolute("runtime", o->runtime);
	if (code != CLI_YES)
		return code;
	if (child_beside("bulkhead-runc", p->runc, sizeof(p->runc)) < 0 ||
	    child_beside("bulkhead-oci-hook", p->hook, sizeof(p->hook)) < 0 ||
	    access(p->runc, X_OK) < 0 || access(p->hook, X_OK) < 0)
		return cli_fail(CLI_FAILED, "install: bulkhead-runc and bulkhead-oci-hook are not "
					    "beside this program");
	if (o->config) {
		snprintf(p->config, sizeof(p->config), "--bulkhead-config=%s", o->config);
		p->args[n++] = p->config;
	}
	if (o->runtime) {
		snprintf(p->runtime, sizeof(p->runtime), "--bulkhead-runtime=%s", o->runtime);
		p->args[n++] = p->runtime;
	}
	p->args[n] = NULL;
	return CLI_YES;
}

static void say_what_to_do(bool as_default)
{
	puts("Docker does not know it yet: have it read its configuration (systemctl reload "
	     "docker).\n"
	     "Containers keep the runtime that they were made with: make them anew.");
	if (!as_default)
		puts("It is not the default: docker run --runtime " DAEMONJSON_RUNTIME
		     ", or install --default.");
}

static int install_docker(const struct cli_options *o, const struct own_paths *own)
{
	const struct daemonjson_runtime rt = { own->runc, own->args, o->as_default };
	struct bh_err err = BH_ERR_INIT;
	struct edit e;
	int r, code = edit_open(&e, o, "install", o->daemon_json ? o->daemon_json : DAEMON_JSON);

	if (code == CLI_YES && (r = daemonjson_install(&e.text, &rt, &err)) < 0)
		code = fail_edit(&e, r, err.msg);
	if (code == CLI_YES && is_changed(&e) && !e.dry_run) {
		r = make_dir_of(e.path);
		if (r >= 0)
			r = keep_before(&e);
		if (r < 0)
			code = fail_edit(&e, 0, strerror(-r));
	}
	if (code == CLI_YES) {
		bool changed = is_changed(&e) && !e.dry_run;

		code = edit_end(&e, "it has the runtime \"" DAEMONJSON_RUNTIME "\"");
		if (code == CLI_YES && changed)
			say_what_to_do(o->as_default);
	}
	edit_done(&e);
	return code;
}

static int uninstall_docker(const struct cli_options *o)
{
	bh_autofree char *before = NULL;
	struct bh_err err = BH_ERR_INIT;
	char path[PATH_MAX] = "";
	struct edit e;
	size_t len;
	int r, code = edit_open(&e, o, "uninstall", o->daemon_json ? o->daemon_json : DAEMON_JSON);

	if (code == CLI_YES && before_path(&e, path) >= 0)
		bh_read_file(path, BH_ENGINE_FILE_BYTES_MAX, &before, &len);
	if (code == CLI_YES && e.old && daemonjson_has_ours(e.old, e.old_len) &&
	    (r = daemonjson_uninstall(&e.text, before, &err)) < 0)
		code = fail_edit(&e, r, err.msg);
	if (code == CLI_YES) {
		bool changed;

		e.removed = !e.old || (!before && !e.text.len);
		changed = is_changed(&e) && !e.dry_run;
		code = edit_end(&e, e.removed ? "removed" : "it is without our runtime");
		if (code == CLI_YES && changed) {
			unlink(path);
			puts("Docker does not know it yet: have it read its configuration "
			     "(systemctl "
			     "reload docker).\nContainers that were made with our runtime do not "
			     "start "
			     "without it: make them anew.");
		}
	}
	edit_done(&e);
	return code;
}

/* --- Podman --------------------------------------------------------------------------------------- */

static const struct {
	const char *file, *program;
	const char *stages, *args;
} hooks[] = {
	{ "bulkhead.json", "hook", "\"createRuntime\", \"poststop\"",
	  "\"bulkhead-oci-hook\", \"--runtime\", \"podman\"" },
	{ "bulkhead-privileges.json", "runc", "\"precreate\"",
	  "\"bulkhead-runc\", \"--bulkhead-precreate\", \"--bulkhead-engine=podman\"" },
};

static void hook_text(struct bh_buf *out, size_t i, const struct own_paths *own,
		      const struct cli_options *o)
{
	bool runc = strcmp(hooks[i].program, "runc") == 0;
	json_t *path = json_string(runc ? own->runc : own->hook);
	json_t *config = json_string(runc ? own->config : o->config ? o->config : "");
	bh_autofree char *program = json_dumps(path, JSON_ENCODE_ANY);
	bh_autofree char *option = json_dumps(config, JSON_ENCODE_ANY);

	bh_buf_reset(out);
	bh_buf_addf(out,
		    "{\n    \"version\": \"1.0.0\",\n    \"hook\": {\n        \"path\": %s,\n"
		    "        \"args\": [%s%s%s]\n    },\n    \"when\": {\"always\": true},\n"
		    "    \"stages\": [%s]\n}\n",
		    program ? program : "", hooks[i].args,
		    !o->config ? ""
		    : runc     ? ", "
			       : ", \"--config\", ",
		    o->config && option ? option : "", hooks[i].stages);
	json_decref(path);
	json_decref(config);
}

static bool is_hook_of_ours(const struct edit *e)
{
	return !e->old || strstr(e->old, "bulkhead-oci-hook") || strstr(e->old, "bulkhead-runc");
}

/* OWN NULL: it goes. */
static int edit_hook(const struct cli_options *o, size_t i, const struct own_paths *own)
{
	const char *dir = o->hooks_dir ? o->hooks_dir : HOOKS_DIR;
	char path[PATH_MAX];
	struct edit e;
	int r, code;

	snprintf(path, sizeof(path), "%s/%s", dir, hooks[i].file);
	code = edit_open(&e, o, own ? "install" : "uninstall", path);
	if (code == CLI_YES && !is_hook_of_ours(&e))
		code = fail_edit(&e, -EINVAL, "it is not ours; it stays");
	if (code == CLI_YES && own)
		hook_text(&e.text, i, own, o);
	e.removed = !own;
	if (e.removed)
		bh_buf_reset(&e.text);
	if (code == CLI_YES && own && !o->dry_run && (r = make_dir_of(e.path)) < 0)
		code = fail_edit(&e, 0, strerror(-r));
	if (code == CLI_YES)
		code = edit_end(&e,
				own ? "Podman calls our hook from the next start on" : "removed");
	edit_done(&e);
	return code;
}

static int worse(int a, int b)
{
	return a > b ? a : b;
}

static int edit_hooks(const struct cli_options *o, const struct own_paths *own)
{
	int code = CLI_YES;

	for (size_t i = 0; i < BH_ARRAY_SIZE(hooks); i++)
		code = worse(code, edit_hook(o, i, own));
	return code;
}

/* --- the verbs ------------------------------------------------------------------------------------ */

static int check_options(const struct cli_options *o, const char *verb)
{
	if (!o->docker && !o->podman)
		return cli_fail(CLI_USAGE, "%s: --docker, --podman, or both", verb);
	if (!o->docker && (o->daemon_json || o->as_default || o->runtime))
		return cli_fail(CLI_USAGE,
				"%s: --daemon-json, --default and --runtime go with "
				"--docker",
				verb);
	if (!o->podman && o->hooks_dir)
		return cli_fail(CLI_USAGE, "%s: --hooks-dir goes with --podman", verb);
	return CLI_YES;
}

int cmd_install(struct cli_options *o)
{
	struct own_paths own = { 0 };
	int code = check_options(o, "install");

	if (code == CLI_YES)
		code = find_own(&own, o);
	if (code != CLI_YES)
		return code;
	if (o->docker)
		code = install_docker(o, &own);
	return o->podman ? worse(code, edit_hooks(o, &own)) : code;
}

int cmd_uninstall(struct cli_options *o)
{
	int code = check_options(o, "uninstall");

	if (code != CLI_YES)
		return code;
	if (o->docker)
		code = uninstall_docker(o);
	return o->podman ? worse(code, edit_hooks(o, NULL)) : code;
}
