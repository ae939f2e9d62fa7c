/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/flow/flood.h>

#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/limits.h>

#include "elapsed.h"
#include "proto.h"

#define RULE_KINDS RECORD_RULE_KINDS
#define VERDICTS   (RECORD_ALLOW + 1)
#define USEC       1000000

/* Which flows it was, up to a number; open addressing, 0 = free. */
struct seen {
	uint64_t slots[BH_FLOOD_FLOWS_MAX];
	uint32_t n;
};

struct heap {
	bool used;
	int64_t first, last;
	int64_t since; /* the first since it was handed out */
	uint64_t packets, bytes;
	struct record_sample samples[RECORD_SAMPLES];
	unsigned n_samples;
	struct seen *seen; /* NULL: there was no memory, and flows are not counted */
};

/* How many records may still go on their own. */
struct bucket {
	int64_t tokens; /* millionths */
	int64_t filled; /* when they were counted */
};

struct flood {
	struct flood_options o;
	struct bucket denied, allowed; /* neither takes from the other */
	struct heap *heaps; /* [direction][verdict][rule kind]; NULL: there never was a flood */
};

int flood_new(const struct flood_options *o, struct flood **ret, struct bh_err *err)
{
	struct flood *f = calloc(1, sizeof(*f));

	if (!f)
		return bh_err_oom(err);
	f->o = *o;
	f->denied.tokens = f->allowed.tokens = (int64_t)o->per_second * USEC;
	*ret = f;
	return 0;
}

#define N_HEAPS (DIRECTIONS * VERDICTS * RULE_KINDS)

void flood_free(struct flood *f)
{
	if (!f)
		return;
	for (int i = 0; f->heaps && i < N_HEAPS; i++)
		free(f->heaps[i].seen);
	free(f->heaps);
	free(f);
}

/* --- how many ---------------------------------------------------------------------------------- */

/* A clock that was set back gives nothing, one that was set forth a second's worth. */
static bool take_token(struct bucket *b, unsigned per_second, int64_t now)
{
	int64_t most = (int64_t)per_second * USEC, passed = now - b->filled;

	if (passed < 0)
		passed = 0;
	if (passed > USEC)
		passed = USEC;
	b->filled = now;
	b->tokens += passed * per_second;
	if (b->tokens > most)
		b->tokens = most;
	if (b->tokens < USEC)
		return false;
	b->tokens -= USEC;
	return true;
}

/* --- heaps ------------------------------------------------------------------------------------- */

static const struct record_end *far_end(const struct flow_record *r)
{
	return r->direction == DIRECTION_EGRESS ? &r->destination : &r->source;
}

static struct record_sample sample_of(const struct flow_record *r)
{
	return (struct record_sample) {
		.peer = far_end(r)->addr,
		.proto = r->proto,
		.port = r->destination.has_port ? r->destination.port : 0,
	};
}

/* FNV-1a: only to count, of one container's own flows; it gains nothing by making them alike. */
static uint64_t hash_of(const struct record_sample *s)
{
	const uint8_t tail[] = { s->proto, (uint8_t)(s->port >> 8), (uint8_t)s->port };
	uint64_t h = 14695981039346656037ull;

	for (size_t i = 0; i < sizeof(s->peer.b); i++)
		h = (h ^ s->peer.b[i]) * 1099511628211ull;
	for (size_t i = 0; i < sizeof(tail); i++)
		h = (h ^ tail[i]) * 1099511628211ull;
	return h ? h : 1;
}

/* True: it was not there. Three quarters full is full: "at least so many". */
static bool note(struct seen *s, uint64_t h)
{
	size_t at = (h ^ h >> 32) % BH_FLOOD_FLOWS_MAX;

	while (s->slots[at] && s->slots[at] != h)
		at = (at + 1) % BH_FLOOD_FLOWS_MAX;
	if (s->slots[at] || s->n >= BH_FLOOD_FLOWS_MAX / 4 * 3)
		return false;
	s->slots[at] = h;
	s->n++;
	return true;
}

static bool same_sample(const struct record_sample *a, const struct record_sample *b)
{
	return bh_addr_cmp(&a->peer, &b->peer) == 0 && a->proto == b->proto && a->port == b->port;
}

static void add_sample(struct heap *h, const struct record_sample *s)
{
	for (unsigned i = 0; i < h->n_samples; i++)
		if (same_sample(&h->samples[i], s))
			return;
	if (s->peer.family && h->n_samples < RECORD_SAMPLES)
		h->samples[h->n_samples++] = *s;
}

static struct heap *heap_of(struct flood *f, const struct flow_record *r)
{
	if (!f->heaps)
		f->heaps = calloc(N_HEAPS, sizeof(*f->heaps));
	if (!f->heaps)
		return NULL;
	return &f->heaps[((unsigned)r->direction * VERDICTS + r->verdict) * RULE_KINDS +
			 r->rule_kind];
}

bool flood_takes(struct flood *f, const struct flow_record *rec, int64_t now)
{
	struct bucket *b = rec->verdict == RECORD_ALLOW ? &f->allowed : &f->denied;
	struct record_sample s = sample_of(rec);
	struct heap *h;

	if (rec->aggregated || take_token(b, f->o.per_second, now))
		return false;
	h = heap_of(f, rec);
	if (!h)
		return false; /* no memory for it: one record too many is the lesser evil */
	if (!h->used) {
		h->used = true;
		h->first = h->since = rec->first_seen;
	}
	if (!h->seen)
		h->seen = calloc(1, sizeof(*h->seen));
	if (h->seen)
		note(h->seen, hash_of(&s));
	if (rec->first_seen < h->first)
		h->first = rec->first_seen;
	if (rec->last_seen > h->last)
		h->last = rec->last_seen;
	h->packets += rec->packets;
	h->bytes += rec->bytes;
	add_sample(h, &s);
	return true;
}

static void hand_out(struct flood *f, unsigned i)
{
	struct heap *h = &f->heaps[i];
	struct flow_record rec = {
		.first_seen = h->first,
		.last_seen = h->last,
		.verdict = (enum record_verdict)(i / RULE_KINDS % VERDICTS),
		.direction = (enum direction)(i / RULE_KINDS / VERDICTS),
		.rule_kind = (enum record_rule_kind)(i % RULE_KINDS),
		.logged = true,
		.aggregated = true,
		.packets = h->packets,
		.bytes = h->bytes,
		.flows = h->seen ? h->seen->n : 0,
		.n_samples = h->n_samples,
	};

	memcpy(rec.samples, h->samples, sizeof(rec.samples));
	free(h->seen);
	*h = (struct heap) { 0 };
	(void)f->o.emit(&rec, f->o.arg);
}

void flood_tick(struct flood *f, int64_t now, bool all)
{
	for (unsigned i = 0; f->heaps && i < N_HEAPS; i++) {
		const struct heap *h = &f->heaps[i];

		if (h->used && (all || has_elapsed(h->last, now, FLOOD_QUIET_USEC) ||
				has_elapsed(h->since, now, FLOOD_UPDATE_USEC)))
			hand_out(f, i);
	}
}
