/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>

#include "meet.h"

/*
 * So many deletions from an interval map, and it is made anew: each costs the kernel a copy of the
 * map (docs/benchmarks.md).
 */
#define REMAKE_MIN 32
/*
 * In one batch a map made anew is empty for a moment. So there it is changed in place as long as that
 * takes no more than some tenths of a second.
 */
#define REMAKE_AT_ONCE_MIN 512

static size_t remake_min(const struct plan *p)
{
	return p->at_once ? REMAKE_AT_ONCE_MIN : REMAKE_MIN;
}

/* --- entries --------------------------------------------------------------------------------- */

/* May this element stay as it is? Both have the same key. */
static bool same_element(const struct plan *p, const bool *recreate, const struct entry *have,
			 const struct entry *want)
{
	const struct ruleset_rule *x = &p->old->ruleset->rules[have->rule];
	const struct ruleset_rule *y = &p->new->ruleset->rules[want->rule];

	if (strcmp(x->name, y->name) != 0 || recreate[want->rule])
		return false;
	return have->expires == want->expires ||
	       (have->expires && want->expires && llabs(have->expires - want->expires) <= 1);
}

/* Which elements of a map go and which come: a merge of two sorted lists. */
static void diff_map(struct plan *p, const bool *recreate, unsigned map)
{
	const struct entry_list *have = &p->old->maps[map], *want = &p->new->maps[map];
	bool guard = nft_set_info(map)->is_guard;
	struct map_plan *m = &p->maps[map];
	size_t i = 0, j = 0;

	while (i < have->n || j < want->n) {
		int order = i == have->n   ? 1
			    : j == want->n ? -1
					   : entry_cmp(&have->e[i], &want->e[j]);

		if (order == 0 && same_element(p, recreate, &have->e[i], &want->e[j])) {
			i++;
			j++;
			continue;
		}
		m->n_gone += order <= 0;
		m->n_added += order >= 0;
		if (order < 0)
			m->gone[i++] = ENTRY_STEP(guard ? STEP_UNGUARD : STEP_TAKE);
		else if (order > 0)
			m->added[j++] = ENTRY_STEP(guard ? STEP_FILL : STEP_ADD);
		else
			m->gone[i++] = m->added[j++] = ENTRY_SAME | ENTRY_STEP(STEP_REPLACE);
	}
}

/* Of all maps in one piece: there are dozens of them, and most are empty. */
static int make_steps(struct plan *p)
{
	size_t total = 0;

	for (unsigned i = 0; i < NFT_MAPS; i++)
		total += p->old->maps[i].n + p->new->maps[i].n;
	p->steps = calloc(total + 1, 1);
	if (!p->steps)
		return -ENOMEM;
	total = 0;
	for (unsigned i = 0; i < NFT_MAPS; i++) {
		p->maps[i].gone = p->steps + total;
		p->maps[i].added = p->maps[i].gone + p->old->maps[i].n;
		total += p->old->maps[i].n + p->new->maps[i].n;
	}
	return 0;
}

/* Boxes that overlap cannot stand in one map, not even for a moment: they change at once. */
static void find_reshaped(struct plan *p, unsigned map)
{
	const struct entry_list *have = &p->old->maps[map], *want = &p->new->maps[map];
	struct map_plan *m = &p->maps[map];

	if (!nft_set_info(map)->is_interval || m->n_gone >= remake_min(p))
		return;
	for (size_t i = 0; i < have->n; i++)
		for (size_t j = 0; m->gone[i] && j < want->n; j++)
			if (m->added[j] && !(m->added[j] & ENTRY_SAME) &&
			    entries_meet(&have->e[i], &want->e[j])) {
				m->gone[i] = m->added[j] = ENTRY_STEP(STEP_REPLACE);
				m->reshaped = true;
			}
}

