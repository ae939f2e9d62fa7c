/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probing.h"

#include <bulkhead/store/rules.h>

#include "line.h"
#include "look.h"
#include "writing.h"

#define WAIT_USEC 3000000  /* for the counters of all namespaces */
#define LOG_USEC  1200000  /* the kernel keeps what it logs for a second before it hands it over */
#define AGE_USEC  60000000 /* a namespace is known here before it is as old as this */

void probing_open(struct logger *l, uint64_t mark)
{
	l->probing = (struct probing) { .now = mark, .next = mark };
}

/* --- how old a counter is ----------------------------------------------------------------------- */

/* As it was a minute or two ago; before that, as the last logger left it. */
static void grow_older(struct logger *l)
{
	struct probing *p = &l->probing;
	int64_t now = logger_clock();

	if (p->aged_at && now - p->aged_at < AGE_USEC)
		return;
	if (p->aged_at) {
		p->has_before = p->has_ago;
		p->before = p->ago;
		p->has_ago = true;
		p->ago = p->now;
	}
	p->aged_at = now;
}

uint64_t probing_born(const struct space *s)
{
	const struct probing *p = &s->l->probing;

	if (s->probes_read)
		return s->probes; /* it is a new one of a namespace that was read */
	return p->has_before ? p->before : flows_rules_probes_before(s->l->flows);
}

/* --- looks before and after ---------------------------------------------------------------------- */

static void finish(struct logger *l)
{
	const struct lg_probes m = {
		.head.type = LG_PROBED,
		.serial = l->probing.serial,
		.mark = l->probing.next,
	};

	l->probing.now = l->probing.next;
	l->probing.until = 0;
	if (l->flows)
		writing_commit(l); /* whoever waits may look there */
	line_send(l, &m, sizeof(m));
}

static void finish_when_done(struct logger *l)
{
	if (l->probing.until && !l->probing.waiting && logger_clock() >= l->probing.settles)
		finish(l);
}

static void let_go(struct space *s)
{
	if (s->probing != PROBING_NO)
		s->l->probing.waiting--;
	s->probing = PROBING_NO;
}

static void look_at_all(struct logger *l)
{
	struct space *each, *next;

	HASH_ITER (hh, l->spaces, each, next) {
		if (each->ending)
			continue; /* its last look comes anyway */
		l->probing.waiting += each->probing == PROBING_NO;
		each->probing = PROBING_WANTED;
	}
	HASH_ITER (hh, l->spaces, each, next)
		if (each->probing == PROBING_WANTED && each->step == LOOK_NONE)
			look_begin(each);
}

/*
 * A test that waits for us has not begun: the looks before it are none of its. Whoever waits for the end of one
 * wants to find all of it in the history.
 */
int probing_told(struct logger *l, const struct lg_probes *m)
{
	struct probing *p = &l->probing;

	if (!m->waits)
		p->now = m->mark;
	p->next = m->mark;
	p->serial = m->serial;
	p->until = logger_clock() + WAIT_USEC;
	p->settles = m->waits ? 0 : logger_clock() + LOG_USEC;
	if (l->flows && flows_rules_known(l->flows))
		look_at_all(l);
	finish_when_done(l);
	return 0;
}

void probing_tick(struct logger *l)
{
	struct space *each, *next;

	grow_older(l);
	finish_when_done(l);
	if (!l->probing.until || logger_clock() < l->probing.until)
		return;
	HASH_ITER (hh, l->spaces, each, next)
		let_go(each);
	finish(l);
}

bool probing_waits(const struct space *s)
{
	return s->probing == PROBING_WANTED;
}

bool probing_asked(const struct space *s)
{
	return s->probing == PROBING_ASKED;
}

void probing_asks(struct space *s)
{
	s->probes_asked = s->l->probing.now;
	if (s->probing == PROBING_WANTED)
		s->probing = PROBING_ASKED;
}

void probing_has(struct space *s)
{
	if (s->probing != PROBING_ASKED)
		return; /* it is of a look that was asked for before */
	let_go(s);
	finish_when_done(s->l);
}

void probing_leaves(struct space *s)
{
	let_go(s);
	finish_when_done(s->l);
}
