/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bulkhead/runtime/runtime.h>

#include "alive.h"
#include "announced.h"
#include "engines.h"
#include "fresh.h"
#include "hints.h"
#include "keeping.h"
#include "logger.h"
#include "meters.h"
#include "park.h"
#include "privileges.h"
#include "protect.h"
#include "policywatch.h"
#include "reconcile.h"
#include "refusals.h"
#include "trail.h"
#include "verbs.h"
#include "warnings.h"
#include "watches.h"

int64_t controller_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

void controller_log(const char *line, void *arg)
{
	fprintf(stderr, "bulkheadd: %s\n", line);
}

void controller_tell_diags(struct diag_list *diags, void (*tell)(const char *, void *), void *arg)
{
	char *text = NULL, *save = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return;
	diag_list_sort(diags);
	diag_list_print(diags, out, false);
	fclose(out);
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		tell(line, arg);
	free(text);
}

bool controller_lists(const struct controller *c, enum endpoint_runtime runtime)
{
	const struct host_config *host = &c->site.host;
	const struct daemon_options *o = c->o;

	if (o->inventory)
		return runtime == ENDPOINT_INVENTORY;
	switch (runtime) {
	case ENDPOINT_NETNS:
		return host->netns || o->netns_dir;
	case ENDPOINT_DOCKER:
		return host->docker || o->docker_socket;
	case ENDPOINT_PODMAN:
		return host->podman || o->podman_socket;
	case ENDPOINT_CNI:
	case ENDPOINT_OCI:
	case ENDPOINT_INVENTORY:
	case ENDPOINT_UNKNOWN:
		break;
	}
	return false;
}

/* --- life ------------------------------------------------------------------------------------ */

static void fill_site_options(struct controller *c)
{
	const struct daemon_options *o = c->o;

	c->site_options = (struct site_options) {
		.config = o->config,
		.policies = o->policies,
		.n_policies = o->n_policies,
		.inventory = o->inventory,
		.netns_dir = o->netns_dir,
		.docker_socket = o->docker_socket,
		.podman_socket = o->podman_socket,
	};
}

/* The sockets are where the host file says: it is read before all else. */
static int load_settings(struct controller *c, struct bh_err *err)
{
	struct diag_list diags;
	int r;

	diag_list_init(&diags);
	r = site_load_config(&c->site, &c->site_options, &diags, err);
	if (r < 0 && r != -ENOMEM)
		r = -EINVAL; /* what the user gave, and not this host, is at fault */
	controller_tell_diags(&diags, controller_log, NULL);
	diag_list_done(&diags);
	return r;
}

/* What nobody lists: first what is said, then what has appeared. */
static int add_more(struct endpoint_builder *b, const struct policy_set *policies,
		    struct diag_list *diags, void *arg, struct bh_err *err)
{
	struct controller *c = arg;
	int r = announced_add(c->announced, policies, b, diags, err);

	return r < 0 ? r : fresh_add(b, diags, c->fresh, err);
}

static int open_all(struct controller *c, struct bh_err *err)
{
	int r;

	c->holds = holds_new();
	c->hints = hints_new();
	c->fresh = fresh_new(c);
	c->warnings = warnings_new();
	if (!c->holds || !c->hints || !c->fresh || !c->warnings)
		return bh_err_oom(err);
	c->site_options.add_more = add_more;
	c->site_options.arg = c;
	r = park_new(park_cap(), &c->park, err);
	if (r < 0)
		return r;
	park_restore(c->park, c->holds);
	r = reconcile_init(c, err);
	if (r >= 0)
		r = watches_new(c, &c->watches, err);
	if (r >= 0)
		r = load_settings(c, err);
	if (r >= 0)
		r = verbs_serve(c, &c->server, err);
	if (r >= 0)
		runtime_patience(ctl_server_fd(c->server));
	if (r >= 0)
		r = trail_open(c->o->store, c->site.host.retention.audit_files, &c->trail, err);
	if (r >= 0)
		r = alive_new(c, &c->alive, err);
	if (r >= 0)
		r = keeping_new(c, &c->keeping, err);
	if (r >= 0)
		r = announced_new(c, &c->announced, err);
	if (r >= 0)
		r = protect_new(c, &c->protect, err);
	if (r >= 0)
		r = privileges_new(c, &c->privileges, err);
	if (r >= 0)
		r = refusals_new(c, &c->refusals, err);
	if (r >= 0)
		r = meters_new(c, &c->meters, err);
	if (r >= 0)
		r = engines_new(c, &c->engines, err);
	if (r >= 0)
		c->site_options.images = engines_images(c->engines);
	if (r >= 0)
		r = logger_new(c, &c->logger, err);
	if (r >= 0)
		r = policywatch_new(c, &c->policywatch, err);
	if (r >= 0) /* what comes while they are listed for the first time is denied, too */
		watches_sync(c->watches, &c->site, c->holds, true);
	return r;
}

int controller_new(const struct daemon_options *o, sd_event *event, struct controller **ret,
		   struct bh_err *err)
{
	struct controller *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return bh_err_oom(err);
	c->o = o;
	c->event = event;
	site_init(&c->site);
	fill_site_options(c);
	r = open_all(c, err);
	if (r < 0) {
		controller_free(c);
		return r;
	}
	*ret = c;
	return 0;
}

void controller_free(struct controller *c)
{
	if (!c)
		return;
	runtime_patience(-1);
	ctl_server_free(c->server);
	logger_free(c->logger);
	policywatch_free(c->policywatch);
	engines_free(c->engines);
	meters_free(c->meters);
	refusals_free(c->refusals);
	keeping_free(c->keeping);
	alive_free(c->alive);
	audit_close(c->trail);
	watches_free(c->watches);
	sd_event_source_disable_unref(c->timer);
	privileges_free(c->privileges);
	protect_free(c->protect);
	announced_free(c->announced);
	fresh_free(c->fresh);
	warnings_free(c->warnings);
	hints_free(c->hints);
	holds_free(c->holds);
	park_free(c->park);
	site_done(&c->site);
	free(c);
}
