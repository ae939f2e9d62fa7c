/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "look.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <bulkhead/base/cleanup.h>

#include "hits.h"
#include "line.h"
#include "past.h"
#include "probing.h"

#define ANSWER_USEC    10000000 /* the controller may have much to do */
#define ANSWER_BYTES   (64 << 10)
#define ANSWER_READS   256 /* datagrams at a time, before the others' turn */
#define TRIES_MAX      2   /* of one dump that the kernel changes meanwhile */
#define LAST_LOOKS     5
#define BASELINE_DUMPS 2                  /* a dump may miss a flow */
#define RETIRE_MAX     (4 * LG_FLOWS_MAX) /* in one look */

static char answer[ANSWER_BYTES] __attribute__((aligned(NLMSG_ALIGNTO)));

static enum nft_counts_question question_of(enum look_step step)
{
	return step == LOOK_FLOWS4   ? NFT_ASK_FLOWS4
	       : step == LOOK_FLOWS6 ? NFT_ASK_FLOWS6
	       : step == LOOK_RULES  ? NFT_ASK_RULES
				     : NFT_ASK_TOTALS;
}

static void give_up(struct space *s)
{
	bool rules = s->step == LOOK_RULES;

	s->step = LOOK_NONE;
	if (rules) {
		hits_missed(s);
		if (s->counted_out)
			space_end(s);
		return;
	}
	s->active = true; /* it is looked at again soon */
	if (s->ending && ++s->last_looks >= LAST_LOOKS)
		space_end(s);
}

static void ask(struct space *s, enum look_step step)
{
	s->step = step;
	s->seq++;
	s->asked = logger_clock();
	nft_counts_begin(s->counts, question_of(step), s->seq);
	if (line_ask(s->l, s->ino, question_of(step), s->seq) < 0)
		give_up(s);
}

/* Everything that was logged before the counts are read must have been seen before them. */
static void look_at_denied(struct space *s)
{
	for (int i = 0; i < SPACE_DRAIN_ROUNDS && space_read_log(s) > 0; i++)
		;
	s->tries = 0;
	ask(s, LOOK_BEFORE);
}

static void look_at_rules(struct space *s)
{
	s->tries = 0;
	probing_asks(s);
	ask(s, LOOK_RULES);
}

/* What policy rules let pass comes first when it is time for it, and last where all ends. */
void look_begin(struct space *s)
{
	if (!s->looked && !past_is_known(s->l))
		return; /* at the next turn */
	if (!s->ending && hits_due(s))
		look_at_rules(s);
	else
		look_at_denied(s);
}

void look_check_time(struct space *s)
{
	if (s->step != LOOK_NONE && logger_clock() - s->asked > ANSWER_USEC)
		give_up(s);
}

/* --- what the answers say ---------------------------------------------------------------------- */

static void begin_flows(struct space *s)
{
	if (s->baseline)
		flow_account_baseline(s->account, logger_now());
	else
		flow_account_snapshot(s->account, logger_now());
	ask(s, LOOK_FLOWS4);
}

static bool as_at_the_last(const struct space *s)
{
	for (int d = 0; d < DIRECTIONS; d++)
		if (s->before.allowed[d] != s->allowed_counter[d])
			return false;
	return s->before.raw + s->before.denied[DIRECTION_EGRESS] ==
		       s->sums[DIRECTION_EGRESS].counter &&
	       s->before.denied[DIRECTION_INGRESS] == s->sums[DIRECTION_INGRESS].counter;
}

static void on_before(struct space *s)
{
	nft_counts_totals(s->counts, &s->before);
	if (!s->looked) {
		s->baseline |= past_meet(s, &s->before); /* or as a look found that was given up */
		s->dumps = s->baseline ? BASELINE_DUMPS : 1;
	} else {
		s->baseline = false;
		s->dumps = 1;
		if (!s->ending && !s->active && as_at_the_last(s) &&
		    flow_account_rests(s->account)) {
			s->step = LOOK_NONE;
			if (logger_clock() - s->kept > SPACE_KEEP_USEC)
				past_keep(s);
			return;
		}
	}
	s->active = false;
	begin_flows(s);
}

static int feed_flow(const struct nft_denied *d, void *arg)
{
	const struct flow_count c = {
		.oif = d->oif,
		.source = d->source,
		.destination = d->destination,
		.proto = d->proto,
		.port = d->port,
		.packets = d->packets,
		.bytes = d->bytes,
		.expires_ms = d->expires_ms,
	};

	return flow_account_flow(arg, &c);
}

static void on_flows(struct space *s)
{
	if (nft_counts_each(s->counts, feed_flow, s->account) < 0) {
		give_up(s);
		return;
	}
	if (s->step == LOOK_FLOWS4)
		ask(s, LOOK_FLOWS6);
	else if (--s->dumps)
		begin_flows(s);
	else
		ask(s, LOOK_AFTER);
}

static uint64_t advance(uint64_t *last, uint64_t now)
{
	uint64_t grown = now >= *last ? now - *last : now; /* smaller: the table was made anew */

	*last = now;
	return grown;
}

static void add_denied(struct space *s)
{
	struct space_sums *out = &s->sums[DIRECTION_EGRESS], *in = &s->sums[DIRECTION_INGRESS];

	out->denied += advance(&out->counter, s->before.denied[DIRECTION_EGRESS] + s->before.raw);
	in->denied += advance(&in->counter, s->before.denied[DIRECTION_INGRESS]);
}

