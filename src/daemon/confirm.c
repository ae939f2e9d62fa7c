/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "confirm.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <bulkhead/base/limits.h>

#include "keeping.h"
#include "reload.h"
#include "rollback.h"
#include "teams.h"
#include "trail.h"

#define SECOND UINT64_C(1000000)

static uint64_t boottime(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec / 1000;
}

/* --- beginning ------------------------------------------------------------------------------- */

static bool same_host(const struct site *a, const struct site *b)
{
	const struct policy_source *x = &a->host.source, *y = &b->host.source;

	return (x->name != NULL) == (y->name != NULL) && x->len == y->len &&
	       memcmp(x->data ? x->data : "", y->data ? y->data : "", x->len) == 0;
}

int confirm_check(struct controller *c, const struct site *next, struct bh_err *err)
{
	const struct keeping *k = c->keeping;
	struct generation *g = NULL;
	bool same;
	int r;

	if (c->site.host.watch)
		return bh_err_set(
			err, -EIO,
			"--confirm: the policy files come in force when they change, and "
			"nobody is asked; write policies: {watch: false} into the host file");
	if (!keeping_policy_dir(c))
		return bh_err_set(err, -EIO,
				  "--confirm: the policies of this bulkheadd are not one "
				  "directory, so that they could not be taken back");
	if (!same_host(&c->site, next))
		return bh_err_set(err, -EINVAL,
				  "--confirm takes back policies only, and the host file has "
				  "changed too: apply that first, without --confirm");
	if (!k->now.id[0] || k->unkept[0])
		return bh_err_set(err, -EIO,
				  "--confirm: what is in force could not be kept (%.300s)",
				  k->unkept);
	r = generations_load(k->generations, k->now.id, &g, err);
	if (r < 0)
		return bh_err_prefix(err, -EIO, "--confirm: what is in force");
	same = strcmp(g->info.digest, c->site.policies->digest) == 0;
	generation_free(g);
	return same ? 0 : bh_err_set(err, -EIO, "--confirm: what is in force is not what was kept");
}

static void set_deadline(struct in_force *f, unsigned seconds)
{
	f->deadline = boottime() + seconds * SECOND;
	in_force_boot(f->boot);
}

int confirm_begin(struct controller *c, unsigned seconds, const struct ctl_peer *peer,
		  struct bh_err *err)
{
	struct in_force f = c->keeping->now;
	struct timespec now;
	int r;

	clock_gettime(CLOCK_REALTIME, &now);
	memcpy(f.before, f.id, sizeof(f.before));
	f.id[0] = '\0';
	f.waits = true;
	f.since = now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
	f.uid = peer->uid;
	snprintf(f.name, sizeof(f.name), "%s", peer->comm);
	set_deadline(&f, seconds);
	if (!f.boot[0])
		return bh_err_set(err, -EIO, "--confirm: the boot has no number");
	r = in_force_save(c->o->store, &f, err);
	if (r < 0)
		return bh_err_prefix(err, -EIO, "--confirm");
	c->keeping->now = f;
	c->keeping->trouble[0] = '\0';
	return 0;
}

void confirm_restart(struct controller *c, unsigned seconds)
{
	set_deadline(&c->keeping->now, seconds);
}

