/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe_verb.h"

#include <errno.h>

#include "logger_probes.h"
#include "trail.h"

const struct ctl_arg probe_args[] = {
	{ "port", CTL_TYPE_INTEGER, true }, /* the source port of its packets */
	{ "packets", CTL_TYPE_INTEGER, true },
	{ "findings", CTL_TYPE_INTEGER, false }, /* with both of these it is done */
	{ "not_probed", CTL_TYPE_INTEGER, false },
	{ 0 },
};

/* False: it is there, and no number that can be meant. */
static bool take_number(const json_t *args, const char *key, json_int_t max, uint64_t *ret)
{
	const json_t *o = json_object_get(args, key);
	json_int_t v = json_integer_value(o);

	*ret = v < 0 ? 0 : (uint64_t)v;
	return !o || (v >= 0 && v <= max);
}

static const char *sentence(const json_t *args, char out[AUDIT_PROBE_STR], struct bh_err *err)
{
	uint64_t port, packets, findings, not_probed;

	if (!take_number(args, "port", UINT16_MAX - 1, &port) ||
	    !take_number(args, "packets", INT32_MAX, &packets) ||
	    !take_number(args, "findings", INT32_MAX, &findings) ||
	    !take_number(args, "not_probed", INT32_MAX, &not_probed)) {
		bh_err_set(err, -EINVAL, "a number is out of range");
		return NULL;
	}
	if (!json_object_get(args, "findings"))
		return audit_probe_begins(out, (uint16_t)port, packets);
	return audit_probe_ended(out, (uint16_t)port, packets, findings, not_probed);
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
	else if (trail_append(c, &change, &err) < 0)
		ctl_call_end(call, CTL_EXIT_FAILED, err.msg);
	else
		logger_probes_wait(c->logger, call, !json_object_get(args, "findings"));
}
