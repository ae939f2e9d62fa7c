/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <systemd/sd-event.h>

#include "alive.h"
#include "confirm.h"
#include "controller.h"
#include "logger.h"
#include "reload.h"
#include "supervisor.h"

/* Exit codes as the command line's: docs/architecture.md. */
enum { EXIT_DONE = 0, EXIT_FINDINGS = 1, EXIT_INPUT = 2, EXIT_COULD_NOT = 3 };

static int on_hangup(sd_event_source *source, const struct signalfd_siginfo *si, void *arg)
{
	struct bh_err err = BH_ERR_INIT;

	supervisor_reloading();
	logger_reload(((struct controller *)arg)->logger);
	if (reload_policies(arg, "reload", NULL, false, controller_log, NULL, NULL, &err) < 0)
		fprintf(stderr, "bulkheadd: nothing was changed: %s\n",
			err.msg[0] ? err.msg : "the policies are not valid");
	supervisor_ready(arg);
	return 0;
}

static int add_signals(sd_event *event, struct controller *c)
{
	sigset_t mask;
	int r;

	sigemptyset(&mask);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGHUP);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	r = sd_event_add_signal(event, NULL, SIGINT, NULL, NULL);
	if (r >= 0)
		r = sd_event_add_signal(event, NULL, SIGTERM, NULL, NULL);
	if (r >= 0)
		r = sd_event_add_signal(event, NULL, SIGHUP, on_hangup, c);
	return r;
}

static int fail(int r, const struct bh_err *err)
{
	fprintf(stderr, "bulkheadd: %s\n", err->msg[0] ? err->msg : strerror(-r));
	return r == -EINVAL ? EXIT_INPUT : r == -EPERM ? EXIT_FINDINGS : EXIT_COULD_NOT;
}

/*
 * Policies that are not valid end the start: what an earlier one left stays enforced. Endpoints that
 * cannot be listed do not, for they may be there later.
 */
static int run(sd_event *event, struct controller *c)
{
	struct bh_err err = BH_ERR_INIT;
	int r = add_signals(event, c); /* first: one that comes meanwhile must not kill */

	if (r < 0)
		return fail(r, &err);
	confirm_at_start(c);
	r = reload_policies(c, RELOAD_START, NULL, false, controller_log, NULL, NULL, &err);
	if (!c->loaded)
		return fail(r, &err);
	alive_begin(c->alive);
	sd_event_set_watchdog(event, true);
	supervisor_ready(c);
	fprintf(stderr, "bulkheadd: ready, %zu namespaces held\n", holds_count(c->holds));
	r = sd_event_loop(event);
	supervisor_stopping();
	alive_end(c->alive, r < 0 ? -EIO : 0);
	return r < 0 ? fail(r, &err) : EXIT_DONE;
}

/*
 * What one event needs and frees, some hundred KiB a namespace and a MiB in all, the next one needs
 * again: it is not given back in between.
 */
#define KEPT_BYTES (8 << 20)

static void keep_memory(void)
{
	mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
	mallopt(M_MMAP_THRESHOLD, KEPT_BYTES);
}

int main(int argc, char **argv)
{
	struct bh_err err = BH_ERR_INIT;
	struct daemon_options options;
	struct controller *c = NULL;
	sd_event *event = NULL;
	int r = daemon_options_parse(argc, argv, &options);

	if (r != 0)
		return r < 0 ? EXIT_DONE : r;
	keep_memory();
	signal(SIGPIPE, SIG_IGN);
	r = sd_event_new(&event);
	if (r >= 0)
		r = controller_new(&options, event, &c, &err);
	r = r < 0 ? fail(r, &err) : run(event, c);
	controller_free(c);
	sd_event_unref(event);
	return r;
}
