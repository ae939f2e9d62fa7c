/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "inquiry.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "line.h"
#include "writing.h"

#define WAIT_USEC   200000
#define REASONS_MAX 16
#define REASON_STR  128

static const char too_many[] = "too many at once";
static const char no_answer[] = "nobody answered in time";

struct waiting {
	uint64_t cookie; /* 0: free */
	uint64_t netns;
	int64_t until;
	struct flow_record rec;
};

struct inquiry {
	struct waiting waits[BH_LOGGER_INQUIRIES];
	size_t n, next;
	uint64_t last_cookie;
	sd_event_source *timer;
	char reasons[REASONS_MAX][REASON_STR]; /* as a record wants them: for ever */
	size_t n_reasons;
};

static void finish(struct logger *l, struct waiting *w)
{
	struct space *s = space_find(l, w->netns);

	w->cookie = 0;
	l->inquiry->n--;
	if (s)
		write_telling(s, &w->rec);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *arg)
{
	struct logger *l = arg;
	struct inquiry *q = l->inquiry;

	for (size_t i = 0; i < BH_LOGGER_INQUIRIES; i++)
		if (q->waits[i].cookie && q->waits[i].until <= logger_clock()) {
			q->waits[i].rec.process.unknown = no_answer;
			finish(l, &q->waits[i]);
		}
	if (!q->n)
		return 0;
	sd_event_source_set_time_relative(source, WAIT_USEC / 2);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

int inquiry_open(struct logger *l, struct bh_err *err)
{
	struct inquiry *q = calloc(1, sizeof(*q));
	int r;

	if (!q)
		return bh_err_oom(err);
	l->inquiry = q;
	r = sd_event_add_time_relative(l->event, &q->timer, CLOCK_MONOTONIC, WAIT_USEC, 10000,
				       on_timer, l);
	if (r >= 0)
		r = sd_event_source_set_enabled(q->timer, SD_EVENT_OFF);
	return r < 0 ? bh_err_errno(err, r, "event loop") : 0;
}

void inquiry_close(struct logger *l)
{
	if (!l->inquiry)
		return;
	sd_event_source_disable_unref(l->inquiry->timer);
	free(l->inquiry);
	l->inquiry = NULL;
}

static bool has_process(const struct flow_record *rec)
{
	return rec->verdict != RECORD_ALLOW && rec->direction == DIRECTION_EGRESS &&
	       rec->packets == 1 && rec->logged && rec->source.has_port && !rec->has_frame &&
	       (rec->proto == IPPROTO_TCP || rec->proto == IPPROTO_UDP);
}

static struct waiting *free_place(struct inquiry *q)
{
	for (size_t i = 0; i < BH_LOGGER_INQUIRIES; i++) {
		struct waiting *w = &q->waits[(q->next + i) % BH_LOGGER_INQUIRIES];

		if (!w->cookie) {
			q->next = (q->next + i + 1) % BH_LOGGER_INQUIRIES;
			return w;
		}
	}
	return NULL;
}

static int ask(struct logger *l, const struct waiting *w)
{
	const struct flow_record *rec = &w->rec;
	const struct lg_who m = {
		.head = { .type = LG_WHO, .netns = w->netns },
		.cookie = w->cookie,
		.source = rec->source.addr,
		.destination = rec->destination.addr,
		.sport = rec->source.port,
		.dport = rec->destination.port,
		.ifindex = rec->ifindex,
		.proto = (uint8_t)rec->proto,
		.has_uid = rec->has_uid,
		.uid = rec->uid,
	};

	return line_send(l, &m, sizeof(m));
}

/* A flood of one namespace leaves room for the others. */
static bool has_share(const struct inquiry *q, uint64_t netns)
{
	size_t mine = 0;

	for (size_t i = 0; i < BH_LOGGER_INQUIRIES; i++)
		mine += q->waits[i].cookie && q->waits[i].netns == netns;
	return mine < BH_LOGGER_INQUIRIES / 8;
}

bool inquiry_takes(struct space *s, struct flow_record *rec)
{
	struct inquiry *q = s->l->inquiry;
	struct waiting *w;

	if (!has_process(rec))
		return false;
	w = q->n < BH_LOGGER_INQUIRIES && has_share(q, s->ino) ? free_place(q) : NULL;
	if (!w) {
		rec->process.unknown = too_many;
		return false;
	}
	*w = (struct waiting) {
		.cookie = ++q->last_cookie,
		.netns = s->ino,
		.until = logger_clock() + WAIT_USEC,
		.rec = *rec,
	};
	q->n++;
	if (ask(s->l, w) < 0)
		return true; /* all ends, and what waits is written then */
	if (q->n == 1) {
		sd_event_source_set_time_relative(q->timer, WAIT_USEC);
		sd_event_source_set_enabled(q->timer, SD_EVENT_ONESHOT);
	}
	return true;
}

/* The same for ever, as a record wants it; of more than a few kinds the rest is said with fewer words. */
static const char *reason(struct inquiry *q, const char *text)
{
	for (size_t i = 0; i < q->n_reasons; i++)
		if (strcmp(q->reasons[i], text) == 0)
			return q->reasons[i];
	if (q->n_reasons == REASONS_MAX)
		return "it was not found";
	memcpy(q->reasons[q->n_reasons], text, strlen(text) + 1);
	return q->reasons[q->n_reasons++];
}

void inquiry_answer(struct logger *l, const struct lg_process *m)
{
	struct inquiry *q = l->inquiry;

	if (!memchr(m->comm, '\0', sizeof(m->comm)) || !memchr(m->exe, '\0', sizeof(m->exe)) ||
	    !memchr(m->unknown, '\0', sizeof(m->unknown)))
		return;
	for (size_t i = 0; i < BH_LOGGER_INQUIRIES; i++) {
		struct waiting *w = &q->waits[i];
		struct record_process *p = &w->rec.process;

		if (!w->cookie || w->cookie != m->cookie || w->netns != m->head.netns)
			continue;
		p->pid = m->pid;
		memcpy(p->comm, m->comm, sizeof(p->comm));
		memcpy(p->exe, m->exe, sizeof(p->exe));
		p->unknown = m->pid ? NULL : reason(q, m->unknown);
		finish(l, w);
		return;
	}
}

void inquiry_end(struct space *s)
{
	struct inquiry *q = s->l->inquiry;

	for (size_t i = 0; q->n && i < BH_LOGGER_INQUIRIES; i++)
		if (q->waits[i].cookie && q->waits[i].netns == s->ino) {
			q->waits[i].rec.process.unknown = no_answer;
			finish(s->l, &q->waits[i]);
		}
}
