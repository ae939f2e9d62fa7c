/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pieces.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/model/flowspec.h>

void pieces_done(struct pieces *s)
{
	free(s->p);
	*s = (struct pieces) { 0 };
}

static int push(struct pieces *s, const struct piece_of_ports *p, uint32_t lo, uint32_t hi)
{
	if (s->n == s->cap) {
		size_t cap = s->cap ? 2 * s->cap : 4;
		struct piece_of_ports *grown;

		if (cap > BH_RANGES_MAX)
			return -E2BIG;
		grown = realloc(s->p, cap * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		s->p = grown;
		s->cap = cap;
	}
	s->p[s->n] = *p;
	s->p[s->n].lo = lo;
	s->p[s->n++].hi = hi;
	return 0;
}

static int cmp(const void *a, const void *b)
{
	const struct piece_of_ports *x = a, *y = b;

	return (x->lo > y->lo) - (x->lo < y->lo);
}

int pieces_add(struct pieces *s, const struct piece_of_ports *p)
{
	uint32_t at = p->lo;
	size_t n = s->n;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < n && at <= p->hi && s->p[i].lo <= p->hi; i++) {
		uint32_t lo = s->p[i].lo, hi = s->p[i].hi;

		if (hi < at)
			continue;
		if (lo > at)
			r = push(s, p, at, lo - 1);
		at = hi + 1;
	}
	if (r >= 0 && at <= p->hi)
		r = push(s, p, at, p->hi);
	if (s->n > n && n)
		qsort(s->p, s->n, sizeof(*s->p), cmp);
	return r;
}

int pieces_cut(struct pieces *s, uint32_t lo, uint32_t hi)
{
	struct pieces left = { 0 };
	int r = 0;

	for (size_t i = 0; r >= 0 && i < s->n; i++) {
		const struct piece_of_ports *p = &s->p[i];

		if (p->hi < lo || p->lo > hi) {
			r = push(&left, p, p->lo, p->hi);
			continue;
		}
		if (p->lo < lo)
			r = push(&left, p, p->lo, lo - 1);
		if (r >= 0 && p->hi > hi)
			r = push(&left, p, hi + 1, p->hi);
	}
	if (r < 0) {
		pieces_done(&left);
		return r;
	}
	pieces_done(s);
	*s = left;
	return 0;
}

/* --- two at once ------------------------------------------------------------------------------ */

static const struct piece_of_ports *piece_at(const struct pieces *s, size_t *i, uint32_t at)
{
	while (*i < s->n && s->p[*i].hi < at)
		++*i;
	return *i < s->n ? &s->p[*i] : NULL;
}

/* Until where nothing changes: the end of P, or what comes before it. */
static uint32_t stretch(const struct piece_of_ports *p, uint32_t at, uint32_t end)
{
	uint32_t until = !p ? PIECE_LAST : p->lo > at ? p->lo - 1 : p->hi;

	return until < end ? until : end;
}

int pieces_walk(const struct pieces *a, const struct pieces *b,
		int (*fn)(uint32_t lo, uint32_t hi, const struct piece_of_ports *a,
			  const struct piece_of_ports *b, void *arg),
		void *arg)
{
	size_t i = 0, k = 0;
	uint32_t at = 0;
	int r = 0;

	while (r >= 0 && at <= PIECE_LAST) {
		const struct piece_of_ports *x = piece_at(a, &i, at), *y = piece_at(b, &k, at);
		uint32_t end = stretch(y, at, stretch(x, at, PIECE_LAST));

		x = x && x->lo <= at ? x : NULL;
		y = y && y->lo <= at ? y : NULL;
		if (x || y)
			r = fn(at, end, x, y, arg);
		at = end + 1;
	}
	return r;
}

static int64_t earlier(int64_t a, int64_t b)
{
	return !a || (b && b < a) ? b : a;
}

static int meet(uint32_t lo, uint32_t hi, const struct piece_of_ports *a,
		const struct piece_of_ports *b, void *arg)
{
	struct piece_of_ports p;

	if (!a || !b)
		return 0;
	p = *a;
	for (unsigned d = 0; d < DIRECTIONS; d++)
		if (!p.places[d]) {
			p.places[d] = b->places[d];
			p.names[d] = b->names[d];
		}
	p.expires = earlier(a->expires, b->expires);
	return push(arg, &p, lo, hi);
}

int pieces_meet(const struct pieces *a, const struct pieces *b, struct pieces *ret)
{
	int r = pieces_walk(a, b, meet, ret);

	if (r >= 0)
		pieces_join(ret);
	return r;
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_rest(const struct piece_of_ports *a, const struct piece_of_ports *b)
{
	return a->expires == b->expires && same_text(a->places[0], b->places[0]) &&
	       same_text(a->places[1], b->places[1]) && same_text(a->names[0], b->names[0]) &&
	       same_text(a->names[1], b->names[1]);
}

void pieces_join(struct pieces *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++) {
		struct piece_of_ports *last = n ? &s->p[n - 1] : NULL;

		if (last && last->hi + 1 == s->p[i].lo && same_rest(last, &s->p[i]))
			last->hi = s->p[i].hi;
		else
			s->p[n++] = s->p[i];
	}
	s->n = n;
}

