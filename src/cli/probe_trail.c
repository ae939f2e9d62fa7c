/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include <bulkhead/base/limits.h>
#include <bulkhead/ctl/probing.h>

#define CONNECT_MS 5000
#define ANSWER_MS  10000

static void notice(const char *text, void *arg)
{
	fprintf(stderr, "bulkhead: %s\n", text);
}

/* 0: there is no daemon, and none was named. */
static int find_daemon(struct probe_trail *t, const struct cli_options *o)
{
	struct bh_err err = BH_ERR_INIT;
	int r = ctl_client_connect(t->socket, CONNECT_MS, &t->daemon, &err);

	if (r >= 0 || (!o->socket && (r == -ENOENT || r == -ECONNREFUSED)))
		return CLI_YES;
	return cli_fail(CLI_FAILED, "probe: %s", err.msg);
}

int probe_trail_open(struct probe_trail *t, const struct site *s, const struct cli_options *o)
{
	const struct audit_options where = { .dir = o->store, .notice = notice };
	bool beside = !o->socket && cli_names_its_own(o); /* a daemon that may have others */
	struct bh_err err = BH_ERR_INIT;
	int code;

	*t = (struct probe_trail) {
		.site = s,
		.socket = o->socket ? o->socket : s->host.control.socket,
		.lock = -1,
	};
	code = find_daemon(t, o);
	if (code != CLI_YES || (t->daemon && !(beside && o->store)))
		return code;
	if (!o->store && (beside || geteuid() != 0))
		return CLI_YES;
	if (audit_open(&where, &t->audit, &err) >= 0)
		return CLI_YES;
	if (o->store)
		return cli_fail(CLI_FAILED, "probe: nothing was sent: %s", err.msg);
	fprintf(stderr, "bulkhead: this is not written down: %s\n", err.msg);
	return CLI_YES;
}

void probe_trail_close(struct probe_trail *t)
{
	if (t->lock >= 0)
		close(t->lock);
	ctl_client_free(t->daemon);
	audit_close(t->audit);
}

/* --- telling ------------------------------------------------------------------------------------- */

/* Who asks nothing for BH_CTL_REQUEST_MS is cut off, and packets may take longer. */
static int ask_anew(struct probe_trail *t, struct bh_err *err)
{
	struct ctl_client *next = NULL;
	int r = ctl_client_connect(t->socket, CONNECT_MS, &next, err);

	if (r < 0)
		return r;
	ctl_client_free(t->daemon);
	t->daemon = next;
	return 0;
}

static int tell_daemon(struct probe_trail *t, json_t *args, struct bh_err *err)
{
	struct ctl_end end = { 0 };
	json_t *item = NULL;
	int r = ask_anew(t, err);

	if (r >= 0)
		r = ctl_client_request(t->daemon, "probe", args, ANSWER_MS, err);
	else
		json_decref(args);
	while (r >= 0 && (r = ctl_client_next(t->daemon, &item, &end, err)) > 0)
		json_decref(item);
	if (r >= 0 && end.exit != 0)
		r = bh_err_set(err, -EPERM, "%s", end.error[0] ? end.error : "it was refused");
	return r < 0 ? bh_err_prefix(err, r, "bulkheadd does not write down the probe") : 0;
}

static int append(struct probe_trail *t, enum audit_outcome outcome, const char *detail,
		  struct bh_err *err)
{
	const struct audit_entry e = {
		.who = { getuid(), getgid(), getpid(), "bulkhead", "command line" },
		.action = "probe",
		.before = t->site->policies->digest,
		.after = t->site->policies->digest,
		.outcome = outcome,
		.detail = detail,
	};

	return audit_append(t->audit, &e, err);
}

/* So that a daemon, this one or the next, does not take what it hits for use of rules. */
static int take_lock(struct probe_trail *t, struct bh_err *err)
{
	int r = ctl_probing_begin(t->socket, &t->lock, err);

	if (r >= 0 || t->daemon)
		return r < 0 ? r : 0;
	fprintf(stderr, "bulkhead: what this hits may count as use of rules: %s\n", err->msg);
	*err = (struct bh_err)BH_ERR_INIT;
	return 0;
}

int probe_trail_begin(struct probe_trail *t, uint16_t port, size_t packets, struct bh_err *err)
{
	char detail[AUDIT_PROBE_STR];
	int r = take_lock(t, err);

	t->port = port;
	if (r >= 0 && t->daemon)
		r = tell_daemon(
			t,
			json_pack("{s:i, s:I}", "port", (int)port, "packets", (json_int_t)packets),
			err);
	if (r < 0 || !t->audit)
		return r;
	return append(t, AUDIT_DONE, audit_probe_begins(detail, port, packets), err);
}

/* Whoever reads the history next finds there what was sent. */
static int await_counts(struct probe_trail *t, size_t packets, struct bh_err *err)
{
	return tell_daemon(t,
			   json_pack("{s:i, s:I, s:b}", "port", (int)t->port, "packets",
				     (json_int_t)packets, "counted", 1),
			   err);
}

int probe_trail_end(struct probe_trail *t, const struct probe_run *run, struct bh_err *err)
{
	const struct probe_totals *all = &run->totals;
	size_t findings = all->findings + all->tables_bad;
	char detail[AUDIT_PROBE_STR];
	int r = 0;

	if (t->daemon) /* which believes who holds the lock */
		r = tell_daemon(t,
				json_pack("{s:i, s:I, s:I, s:I}", "port", (int)t->port, "packets",
					  (json_int_t)all->packets, "findings",
					  (json_int_t)findings, "not_probed",
					  (json_int_t)all->not_probed),
				err);
	if (t->lock >= 0)
		close(t->lock);
	t->lock = -1;
	if (r >= 0 && t->daemon)
		r = await_counts(t, all->packets, err);
	if (r < 0 || !t->audit)
		return r;
	return append(t, AUDIT_DONE,
		      audit_probe_ended(detail, t->port, all->packets, findings, all->not_probed),
		      err);
}
