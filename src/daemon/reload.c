/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reload.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/policy/policy.h>

#include "alive.h"
#include "confirm.h"
#include "grants.h"
#include "meters.h"
#include "reconcile.h"
#include "rollback.h"
#include "settings.h"
#include "teams.h"
#include "trail.h"
#include "warnings.h"

struct refusing {
	const struct site *site;
	void (*tell)(const char *, void *);
	void *arg;
	size_t n;
};

static int on_finding(const struct preflight_finding *f, void *arg)
{
	char line[BH_ERR_MAX + 400];
	struct refusing *p = arg;

	p->n++;
	preflight_format(line, sizeof(line), p->site, f);
	p->tell(line, p->arg);
	return 0;
}

/* With strict, what cannot be held keeps all from being changed. */
static int check_strictly(struct site *next, void (*tell)(const char *, void *), void *arg,
			  struct bh_err *err)
{
	struct refusing p = { .site = next, .tell = tell, .arg = arg };
	struct preflight_unseen unseen;
	int r = enforce_preflight(next, true, on_finding, &p, &unseen, err);

	if (r >= 0 && p.n)
		r = bh_err_set(err, -EPERM, "strict: %zu %s, nothing was changed", p.n,
			       p.n == 1 ? "finding" : "findings");
	return r;
}

/* What the user gave, and not this host, is at fault. */
static int as_input(int r)
{
	return r < 0 && r != -ENOMEM ? -EINVAL : r;
}

/* Those that are known, while an engine may be waiting for who waits for us: all are looked at soon after. */
static int list(const struct controller *c, struct site *next, const struct site_options *o,
		struct diag_list *diags, bool *ret_is_input, struct bh_err *err)
{
	int r;

	*ret_is_input = false;
	if (!reconcile_makes_way(c))
		return site_refresh(next, o, diags, ret_is_input, err);
	r = site_assume(next, c->site.endpoints, diags, err);
	next->outdated = false;
	return r;
}

static void told_already(const char *line, void *arg)
{
}

int reload_read(struct controller *c, struct site *next, void (*tell)(const char *, void *),
		void *arg, struct bh_err *err)
{
	struct site_options o = c->site_options;
	struct diag_list diags;
	bool input;
	int r, listed = -ENOENT;

	o.known = c->site.endpoints;
	site_init(next);
	next->holds = c->holds;
	next->state = compile_state_new(); /* without one, each compile is a whole one */
	diag_list_init(&diags);
	r = as_input(site_load_policies(next, &c->site_options, &diags, err));
	if (r >= 0)
		listed = list(c, next, &o, &diags, &input, err);
	if (r >= 0 && (listed == -EINVAL || (listed < 0 && input)))
		r = as_input(listed);
	else if (r >= 0 && listed < 0 && o.known)
		r = site_assume(next, o.known, &diags, NULL); /* ERR says why */
	controller_tell_diags(&diags, tell, arg);             /* sorts them */
	if (r >= 0 && listed >= 0)
		warnings_take(c->warnings, &diags, true, told_already, NULL);
	health_read(&c->health, &diags);
	diag_list_done(&diags);
	if (r >= 0 && !next->policies->n_services && !next->policies->n_guardrails)
		r = bh_err_set(err, -EINVAL, "there is not one service in the policies");
	return r;
}

/* What the host file says of the daemon itself; looked up before anything is changed. */
static int take_settings(struct controller *c, const struct site *next, struct bh_err *err)
{
	bh_autofree struct ctl_grant *grants = NULL;
	size_t n = 0;
	int r = settings_check(&c->site.host, &next->host, err);

	if (r >= 0)
		r = as_input(grants_build(&next->host, &grants, &n, err));
	return r < 0 ? r : ctl_server_set_grants(c->server, grants, n, err);
}

static int refuse_while_waiting(const struct controller *c, const struct reload *rq,
				struct bh_err *err)
{
	const struct in_force *f = &c->keeping->now;