/* The maps of what is allowed in one direction and family are the places of the same flows. */
static bool is_alone_reshaped(const struct plan *p, unsigned map)
{
	unsigned first = map - map % ENTRY_KINDS;

	for (unsigned i = first; i < first + ENTRY_KINDS; i++)
		if (i != map && (p->maps[i].reshaped || p->maps[i].n_gone >= remake_min(p)) &&
		    nft_set_info(i)->is_interval)
			return false;
	return true;
}

/*
 * One map changes its boxes at once, two do so one after the other, unless the rules pass from the
 * old ones to the new. What guardrails deny in their new boxes is denied before the old ones go.
 */
static void find_remade(struct plan *p)
{
	for (unsigned i = 0; i < NFT_MAPS; i++) {
		struct map_plan *m = &p->maps[i];

		if (!p->old->has_set[p->old->set_of[i]] || p->new->maps[i].n == 0)
			continue;
		if (!nft_set_info(i)->is_interval)
			continue;
		m->remade =
			m->n_gone >= remake_min(p) ||
			(m->reshaped && (nft_set_info(i)->is_guard || !is_alone_reshaped(p, i)));
	}
}

/* --- sets ------------------------------------------------------------------------------------ */

static void make_map(struct plan *p, unsigned map, unsigned set)
{
	const struct nft_set_info *s = nft_set_info(map);

	p->made[set] = s->is_interval ? STEP_FILL : STEP_ADD;
	p->named[set] = s->is_guard ? STEP_GUARD : p->maps[map].remade ? STEP_REPLACE : STEP_ADD;
}

static void remove_map(struct plan *p, unsigned map, unsigned set)
{
	const struct nft_set_info *s = nft_set_info(map);

	p->removed[set] = s->is_guard ? STEP_UNGUARD : STEP_TAKE;
	p->unnamed[set] = p->maps[map].remade && !s->is_guard ? STEP_REPLACE : p->removed[set];
}

static void place_map(struct plan *p, struct nft_program *new, unsigned map)
{
	unsigned was = p->old->set_of[map];
	bool had = p->old->has_set[was], has = new->maps[map].n > 0;

	if (had && has)
		new->set_of[map] = (uint8_t)was;
	if (p->maps[map].remade)
		new->set_of[map] = (uint8_t)(was == map ? SET_OTHER(map) : map);
	if (had && (!has || p->maps[map].remade))
		remove_map(p, map, was);
	if (has && (!had || p->maps[map].remade))
		make_map(p, map, new->set_of[map]);
}

static void place_sets(struct plan *p, struct nft_program *new)
{
	memset(p->made, STEPS, sizeof(p->made));
	memset(p->named, STEPS, sizeof(p->named));
	memset(p->unnamed, STEPS, sizeof(p->unnamed));
	memset(p->removed, STEPS, sizeof(p->removed));
	for (unsigned i = 0; i < NFT_MAPS; i++)
		place_map(p, new, i);
	for (unsigned i = SET_KNOWN; i < SET_DENIED; i++) {
		if (!p->old->has_set[i] &&
		    new->has_set[i]) /* an empty one is for its rules alone */
			p->made[i] = new->n_known[i - SET_KNOWN] ? STEP_FILL : STEP_ADD;
		if (p->old->has_set[i] && !new->has_set[i])
			p->removed[i] = STEP_TAKE;
	}
}

/* --- where batches end ----------------------------------------------------------------------- */

/* Something that one map of SETS loses comes in another, of these two groups of kinds. */
static bool flows_meet(const struct plan *p, unsigned from, unsigned n_from, bool gone, unsigned to,
		       unsigned n_to, bool to_gone)
{
	for (unsigned i = from; i < from + n_from; i++)
		for (unsigned j = to; j < to + n_to; j++) {
			const struct map_plan *x = &p->maps[i], *y = &p->maps[j];

			if (i == j || (gone ? x->n_gone : x->n_added) == 0 ||
			    (to_gone ? y->n_gone : y->n_added) == 0)
				continue;
			if (lists_meet(gone ? &p->old->maps[i] : &p->new->maps[i],
				       gone ? x->gone : x->added,
				       to_gone ? &p->old->maps[j] : &p->new->maps[j],
				       to_gone ? y->gone : y->added))
				return true;
		}
	return false;
}

