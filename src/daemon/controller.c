/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/enforce/report.h>

#include "engines.h"
#include "grants.h"
#include "meters.h"
#include "settings.h"
#include "trail.h"
#include "verbs.h"
#include "watches.h"

/* Changes come in bursts: a container that starts makes a dozen within some milliseconds. */
#define SETTLE_USEC 20000
/* What no event told is found by then. */
#define LOOK_USEC 30000000
/*
 * An event tells that something begins, not that it is complete: a namespace's file is there before
 * it is mounted on, a process has ended before its engine knows. So more looks follow, ever later.
 */
#define PAUSE_GROWTH 2
/* Whoever makes events without end gets half the time for looks: each is followed by as long a rest. */
#define REST_USEC 1000000 /* at most, unless it was our own CPU that took longer */

#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define MIN(a, b) ((a) < (b) ? (a) : (b))

void controller_log(const char *line, void *arg)
{
	fprintf(stderr, "bulkheadd: %s\n", line);
}

/* --- diagnostics ----------------------------------------------------------------------------- */

static void tell_diags(struct diag_list *diags, void (*tell)(const char *, void *), void *arg)
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

/* --- reconcile ------------------------------------------------------------------------------- */

struct handing {
	struct controller *c;
	void (*fn)(json_t *, void *);
	void *arg;
	size_t changed, failed;
};

static void log_result(const struct site *s, const struct apply_result *res)
{
	char who[256], line[BH_ERR_MAX + 400];

	if (res->outcome == APPLY_UNCHANGED)
		return;
	endpoint_format(who, sizeof(who), &s->endpoints->endpoints[res->endpoint]);
	snprintf(line, sizeof(line), "%s: %s%s%s", who, apply_outcome_name(res->outcome),
		 res->why[0] ? ": " : "", res->why);
	controller_log(line, NULL);
}

static int on_result(const struct apply_result *res, void *arg)
{
	struct handing *h = arg;

	h->failed += res->outcome == APPLY_FAILED;
	meters_applied(h->c->meters, res);
	log_result(&h->c->site, res);
	if (h->fn)
		h->fn(report_applied(&h->c->site, res), h->arg);
	return 0;
}

/* What is held of namespaces that nobody lists any more would keep them alive. */
struct sweep {
	struct controller *c;
	uint64_t *gone;
	size_t n;
};

static bool is_listed(const struct site *s, uint64_t ino)
{
	for (size_t i = 0; i < s->endpoints->n; i++)
		if (s->endpoints->endpoints[i].netns_ino == ino)
			return true;
	return false;
}

static void note_gone(const struct hold *h, void *arg)
{
	struct sweep *s = arg;

	if (!is_listed(&s->c->site, hold_ino(h)))
		s->gone[s->n++] = hold_ino(h);
}

static void release_gone(struct controller *c)
{
	bh_autofree uint64_t *gone = calloc(holds_count(c->holds) + 1, sizeof(*gone));
	struct sweep s = { c, gone, 0 };

	if (!gone)
		return; /* the next look does it */
	holds_each(c->holds, note_gone, &s);
	for (size_t i = 0; i < s.n; i++) {
		watches_forget(c->watches, gone[i]);
		holds_release(c->holds, gone[i]);
	}
}

