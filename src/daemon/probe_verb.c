/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe_verb.h"

#include <errno.h>

#include <bulkhead/base/limits.h>

#include "logger_probes.h"
#include "trail.h"

const struct ctl_arg probe_args[] = {
	{ "port", CTL_TYPE_INTEGER, true }, /* the source port of its packets */
	{ "packets", CTL_TYPE_INTEGER, true },
	{ "findings", CTL_TYPE_INTEGER, false }, /* with both of these it is done */
	{ "not_probed", CTL_TYPE_INTEGER, false },
	{ "counted", CTL_TYPE_BOOLEAN,
	  false }, /* nothing is written: the answer comes when it is */
	{ 0 },
};

/* False: it is there, and no number that can be meant. */
static bool take_number(const json_t *args, const char *key, json_int_t min, json_int_t max,
			uint64_t *ret)
{
	const json_t *o = json_object_get(args, key);
	json_int_t v = json_integer_value(o);

	*ret = v < 0 ? 0 : (uint64_t)v;
	return !o || (v >= min && v <= max);
}

static const char *sentence(const json_t *args, char out[AUDIT_PROBE_STR], struct bh_err *err)
{
	uint64_t port, packets, findings, not_probed;

	if (!take_number(args, "port", BH_PROBE_PORT_FIRST, BH_PROBE_PORT_LAST - 1, &port) ||
	    !take_number(args, "packets", 0, INT32_MAX, &packets) ||
	    !take_number(args, "findings", 0, INT32_MAX, &findings) ||
	    !take_number(args, "not_probed", 0, INT32_MAX, &not_probed)) {
		bh_err_set(err, -EINVAL, "a number is out of range");
		return NULL;
	}
	if (!json_object_get(args, "findings"))
		return audit_probe_begins(out, (uint16_t)port, packets);
	return audit_probe_ended(out, (uint16_t)port, packets, findings, not_probed);
}

/* What hides packets from whoever reads the records is root's, and of a test that holds the lock. */
static int judge(struct controller *c, const struct ctl_peer *peer, struct bh_err *err)
{
	if (peer->uid != 0)
		return bh_err_set(err, -EPERM, "a segmentation test is for root alone");
	return logger_probes_held(c, err);
}

/* The reason is on the trail in the sentence's place: nobody takes that for a test. */
static void refuse(struct controller *c, struct ctl_call *call, struct trail_change *change, int r,
		   const char *why)
{
	struct bh_err err = BH_ERR_INIT;

	change->result = r;
	change->detail = why;
	if (trail_append(c, change, &err) < 0)
		controller_log(err.msg, NULL);
	ctl_call_end(call, CTL_EXIT_FAILED, why);
}

static void write_down(struct controller *c, struct ctl_call *call, struct trail_change *change,
		       bool begins)
{
	struct bh_err err = BH_ERR_INIT;
	int r = judge(c, change->peer, &err);

	if (r < 0)
		refuse(c, call, change, r, err.msg);
	else if (trail_append(c, change, &err) < 0)
		ctl_call_end(call, CTL_EXIT_FAILED, err.msg);
	else if (begins)
		logger_probes_wait(c->logger, call, true);
	else
		ctl_call_end(call, CTL_EXIT_YES, NULL);
}

void probe_run_verb(struct ctl_call *call, const json_t *args, void *arg)
{
	struct bh_err err = BH_ERR_INIT;
	struct controller *c = arg;
	char detail[AUDIT_PROBE_STR];
	struct trail_change change = {
		.action = "probe",
		.peer = ctl_call_peer(call),
		.before = &c->site,
		.after = &c->site,
		.nothing = true,
	};

	change.detail = sentence(args, detail, &err);
	if (!change.detail)
		ctl_call_end(call, CTL_EXIT_USAGE, err.msg);
	else if (json_is_true(json_object_get(args, "counted")))
		logger_probes_wait(c->logger, call, false);
	else
		write_down(c, call, &change, !json_object_get(args, "findings"));
}
