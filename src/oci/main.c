/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>

#include "hook.h"

/* bulkhead-oci-hook: called by an OCI runtime with the state on standard input (docs/starting.md). */

#define NAME "bulkhead-oci-hook"

enum { EXIT_DONE = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2 };

struct hook_options {
	enum endpoint_runtime runtime;
	const char *socket, *config, *wait, *without_daemon;
};

static const struct option longs[] = {
	{ "runtime", required_argument, NULL, 'r' },
	{ "socket", required_argument, NULL, 's' },
	{ "config", required_argument, NULL, 'c' },
	{ "wait", required_argument, NULL, 'w' },
	{ "without-daemon", required_argument, NULL, 'd' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static const char help[] =
	"usage: " NAME " [OPTION...] <STATE\n\n"
	"Hook of an OCI runtime: at createRuntime, hold the container until its policy is in\n"
	"force; at poststop, forget it.\n\n"
	"  --runtime NAME            docker, podman or oci: who knows what the container is\n"
	"                            (default oci: its annotations say it)\n"
	"  --socket PATH             of bulkheadd (default " BH_CTL_SOCKET ", or the host file's)\n"
	"  --config FILE             host file (default /etc/bulkhead/bulkhead.yaml)\n"
	"  --wait TIME               as 10s, for the policy (default: the host file's)\n"
	"  --without-daemon WORD     fail or quarantine (default: the host file's)\n";

static int take_runtime(const char *word, enum endpoint_runtime *ret)
{
	static const enum endpoint_runtime all[] = { ENDPOINT_DOCKER, ENDPOINT_PODMAN,
						     ENDPOINT_OCI };

	for (size_t i = 0; i < BH_ARRAY_SIZE(all); i++)
		if (strcmp(word, endpoint_runtime_name(all[i])) == 0) {
			*ret = all[i];
			return 0;
		}
	fprintf(stderr, NAME ": --runtime takes docker, podman or oci\n");
	return EXIT_USAGE;
}

/* 0, or the exit code; -1: it is done. */
static int parse(int argc, char **argv, struct hook_options *o)
{
	int c;

	*o = (struct hook_options) { .runtime = ENDPOINT_OCI };
	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (c == 'r' && take_runtime(optarg, &o->runtime) != 0)
			return EXIT_USAGE;
		if (c == 'h') {
			fputs(help, stdout);
			return -1;
		}
		if (c == '?')
			return EXIT_USAGE;
		o->socket = c == 's' ? optarg : o->socket;
		o->config = c == 'c' ? optarg : o->config;
		o->wait = c == 'w' ? optarg : o->wait;
		o->without_daemon = c == 'd' ? optarg : o->without_daemon;
	}
	if (optind < argc)
		fprintf(stderr, NAME ": it takes no arguments\n");
	return optind < argc ? EXIT_USAGE : 0;
}

/* The command line wins; with all that it can say, no file is read. */
static int settle(const struct hook_options *h, struct launch_options *o, struct bh_err *err)
{
	uint64_t seconds;
	int r = 0;

	*o = (struct launch_options) { 0 };
	if (!h->socket || !h->wait || !h->without_daemon)
		r = launch_options_read(h->config, o, err);
	if (r < 0)
		return r;
	if (h->socket)
		o->socket = h->socket;
	if (h->wait) {
		if (bh_parse_duration(h->wait, 1, BH_STARTS_WAIT_MAX_S, &seconds) < 0)
			return bh_err_set(err, -EINVAL, "--wait takes a time, as 10s");
		o->wait_ms = (unsigned)seconds * 1000;
	}
	if (!h->without_daemon)
		return 0;
	o->quarantine = strcmp(h->without_daemon, "quarantine") == 0;
	if (!o->quarantine && strcmp(h->without_daemon, "fail") != 0)
		return bh_err_set(err, -EINVAL, "--without-daemon takes fail or quarantine");
	return 0;
}

static int read_state(struct oci_state *ret, struct bh_err *err)
{
	bh_autofree char *data = NULL;
	size_t len;
	int r = bh_read_stream(STDIN_FILENO, BH_OCI_STATE_BYTES_MAX, &data, &len);

	if (r == -EFBIG)
		return bh_err_set(err, -EINVAL, "the state: it has more than %d bytes",
				  BH_OCI_STATE_BYTES_MAX);
	if (r < 0)
		return bh_err_errno(err, r, "the state");
	r = oci_state_parse(data, len, ret, err);
	return r < 0 ? bh_err_prefix(err, r, "the state") : 0;
}

/* A runtime shows what a hook wrote when it fails. */
static void tell(const char *id, const char *what, const char *sentence)
{
	char shown[BH_HINT_ID_MAX];

	fprintf(stderr, NAME ": container %.64s: %s%s\n", bh_escape_str(shown, sizeof(shown), id),
		what, sentence);
}

static int run(const struct oci_state *s, enum endpoint_runtime runtime,
	       const struct launch_options *o)
{
	struct bh_err err = BH_ERR_INIT;
	char note[BH_ERR_MAX] = "";
	bool ends = s->status && strcmp(s->status, "stopped") == 0;
	int r = ends ? oci_hook_stop(s, runtime, o, &err)
		     : oci_hook_start(s, runtime, o, note, &err);

	if (note[0])
		tell(s->id, "", note);
	if (r < 0)
		tell(s->id,
		     ends ? "bulkheadd was not told that it is gone: " : "it does not start: ",
		     err.msg[0] ? err.msg : strerror(-r));
	return r < 0 && !ends ? EXIT_REFUSED : EXIT_DONE;
}

int main(int argc, char **argv)
{
	struct bh_err err = BH_ERR_INIT;
	struct launch_options o = { 0 };
	struct hook_options h;
	struct oci_state s;
	int r = parse(argc, argv, &h);

	if (r != 0)
		return r < 0 ? EXIT_DONE : r;
	r = settle(&h, &o, &err);
	if (r >= 0)
		r = read_state(&s, &err);
	if (r < 0) {
		fprintf(stderr, NAME ": %s\n", err.msg[0] ? err.msg : strerror(-r));
		launch_options_done(&o);
		return EXIT_REFUSED;
	}
	r = run(&s, h.runtime, &o);
	oci_state_done(&s);
	launch_options_done(&o);
	return r;
}
