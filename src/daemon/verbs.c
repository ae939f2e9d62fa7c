/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "verbs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/enforce/report.h>

#include "answer.h"
#include "attached.h"
#include "change_verbs.h"
#include "grants.h"
#include "announcement.h"
#include "keeping.h"
#include "logger_probes.h"
#include "probe_verb.h"
#include "privileges.h"
#include "protect.h"
#include "reconcile.h"
#include "reload.h"
#include "self.h"
#include "warnings.h"

/* --- status ---------------------------------------------------------------------------------- */

struct looking {
	const struct site *site;
	struct answer *a;
};

static int on_status(const struct endpoint_status *st, void *arg)
{
	struct looking *l = arg;

	answer_item(report_endpoint(l->site, st), l->a);
	return 0;
}

/* A look at the endpoints of this moment, not of the last change. */
static void look(struct controller *c, bool openly, struct answer *a)
{
	struct bh_err err = BH_ERR_INIT;
	struct looking l = { &c->site, a };
	struct kernel_status kernel;
	int r = reconcile_refresh_or_known(c, &err);

	reconcile_changed(c); /* what it shows is brought about, too */
	if (openly)
		warnings_each(c->warnings, answer_line, a);
	answer_item(self_report(c, openly), a); /* also when nothing else can be told */
	if (r >= 0)
		r = enforce_status(&c->site, on_status, &l, &err);
	if (r < 0) {
		if (!openly)
			err = (struct bh_err)BH_ERR_INIT;
		answer_error(a, CTL_EXIT_FAILED, &err, "the endpoints could not be looked at");
		return;
	}
	enforce_kernel_status(&kernel, NULL);
	answer_item(report_kernel(&kernel), a);
	answer_item(keeping_report(c, openly), a);
}

static void run_status(struct ctl_call *call, const json_t *args, void *arg)
{
	struct answer *a = answer_new(call);

	if (!a)
		return;
	look(arg, !ctl_call_peer(call)->restricted, a);
	answer_send(call, a);
}

/* --- plan ------------------------------------------------------------------------------------ */

static int on_planned(const struct plan_item *item, void *arg)
{
	struct looking *l = arg;

	answer_item(report_planned(l->site, item), l->a);
	return 0;
}

/* Of the policies as they stand in their files, for the endpoints of this moment. */
static void run_plan(struct ctl_call *call, const json_t *args, void *arg)
{
	struct bh_err err = BH_ERR_INIT;
	struct controller *c = arg;
	struct answer *a = answer_new(call);
	struct looking l = { .a = a };
	struct site next;
	int r;

	if (!a)
		return;
	r = reload_read(c, &next, answer_line, a, &err);
	l.site = &next;
	if (r >= 0 && next.endpoints)
		r = enforce_plan(&next, on_planned, &l, &err);
	if (r == -EINVAL)
		answer_error(a, CTL_EXIT_USAGE, &err, "the policies are not valid");
	else if (r < 0 || !next.endpoints)
		answer_error(a, CTL_EXIT_FAILED, &err, "the endpoints could not be looked at");
	site_done(&next);
	answer_send(call, a);
}

/* --- the table ------------------------------------------------------------------------------- */

/* Of status it is for who reads: there it only decides what counts as a finding. */
static const struct ctl_arg strict_args[] = {
	{ "strict", CTL_TYPE_BOOLEAN, false },
	{ 0 },
};

static const struct ctl_verb verbs[] = {
	{ .name = "status",
	  .least = CTL_ROLE_VIEWER,
	  .read_only = true,
	  .args = strict_args,
	  .run = run_status,
	  .more = answer_more,
	  .gone = answer_gone },
	{ .name = "plan",
	  .least = CTL_ROLE_OPERATOR, /* it reads the policies anew: not for everybody */
	  .run = run_plan,
	  .more = answer_more,
	  .gone = answer_gone },
	{ .name = "apply",
	  .least = CTL_ROLE_OPERATOR,
	  .by_owner = true,
	  .args = change_apply_args,
	  .run = change_run_apply,
	  .more = answer_more,
	  .gone = answer_gone },
	{ .name = "rollback",
	  .least = CTL_ROLE_OPERATOR,
	  .by_owner = true,
	  .args = change_rollback_args,
	  .run = change_run_rollback,
	  .more = answer_more,
	  .gone = answer_gone },
	{ .name = "probe", /* and of these root alone */
	  .least = CTL_ROLE_ADMIN,
	  .args = probe_args,
	  .run = probe_run_verb,
	  .gone = logger_probes_gone },
	{ .name = "confirm",
	  .least = CTL_ROLE_OPERATOR,
	  .by_owner = true,
	  .run = change_run_confirm,
	  .more = answer_more,
	  .gone = answer_gone },
	{ .name = "protect",
	  .least = CTL_ROLE_ADMIN,
	  .args = announcement_args,
	  .run = protect_run,
	  .gone = protect_gone },
	{ .name = "privileges",
	  .least = CTL_ROLE_ADMIN,
	  .args = privileges_args,
	  .run = privileges_run,
	  .gone = privileges_gone },
	{ .name = "released",
	  .least = CTL_ROLE_ADMIN,
	  .args = protect_released_args,
	  .run = protect_run_released },
	{ .name = "ready", .least = CTL_ROLE_VIEWER, .run = attached_run_ready },
	{ .name = "examine",
	  .least = CTL_ROLE_VIEWER,
	  .args = attached_examine_args,
	  .run = attached_run_examine },
	{ .name = "retain",
	  .least = CTL_ROLE_ADMIN,
	  .args = attached_retain_args,
	  .run = attached_run_retain },
};

int verbs_serve(struct controller *c, struct ctl_server **ret, struct bh_err *err)
{
	const struct host_control *host = &c->site.host.control;
	const char *readonly = c->o->readonly ? c->o->readonly : host->read_only_socket;
	gid_t group = (gid_t)-1;
	int r = host->group ? grants_group_id(host->group, &group, err) : 0;

	if (r >= 0)
		r = ctl_server_new(c->event, verbs, BH_ARRAY_SIZE(verbs), c, controller_log, ret,
				   err);
	if (r >= 0)
		r = ctl_server_listen(*ret, c->o->socket ? c->o->socket : host->socket, group, err);
	if (r >= 0 && readonly)
		r = ctl_server_listen_restricted(*ret, readonly, err);
	return r;
}