/* --- retiring ---------------------------------------------------------------------------------- */

static int send_keys(struct space *s, const struct flow_count *due, size_t n, bool last)
{
	struct lg_flows m = { .head = { .type = LG_RETIRE, .netns = s->ino },
			      .n = (uint32_t)n,
			      .last = last };

	for (size_t i = 0; i < n; i++)
		m.flows[i] = (struct nft_denied) {
			.direction = flow_direction(due[i].oif),
			.oif = due[i].oif,
			.source = due[i].source,
			.destination = due[i].destination,
			.proto = due[i].proto,
			.port = due[i].port,
		};
	return line_send(s->l, &m, LG_FLOWS_SIZE(n));
}

static void retire(struct space *s)
{
	static struct flow_count due[RETIRE_MAX];
	size_t n = s->ending ? 0 : flow_account_candidates(s->account, due, RETIRE_MAX);
	int r = 0;

	s->step = LOOK_NONE;
	for (size_t at = 0; at < n && r >= 0; at += LG_FLOWS_MAX) {
		size_t part = n - at < LG_FLOWS_MAX ? n - at : LG_FLOWS_MAX;

		r = send_keys(s, due + at, part, at + part == n);
	}
	if (n == 0 || r < 0)
		return;
	s->step = LOOK_RETIRE;
	s->asked = logger_clock();
}

void look_retired(struct space *s, const struct lg_flows *m)
{
	for (uint32_t i = 0; i < m->n; i++) {
		const struct nft_denied *d = &m->flows[i];
		const struct flow_count final = {
			.oif = d->oif,
			.source = d->source,
			.destination = d->destination,
			.proto = d->proto,
			.port = d->port,
			.packets = d->packets,
			.bytes = d->bytes,
		};

		(void)flow_account_retired(s->account, &final, logger_now());
	}
	if (!m->last || s->step != LOOK_RETIRE)
		return;
	s->step = LOOK_NONE;
	if (s->ending)
		look_begin(s);
}

/* --- the end of a look -------------------------------------------------------------------------- */

static void count_out(struct space *s)
{
	s->counted_out = true;
	if (hits_due(s))
		look_at_rules(s);
	else
		space_end(s);
}

static void end_or_look_again(struct space *s)
{
	s->step = LOOK_NONE;
	if (++s->last_looks >= LAST_LOOKS ||
	    (s->last_looks >= 2 && flow_account_settled(s->account)))
		count_out(s);
	else
		look_begin(s);
}

static void on_after(struct space *s)
{
	struct nft_totals after;
	struct flow_totals t;

	nft_counts_totals(s->counts, &after);
	memcpy(t.denied, s->before.denied, sizeof(t.denied));
	memcpy(t.revoked, after.revoked, sizeof(t.revoked));
	memcpy(t.allowed, s->before.allowed, sizeof(t.allowed));
	t.raw = after.raw;
	(void)flow_account_end(s->account, &t);
	s->looked = true;
	memcpy(s->allowed_counter, s->before.allowed, sizeof(s->allowed_counter));
	s->before.raw = after.raw;
	add_denied(s);
	past_keep(s);
	if (!s->ending)
		retire(s);
	else
		end_or_look_again(s);
}

/*
 * A test that is waited for begins now, and floods: what it is denied would be met in the counts before the log
 * of it is read, and be recorded without all that only the log says.
 */
static void on_rules(struct space *s)
{
	bool all = !probing_asked(s) || s->ending;

	s->step = LOOK_NONE;
	hits_take(s);
	if (s->counted_out)
		space_end(s);
	else if (all)
		look_at_denied(s);
}

static void on_complete(struct space *s)
{
	switch (s->step) {
	case LOOK_BEFORE:
		on_before(s);
		break;
	case LOOK_FLOWS4:
	case LOOK_FLOWS6:
		on_flows(s);
		break;
	case LOOK_AFTER:
		on_after(s);
		break;
	case LOOK_RULES:
		on_rules(s);
		break;
	case LOOK_NONE:
	case LOOK_RETIRE:
		break;
	}
}

/* A dump that the kernel has changed meanwhile. */
static bool may_try_again(struct space *s)
{
	bool dump = s->step == LOOK_FLOWS4 || s->step == LOOK_FLOWS6 || s->step == LOOK_RULES;

	return dump && ++s->tries <= TRIES_MAX;
}

static void on_useless(struct space *s)
{
	if (!may_try_again(s))
		give_up(s);
	else
		ask(s, s->step);
}

int look_on_answer(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct space *s = arg;
	struct sockaddr_nl from;
	socklen_t from_len;

	for (int i = 0; i < ANSWER_READS; i++) {
		ssize_t n;
		int r;

		from_len = sizeof(from);
		from.nl_pid = 1;
		n = recvfrom(fd, answer, sizeof(answer), MSG_DONTWAIT, (struct sockaddr *)&from,
			     &from_len);
		if (n < 0)
			break;
		if (s->step == LOOK_NONE || s->step == LOOK_RETIRE)
			continue; /* of a look that was given up */
		r = nft_counts_feed(s->counts, from.nl_pid, answer, (size_t)n);
		if (r == 0)
			continue;
		if (r == 1)
			on_complete(s);
		else
			on_useless(s);
		return 0; /* it may have ended: S is gone */
	}
	return 0;
}
