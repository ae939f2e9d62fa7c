/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "flowmap.h"

#include <sys/socket.h>

#include <bulkhead/base/cleanup.h>

/* What people call sets of addresses. */

static const uint8_t families[] = { AF_INET, AF_INET6 };

static void add_ranges(const struct bh_rangeset *s, const char *lead, struct bh_buf *out)
{
	char text[BH_RANGE_STR];

	for (size_t i = 0; i < s->n; i++)
		bh_buf_addf(out, "%s%s", i ? ", " : lead, bh_range_format(text, &s->r[i]));
}

/* The stand-ins' addresses are in nobody's way: what lies on both sides of them goes through. */
static int close_gap(const struct flowmap *m, struct bh_rangeset *s)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < BH_ARRAY_SIZE(families); i++) {
		struct bh_range block = cast_block(m->cast, families[i]);
		struct bh_addr before = block.lo, behind = block.hi;

		bh_addr_prev(&before);
		bh_addr_next(&behind);
		if (bh_rangeset_contains(s, &before) && bh_rangeset_contains(s, &behind))
			r = bh_rangeset_add(s, &block);
	}
	return r;
}

/* S as NAME, and what it has more, or less, than OF; 1: so it is shortest. */
static int name_as(const struct bh_rangeset *s, const struct bh_rangeset *of, const char *name,
		   struct bh_buf *out)
{
	struct bh_rangeset more, less;
	int r;

	bh_rangeset_init(&more);
	bh_rangeset_init(&less);
	r = bh_rangeset_add_all(&more, s);
	if (r >= 0)
		r = bh_rangeset_subtract(&more, of);
	if (r >= 0)
		r = bh_rangeset_add_all(&less, of);
	if (r >= 0)
		r = bh_rangeset_subtract(&less, s);
	if (r >= 0 && more.n + less.n + 1 < s->n + (s->n == of->n)) {
		bh_buf_addstr(out, name);
		add_ranges(&more, " and ", out);
		add_ranges(&less, " but ", out);
		r = 1;
	}
	bh_rangeset_done(&more);
	bh_rangeset_done(&less);
	return r;
}

/* The part of one family; 0: of both. */
static int of_family(const struct bh_rangeset *s, uint8_t family, struct bh_rangeset *ret)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < s->n; i++)
		if (!family || s->r[i].lo.family == family)
			r = bh_rangeset_add(ret, &s->r[i]);
	return r;
}

/* The world, or one family of it. 1: so it was named. */
static int name_world(const struct flowmap *m, const struct bh_rangeset *s, struct bh_buf *out)
{
	static const struct {
		uint8_t family;
		const char *name;
	} worlds[] = {
		{ 0, "the world" },
		{ AF_INET, "the world (IPv4)" },
		{ AF_INET6, "the world (IPv6)" },
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < BH_ARRAY_SIZE(worlds); i++) {
		struct bh_rangeset world;

		bh_rangeset_init(&world);
		r = of_family(&m->world, worlds[i].family, &world);
		if (r >= 0)
			r = name_as(s, &world, worlds[i].name, out);
		bh_rangeset_done(&world);
	}
	return r;
}

void flowmap_name_ranges(const struct flowmap *m, const struct bh_rangeset *s, struct bh_buf *out)
{
	struct bh_rangeset all, closed;
	int r;

	bh_rangeset_init(&all);
	bh_rangeset_init(&closed);
	r = bh_rangeset_add_all(&closed, s);
	if (r >= 0)
		r = close_gap(m, &closed);
	if (r >= 0)
		r = bh_rangeset_universe(&all);
	if (r >= 0)
		r = name_world(m, s, out);
	if (r == 0)
		r = name_as(&closed, &all, "any address", out);
	if (r == 0)
		add_ranges(&closed, "", out);
	if (r < 0)
		out->error = r;
	bh_rangeset_done(&all);
	bh_rangeset_done(&closed);
}
