/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "chain.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const faults[] = {
	[AUDIT_CHANGED] = "changed", [AUDIT_MISSING] = "missing", [AUDIT_UNEXPECTED] = "unexpected",
	[AUDIT_TORN] = "torn",       [AUDIT_CUT_OFF] = "cut-off", [AUDIT_HEAD] = "head",
	[AUDIT_SAID] = "said",
};

const char *audit_fault_name(enum audit_fault fault)
{
	return faults[fault];
}

void chain_init(struct chain *c, void (*fn)(const struct audit_finding *, void *), void *arg)
{
	*c = (struct chain) { .fn = fn, .arg = arg, .sum = ZERO_DIGEST };
}

__attribute__((format(printf, 6, 7))) static void find(struct chain *c, enum audit_fault fault,
						       const struct audit_item *at, int64_t first,
						       int64_t last, const char *fmt, ...)
{
	struct audit_finding f = { .fault = fault, .first = first, .last = last };
	char text[BH_ERR_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	f.text = text;
	if (at) {
		f.file = at->file;
		f.line = at->line;
	}
	c->verdict.findings++;
	if (c->fn)
		c->fn(&f, c->arg);
}

static void find_gap(struct chain *c, enum audit_fault fault, const struct audit_item *at,
		     int64_t first, int64_t last, const char *where)
{
	if (first == last)
		find(c, fault, at, first, last, "entry %" PRId64 " is missing%s", first, where);
	else
		find(c, fault, at, first, last, "entries %" PRId64 " to %" PRId64 " are missing%s",
		     first, last, where);
}

/* --- one line -------------------------------------------------------------------------------- */

static void check_head(struct chain *c, const struct audit_item *item, const struct entry_line *l)
{
	if (!l->intact || c->head.seq != l->seq || strcmp(c->head.hash, l->hash) == 0)
		return;
	find(c, AUDIT_CHANGED, item, l->seq, l->seq,
	     "entry %" PRId64 " is not the one that the head file knows: it was exchanged", l->seq);
}

/* An entry in its place: does it stand behind the one that it was written behind? */
static void check_prev(struct chain *c, const struct audit_item *item, const struct entry_line *l)
{
	if (c->excused || strcmp(l->prev, c->sum) == 0)
		return;
	if (l->seq == 1)
		find(c, AUDIT_CHANGED, item, 1, 1,
		     "entry 1 was written behind another line: it is not the first of this trail");
	else
		find(c, AUDIT_CHANGED, item, l->seq - 1, l->seq - 1,
		     "entry %" PRId64 " is not the one that entry %" PRId64
		     " was written behind: it was exchanged",
		     l->seq - 1, l->seq);
}

static void take_own(struct chain *c, const struct audit_item *item, const struct entry_line *l)
{
	struct audit_pruned p;
	char detail[BH_ERR_MAX - 64];

	if (entry_pruned(l, &p) && p.last > c->pruned) {
		c->pruned = p.last;
		memcpy(c->pruned_sum, p.sum, sizeof(c->pruned_sum));
	}
	if (strcmp(l->action, "damage") == 0)
		find(c, AUDIT_SAID, item, l->seq, l->seq, "entry %" PRId64 " says: %s", l->seq,
		     store_tame(detail, sizeof(detail), l->detail));
}

static void first_entry(struct chain *c, const struct entry_line *l)
{
	c->verdict.first = l->seq;
	memcpy(c->first_prev, l->prev, sizeof(c->first_prev));
	c->next = l->seq;
	c->excused = c->strangers || l->seq > 1; /* what is not there is judged at the end */
}

/* Nothing is known of the line but that it cannot be what was written. */
static void stranger(struct chain *c, const struct audit_item *item)
{
	c->strangers++;
	c->excused = true;
	if (c->next)
		find(c, AUDIT_CHANGED, item, c->next, c->next,
		     "where entry %" PRId64 " belongs is a line that is no entry", c->next);
	else
		find(c, AUDIT_CHANGED, item, 0, 0, "the first line is no entry");
}

static void advance(struct chain *c, const struct entry_line *l, const char *data, size_t len)
{
	c->excused = !l->intact;
	c->strangers = 0;
	c->next = l->seq + 1;
	c->verdict.last = l->seq;
	memcpy(c->verdict.last_hash, l->hash, sizeof(c->verdict.last_hash));
	digest_bytes(data, len, c->sum);
}

static void entry(struct chain *c, const struct audit_item *item, const struct entry_line *l,
		  const char *data, size_t len)
{
	if (!c->next)
		first_entry(c, l);
	if (!l->intact && l->seq != c->next) {
		stranger(c, item); /* its number may be what was changed */
		return;
	}
	if (l->seq < c->next) {
		find(c, AUDIT_UNEXPECTED, item, l->seq, l->seq,
		     "entry %" PRId64 " stands behind entry %" PRId64 ": it was moved or put in",
		     l->seq, c->next - 1);
		return;
	}
	if (l->seq > c->next + c->strangers)
		find_gap(c, AUDIT_MISSING, item, c->next, l->seq - 1, "");
	if (!l->intact)
		find(c, AUDIT_CHANGED, item, l->seq, l->seq,
		     "entry %" PRId64 " was changed: its hash is not its own", l->seq);
	else if (l->seq == c->next)
		check_prev(c, item, l);
	check_head(c, item, l);
	if (l->intact)
		take_own(c, item, l);
	advance(c, l, data, len);
}

void chain_line(struct chain *c, struct audit_item *item, const char *data, size_t len)
{
	struct entry_line l;

	if (entry_read(data, len, &l) < 0) {
		stranger(c, item);
		return;
	}
	item->entry = l.json;
	item->seq = l.seq;
	item->intact = l.intact;
	c->verdict.entries++;
	entry(c, item, &l, data, len);
}

void chain_torn(struct chain *c, const struct audit_item *item, uint64_t len)
{
	find(c, AUDIT_TORN, item, 0, 0, "the last line has no end (%" PRIu64 " bytes)", len);
}

/* --- the end --------------------------------------------------------------------------------- */

/* The beginning may be missing when a later entry says that it was removed, and up to where. */
static void check_beginning(struct chain *c)
{
	int64_t first = c->verdict.first;

	if (first <= 1)
		return;
	if (c->pruned >= first ||
	    (c->pruned == first - 1 && strcmp(c->pruned_sum, c->first_prev) == 0))
		return;
	find_gap(c, AUDIT_MISSING, NULL, 1, first - 1,
		 " at the beginning, and no entry says that they were removed");
}

void chain_end(struct chain *c, const struct audit_head *after)
{
	int64_t last = c->verdict.last;

	check_beginning(c);
	/* The head is written behind its entry: it may be one behind. */
	if (c->head.bad || after->bad)
		find(c, AUDIT_HEAD, NULL, 0, 0, "the head file is not one that was written here");
	else if (c->head.seq > last)
		find_gap(c, AUDIT_CUT_OFF, NULL, last + 1, c->head.seq,
			 " at the end: the head file knows them");
	else if (last > !c->ran && !after->seq)
		find(c, AUDIT_HEAD, NULL, 0, 0,
		     "the head file is missing: entries that were cut off at the end would not be "
		     "seen");
	else if (last && after->seq < last - 1)
		find(c, AUDIT_HEAD, NULL, after->seq, after->seq,
		     "the head file ends with entry %" PRId64 ", the trail with %" PRId64
		     ": it was put back, or could not be written",
		     after->seq, last);
}
