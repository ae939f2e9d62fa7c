/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include <bulkhead/base/limits.h>
#include <bulkhead/ctl/ctl.h>

#include "cli.h"

#define CONNECT_MS 5000
#define ANSWER_MS  120000

bool cli_names_its_own(const struct cli_options *o)
{
	return o->policies_given || o->inventory || o->config || o->netns_dir || o->docker_socket ||
	       o->podman_socket;
}

/* Diagnostics of policies come as lines, all else goes to the verb. */
static int hand_out(json_t *item, int (*fn)(json_t *, void *), void *arg)
{
	const char *line = json_string_value(json_object_get(item, "message"));

	if (!line)
		return fn(item, arg);
	fprintf(stderr, "%s\n", line);
	json_decref(item);
	return 0;
}

static int read_answer(struct ctl_client *c, int (*fn)(json_t *, void *), void *arg,
		       struct ctl_end *end, struct bh_err *err)
{
	json_t *item;
	int r;

	while ((r = ctl_client_next(c, &item, end, err)) > 0) {
		r = hand_out(item, fn, arg);
		if (r < 0)
			return r;
	}
	return r;
}

static json_t *arguments(const struct cli_options *o)
{
	json_t *args = json_object();

	if (args && o->strict)
		json_object_set_new(args, "strict", json_true());
	if (args && o->confirm_seconds)
		json_object_set_new(args, "confirm", json_integer(o->confirm_seconds));
	if (args && o->word)
		json_object_set_new(args, "generation", json_string(o->word));
	return args;
}

static int ask(struct ctl_client *c, const struct cli_options *o, const char *verb,
	       int (*fn)(json_t *, void *), void *arg)
{
	struct bh_err err = BH_ERR_INIT;
	struct ctl_end end;
	int r = ctl_client_request(c, verb, arguments(o), ANSWER_MS, &err);

	if (r >= 0)
		r = read_answer(c, fn, arg, &end, &err);
	if (r < 0)
		return cli_fail(CLI_FAILED, "bulkheadd: %s", err.msg);
	if (end.error[0])
		cli_fail(end.exit, "%s", end.error);
	return end.exit;
}

int cli_ask_daemon(const struct cli_options *o, const char *verb, int (*fn)(json_t *, void *),
		   void *arg)
{
	const char *path = o->socket ? o->socket : BH_CTL_SOCKET;
	struct bh_err err = BH_ERR_INIT;
	struct ctl_client *c;
	int r, code;

	if (!o->socket && cli_names_its_own(o))
		return CLI_NO_DAEMON;
	r = ctl_client_connect(path, CONNECT_MS, &c, &err);
	if (!o->socket && (r == -ENOENT || r == -ECONNREFUSED))
		return CLI_NO_DAEMON;
	if (r < 0)
		return cli_fail(CLI_FAILED, "%s", err.msg);
	code = ask(c, o, verb, fn, arg);
	ctl_client_free(c);
	return code;
}
