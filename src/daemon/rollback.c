/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rollback.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "confirm.h"
#include "keeping.h"
#include "trail.h"

/* They have become a policy set already. */
static int is_valid(const struct policy_source *files, size_t n, void *arg, struct bh_err *err)
{
	return 0;
}

int rollback_write(struct controller *c, const struct generation *g, const struct ctl_peer *peer,
		   struct bh_err *err)
{
	const struct policy_source *host = &c->site.host.source;
	struct restore_options o = {
		.store_dir = c->keeping->generations,
		.policy_dir = keeping_policy_dir(c),
		.validate = is_valid,
		.notice = controller_log,
		.host = host->name ? host : NULL,
		.keeper = keeping_keeper(c, peer),
	};
	struct restored done;
	int r;

	if (!o.policy_dir)
		return bh_err_set(err, -EIO,
				  "the policies of this bulkheadd are not one directory: what is "
				  "in several places cannot be brought back");
	o.keeper.once = true;
	o.keeper.spare = g->info.id;
	r = generation_restore(g, &o, &done, err);
	return r < 0 && r != -ENOMEM ? -EIO : r;
}

/*
 * A crash between two files would leave a set that nobody wanted: that it is gone to G is on the disk
 * before the first, as a change that waits no longer to be confirmed, and goes to G (confirm_at_start()).
 */
static int intend(struct controller *c, const struct generation *g, const struct ctl_peer *peer,
		  struct bh_err *err)
{
	struct in_force f = { .waits = true, .uid = peer ? peer->uid : getuid() };
	int r;

	memcpy(f.id, c->keeping->now.id, sizeof(f.id));
	memcpy(f.before, g->info.id, sizeof(f.before));
	snprintf(f.name, sizeof(f.name), "%s", peer ? peer->comm : "bulkheadd");
	r = in_force_save(c->o->store, &f, err);
	return r < 0 ? bh_err_prefix(err, -EIO, "nothing was changed") : 0;
}

int rollback_begin(struct controller *c, const struct generation *g, const struct ctl_peer *peer,
		   struct bh_err *err)
{
	struct bh_err why = BH_ERR_INIT;
	int r = intend(c, g, peer, err);

	if (r < 0)
		return r;
	r = rollback_write(c, g, peer, err);
	if (r < 0 && in_force_save(c->o->store, &c->keeping->now, &why) < 0)
		controller_log(why.msg, NULL);
	return r;
}

int rollback_files(struct controller *c, const char *id, struct site *ret_site, struct bh_err *err)
{
	struct generation *g = NULL;
	int r = generations_load(c->keeping->generations, id, &g, err);

	if (r >= 0)
		r = keeping_site(c, g, ret_site, controller_log, NULL, err);
	if (r >= 0)
		r = rollback_write(c, g, NULL, err);
	generation_free(g);
	return r;
}

static int find(struct controller *c, const char *name, struct generation **ret, struct bh_err *err)
{
	const struct keeping *k = c->keeping;
	struct generation_info info;
	int r;

	if (!name && !k->now.before[0])
		return bh_err_set(err, -ENOENT,
				  "there is none known that was in force before; bulkhead history "
				  "--generations lists what is kept");
	r = generations_find(k->generations, name ? name : k->now.before, &info, err);
	return r < 0 ? r : generations_load(k->generations, info.id, ret, err);
}

int rollback_run(struct controller *c, const char *name, struct reload *rq, struct bh_err *err)
{
	struct trail_change change = { .action = "rollback", .peer = rq->peer, .before = &c->site };
	struct generation *g = NULL;
	int r = find(c, name, &g, err);

	rq->action = "rollback";
	if (r >= 0) {
		rq->back = g;
		rq->settling = SETTLING_BACK;
		r = reload_run(c, rq, err);
		generation_free(g);
		return r;
	}
	change.result = r;
	change.nothing = true;
	change.detail = err->msg;
	trail_append(c, &change, NULL);
	return r;
}

int rollback_on_deadline(sd_event_source *source, uint64_t usec, void *arg)
{
	struct controller *c = arg;
	struct keeping *k = c->keeping;
	struct reload rq = {
		.action = "expire",
		.settling = SETTLING_EXPIRED,
		.again = k->trouble[0] != '\0',
		.tell = controller_log,
	};
	struct bh_err err = BH_ERR_INIT;
	struct generation *g = NULL;
	int r;

	if (!k->now.waits)
		return 0;
	r = generations_load(k->generations, k->now.before, &g, &err);
	rq.back = g;
	r = r < 0 ? reload_failed(c, &rq, r, &err) : reload_run(c, &rq, &err);
	generation_free(g);
	if (k->now.waits)
		snprintf(k->trouble, sizeof(k->trouble), "it could not be taken back: %.*s",
			 BH_ERR_MAX - 64, err.msg[0] ? err.msg : "no reason was given");
	else
		k->trouble[0] = '\0';
	controller_log(k->now.waits
			       ? k->trouble
			       : "a change was not confirmed in time: what was in force before "
				 "is in force again",
		       NULL);
	confirm_arm(c);
	return 0;
}
