/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>

#include <bulkhead/base/limits.h>

#include "flows_rulebook.h"

/* What a reading adds to the sum of a policy rule. */

#define USEC        INT64_C(1000000)
#define UNREAD_USEC (BH_RULES_READING_S * USEC)

static int no_room(struct flows *f, const char *what)
{
	if (!f->rules->left_out++)
		flows_writer_notice(f,
				    "%s are left out of the sums of policy rules: there is no room "
				    "for more",
				    what);
	return -ENOBUFS;
}

/* What is in no namespace for a while is a service that rests; for long, a rule that was taken away. */
static void watch(struct rule_book *b, struct rule_entry *e)
{
	int64_t since = b->watched - e->row.seen;

	if (since > 0 && since <= BH_RULES_ABSENT_S * USEC)
		e->row.rule.watched += since;
	e->row.seen = b->watched;
}

static uint64_t grown(uint64_t last, uint64_t now)
{
	return now >= last ? now - last : now; /* smaller: the table was made anew */
}

/* What counters grew by. */
struct growth {
	uint64_t packets, bytes;
	bool probed; /* a segmentation test may have sent it */
};

/* One that ran at the last reading, or began since. */
static bool is_probed(uint64_t last, uint64_t now)
{
	return (last & 1) || last >> 1 != now >> 1;
}

/* As much of it as no test can have sent is taken out: nobody knows in how many packets. */
static struct growth take_use(struct growth *g)
{
	uint64_t most = g->packets * BH_PROBE_PACKET_MAX;
	struct growth use = *g;

	if (g->probed)
		use = g->bytes > most ? (struct growth) { 1, g->bytes - most, false }
				      : (struct growth) { 0 };
	g->packets -= use.packets;
	g->bytes -= use.bytes;
	return use;
}

static void count_probes(struct flows_rule *rule, const struct growth *g, int64_t now)
{
	if (!g->packets)
		return;
	rule->probe_packets += g->packets;
	rule->probe_bytes += g->bytes;
	rule->last_probe = now;
}

static void count(struct rule_book *b, struct rule_entry *e, struct growth *g, int64_t now)
{
	struct flows_rule *rule = &e->row.rule;
	bool any = g->packets > 0;
	struct growth use = take_use(g);

	watch(b, e);
	rule->read = now;
	count_probes(rule, g, now);
	if (use.packets) {
		rule->packets += use.packets;
		rule->bytes += use.bytes;
		rule->first_hit = rule->first_hit ? rule->first_hit : now;
		rule->last_hit = now;
		e->row.idle_from = rule->watched;
	}
	if (any || rule->watched - e->written >= BH_RULES_WRITE_S * USEC)
		book_mark_rule(b, e);
}

static struct rule_entry *rule_of(struct flows *f, const char *name, int64_t now)
{
	struct rule_book *b = f->rules;
	struct rule_entry *e = book_find_rule(b, name);
	struct flows_rule_row row = {
		.id = b->next_id,
		.rule.since = now,
		.rule.read = now,
		.seen = b->watched,
	};

	if (e)
		return e;
	memcpy(row.rule.name, name, strlen(name) + 1);
	e = book_add_rule(b, &row);
	if (!e)
		return NULL;
	b->next_id++;
	book_mark_rule(b, e);
	return e;
}

static struct reading_entry *first_reading(struct rule_book *b, const struct reading_key *key,
					   const struct flows_rule_reading *r)
{
	struct reading_entry *e = book_add_reading(b, key);

	if (e) {
		book_mark_reading(b, e);
		e->probes = r->probes_born;
	}
	if (e && book_find_ended(b, &key->space)) {
		e->packets = r->packets;
		e->bytes = r->bytes;
	}
	return e;
}

int flows_put_rule(struct flows *f, const struct flows_rule_reading *r, int64_t now)
{
	struct rule_book *b = f->rules;
	struct reading_key key = { .space = { r->netns, r->cookie } };
	struct reading_entry *last;
	struct rule_entry *e;
	struct growth g;

	if (!b->known)
		return -EAGAIN;
	if (!book_is_name(r->rule))
		return -EINVAL;
	e = rule_of(f, r->rule, now);
	if (!e)
		return no_room(f, "policy rules");
	key.rule = e->row.id;
	HASH_FIND(hh, b->readings, &key, sizeof(key), last);
	if (!last)
		last = first_reading(b, &key, r);
	if (!last) /* not counted at all: it would be counted again at each look */
		return no_room(f, "counters of containers");
	g = (struct growth) {
		.packets = grown(last->packets, r->packets),
		.bytes = grown(last->bytes, r->bytes),
		.probed = is_probed(last->probes, b->probes),
	};
	count(b, e, &g, now);
	last->seen = b->watched;
	if (last->packets != r->packets || last->probes != r->probes_asked ||
	    last->seen - last->written >= UNREAD_USEC / 4)
		book_mark_reading(b, last);
	last->packets = r->packets;
	last->bytes = r->bytes;
	last->probes = r->probes_asked;
	return 0;
}

void flows_rules_forget(struct flows *f, uint64_t netns, uint64_t cookie)
{
	struct rule_book *b = f->rules;
	const struct space_key key = { netns, cookie };
	struct ended_entry *e = book_find_ended(b, &key);
	struct space_entry *s;

	HASH_FIND(hh, b->spaces, &key, sizeof(key), s);
	if (!s)
		return; /* nothing was read of it */
	if (e)
		book_drop_ended(b, e); /* it is the youngest now */
	e = book_add_ended(b, &key, b->watched);
	if (!e)
		return; /* its readings stay until they are too old */
	book_drop_space(b, s);
	book_mark_ended(b, e);
	if (HASH_COUNT(b->ended) > BH_RULE_ENDED_MAX && !b->ended->dirty)
		book_drop_ended(b, b->ended);
}
