/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>

#include "grants.h"
#include "meters.h"
#include "reconcile.h"
#include "settings.h"
#include "trail.h"

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
		listed = site_refresh(next, &o, &diags, &input, err);
	if (r >= 0 && (listed == -EINVAL || (listed < 0 && input)))
		r = as_input(listed);
	else if (r >= 0 && listed < 0 && o.known)
		r = site_assume(next, o.known, &diags, NULL); /* ERR says why */
	controller_tell_diags(&diags, tell, arg);             /* sorts them */
	standing_read(&c->standing, &diags);
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

static int judge_next(struct controller *c, struct site *next, bool strict,
		      void (*tell)(const char *, void *), void *arg, struct bh_err *err)
{
	int r = reload_read(c, next, tell, arg, err);

	if (r >= 0 && next->endpoints && (strict || next->host.strict))
		r = check_strictly(next, tell, arg, err);
	return r < 0 ? r : take_settings(c, next, err);
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
 * What becomes of what stands in the files, for status: R as of judge_next(). That somebody may not
 * (-EACCES), or not now (-EBUSY), says nothing of them.
 */
static void note_judgement(struct controller *c, int r, const struct site *next,
			   const struct policy_identity *of, const struct bh_err *why)
{
	if (r >= 0)
		standing_accept(&c->standing, next->policies->digest, next->host.digest,
				controller_now());
	else if (r != -EACCES && r != -EBUSY)
		standing_refuse(&c->standing, of, why, controller_now());
	meters_refused(c->meters, c->standing.refused.there);
}

/* The digests on the trail do not show it. */
static bool host_differs(const struct site *before, const struct site *after)
{
	return before->policies && strcmp(before->host.digest, after->host.digest) != 0;
}

int reload_policies(struct controller *c, const char *action, const struct ctl_peer *peer,
		    bool strict, void (*tell)(const char *, void *), void (*fn)(json_t *, void *),
		    void *arg, struct bh_err *err)
{
	struct trail_change change = { .action = action, .peer = peer, .detail = err->msg };
	struct handing h = { .c = c, .fn = fn, .arg = arg };
	struct effort began = reconcile_begin();
	struct site next, before = c->site;
	struct policy_identity of = { 0 };
	bool accepted;
	int r, r_trail;

	/* Before the reading: what changes meanwhile must not pass for what was judged. */
	policy_identify(c->o->policies, c->o->n_policies, c->o->config, &of, NULL);
	r = judge_next(c, &next, strict, tell, arg, err);
	accepted = r >= 0;
	note_judgement(c, r, &next, &of, err);
	if (accepted)
		r = bring_in(c, &next, &h, err);
	change.before = &before;
	change.after = accepted ? &c->site : &next;
	if (accepted && !err->msg[0] && host_differs(&before, &c->site))
		change.detail = "the host file is another one";
	change.result = r < 0 ? r : h.failed ? -EIO : 0;
	meters_reloaded(c->meters, change.result);
	r_trail = trail_append(c->trail, &change, r < 0 ? NULL : err);
	site_done(accepted ? &before : &next);
	reconcile_end(c, &began);
	return r < 0 ? r : r_trail;
}