/* An address becomes the world's, or ceases to be: do elements come or go for it? */
static bool known_meets(const struct plan *p, unsigned direction, unsigned family)
{
	for (unsigned k = 0; k < ENTRY_KINDS; k++) {
		unsigned map = SET_MAP(direction, family, k);
		const struct map_plan *m = &p->maps[map];

		if (k == ENTRY_WORLD || k == ENTRY_WORLD_ICMP)
			continue;
		if (ranges_meet(p->old, p->new, family, &p->old->maps[map], m->gone) ||
		    ranges_meet(p->old, p->new, family, &p->new->maps[map], m->added))
			return true;
	}
	return false;
}

/* What the rules of change need to be apart. */
struct needs {
	bool moves;           /* flows pass from one map to another */
	bool guard_first;     /* a guardrail denies some of what is allowed from now on */
	bool guard_last;      /* one no longer denies some of what is no longer allowed */
	bool narrows, widens; /* all passed and no longer does; or the other way round */
	bool remade;
	bool busy[STEPS];
};

static void find_moves(const struct plan *p, struct needs *n)
{
	for (unsigned d = 0; d < DIRECTIONS; d++)
		for (unsigned f = 0; f < FAMILIES; f++) {
			unsigned maps = SET_MAP(d, f, 0), guards = SET_GUARD(d, f, 0);

			n->moves |=
				flows_meet(p, maps, ENTRY_KINDS, true, maps, ENTRY_KINDS, false) ||
				known_meets(p, d, f);
			n->guard_first |=
				flows_meet(p, guards, GUARD_KINDS, false, maps, ENTRY_KINDS, false);
			n->guard_last |=
				flows_meet(p, guards, GUARD_KINDS, true, maps, ENTRY_KINDS, true) ||
				flows_meet(p, guards, GUARD_KINDS, true, guards, GUARD_KINDS,
					   false);
		}
}

static void find_manner(const struct plan *p, struct needs *n)
{
	const struct ruleset *old = p->old->ruleset, *new = p->new->ruleset;
	bool was_wide = old->open || old->mode == MODE_AUDIT;
	bool is_wide = new->open || new->mode == MODE_AUDIT;

	n->narrows = was_wide && !is_wide;
	n->widens = is_wide && !was_wide;
	for (unsigned i = 0; i < NFT_MAPS; i++) {
		const struct map_plan *m = &p->maps[i];

		if (nft_set_info(i)->is_guard) {
			n->guard_first |= n->widens && m->n_added;
			n->guard_last |= m->remade || (n->narrows && m->n_gone);
		} else {
			n->remade |= m->remade;
		}
	}
}

static void note_step(struct needs *n, uint8_t step)
{
	if (step < STEPS)
		n->busy[step] = true;
}

static void note_entries(struct needs *n, const uint8_t *steps, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (steps[i])
			n->busy[(steps[i] & ~ENTRY_SAME) - 1] = true;
}

static void find_busy(const struct plan *p, struct needs *n)
{
	for (unsigned i = 0; i < NFT_ALL_SETS; i++) {
		note_step(n, p->made[i]);
		note_step(n, p->named[i]);
		note_step(n, p->unnamed[i]);
		note_step(n, p->removed[i]);
	}
	for (unsigned i = 0; i < NFT_MAPS; i++) {
		bool whole = p->maps[i].remade || !p->old->has_set[p->old->set_of[i]] ||
			     p->new->maps[i].n == 0;

		if (whole)
			continue;
		note_entries(n, p->maps[i].gone, p->old->maps[i].n);
		note_entries(n, p->maps[i].added, p->new->maps[i].n);
	}
	for (unsigned f = 0; f < FAMILIES; f++)
		if (!same_ranges(p->old, p->new, f))
			n->busy[STEP_ADD] = n->busy[STEP_TAKE] = true;
	n->busy[STEP_REPLACE] |= n->narrows || n->widens;
}