	if (!f->waits || !c->loaded || rq->settling != SETTLING_NONE)
		return 0;
	return bh_err_set(
		err, -EBUSY,
		"a change by %.64s (user %u) waits to be confirmed for %u s more: bulkhead "
		"confirm, or bulkhead rollback",
		f->name, f->uid, (unsigned)(in_force_left(f) / 1000000));
}

/* What is to come: as the files are, or as a generation has it. */
static int read_next(struct controller *c, const struct reload *rq, struct site *next,
		     struct bh_err *err)
{
	struct site_options o = c->site_options;
	struct diag_list diags;
	bool input;
	int r;

	if (!rq->back)
		return reload_read(c, next, rq->tell, rq->arg, err);
	r = as_input(keeping_site(c, rq->back, next, rq->tell, rq->arg, err));
	if (r < 0)
		return r;
	next->state = compile_state_new(); /* as above */
	diag_list_init(&diags);
	o.known = c->site.endpoints;
	if (list(c, next, &o, &diags, &input, err) < 0 && o.known)
		r = site_assume(next, o.known, &diags, NULL); /* ERR says why */
	controller_tell_diags(&diags, rq->tell, rq->arg);
	diag_list_done(&diags);
	return r;
}

/* What others have written and not applied yet would be lost, too: a team replaces its own only. */
static int judge_files(struct controller *c, const struct reload *rq, const struct site *next,
		       struct bh_err *err)
{
	const struct site_options *o = &c->site_options;
	struct site now = { 0 };
	struct diag_list diags;
	int r;

	if (!rq->back || !rq->peer || ctl_peer_may(rq->peer, CTL_ROLE_OPERATOR, NULL))
		return 0;
	diag_list_init(&diags);
	r = policy_load(o->policies, o->n_policies, &now.policies, &diags, err);
	diag_list_done(&diags);
	now.host = next->host; /* which it does not replace; not NOW's own */
	if (r >= 0)
		r = teams_judge(rq->peer, &now, next, rq->tell, rq->arg, err);
	else if (r != -ENOMEM)
		r = bh_err_set(err, -EACCES,
			       "nothing was changed: the policy files that would be replaced are "
			       "not valid, so that nobody knows whose they are");
	policy_set_free(now.policies);
	return r;
}

/* Nothing is to be confirmed of what changes nothing. */
static unsigned seconds_to_confirm(const struct controller *c, const struct reload *rq,
				   const struct site *next)
{
	bool same = strcmp(next->policies->digest, c->site.policies->digest) == 0;

	if (rq->confirm && same)
		rq->tell("these policies are in force already: nothing waits to be confirmed",
			 rq->arg);
	return same ? 0 : rq->confirm;
}

struct judged {
	unsigned confirm;          /* seconds that it waits for */
	struct policy_identity of; /* what stood in the files */
	bool of_files;             /* it was them that were refused */
};

/* The files themselves, whoever wants them. */
static int judge_content(const struct reload *rq, struct site *next, struct bh_err *err)
{
	if (rq->settling == SETTLING_EXPIRED || !next->endpoints ||
	    !(rq->strict || next->host.strict))
		return 0;
	return check_strictly(next, rq->tell, rq->arg, err);
}

/* Going to another generation ends the waiting: what of the change stays there is confirmed by it. */
static int judge_waiting(struct controller *c, const struct reload *rq, const struct site *next,
			 struct bh_err *err)
{
	struct site was = { 0 };
	int r;

	if (!rq->back || !rq->peer || !c->keeping->now.waits ||
	    ctl_peer_may(rq->peer, CTL_ROLE_OPERATOR, NULL))
		return 0;
	r = confirm_judge(c, rq->peer, next, &was, rq->tell, rq->arg, err);
	site_done(&was);
	return r;
}

static int judge_who(struct controller *c, const struct reload *rq, struct site *next,
		     struct bh_err *err)
{
	int r = teams_judge(rq->peer, &c->site, next, rq->tell, rq->arg, err);

