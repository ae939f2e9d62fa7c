/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "keeping.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>
#include <bulkhead/policy/policy.h>

#include "confirm.h"

static bool same_policies(const char *a, const char *b)
{
	return strncmp(a, b, DIGEST_HEX - 1) == 0;
}

int keeping_new(struct controller *c, struct keeping **ret, struct bh_err *err)
{
	const char *store = c->o->store ? c->o->store : BH_STORE_DIR;
	struct keeping *k = calloc(1, sizeof(*k));
	int n, r;

	if (!k)
		return bh_err_oom(err);
	n = snprintf(k->generations, sizeof(k->generations), "%s/generations", store);
	r = n < (int)sizeof(k->generations)
		    ? in_force_load(c->o->store, &k->now, err)
		    : bh_err_set(err, -ENAMETOOLONG, "the store's name is too long");
	if (r < 0) {
		/* Enforcing what may be unconfirmed is better than enforcing nothing. */
		snprintf(k->trouble, sizeof(k->trouble),
			 "%.400s: a change that waited to be confirmed would stand now", err->msg);
		controller_log(k->trouble, NULL);
		*err = (struct bh_err)BH_ERR_INIT;
	}
	*ret = k;
	return 0;
}

void keeping_free(struct keeping *k)
{
	if (!k)
		return;
	sd_event_source_disable_unref(k->timer);
	free(k);
}

const char *keeping_policy_dir(const struct controller *c)
{
	struct stat st;

	if (c->site_options.n_policies != 1 || stat(c->site_options.policies[0], &st) < 0 ||
	    !S_ISDIR(st.st_mode))
		return NULL;
	return c->site_options.policies[0];
}

struct generation_keeper keeping_keeper(const struct controller *c, const struct ctl_peer *peer)
{
	return (struct generation_keeper) {
		.uid = peer ? peer->uid : getuid(),
		.name = peer ? peer->comm : "bulkheadd",
		.keep = c->site.host.retention.generations,
		.spare = c->keeping->now.waits ? c->keeping->now.before : NULL,
	};
}

/* --- what is in force ------------------------------------------------------------------------ */

static int keep_site(struct controller *c, const struct ctl_peer *peer, char id[GENERATION_ID_MAX],
		     struct bh_err *err)
{
	const struct policy_source *host = &c->site.host.source, *files;
	struct generation_keeper keeper = keeping_keeper(c, peer);
	size_t n;

	keeper.once = true; /* who applied it first is not forgotten for a restart */
	files = policy_files_sources(c->site.files, &n);
	return generations_keep(c->keeping->generations, files, n, host->name ? host : NULL,
				&keeper, controller_log, NULL, id, err);
}

/*
 * What is in force now after what was in force. While something waits, BEFORE is what it goes back to;
 * afterwards `rollback` is no way to what nobody confirmed. What could not be kept is passed over.
 */
static void advance(struct in_force *f, const char *id, const char *digest, enum settling settling)
{
	bool waited = f->waits;

	f->waits = waited && settling == SETTLING_NONE;
	if (waited && !f->waits && same_policies(f->before, digest))
		f->before[0] = '\0';
	else if (!waited && f->id[0] && !same_policies(f->id, digest))
		memcpy(f->before, f->id, sizeof(f->before));
	memcpy(f->id, id, sizeof(f->id));
}

void keeping_keep(struct controller *c, const struct ctl_peer *peer, enum settling settling,
		  void (*tell)(const char *, void *), void *arg)
{
	char id[GENERATION_ID_MAX] = "", line[BH_ERR_MAX + 64];
	struct bh_err err = BH_ERR_INIT;
	struct keeping *k = c->keeping;
	int r = keep_site(c, peer, id, &err);
	int saved;

	advance(&k->now, id, c->site.policies->digest, settling);
	saved = in_force_save(c->o->store, &k->now, r < 0 ? NULL : &err);
	snprintf(k->unkept, sizeof(k->unkept), "%s", err.msg);
	if (r < 0 || saved < 0) {
		snprintf(line, sizeof(line), "there is no going back to these policies: %.*s",
			 BH_ERR_MAX - 1, err.msg);
		controller_log(line, NULL);
		if (tell != controller_log)
			tell(line, arg);
	}
	confirm_arm(c);
}

int keeping_site(struct controller *c, const struct generation *g, struct site *ret,
		 void (*tell)(const char *, void *), void *arg, struct bh_err *err)
{
	const struct policy_source *host = &c->site.host.source;
	struct diag_list diags;
	int r = 0;

	site_init(ret);
	ret->holds = c->holds;
	diag_list_init(&diags);
	if (host->name)
		r = host_config_parse(host, &ret->host, &diags, err);
	if (r >= 0)
		r = policy_files_copy(g->files, g->n_files, &ret->files, err);
	if (r >= 0)
		r = policy_files_parse(ret->files, &ret->policies, &diags, err);
	if (r < 0)
		controller_tell_diags(&diags, tell, arg);
	diag_list_done(&diags);
	return r;
}

/* --- telling --------------------------------------------------------------------------------- */

static json_t *report_confirm(const struct keeping *k, bool openly)
{
	char since[BH_TIME_STR], until[BH_TIME_STR];
	uint64_t left = in_force_left(&k->now);
	struct timespec now;

	json_t *o;

	clock_gettime(CLOCK_REALTIME, &now);
	o = json_pack("{s:s, s:s, s:I, s:s}", "since", bh_format_time(since, k->now.since), "until",
		      bh_format_time(until, now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000 +
						    (int64_t)left),
		      "seconds", (json_int_t)((left + 999999) / 1000000), "back_to", k->now.before);
	if (o && openly)
		json_object_update_new(o, json_pack("{s:{s:I, s:s}, s:s}", "who", "uid",
						    (json_int_t)k->now.uid, "name", k->now.name,
						    "trouble", k->trouble));
	return o;
}

json_t *keeping_report(const struct controller *c, bool openly)
{
	const struct keeping *k = c->keeping;
	const char *why = k->trouble[0] ? k->trouble : k->unkept;
	const char *digest = c->site.policies ? c->site.policies->digest : "";
	json_t *o = json_pack("{s:s, s:s, s:s, s:b, s:s}", "policies", digest, "generation",
			      k->now.id, "state", k->now.waits ? "unconfirmed" : "in-force",
			      "finding", why[0] != '\0', "why", openly ? why : "");

	if (o && k->now.waits && json_object_set_new(o, "confirm", report_confirm(k, openly)) < 0) {
		json_decref(o);
		return NULL;
	}
	return o;
}
