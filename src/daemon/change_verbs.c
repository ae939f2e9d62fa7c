/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "change_verbs.h"

#include <errno.h>
#include <stdio.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

#include "answer.h"
#include "confirm.h"
#include "keeping.h"
#include "reload.h"
#include "rollback.h"

const struct ctl_arg change_apply_args[] = {
	{ "strict", CTL_TYPE_BOOLEAN, false },
	{ "confirm", CTL_TYPE_INTEGER, false }, /* seconds */
	{ 0 },
};
const struct ctl_arg change_rollback_args[] = {
	{ "strict", CTL_TYPE_BOOLEAN, false },
	{ "generation", CTL_TYPE_STRING, false },
	{ 0 },
};

/* --- how it ended ---------------------------------------------------------------------------- */

static const struct ending {
	int r;
	enum ctl_exit exit;
	const char *prefix, *otherwise;
} endings[] = {
	{ -EINVAL, CTL_EXIT_USAGE, "nothing was changed: ", "the policies are not valid" },
	{ -ENOTUNIQ, CTL_EXIT_USAGE, "", "" },
	{ -EPERM, CTL_EXIT_NO, "", "" }, /* strict */
	{ -EBUSY, CTL_EXIT_NO, "nothing was changed: ", "" },
	{ -ENOENT, CTL_EXIT_NO, "", "" },
	{ -ETIMEDOUT, CTL_EXIT_NO, "", "" },
};

static void put_end(struct answer *a, int r, const struct bh_err *err)
{
	struct bh_err text = BH_ERR_INIT;

	for (size_t i = 0; i < BH_ARRAY_SIZE(endings); i++) {
		const struct ending *e = &endings[i];

		if (e->r != r)
			continue;
		snprintf(text.msg, sizeof(text.msg), "%s%.480s", e->prefix,
			 err->msg[0] ? err->msg : e->otherwise);
		answer_error(a, e->exit, &text, "");
		return;
	}
	answer_error(a, CTL_EXIT_FAILED, err, "it could not be done");
}

static void finish(struct ctl_call *call, struct controller *c, struct answer *a, int r,
		   const struct bh_err *err)
{
	if (r < 0)
		put_end(a, r, err);
	else
		answer_item(keeping_report(c, true), a);
	answer_send(call, a);
}

static void fill(struct reload *rq, struct ctl_call *call, const json_t *args, struct answer *a)
{
	*rq = (struct reload) {
		.action = "apply",
		.peer = ctl_call_peer(call),
		.strict = json_is_true(json_object_get(args, "strict")),
		.tell = answer_line,
		.fn = answer_item,
		.arg = a,
	};
}

/* --- the verbs ------------------------------------------------------------------------------- */

/* False: it is no time that can be waited for. */
static bool take_confirm(const json_t *args, unsigned *ret)
{
	const json_t *o = json_object_get(args, "confirm");
	json_int_t seconds = json_integer_value(o);

	if (o && (seconds < BH_CONFIRM_MIN_S || seconds > BH_CONFIRM_MAX_S))
		return false;
	*ret = (unsigned)seconds;
	return true;
}

void change_run_apply(struct ctl_call *call, const json_t *args, void *arg)
{
	struct bh_err err = BH_ERR_INIT;
	struct answer *a = answer_new(call);
	struct reload rq;
	int r;

	if (!a)
		return;
	fill(&rq, call, args, a);
	r = take_confirm(args, &rq.confirm)
		    ? reload_run(arg, &rq, &err)
		    : bh_err_set(&err, -EINVAL, "\"confirm\" takes %d to %d seconds",
				 BH_CONFIRM_MIN_S, BH_CONFIRM_MAX_S);
	finish(call, arg, a, r, &err);
}

void change_run_rollback(struct ctl_call *call, const json_t *args, void *arg)
{
	const char *name = json_string_value(json_object_get(args, "generation"));
	struct bh_err err = BH_ERR_INIT;
	struct answer *a = answer_new(call);
	struct reload rq;

	if (!a)
		return;
	fill(&rq, call, args, a);
	finish(call, arg, a, rollback_run(arg, name, &rq, &err), &err);
}

void change_run_confirm(struct ctl_call *call, const json_t *args, void *arg)
{
	struct bh_err err = BH_ERR_INIT;
	struct answer *a = answer_new(call);

	if (a)
		finish(call, arg, a, confirm_accept(arg, ctl_call_peer(call), answer_line, a, &err),
		       &err);
}