	if (r >= 0)
		r = judge_waiting(c, rq, next, err);
	return r < 0 ? r : judge_files(c, rq, next, err);
}

/* Nothing is changed before the last of these; the last but one is on the disk only. */
static int prepare(struct controller *c, const struct reload *rq, struct site *next,
		   struct judged *j, struct bh_err *err)
{
	/* At the start, and when time is over, it is more important that it is enforced. */
	int r = c->loaded && rq->settling != SETTLING_EXPIRED ? trail_ready(c, err) : 0;

	if (r >= 0 && rq->confirm)
		r = confirm_check(c, next, err);
	if (r >= 0 && rq->confirm)
		j->confirm = seconds_to_confirm(c, rq, next);
	if (r >= 0 && !rq->back) {
		r = take_settings(c, next, err);
		j->of_files = r < 0;
	}
	if (r >= 0 && j->confirm)
		r = confirm_begin(c, j->confirm, rq->peer, err);
	if (r >= 0 && rq->back && rq->settling != SETTLING_EXPIRED)
		r = rollback_begin(c, rq->back, rq->peer, err);
	return r;
}

static int judge_next(struct controller *c, const struct reload *rq, struct site *next,
		      struct judged *j, struct bh_err *err)
{
	int r = refuse_while_waiting(c, rq, err);

	site_init(next);
	if (r < 0)
		return r;
	r = read_next(c, rq, next, err);
	j->of_files = r < 0 && !rq->back;
	if (r < 0)
		return r;
	r = judge_who(c, rq, next, err);
	if (r < 0)
		return r;
	r = judge_content(rq, next, err);
	j->of_files = r < 0 && !rq->back;
	return r < 0 ? r : prepare(c, rq, next, j, err);
}

static int bring_in(struct controller *c, const struct site *next, struct handing *h,
		    struct bh_err *err)
{
	int r = -EAGAIN;

	c->site = *next;
	c->loaded = true;
	if (c->site.endpoints) /* else whoever lists them does not answer: they may be there later */
		r = reconcile_apply(c, h, err);
	if (r >= 0 && c->site.outdated)
		r = -EAGAIN; /* done for those that were known; ERR says why not for all */
	reconcile_note_trouble(c, err);
	reconcile_touch(c); /* soon once more */
	return r;
}

/*
 * What becomes of what stands in the files, for status: R as of judge_next(). That somebody may not, or
 * not now, or that it could not be taken back, says nothing of them.
 */
static void note_judgement(struct controller *c, int r, const struct site *next,
			   const struct judged *j, const struct bh_err *why)
{
	if (r >= 0)
		health_accept(&c->health, next->policies->digest, next->host.digest,
			      controller_now());
	else if (j->of_files)
		health_refuse(&c->health, &j->of, why, controller_now());
	meters_refused(c->meters, c->health.refused.there);
}

/* The digests on the trail do not show it. */
static bool host_differs(const struct site *before, const struct site *after)
{
	return before->policies && strcmp(before->host.digest, after->host.digest) != 0;
}

/* It is in force. What could not be written to the files is tried again: it goes on waiting. */
static int settle(struct controller *c, const struct reload *rq, unsigned confirm, int r,
		  struct bh_err *err)
{
	struct bh_err why = BH_ERR_INIT;
	int written = 0;

	if (rq->settling == SETTLING_EXPIRED)
		written = rollback_write(c, rq->back, rq->peer, &why);
	if (confirm)
		confirm_restart(c, confirm);
	keeping_keep(c, rq->peer, written < 0 ? SETTLING_NONE : rq->settling, rq->tell, rq->arg);
	if (written < 0 && r >= 0)
		*err = why;
	return r < 0 ? r : written;
}

