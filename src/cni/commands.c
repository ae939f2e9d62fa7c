/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plugin.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/text.h>
#include <bulkhead/sys/netns.h>

int plugin_options(const struct cni_config *c, struct launch_options *ret, struct cni_error *err)
{
	struct bh_err why = BH_ERR_INIT;

	if (launch_options_read(c->host_file, ret, &why) < 0)
		return cni_fail(err, CNI_INVALID_CONFIG, "the host file cannot be used: %.400s",
				why.msg);
	if (c->socket)
		ret->socket = c->socket;
	if (c->wait_ms)
		ret->wait_ms = c->wait_ms;
	if (c->without != CNI_AS_HOST_SAYS)
		ret->quarantine = c->without == CNI_QUARANTINE_WITHOUT;
	return 0;
}

/* The namespace at CNI_NETNS: a network namespace, and not the host's. */
static int open_namespace(const struct plugin *p, int *ret_fd, uint64_t *ret_ino,
			  struct cni_error *err)
{
	struct bh_err why = BH_ERR_INIT;

	if (netns_open(p->env.netns, ret_fd, ret_ino, &why) < 0)
		return cni_fail(err, CNI_INVALID_ENVIRONMENT, "CNI_NETNS: %.400s", why.msg);
	if (*ret_ino == netns_own_ino())
		return cni_fail(err, CNI_INVALID_ENVIRONMENT,
				"CNI_NETNS: it is the host's own namespace, where nothing is "
				"enforced");
	return 0;
}

/* --- ADD ------------------------------------------------------------------------------------------- */

static int hold(const struct plugin *p, const struct cni_labels *l, uint64_t ino,
		const struct launch_options *o, struct cni_error *err)
{
	const struct launch_request rq = {
		.runtime = p->config.runtime,
		.id = p->env.container,
		.name = l->name,
		.netns = p->env.netns,
		.netns_ino = ino,
		.own_netns = p->config.runtime == ENDPOINT_CNI,
		.labels = l->labels,
		.n_labels = l->n,
	};
	struct bh_err why = BH_ERR_INIT;
	enum launch_outcome outcome;
	int r = launch_hold(&rq, o, &outcome, NULL, &why);

	if (r < 0)
		return cni_fail(err,
				r == -EPERM || r == -EINVAL || r == -EMSGSIZE ? CNI_NOT_HELD
									      : CNI_TRY_AGAIN,
				"its policy is not in force: %.450s", why.msg);
	if (outcome == LAUNCH_QUARANTINED)
		fprintf(stderr,
			"bulkhead-cni: %s goes on with everything denied, until bulkheadd is back: "
			"%s\n",
			p->env.container, why.msg);
	return 0;
}

static int run_add(struct plugin *p, struct cni_error *err)
{
	struct launch_options options = { 0 };
	bh_autoclose int netns = -1;
	struct cni_labels labels;
	uint64_t ino;
	int r = open_namespace(p, &netns, &ino, err);

	if (r >= 0)
		r = cni_labels_take(&p->env, &p->config, &labels, err);
	if (r < 0)
		return r;
	r = plugin_options(&p->config, &options, err);
	if (r >= 0)
		r = hold(p, &labels, ino, &options, err);
	if (r >= 0 && cni_result_write(&p->config, &p->out) < 0)
		r = cni_fail(err, CNI_IO_FAILURE, "out of memory");
	launch_options_done(&options);
	cni_labels_done(&labels);
	return r;
}

/* --- CHECK ------------------------------------------------------------------------------------------ */

static int run_check(struct plugin *p, struct cni_error *err)
{
	struct launch_options options = { 0 };
	bh_autoclose int netns = -1;
	uint64_t ino;
	int r = open_namespace(p, &netns, &ino, err);

	if (r >= 0)
		r = plugin_options(&p->config, &options, err);
	if (r >= 0)
		r = plugin_check(p, &options, ino, err);
	launch_options_done(&options);
	return r;
}

/* --- DEL -------------------------------------------------------------------------------------------- */

/* Devices in it, beside loopback and the one that goes. */
static int count_others(void *arg, struct bh_err *err)
{
	const char *goes = arg;
	struct if_nameindex *all = if_nameindex();
	int n = 0;

	for (const struct if_nameindex *d = all; d && d->if_index; d++)
		n += strcmp(d->if_name, "lo") != 0 && strcmp(d->if_name, goes) != 0;
	if_freenameindex(all);
	return n;
}

/* A container that leaves one of its networks lives on, and stays who it is. */
static bool stays(const struct plugin *p)
{
	bh_autoclose int netns = -1;
	uint64_t ino;

	if (!p->env.netns || netns_open(p->env.netns, &netns, &ino, NULL) < 0 ||
	    ino == netns_own_ino())
		return false;
	return netns_run(netns, count_others, (void *)p->env.ifname, NULL) != 0;
}

static int release(const struct plugin *p, const struct launch_options *o, struct bh_err *err)
{
	struct launch_request rq = {
		.runtime = p->config.runtime,
		.id = p->env.container,
		.netns = p->env.netns && p->env.netns[0] ? p->env.netns : NULL,
	};
	bh_autoclose int netns = -1;

	if (rq.netns && netns_open(rq.netns, &netns, &rq.netns_ino, NULL) < 0)
		rq.netns_ino = 0;
	return launch_release(&rq, o, err);
}

/* Done also without the daemon: a namespace that is gone it sees for itself. */
static int run_del(struct plugin *p, struct cni_error *err)
{
	struct launch_options options = { 0 };
	struct cni_error unread = CNI_ERROR_INIT;
	struct bh_err why = BH_ERR_INIT;

	if (stays(p))
		return 0;
	if (plugin_options(&p->config, &options, &unread) < 0) {
		fprintf(stderr, "bulkhead-cni: %s\n", unread.err.msg);
		return 0;
	}
	if (release(p, &options, &why) < 0)
		fprintf(stderr, "bulkhead-cni: %s\n", why.msg);
	launch_options_done(&options);
	return 0;
}

/* --- GC, STATUS ------------------------------------------------------------------------------------- */

static int run_gc(struct plugin *p, struct cni_error *err)
{
	struct launch_options options = { 0 };
	struct bh_err why = BH_ERR_INIT;
	int r = plugin_options(&p->config, &options, err);

	if (r >= 0 && plugin_retain(&options, &p->config, &why) < 0)
		r = cni_fail(err, CNI_TRY_AGAIN, "bulkheadd was not told: %.400s", why.msg);
	launch_options_done(&options);
	return r;
}

static int run_status(struct plugin *p, struct cni_error *err)
{
	struct launch_options options = { 0 };
	struct bh_err why = BH_ERR_INIT;
	int r = plugin_options(&p->config, &options, err);

	if (r >= 0 && plugin_ask(&options, "ready", NULL, NULL, &why) < 0)
		r = cni_fail(err, CNI_NOT_AVAILABLE, "bulkheadd cannot take containers: %.400s",
			     why.msg);
	launch_options_done(&options);
	return r;
}

/* VERSION takes no configuration: main.c. */
static int (*const commands[])(struct plugin *p, struct cni_error *err) = {
	[CNI_ADD] = run_add, [CNI_CHECK] = run_check,   [CNI_DEL] = run_del,
	[CNI_GC] = run_gc,   [CNI_STATUS] = run_status,
};

int plugin_run(struct plugin *p, struct cni_error *err)
{
	return commands[p->command](p, err);
}
