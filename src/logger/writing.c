/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "writing.h"

#include <errno.h>
#include <string.h>

#include "hits.h"
#include "inquiry.h"
#include "known.h"
#include "past.h"
#include "space.h"

#define COMMIT_USEC 200000
#define TEND_USEC   1000000
#define KNOWN_USEC  10000000 /* between two writings of who was denied before */

/* --- into the history -------------------------------------------------------------------------- */

static void on_lost(const struct flow_record *rec, void *arg)
{
	struct logger *l = arg;

	l->stats.lost_records++;
	if (l->past)
		past_unrecord(l, rec);
}

/* Records and the sums that have them are in one transaction: a later run goes on from both. */
void writing_commit(struct logger *l)
{
	if (l->past)
		past_keep_all(l); /* so that no record is there without its sum */
	if (flows_commit(l->flows, logger_now()) == 0)
		past_committed(l);
}

int write_record(struct space *s, const struct flow_record *rec)
{
	struct logger *l = s->l;
	int r;

	if (rec->verdict == RECORD_ALLOW) {
		s->sums[rec->direction].allowed_recorded += rec->packets;
	} else {
		s->sums[rec->direction].recorded += rec->packets;
		s->unkept = true;
	}
	l->stats.records++;
	r = flows_add(l->flows, rec);
	outputs_record(l->outputs, rec);
	if (r == 1)
		writing_commit(l);
	return 0;
}

int write_telling(struct space *s, const struct flow_record *rec)
{
	int r = write_record(s, rec);

	write_signals(s->l, rec);
	return r;
}

int write_asking(struct space *s, struct flow_record *rec)
{
	return inquiry_takes(s, rec) ? 0 : write_telling(s, rec);
}

/* --- signals ----------------------------------------------------------------------------------- */

static int on_signal(const struct flow_signal *signal, void *arg)
{
	struct logger *l = arg;

	l->stats.signals++;
	if (flows_add_signal(l->flows, signal) == 1)
		writing_commit(l);
	outputs_signal(l->outputs, signal);
	return 0;
}

void write_signals(struct logger *l, const struct flow_record *rec)
{
	(void)signals_record(l->signals, rec);
}

/* --- life -------------------------------------------------------------------------------------- */

static int on_commit_timer(sd_event_source *source, uint64_t usec, void *arg)
{
	writing_commit(arg);
	sd_event_source_set_time_relative(source, COMMIT_USEC);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int on_tend_timer(sd_event_source *source, uint64_t usec, void *arg)
{
	struct logger *l = arg;
	int more = flows_tend(l->flows, logger_now());

	hits_tick(l);
	outputs_tick(l->outputs);
	if (logger_clock() - l->known_saved >= KNOWN_USEC) {
		l->known_saved = logger_clock();
		known_save(l);
	}
	sd_event_source_set_time_relative(source, more > 0 ? TEND_USEC / 10 : TEND_USEC);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int add_timers(struct logger *l)
{
	int r = sd_event_add_time_relative(l->event, NULL, CLOCK_MONOTONIC, COMMIT_USEC, 10000,
					   on_commit_timer, l);

	if (r >= 0)
		r = sd_event_add_time_relative(l->event, NULL, CLOCK_MONOTONIC, TEND_USEC, 100000,
					       on_tend_timer, l);
	return r;
}

int writing_open(struct logger *l)
{
	const struct flows_options flows = {
		.days = l->hello.days,
		.megabytes = l->hello.megabytes,
		.boot = hits_boot(),
		.notice = logger_notice,
		.lost = on_lost,
		.arg = l,
	};
	struct signals_options signals = { .emit = on_signal, .arg = l };
	const struct outputs_options outputs = {
		.notice = logger_notice,
		.arg = l,
		.socket = l->datagrams,
	};
	struct bh_err err = BH_ERR_INIT;
	int r = flows_open(l->store_dir, &flows, logger_now(), &l->flows, &err);

	if (r >= 0) {
		l->datagrams = 0; /* theirs, whatever comes of it */
		r = outputs_open(l->outputs_wanted, l->n_outputs_wanted, &outputs, &l->outputs,
				 &err);
	}
	if (r >= 0)
		r = known_open(l, &signals, &err);
	if (r >= 0)
		r = inquiry_open(l, &err);
	if (r >= 0)
		r = past_open(l);
	if (r >= 0)
		r = add_timers(l);
	if (r < 0)
		logger_notice(err.msg[0] ? err.msg : strerror(-r), l);
	return r;
}

void writing_close(struct logger *l)
{
	if (l->flows)
		writing_commit(l);
	known_save(l);
	inquiry_close(l);
	signals_free(l->signals);
	outputs_close(l->outputs);
	flows_close(l->flows, logger_now());
	past_close(l);
	l->signals = NULL;
	l->outputs = NULL;
	l->flows = NULL;
}

void writing_reopen(struct logger *l)
{
	outputs_reopen(l->outputs);
}