bool pieces_equal(const struct pieces *a, const struct pieces *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (a->p[i].lo != b->p[i].lo || a->p[i].hi != b->p[i].hi ||
		    !same_rest(&a->p[i], &b->p[i]))
			return false;
	return true;
}

static int in_both(uint32_t lo, uint32_t hi, const struct piece_of_ports *a,
		   const struct piece_of_ports *b, void *arg)
{
	return a && b ? 0 : -ENOENT;
}

bool pieces_cover_the_same(const struct pieces *a, const struct pieces *b)
{
	return pieces_walk(a, b, in_both, NULL) >= 0;
}

/* --- as people write it ----------------------------------------------------------------------- */

static void add_word(struct bh_buf *out, size_t *n, const char *word)
{
	bh_buf_addf(out, "%s%s", (*n)++ ? ", " : "", word);
}

static bool has_ports(uint16_t proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_SCTP;
}

static bool is_icmp(uint16_t proto)
{
	return proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6;
}

static void add_protocol(struct bh_buf *out, size_t *n, uint16_t proto, uint16_t lo, uint16_t hi)
{
	uint16_t last = is_icmp(proto) && hi > 255 ? 255 : hi;
	bool cut = has_ports(proto) && lo == 0 && hi < 65535; /* no policy can name port 0 */
	struct port_spec spec = { proto, cut ? 1 : lo, last };
	char text[PORT_SPEC_STR + 16];

	if (cut && hi == 0)
		return;
	if (has_ports(proto) || is_icmp(proto))
		port_spec_format(text, &spec);
	else
		snprintf(text, sizeof(text), "protocol %u", proto);
	add_word(out, n, text);
}

/* Whole protocols that have no name, as a range. Returns where to go on. */
static unsigned skip_nameless(unsigned from, unsigned to)
{
	while (from < to && !has_ports((uint16_t)(from + 1)) && !is_icmp((uint16_t)(from + 1)))
		from++;
	return from;
}

static void add_piece(struct bh_buf *out, size_t *n, uint32_t lo, uint32_t hi)
{
	unsigned first = lo >> 16, last = hi >> 16;
	char text[48];

	for (unsigned p = first; p <= last; p++) {
		uint16_t from = p == first ? (uint16_t)lo : 0;
		uint16_t to = p == last ? (uint16_t)hi : 65535;
		unsigned end =
			has_ports((uint16_t)p) || is_icmp((uint16_t)p) ? p : skip_nameless(p, last);

		if (end > p) {
			snprintf(text, sizeof(text), "protocols %u-%u", p, end);
			add_word(out, n, text);
			p = end;
		} else {
			add_protocol(out, n, (uint16_t)p, from, to);
		}
	}
}

static int add_stretch(uint32_t lo, uint32_t hi, const struct piece_of_ports *a,
		       const struct piece_of_ports *b, void *arg)
{
	return a ? pieces_add(arg, &(struct piece_of_ports) { lo, hi }) : 0;
}

/* Without places and ends. */
static int plain(const struct pieces *s, struct pieces *ret)
{
	const struct pieces none = { 0 };
	int r = pieces_walk(s, &none, add_stretch, ret);

	pieces_join(ret);
	return r;
}

static int complement(const struct pieces *s, struct pieces *ret)
{
	int r = pieces_add(ret, &(struct piece_of_ports) { 0, PIECE_LAST });

	for (size_t i = 0; r >= 0 && i < s->n; i++)
		r = pieces_cut(ret, s->p[i].lo, s->p[i].hi);
	return r;
}

static uint64_t covered(const struct pieces *s)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < s->n; i++)
		sum += (uint64_t)s->p[i].hi - s->p[i].lo + 1;
	return sum;
}

void pieces_format(const struct pieces *s, struct bh_buf *out)
{
	struct pieces all = { 0 }, rest = { 0 };
	const struct pieces *shown = &all;
	size_t n = 0;

	if (plain(s, &all) < 0 || complement(&all, &rest) < 0)
		out->error = -ENOMEM;
	if (covered(&all) > PIECE_LAST / 2) {
		bh_buf_addstr(out, rest.n ? "any but " : "any");
		shown = &rest;
	}
	for (size_t i = 0; i < shown->n; i++)
		add_piece(out, &n, shown->p[i].lo, shown->p[i].hi);
	pieces_done(&all);
	pieces_done(&rest);
}
