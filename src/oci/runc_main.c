/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>
#include <bulkhead/launch/launch.h>
#include <bulkhead/model/json.h>
#include <bulkhead/sys/child.h>
#include <bulkhead/sys/files.h>
#include <bulkhead/sys/replace.h>

#include "runc.h"

#define NAME "bulkhead-runc"
#define HOOK "bulkhead-oci-hook"

/* --- a file, edited ------------------------------------------------------------------------------- */

struct edit {
	const struct runc_options *o;
	const struct runc_hook *hook;
	bool deny_raw;
};

static int edit_config(struct bh_buf *text, const struct edit *e, struct bh_err *err)
{
	int r = e->hook ? runc_config_add_hook(text, e->hook, err) : 0;

	return r >= 0 && e->deny_raw ? runc_config_deny_raw(text, err) : r;
}

static int edit_process(struct bh_buf *text, const struct edit *e, struct bh_err *err)
{
	return runc_process_deny_raw(text, err);
}

/* Only the engine may write there: its owner and mode stay. */
static int edit_file(const char *path,
		     int (*fn)(struct bh_buf *, const struct edit *, struct bh_err *),
		     const struct edit *e, struct bh_err *err)
{
	bh_autofree char *data = NULL;
	struct bh_buf text;
	struct stat st;
	char shown[256];
	size_t len = 0;
	int r = stat(path, &st) < 0 ? -errno
				    : bh_read_file(path, BH_OCI_CONFIG_BYTES_MAX, &data, &len);

	if (r < 0 || !data)
		return bh_err_errno(err, r, "cannot read %s",
				    bh_escape_str(shown, sizeof(shown), path));
	bh_buf_init(&text, 2 * BH_OCI_CONFIG_BYTES_MAX);
	r = bh_buf_add(&text, data, len);
	r = r < 0 ? bh_err_oom(err) : fn(&text, e, err);
	if (r >= 0 && (text.len != len || memcmp(text.data, data, len) != 0))
		r = replace_file(path, st.st_mode & 07777, text.data, text.len, err);
	bh_buf_done(&text);
	return r;
}

/* --- what is done before the runtime -------------------------------------------------------------- */

#define HOOK_ARGS_MAX 8

static int make_hook(const struct runc_options *o, char path[PATH_MAX],
		     const char *args[HOOK_ARGS_MAX], struct runc_hook *ret, struct bh_err *err)
{
	size_t n = 0;
	int r = o->hook ? 0 : child_beside(HOOK, path, PATH_MAX);

	if (r < 0)
		return bh_err_errno(err, r, "where " HOOK " is");
	ret->path = o->hook ? o->hook : path;
	if (access(ret->path, X_OK) < 0)
		return bh_err_errno(err, -errno, "%s", ret->path);
	args[n++] = HOOK;
	args[n++] = "--runtime";
	args[n++] = endpoint_runtime_name(o->engine);
	if (o->config) {
		args[n++] = "--config";
		args[n++] = o->config;
	}
	if (o->socket) {
		args[n++] = "--socket";
		args[n++] = o->socket;
	}
	args[n] = NULL;
	ret->args = args;
	return 0;
}

/* Without the daemon, what the host file says of starts holds: then they are kept, and status tells. */
static int ask_privileges(const struct runc_options *o, const struct launch_options *host,
			  const char *id, bool *ret, struct bh_err *err)
{
	bool without = true;
	int r = id ? launch_denies_raw(o->engine, id, host, ret, err)
		   : bh_err_set(err, -EINVAL, "it has no id");

	if (r == -EPERM || r == -EINVAL || r == -EMSGSIZE)
		without = false;
	if (r >= 0 || (without && host->quarantine))
		return 0;
	return bh_err_prefix(err, r, "what it is to be started without is not known");
}

static int before_start(const struct runc_options *o, const struct launch_options *host,
			const struct runc_call *call, struct bh_err *err)
{
	const char *args[HOOK_ARGS_MAX];
	char path[PATH_MAX], file[PATH_MAX];
	struct runc_hook hook;
	struct edit e = { .o = o, .hook = &hook };
	int r = make_hook(o, path, args, &hook, err);

	if (r >= 0)
		r = ask_privileges(o, host, call->id, &e.deny_raw, err);
	if (r < 0)
		return r;
	if (snprintf(file, sizeof(file), "%s/config.json", call->bundle) >= (int)sizeof(file))
		return bh_err_set(err, -ENAMETOOLONG, "the path of the bundle is too long");
	return edit_file(file, edit_config, &e, err);
}

/* Engines run their runtimes in the bundle. What is not there was not made by us. */
static int before_exec(const struct runc_options *o, const struct launch_options *host,
		       const struct runc_call *call, struct bh_err *err)
{
	bh_autofree char *config = NULL;
	struct edit e = { .o = o };
	size_t len;

	if (!call->process ||
	    bh_read_file("config.json", 2 * BH_OCI_CONFIG_BYTES_MAX, &config, &len) < 0 ||
	    !runc_config_denies_raw(config, len))
		return 0;
	return edit_file(call->process, edit_process, &e, err);
}