/* It failed before, and failed again: that stands there already. */
static bool is_known(const struct reload *rq, const struct trail_change *t)
{
	return rq->again && t->result < 0 &&
	       (t->nothing || strcmp(t->before->policies->digest, t->after->policies->digest) == 0);
}

/* A run of the daemon begins: what became of the one before, then the rest. */
static const char *say_start(const struct controller *c, const char *rest,
			     char out[BH_ERR_MAX + 64 + RUN_STR])
{
	char run[RUN_STR];

	snprintf(out, BH_ERR_MAX + 64 + RUN_STR, "%s%s%s", alive_sentence(c->alive, run),
		 rest && rest[0] ? "; " : "", rest ? rest : "");
	return out;
}

static int write_down(struct controller *c, const struct reload *rq,
		      const struct trail_change *change, struct bh_err *err)
{
	const struct keeping *k = c->keeping;
	struct trail_change entry = *change;
	char detail[BH_ERR_MAX + 64], begins[sizeof(detail) + RUN_STR];

	entry.action = rq->action;
	if (entry.result >= 0 && k->unkept[0]) {
		snprintf(detail, sizeof(detail), "it could not be kept: %s", k->unkept);
		entry.detail = detail;
	} else if (entry.result >= 0 && k->now.waits && rq->confirm) {
		snprintf(detail, sizeof(detail), "to be confirmed within %u s", rq->confirm);
		entry.detail = detail;
	}
	if (strcmp(rq->action, RELOAD_START) == 0 && !entry.nothing)
		entry.detail = say_start(c, entry.detail, begins);
	return is_known(rq, &entry) ? 0 : trail_append(c, &entry, err);
}

int reload_failed(struct controller *c, const struct reload *rq, int r, const struct bh_err *err)
{
	struct trail_change change = {
		.peer = rq->peer,
		.before = &c->site,
		.result = r,
		.detail = err->msg,
		.nothing = true,
	};

	write_down(c, rq, &change, NULL);
	return r;
}

int reload_run(struct controller *c, const struct reload *rq, struct bh_err *err)
{
	struct ctl_peer who = rq->peer ? *rq->peer : (struct ctl_peer) { 0 };
	struct handing h = { .c = c, .fn = rq->fn, .arg = rq->arg };
	/* As it was when it asked: roles may be others afterwards. */
	struct trail_change change = { .peer = rq->peer ? &who : NULL, .detail = err->msg };
	struct effort began = reconcile_begin();
	struct site next, before = c->site;
	struct judged judged = { 0 };
	bool accepted;
	int r, r_trail;

	if (!rq->back) /* before the reading: what changes meanwhile must not pass for what was judged */
		policy_identify(c->o->policies, c->o->n_policies, c->o->config, &judged.of, NULL);
	r = judge_next(c, rq, &next, &judged, err);
	accepted = r >= 0;
	note_judgement(c, r, &next, &judged, err);
	if (accepted) {
		r = bring_in(c, &next, &h, err);
		r = settle(c, rq, judged.confirm, r, err);
	}
	change.before = &before;
	change.after = accepted ? &c->site : &next;
	if (accepted && !err->msg[0] && host_differs(&before, &c->site))
		change.detail = "the host file is another one";
	change.result = r < 0 ? r : h.failed ? -EIO : 0;
	change.nothing = !accepted;
	meters_reloaded(c->meters, change.result);
	r_trail = write_down(c, rq, &change, r < 0 ? NULL : err);
	site_done(accepted ? &before : &next);
	reconcile_end(c, &began);
	return r < 0 ? r : r_trail;
}

int reload_policies(struct controller *c, const char *action, const struct ctl_peer *peer,
		    bool strict, void (*tell)(const char *, void *), void (*fn)(json_t *, void *),
		    void *arg, struct bh_err *err)
{
	const struct reload rq = {
		.action = action,
		.peer = peer,
		.strict = strict,
		.tell = tell,
		.fn = fn,
		.arg = arg,
	};

	return reload_run(c, &rq, err);
}