static bool is_busy(const struct needs *n, unsigned from, unsigned to)
{
	for (unsigned i = from; i <= to; i++)
		if (n->busy[i])
			return true;
	return false;
}

static bool makes_intervals(const struct plan *p)
{
	for (unsigned i = 0; i < SET_GUARDS; i++)
		if (p->made[i] == STEP_FILL || p->made[SET_OTHER(i)] == STEP_FILL)
			return true;
	return false;
}

static void find_cuts(struct plan *p)
{
	struct needs n = { 0 };

	find_moves(p, &n);
	find_manner(p, &n);
	find_busy(p, &n);
	p->cut[STEP_FILL] = n.remade || ((n.moves || n.narrows) && makes_intervals(p));
	p->cut[STEP_GUARD] = n.guard_first && is_busy(&n, STEP_FILL, STEP_GUARD);
	p->cut[STEP_ADD] = (n.moves || n.narrows) && is_busy(&n, STEP_FILL, STEP_ADD);
	p->cut[STEP_REPLACE] = ((n.moves && n.busy[STEP_REPLACE]) || n.remade || n.widens) &&
			       is_busy(&n, STEP_TAKE, STEP_UNGUARD);
	p->cut[STEP_TAKE] = n.guard_last && n.busy[STEP_UNGUARD];
}

/* --- the whole ------------------------------------------------------------------------------- */

int plan_make(struct plan *p, const struct nft_program *old, struct nft_program *new,
	      const bool *recreate, bool at_once)
{
	int r;

	*p = (struct plan) { .old = old, .new = new, .at_once = at_once };
	r = make_steps(p);
	for (unsigned i = 0; i < NFT_MAPS && r >= 0; i++) {
		diff_map(p, recreate, i);
		find_reshaped(p, i);
	}
	for (unsigned f = 0; f < FAMILIES && r >= 0; f++)
		r = common_ranges(old, new, f, &p->common[f], &p->n_common[f]);
	if (r < 0)
		return r;
	find_remade(p);
	place_sets(p, new);
	if (!at_once)
		find_cuts(p);
	return 0;
}

void plan_done(struct plan *p)
{
	free(p->steps);
	for (unsigned f = 0; f < FAMILIES; f++)
		free(p->common[f]);
}

bool plan_is_one(const struct plan *p)
{
	for (unsigned i = 0; i < STEPS; i++)
		if (p->cut[i])
			return false;
	return true;
}

static bool is_done(uint8_t at, int step)
{
	return at < STEPS && at <= step;
}

static void place_known(const struct plan *p, int step, unsigned f, struct nft_program *out)
{
	/* where only the new one has a world, it may be known from the first */
	int last = nft_has_world(p->old, f) ? STEP_TAKE : STEP_ADD;
	const struct nft_program *from = step < last ? p->old : p->new;
	unsigned set = SET_KNOWN + f;
	bool both = nft_has_world(p->old, f) && nft_has_world(p->new, f);

	if (p->made[set] < STEPS)
		from = p->new;
	if (p->removed[set] < STEPS)
		from = p->old;
	out->known[f] = from->known[f];
	out->n_known[f] = from->n_known[f];
	if (both && step >= STEP_ADD && step < STEP_TAKE) {
		out->known[f] = p->common[f];
		out->n_known[f] = p->n_common[f];
	}
}

void plan_program(const struct plan *p, int step, struct nft_program *out)
{
	const struct nft_program *manner = step >= STEP_REPLACE ? p->new : p->old;

	out->ruleset = manner->ruleset;
	out->frames = manner->frames;
	for (unsigned i = 0; i < NFT_ALL_SETS; i++) {
		out->has_set[i] = (p->old->has_set[i] || is_done(p->made[i], step)) &&
				  !is_done(p->removed[i], step);
		out->named[i] = (p->old->named[i] || is_done(p->named[i], step)) &&
				!is_done(p->unnamed[i], step);
	}
	for (unsigned f = 0; f < FAMILIES; f++)
		place_known(p, step, f, out);
	nft_lower_rules(out);
}
