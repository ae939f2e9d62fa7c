/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "verbs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/enforce/report.h>

#include "grants.h"
#include "reload.h"
#include "self.h"

/* An answer that was made at once and is sent as fast as its client reads. */
struct answer {
	json_t *items;
	size_t sent;
	enum ctl_exit exit;
	char error[BH_ERR_MAX];
};

static void answer_free(struct answer *a)
{
	if (a)
		json_decref(a->items);
	free(a);
}

static struct answer *answer_new(void)
{
	struct answer *a = calloc(1, sizeof(*a));

	if (a && !(a->items = json_array())) {
		free(a);
		return NULL;
	}
	return a;
}

static void add_item(json_t *item, void *arg)
{
	struct answer *a = arg;

	json_array_append_new(a->items, item);
}

static void add_line(const char *line, void *arg)
{
	add_item(json_pack("{s:s}", "message", line), arg);
}

/* Send what there is room for; the rest when it was read. */
static void send_some(struct ctl_call *call, void *arg)
{
	struct answer *a = ctl_call_data(call);
	int r;

	while (a->sent < json_array_size(a->items)) {
		if (!ctl_call_has_room(call)) {
			ctl_call_want_more(call);
			return;
		}
		r = ctl_call_item(call, json_incref(json_array_get(a->items, a->sent++)));
		if (r == -EPIPE)
			break;
		if (r < 0) { /* what is left out must not look like the whole */
			a->exit = CTL_EXIT_FAILED;
			snprintf(a->error, sizeof(a->error),
				 "an item of the answer was left out: %s", strerror(-r));
		}
	}
	ctl_call_end(call, a->exit, a->error[0] ? a->error : NULL);
	answer_free(a);
}

static void give_up(struct ctl_call *call, void *arg)
{
	answer_free(ctl_call_data(call));
}

static void send_answer(struct ctl_call *call, struct answer *a)
{
	ctl_call_set_data(call, a);
	send_some(call, NULL);
}

/* --- status ---------------------------------------------------------------------------------- */

struct looking {
	const struct site *site;
	struct answer *a;
};

static int on_status(const struct endpoint_status *st, void *arg)
{
	struct looking *l = arg;

	add_item(report_endpoint(l->site, st), l->a);
	return 0;
}

static void put_error(struct answer *a, enum ctl_exit exit, const struct bh_err *err,
		      const char *otherwise)
{
	a->exit = exit;
	snprintf(a->error, sizeof(a->error), "%s", err->msg[0] ? err->msg : otherwise);
}

static void put_refusal(struct answer *a, const struct bh_err *err)
{
	a->exit = CTL_EXIT_USAGE;
	snprintf(a->error, sizeof(a->error), "nothing was changed: %.400s",
		 err->msg[0] ? err->msg : "the policies are not valid");
}

/* A look at the endpoints of this moment, not of the last change. */
static void look(struct controller *c, bool openly, struct answer *a)
{
	struct bh_err err = BH_ERR_INIT;
	struct looking l = { &c->site, a };
	struct kernel_status kernel;
	struct diag_list diags;
	bool input;
	int r;

	diag_list_init(&diags);
	r = site_refresh(&c->site, &c->site_options, &diags, &input, &err);
	diag_list_done(&diags);
	add_item(self_report(c, openly), a); /* also when nothing else can be told */
	if (r >= 0)
		r = enforce_status(&c->site, on_status, &l, &err);
	if (r < 0) {
		put_error(a, CTL_EXIT_FAILED, &err, "the endpoints could not be looked at");
		return;
	}
	enforce_kernel_status(&kernel, NULL);
	add_item(report_kernel(&kernel), a);
}

static void run_status(struct ctl_call *call, const json_t *args, void *arg)
{
	struct answer *a = answer_new();

	if (!a) {
		ctl_call_end(call, CTL_EXIT_FAILED, "out of memory");
		return;
	}
	look(arg, !ctl_call_peer(call)->restricted, a);
	send_answer(call, a);
}

/* --- plan ------------------------------------------------------------------------------------ */

static int on_planned(const struct plan_item *item, void *arg)
{
	struct looking *l = arg;

	add_item(report_planned(l->site, item), l->a);
	return 0;
}

/* Of the policies as they stand in their files, for the endpoints of this moment. */
static void run_plan(struct ctl_call *call, const json_t *args, void *arg)
{
	struct bh_err err = BH_ERR_INIT;
	struct controller *c = arg;
	struct answer *a = answer_new();
	struct looking l = { .a = a };
	struct site next;
	int r;

	if (!a) {
		ctl_call_end(call, CTL_EXIT_FAILED, "out of memory");
		return;
	}
	r = reload_read(c, &next, add_line, a, &err);
	l.site = &next;
	if (r >= 0 && next.endpoints)
		r = enforce_plan(&next, on_planned, &l, &err);
	if (r == -EINVAL)
		put_error(a, CTL_EXIT_USAGE, &err, "the policies are not valid");
	else if (r < 0 || !next.endpoints)
		put_error(a, CTL_EXIT_FAILED, &err, "the endpoints could not be looked at");
	site_done(&next);
	send_answer(call, a);
}

/* --- apply ----------------------------------------------------------------------------------- */

static void run_apply(struct ctl_call *call, const json_t *args, void *arg)
{
	struct bh_err err = BH_ERR_INIT;
	struct answer *a = answer_new();
	int r;

	if (!a) {
		ctl_call_end(call, CTL_EXIT_FAILED, "out of memory");
		return;
	}
	r = reload_policies(arg, "apply", ctl_call_peer(call),
			    json_is_true(json_object_get(args, "strict")), add_line, add_item, a,
			    &err);
	if (r == -EPERM)
		put_error(a, CTL_EXIT_NO, &err, "");
	else if (r == -EINVAL)
		put_refusal(a, &err);
	else if (r < 0)
		put_error(a, CTL_EXIT_FAILED, &err, "it could not be done");
	send_answer(call, a);
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
	  .more = send_some,
	  .gone = give_up },
	{ .name = "plan",
	  .least = CTL_ROLE_OPERATOR, /* it reads the policies anew: not for everybody */
	  .run = run_plan,
	  .more = send_some,
	  .gone = give_up },
	{ .name = "apply",
	  .least = CTL_ROLE_OPERATOR,
	  .args = strict_args,
	  .run = run_apply,
	  .more = send_some,
	  .gone = give_up },
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