static int prepare(const struct runc_options *o, const struct launch_options *host,
		   const struct runc_call *call, struct bh_err *err)
{
	static int (*const tasks[])(const struct runc_options *, const struct launch_options *,
				    const struct runc_call *, struct bh_err *) = {
		[RUNC_START] = before_start,
		[RUNC_EXEC] = before_exec,
	};

	return call->task == RUNC_PASS ? 0 : tasks[call->task](o, host, call, err);
}

/* --- a hook of Podman's --------------------------------------------------------------------------- */

/* Podman hands out the configuration before it writes it, and takes what comes back. */
static int precreate(const struct runc_options *o, const struct launch_options *host,
		     struct bh_err *err)
{
	struct edit e = { .o = o };
	bh_autofree char *data = NULL;
	char id[RUNC_ID_SIZE];
	struct bh_buf text;
	size_t len;
	int r = bh_read_stream(STDIN_FILENO, BH_OCI_CONFIG_BYTES_MAX, &data, &len);

	if (r < 0)
		return bh_err_errno(err, r, "the configuration");
	r = runc_config_podman_id(data, len, id, err);
	if (r >= 0)
		r = ask_privileges(o, host, id, &e.deny_raw, err);
	if (r < 0)
		return r;
	bh_buf_init(&text, 2 * BH_OCI_CONFIG_BYTES_MAX);
	r = bh_buf_add(&text, data, len);
	r = r < 0 ? bh_err_oom(err) : edit_config(&text, &e, err);
	if (r >= 0)
		r = files_append(STDOUT_FILENO, text.data, text.len);
	bh_buf_done(&text);
	return r;
}

/* --- what went wrong ------------------------------------------------------------------------------ */

/* Where the engine looks for what its runtime has to say. */
static void tell_engine(const struct runc_call *call, const char *msg)
{
	bh_autoclose int fd =
		open(call->log, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
	struct bh_buf line;

	bh_buf_init(&line, 8 * BH_ERR_MAX);
	if (call->log_json)
		json_take_line(json_pack("{s:s, s:s+}", "level", "error", "msg", NAME ": ", msg),
			       &line);
	else
		bh_buf_addf(&line, "level=error msg=\"" NAME ": %s\"\n", msg);
	if (fd >= 0 && !bh_buf_error(&line))
		files_append(fd, bh_buf_str(&line), line.len);
	bh_buf_done(&line);
}

static int refuse(const struct runc_call *call, const char *msg)
{
	if (call->log)
		tell_engine(call, msg);
	fprintf(stderr, NAME ": %s\n", msg);
	return 1;
}

static int become(const char *runtime, char *const rest[], const struct runc_call *call)
{
	char msg[BH_ERR_MAX];
	size_t n = 0;
	char **argv;

	while (rest[n])
		n++;
	argv = calloc(n + 2, sizeof(*argv));
	if (!argv)
		return refuse(call, "out of memory");
	argv[0] = (char *)runtime;
	memcpy(argv + 1, rest, n * sizeof(*argv));
	execv(runtime, argv);
	snprintf(msg, sizeof(msg), "cannot start %.256s: %s", runtime, strerror(errno));
	free(argv);
	return refuse(call, msg);
}

/* A host file that is wrong lets nothing start; what runs can be stopped all the same. */
static int read_host(const struct runc_options *o, const struct runc_call *call,
		     struct launch_options *ret, struct bh_err *err)
{
	int r = launch_options_read(o->config, ret, err);

	if (r < 0 && call->task == RUNC_START)
		return r;
	if (o->socket)
		ret->socket = o->socket;
	if (o->runtime)
		ret->runtime = o->runtime;
	return 0;
}

int main(int argc, char **argv)
{
	struct bh_err err = BH_ERR_INIT;
	struct runc_call call = { .bundle = "." };
	struct launch_options host = { 0 };
	struct runc_options o;
	char runtime[PATH_MAX];
	char *const *rest;
	int r = runc_options_parse(argv + 1, &o, &rest, &err);

	if (r >= 0 && o.precreate)
		call.task = RUNC_START;
	else if (r >= 0)
		r = runc_args_parse(rest, &call, &err);
	if (r >= 0)
		r = read_host(&o, &call, &host, &err);
	if (r >= 0 && o.precreate) {
		r = precreate(&o, &host, &err);
		launch_options_done(&host);
		return r < 0 ? refuse(&call, err.msg) : 0;
	}
	if (r >= 0)
		r = runc_find_runtime(host.runtime, runtime, sizeof(runtime), &err);
	if (r >= 0)
		r = prepare(&o, &host, &call, &err);
	launch_options_done(&host);
	return r < 0 ? refuse(&call, err.msg) : become(runtime, rest, &call);
}
