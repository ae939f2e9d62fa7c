/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "meters.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "metrics_http.h"
#include "metrics_textfile.h"

/* What an endpoint's counters said at the last look. */
struct last {
	char *id;
	uint64_t denied[DIRECTIONS];
	bool seen;
	UT_hash_handle hh;
};

struct meters {
	struct metrics *metrics;
	struct metrics_http *http;
	struct metrics_textfile *textfile;
	struct last *all;
};

/* --- what happened --------------------------------------------------------------------------- */

void meters_applied(struct meters *m, const struct apply_result *res)
{
	if (!m)
		return;
	if (res->outcome == APPLY_FAILED)
		metrics_add_failed_applies(m->metrics, 1);
	else if (apply_was_repair(res))
		metrics_add_repairs(m->metrics, 1);
}

void meters_reloaded(struct meters *m, int result)
{
	if (!m)
		return;
	metrics_add_reload(m->metrics, result >= 0 ? METRICS_RELOAD_APPLIED
				       : result == -EINVAL || result == -EPERM
					       ? METRICS_RELOAD_REFUSED
					       : METRICS_RELOAD_FAILED);
}

void meters_refused(struct meters *m, bool refused)
{
	if (m)
		metrics_set_refused(m->metrics, refused);
}

/* --- how it stands --------------------------------------------------------------------------- */

static void last_free(struct meters *m, struct last *l)
{
	HASH_DEL(m->all, l);
	free(l->id);
	free(l);
}

static struct last *last_of(struct meters *m, const char *id)
{
	struct last *l;

	HASH_FIND_STR(m->all, id, l);
	if (l)
		return l;
	l = calloc(1, sizeof(*l));
	if (l)
		l->id = strdup(id);
	if (!l || !l->id) {
		free(l);
		return NULL;
	}
	HASH_ADD_KEYPTR(hh, m->all, l->id, strlen(l->id), l);
	return l;
}

struct counting {
	struct meters *m;
	const struct site *site;
	uint64_t states[ENDPOINT_STATES];
};

/* A counter below its last value was made anew. Members of one namespace share it: one counts. */
static void count_denied(struct counting *k, const struct endpoint_status *st)
{
	const char *id = k->site->endpoints->endpoints[st->endpoint].id;
	struct last *l;
	char services[512];

	if (!st->counted || (st->n_members && st->members[0] != st->endpoint))
		return;
	l = last_of(k->m, id);
	if (!l)
		return;
	l->seen = true;
	site_services_of(k->site, st->endpoint, services, sizeof(services));
	for (unsigned d = 0; d < DIRECTIONS; d++) {
		uint64_t now = st->totals.denied[d] + (d == DIRECTION_EGRESS ? st->totals.raw : 0);
		uint64_t grown = now >= l->denied[d] ? now - l->denied[d] : now;

		if (grown)
			metrics_add_denied(k->m->metrics, services, (enum direction)d, grown);
		l->denied[d] = now;
	}
}

static int on_status(const struct endpoint_status *st, void *arg)
{
	struct counting *k = arg;

	k->states[st->state]++;
	count_denied(k, st);
	return 0;
}

static void read_all(struct meters *m, struct site *s)
{
	struct counting k = { .m = m, .site = s };
	struct last *l, *next;

	HASH_ITER (hh, m->all, l, next)
		l->seen = false;
	if (enforce_status(s, on_status, &k, NULL) < 0)
		return;
	for (unsigned i = 0; i < ENDPOINT_STATES; i++)
		metrics_set_endpoints(m->metrics, (enum endpoint_state)i, k.states[i]);
	HASH_ITER (hh, m->all, l, next)
		if (!l->seen)
			last_free(m, l);
}

void meters_logger(struct meters *m, const struct logger_state *s)
{
	const struct metrics_logger l = {
		.up = s->runs,
		.restarts = s->restarts,
		.records = s->records,
		.records_lost = s->lost_records,
		.messages_lost = s->log_lost,
		.signals = s->signals,
	};

	if (m)
		metrics_set_logger(m->metrics, &l);
}

void meters_compared(struct meters *m, uint64_t usec, uint64_t apply_usec)
{
	if (!m)
		return;
	metrics_observe_reconcile(m->metrics, usec);
	metrics_observe_apply(m->metrics, apply_usec);
}

void meters_looked(struct meters *m, struct site *s, size_t held, uint64_t usec,
		   uint64_t apply_usec)
{
	if (!m)
		return;
	meters_compared(m, usec, apply_usec);
	metrics_set_namespaces_held(m->metrics, held);
	metrics_set_generation(m->metrics, s->policies ? s->policies->digest : NULL);
	if (s->endpoints)
		read_all(m, s);
}

/* --- life ------------------------------------------------------------------------------------ */

static int open_outputs(struct controller *c, struct meters *m, struct bh_err *err)
{
	const struct host_metrics *want = &c->site.host.metrics;
	int r = 0;

	if (want->listen)
		r = metrics_http_new(c->event, &want->addr, want->port, m->metrics, &m->http, err);
	if (r >= 0 && want->textfile)
		r = metrics_textfile_new(c->event, want->textfile, m->metrics, controller_log, NULL,
					 &m->textfile, err);
	return r;
}

int meters_new(struct controller *c, struct meters **ret, struct bh_err *err)
{
	const struct host_metrics *want = &c->site.host.metrics;
	struct meters *m;
	int r;

	*ret = NULL;
	if (!want->listen && !want->textfile)
		return 0;
	m = calloc(1, sizeof(*m));
	if (m)
		m->metrics = metrics_new();
	r = m && m->metrics ? open_outputs(c, m, err) : bh_err_oom(err);
	if (r < 0) {
		meters_free(m);
		return r;
	}
	*ret = m;
	return 0;
}

void meters_free(struct meters *m)
{
	if (!m)
		return;
	metrics_http_free(m->http);
	metrics_textfile_free(m->textfile);
	metrics_free(m->metrics);
	while (m->all)
		last_free(m, m->all);
	free(m);
}