static uint64_t usec_of(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void arm(struct controller *c, uint64_t at)
{
	sd_event_source_set_time(c->timer, at);
	sd_event_source_set_enabled(c->timer, SD_EVENT_ONESHOT);
}

struct effort {
	uint64_t wall, cpu;
};

static struct effort begin_look(void)
{
	return (struct effort) { usec_of(CLOCK_MONOTONIC), usec_of(CLOCK_PROCESS_CPUTIME_ID) };
}

static void end_look(struct controller *c, const struct effort *began)
{
	uint64_t now;
	uint64_t cpu = usec_of(CLOCK_PROCESS_CPUTIME_ID) - began->cpu;

	meters_looked(c->meters, &c->site, holds_count(c->holds),
		      usec_of(CLOCK_MONOTONIC) - began->wall, c->apply_usec);
	now = usec_of(CLOCK_MONOTONIC);
	c->pause = MIN(c->pause * PAUSE_GROWTH, LOOK_USEC);
	c->rests_until = now + MAX(MIN(now - began->wall, REST_USEC), cpu);
	arm(c, MAX(now + c->pause, c->rests_until));
}

/* Never later than it is due already: else events without end would put it off for ever. */
void controller_touch(struct controller *c)
{
	uint64_t at = MAX(usec_of(CLOCK_MONOTONIC) + SETTLE_USEC, c->rests_until), due;
	int enabled;

	c->pause = SETTLE_USEC;
	if (sd_event_source_get_enabled(c->timer, &enabled) < 0 ||
	    sd_event_source_get_time(c->timer, &due) < 0)
		return;
	if (enabled == SD_EVENT_OFF || at < due)
		arm(c, at);
}

static int bring_about(struct controller *c, struct handing *h, struct bh_err *err)
{
	uint64_t start = usec_of(CLOCK_MONOTONIC);
	int r;

	release_gone(c);
	r = enforce_apply(&c->site, on_result, h, err);
	c->apply_usec = usec_of(CLOCK_MONOTONIC) - start;
	watches_sync(c->watches, &c->site, c->holds);
	return r;
}

/* The endpoints could not be listed: what runs stays as it is, and that is said once. */
static void note_trouble(struct controller *c, const struct bh_err *err)
{
	if (strcmp(c->trouble, err->msg) != 0)
		controller_log(err->msg[0] ? err->msg : "the last trouble is over", NULL);
	snprintf(c->trouble, sizeof(c->trouble), "%s", err->msg);
}

int controller_reconcile(struct controller *c, void (*tell)(const char *, void *),
			 void (*fn)(json_t *, void *), void *arg, struct bh_err *err)
{
	struct handing h = { .c = c, .fn = fn, .arg = arg };
	struct effort began = begin_look();
	struct diag_list diags;
	bool input;
	int r;

	diag_list_init(&diags);
	r = site_refresh(&c->site, &c->site_options, &diags, &input, err);
	if (tell)
		tell_diags(&diags, tell, arg);
	diag_list_done(&diags);
	if (r >= 0)
		r = bring_about(c, &h, err);
	note_trouble(c, err);
	end_look(c, &began);
	return r;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *arg)
{
	struct bh_err err = BH_ERR_INIT;
	struct controller *c = arg;

	if (c->loaded)
		controller_reconcile(c, NULL, NULL, NULL, &err);
	return 0;
}

/* --- policies -------------------------------------------------------------------------------- */

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

int controller_load(struct controller *c, struct site *next, void (*tell)(const char *, void *),
		    void *arg, struct bh_err *err)
{
	struct diag_list diags;
	bool input;
	int r, listed = -ENOENT;

	site_init(next);
	next->holds = c->holds;
	diag_list_init(&diags);
	r = as_input(site_load_policies(next, &c->site_options, &diags, err));
	if (r >= 0)
		listed = site_refresh(next, &c->site_options, &diags, &input, err);
	if (r >= 0 && (listed == -EINVAL || (listed < 0 && input)))
		r = as_input(listed);
	tell_diags(&diags, tell, arg);
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
	int r = controller_load(c, next, tell, arg, err);

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
		r = bring_about(c, h, err);
	note_trouble(c, err);
	c->pause = SETTLE_USEC;
	return r;
}

int controller_reload(struct controller *c, const char *action, const struct ctl_peer *peer,
		      bool strict, void (*tell)(const char *, void *), void (*fn)(json_t *, void *),
		      void *arg, struct bh_err *err)
{
	struct trail_change change = { .action = action, .peer = peer, .detail = err->msg };
	struct handing h = { .c = c, .fn = fn, .arg = arg };
	struct effort began = begin_look();
	struct site next, before = c->site;
	bool accepted;
	int r, r_trail;

	r = judge_next(c, &next, strict, tell, arg, err);
	accepted = r >= 0;
	if (accepted)
		r = bring_in(c, &next, &h, err);
	change.before = &before;
	change.after = accepted ? &c->site : &next;
	change.result = r < 0 ? r : h.failed ? -EIO : 0;
	meters_reloaded(c->meters, change.result);
	r_trail = trail_append(c->trail, &change, r < 0 ? NULL : err);
	site_done(accepted ? &before : &next);
	end_look(c, &began);
	return r < 0 ? r : r_trail;
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
	r = as_input(site_load_config(&c->site, &c->site_options, &diags, err));
	tell_diags(&diags, controller_log, NULL);
	diag_list_done(&diags);
	return r;
}

static int open_all(struct controller *c, struct bh_err *err)
{
	int r;

	c->holds = holds_new();
	if (!c->holds)
		return bh_err_oom(err);
	r = sd_event_add_time_relative(c->event, &c->timer, CLOCK_MONOTONIC, LOOK_USEC, 1000,
				       on_timer, c);
	if (r < 0)
		return bh_err_errno(err, r, "event loop");
	r = watches_new(c, &c->watches, err);
	if (r >= 0)
		r = load_settings(c, err);
	if (r >= 0)
		r = verbs_serve(c, &c->server, err);
	if (r >= 0)
		r = trail_open(c->o->store, c->site.host.retention.audit_files, &c->trail, err);
	if (r >= 0)
		r = meters_new(c, &c->meters, err);
	if (r >= 0)
		r = engines_new(c, &c->engines, err);
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
	ctl_server_free(c->server);
	engines_free(c->engines);
	meters_free(c->meters);
	audit_close(c->trail);
	watches_free(c->watches);
	sd_event_source_disable_unref(c->timer);
	holds_free(c->holds);
	site_done(&c->site);
	free(c);
}