void confirm_arm(struct controller *c)
{
	static const uint64_t accuracy = 1000;
	struct keeping *k = c->keeping;
	uint64_t at = k->now.waits ? boottime() + in_force_left(&k->now) : 0;

	if (k->trouble[0])
		at = boottime() + BH_CONFIRM_RETRY_S * SECOND;
	if (k->timer) {
		sd_event_source_set_time(k->timer, at);
		sd_event_source_set_enabled(k->timer,
					    k->now.waits ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
		return;
	}
	if (k->now.waits && sd_event_add_time(c->event, &k->timer, CLOCK_BOOTTIME, at, accuracy,
					      rollback_on_deadline, c) < 0)
		controller_log("the event loop has no timer: the change is not taken back", NULL);
}

/* --- ending ---------------------------------------------------------------------------------- */

int confirm_judge(struct controller *c, const struct ctl_peer *peer, const struct site *next,
		  struct site *was, void (*tell)(const char *, void *), void *arg,
		  struct bh_err *err)
{
	struct keeping *k = c->keeping;
	struct generation *g = NULL;
	int r = generations_load(k->generations, k->now.before, &g, err);

	if (r >= 0)
		r = keeping_site(c, g, was, tell, arg, err);
	generation_free(g);
	if (r >= 0)
		r = teams_judge(peer, was, next, tell, arg, err);
	else if (ctl_peer_may(peer, CTL_ROLE_OPERATOR, NULL))
		return 0; /* only who is a team's has to be compared */
	return r == -EACCES || r == -ENOMEM ? r : r < 0 ? -EIO : 0;
}

static int accept_it(struct controller *c, struct bh_err *err)
{
	struct in_force f = c->keeping->now;
	int r;

	f.waits = false;
	r = in_force_save(c->o->store, &f, err);
	if (r < 0)
		return bh_err_prefix(err, -EIO, "it goes on waiting");
	c->keeping->now = f;
	c->keeping->trouble[0] = '\0';
	confirm_arm(c);
	return 0;
}

/* It was taken back out of the kernel, and only its files could not be: kept again or not. */
static bool is_half_back(const struct controller *c)
{
	return strncmp(c->site.policies->digest, c->keeping->now.before, DIGEST_HEX - 1) == 0;
}

int confirm_accept(struct controller *c, const struct ctl_peer *peer,
		   void (*tell)(const char *, void *), void *arg, struct bh_err *err)
{
	struct trail_change change = { .action = "confirm", .peer = peer, .after = &c->site };
	struct keeping *k = c->keeping;
	struct site was = { 0 };
	int r, r_trail;

	if (!k->now.waits)
		return bh_err_set(err, -ENOENT, "nothing waits to be confirmed");
	if (is_half_back(c) || (in_force_left(&k->now) == 0 && !k->trouble[0]))
		return bh_err_set(err, -ETIMEDOUT,
				  "the time to confirm is over: what was in force before is "
				  "brought back");
	r = confirm_judge(c, peer, &c->site, &was, tell, arg, err);
	if (r >= 0)
		r = trail_ready(c, err);
	if (r >= 0)
		r = accept_it(c, err);
	change.before = &was;
	change.result = r;
	change.nothing = r < 0;
	change.detail = r < 0 ? err->msg : "";
	r_trail = trail_append(c, &change, r < 0 ? NULL : err);
	site_done(&was);
	return r < 0 ? r : r_trail;
}

/* --- the start ------------------------------------------------------------------------------- */

static int went_back(struct controller *c, struct bh_err *err)
{
	struct in_force f = c->keeping->now;
	int r;

	f.waits = false;
	memcpy(f.id, f.before, sizeof(f.id));
	f.before[0] = '\0';
	r = in_force_save(c->o->store, &f, err);
	if (r >= 0)
		c->keeping->now = f;
	return r;
}

static void start_late(struct controller *c)
{
	bool broken_off = !c->keeping->now.deadline; /* rollback_begin() */
	struct trail_change change = { .action = broken_off ? "rollback" : "expire" };
	struct site was = { 0 }, unconfirmed = { 0 };
	struct bh_err err = BH_ERR_INIT;
	struct keeping *k = c->keeping;
	struct generation *g = NULL;

	if (generations_load(k->generations, k->now.id, &g, &err) >= 0)
		keeping_site(c, g, &unconfirmed, controller_log, NULL, &err);
	generation_free(g);
	err = (struct bh_err)BH_ERR_INIT;
	change.result = rollback_files(c, k->now.before, &was, &err);
	if (change.result >= 0)
		change.result = went_back(c, &err);
	if (change.result < 0)
		snprintf(k->trouble, sizeof(k->trouble), "%s", err.msg);
	controller_log(change.result < 0 ? k->trouble
		       : broken_off      ? "a rollback was broken off, and is carried out"
					 : "a change was not confirmed in time, and is taken back",
		       NULL);
	change.before = &unconfirmed;
	change.after = &was;
	change.detail = k->trouble;
	trail_append(c, &change, NULL);
	site_done(&was);
	site_done(&unconfirmed);
}

/* What was waited for cannot be read: that is on the trail, and no more can be done. */
static void start_blind(struct controller *c)
{
	const struct trail_change change = {
		.action = "expire",
		.result = -EBADMSG,
		.detail = c->keeping->trouble,
	};

	trail_append(c, &change, NULL);
	c->keeping->trouble[0] = '\0';
}

void confirm_at_start(struct controller *c)
{
	const struct in_force *f = &c->keeping->now;

	if (!f->waits && c->keeping->trouble[0])
		start_blind(c);
	if (!f->waits)
		return;
	if (in_force_left(f) == 0)
		start_late(c);
	else
		controller_log("a change waits to be confirmed: bulkhead confirm", NULL);
}
