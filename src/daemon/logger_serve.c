/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/text.h>
#include <bulkhead/nft/counts.h>

#include "logger_private.h"
#include "protect.h"

/* What the logger asks for. It is told nothing that it does not read anyway, and what it may bring about
 * is that a flow that was denied is logged once more. */

#define RETIRES_PER_S 64 /* messages of LG_FLOWS_MAX flows, each a commit */
#define NOTICES_PER_S 10
#define ASKS_PER_S    128 /* of one namespace: five last looks, of which each is tried again */

/* So many a second of what is dear. */
static bool may(struct logger_link *k, unsigned *n, unsigned most)
{
	int64_t second = logger_link_clock() / 1000000;

	if (second != k->second) {
		k->second = second;
		k->retires = k->notices = 0;
	}
	return (*n)++ < most;
}

static void on_ready(struct logger_link *k, const void *m, size_t len)
{
	if (k->ready)
		return;
	k->ready = true;
	k->state.since = controller_now();
	logger_sync_all(k);
	protect_settle(k->c->protect);
}

/* One that is not sent is not answered, and asked again when that was waited for. */
static bool may_ask(struct tap *t)
{
	int64_t second = logger_link_clock() / 1000000;

	if (second != t->second)
		t->asks = 0;
	t->second = second;
	return t->asks++ < ASKS_PER_S;
}

static void on_ask(struct logger_link *k, const void *m, size_t len)
{
	const struct lg_ask *ask = m;
	struct tap *t = taps_find(k, ask->head.netns);

	if (t && ask->question < NFT_ASKS && may_ask(t))
		(void)nft_counts_ask(&t->counts, ask->question, ask->seq, NULL);
}

/* --- retiring ---------------------------------------------------------------------------------- */

struct retiring {
	struct logger_link *k;
	struct lg_flows out;
};

static void send_finals(struct retiring *r, bool last)
{
	r->out.last = last;
	logger_send(r->k, &r->out, LG_FLOWS_SIZE(r->out.n), NULL, 0);
	r->out.n = 0;
}

static int on_final(const struct nft_denied *d, void *arg)
{
	struct retiring *r = arg;

	if (r->out.n == LG_FLOWS_MAX)
		send_finals(r, false);
	r->out.flows[r->out.n++] = *d;
	return 0;
}

static void on_retire(struct logger_link *k, const void *m, size_t len)
{
	const struct lg_flows *q = m;
	struct hold *h = holds_find(k->c->holds, q->head.netns);
	struct retiring r = {
		.k = k,
		.out.head = { .type = LG_RETIRED, .netns = q->head.netns },
	};

	if (q->n > LG_FLOWS_MAX || len < LG_FLOWS_SIZE(q->n))
		return;
	if (h && q->n && may(k, &k->retires, RETIRES_PER_S)) /* else it asks again */
		(void)hold_retire(h, q->flows, q->n, on_final, &r, NULL);
	send_finals(&r, q->last != 0);
}

/* --- processes --------------------------------------------------------------------------------- */

static void fill_process(struct lg_process *to, const struct record_process *p)
{
	to->pid = p->pid;
	memcpy(to->comm, p->comm, sizeof(to->comm));
	memcpy(to->exe, p->exe, sizeof(to->exe));
	snprintf(to->unknown, sizeof(to->unknown), "%s", p->unknown ? p->unknown : "");
}

static bool is_packet(const struct lg_who *w)
{
	uint8_t family = w->source.family;

	return (family == AF_INET || family == AF_INET6) && family == w->destination.family;
}

static void on_who(struct logger_link *k, const void *m, size_t len)
{
	const struct lg_who *w = m;
	struct hold *h = holds_find(k->c->holds, w->head.netns);
	struct record_process p = { .unknown = "its namespace has gone" };
	struct lg_process answer = {
		.head = { .type = LG_PROCESS, .netns = w->head.netns },
		.cookie = w->cookie,
	};

	if (h && is_packet(w)) {
		const struct process_question q = {
			.netns_fd = hold_netns(h),
			.netns_ino = w->head.netns,
			.proto = w->proto,
			.sport = w->sport,
			.dport = w->dport,
			.source = w->source,
			.destination = w->destination,
			.ifindex = w->ifindex,
			.has_uid = w->has_uid,
			.uid = w->uid,
		};

		process_of_socket(k->finder, &q, logger_link_clock(), &p);
	}
	fill_process(&answer, &p);
	logger_send(k, &answer, sizeof(answer), NULL, 0);
}

/* --- news -------------------------------------------------------------------------------------- */

static void on_detached(struct logger_link *k, const void *m, size_t len)
{
	const struct lg_head *head = m;

	taps_detached(k, head->netns);
}

static void on_synced(struct logger_link *k, const void *m, size_t len)
{
	const struct lg_sync *s = m;

	if (s->number <= k->sync_answered || s->number > k->sync_asked)
		return;
	k->sync_answered = s->number;
	protect_settle(k->c->protect);
}

static void on_probed(struct logger_link *k, const void *m, size_t len)
{
	const struct lg_probes *p = m;

	logger_probes_answered(k, p->serial);
}

/* Of this run; what the runs before it have said stays. */
static void add(uint64_t *all, uint64_t before, uint64_t now)
{
	*all += now > before ? now - before : 0;
}

static void on_stats(struct logger_link *k, const void *m, size_t len)
{
	const struct lg_stats *now = m;
	struct logger_state *s = &k->state;

	add(&s->records, k->last.records, now->records);
	add(&s->lost_records, k->last.lost_records, now->lost_records);
	add(&s->log_lost, k->last.log_lost, now->log_lost);
	add(&s->signals, k->last.signals, now->signals);
	s->denied = now->denied;
	s->recorded = now->recorded;
	s->allowed = now->allowed;
	s->allowed_recorded = now->allowed_recorded;
	k->last = *now;
}

static void on_notice(struct logger_link *k, const void *m, size_t len)
{
	const struct lg_notice *n = m;
	char text[sizeof(n->text)], safe[sizeof(text) + 64], line[sizeof(safe) + 16];

	if (!may(k, &k->notices, NOTICES_PER_S))
		return;
	memcpy(text, n->text, sizeof(text));
	text[sizeof(text) - 1] = '\0';
	snprintf(line, sizeof(line), "logger: %s", bh_escape_str(safe, sizeof(safe), text));
	controller_log(line, NULL);
}

static const struct {
	size_t size; /* at least */
	void (*fn)(struct logger_link *k, const void *m, size_t len);
} handlers[] = {
	[LG_READY] = { sizeof(struct lg_head), on_ready },
	[LG_ASK] = { sizeof(struct lg_ask), on_ask },
	[LG_RETIRE] = { offsetof(struct lg_flows, flows), on_retire },
	[LG_WHO] = { sizeof(struct lg_who), on_who },
	[LG_DETACHED] = { sizeof(struct lg_head), on_detached },
	[LG_SYNCED] = { sizeof(struct lg_sync), on_synced },
	[LG_PROBED] = { sizeof(struct lg_probes), on_probed },
	[LG_STATS] = { sizeof(struct lg_stats), on_stats },
	[LG_NOTICE] = { sizeof(struct lg_notice), on_notice },
};

void logger_serve(struct logger_link *k, const void *m, size_t len)
{
	const struct lg_head *head = m;

	if (len < sizeof(*head) || head->type >= BH_ARRAY_SIZE(handlers) ||
	    !handlers[head->type].fn || len < handlers[head->type].size)
		return;
	handlers[head->type].fn(k, m, len);
}
