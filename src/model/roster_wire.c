/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "roster_wire.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <bulkhead/base/arena.h>
#include <bulkhead/base/limits.h>

#define NO_STRING UINT32_MAX

/* --- writing ----------------------------------------------------------------------------------- */

static void put_u32(struct bh_buf *b, uint32_t v)
{
	bh_buf_add(b, &v, sizeof(v));
}

static void put_u64(struct bh_buf *b, uint64_t v)
{
	bh_buf_add(b, &v, sizeof(v));
}

static void put_str(struct bh_buf *b, const char *s)
{
	size_t len = s ? strlen(s) : 0;

	put_u32(b, s ? (uint32_t)len : NO_STRING);
	bh_buf_add(b, s, len);
}

static void put_array(struct bh_buf *b, const void *data, size_t n, size_t size)
{
	put_u32(b, (uint32_t)n);
	bh_buf_add(b, data, n * size);
}

int roster_put_members(struct bh_buf *b)
{
	put_u32(b, ROSTER_MEMBERS);
	return bh_buf_error(b);
}

int roster_put_member(struct bh_buf *b, const struct roster_member *m)
{
	const struct endpoint *e = &m->endpoint;

	put_u32(b, ROSTER_MEMBER);
	put_str(b, e->id);
	put_str(b, e->name);
	put_str(b, e->image);
	put_str(b, e->netns);
	put_u32(b, e->runtime);
	put_u64(b, e->netns_ino);
	put_array(b, e->addrs, e->n_addrs, sizeof(*e->addrs));
	put_str(b, m->services);
	put_str(b, m->owner);
	put_str(b, m->scope);
	return bh_buf_error(b);
}

static void put_rules(struct bh_buf *b, const struct ruleset *r)
{
	put_u32(b, (uint32_t)r->n_rules);
	for (size_t i = 0; i < r->n_rules; i++) {
		put_str(b, r->rules[i].name);
		put_str(b, r->rules[i].where);
		put_u32(b, r->rules[i].direction);
	}
}

static void put_list(struct bh_buf *b, const struct entry_list *l)
{
	put_array(b, l->e, l->n, sizeof(*l->e));
}

int roster_put_ruleset(struct bh_buf *b, uint64_t netns_ino, const struct ruleset *r)
{
	put_u32(b, ROSTER_RULESET);
	put_u64(b, netns_ino);
	put_str(b, r->endpoint);
	put_str(b, r->services);
	put_str(b, r->generation);
	put_u32(b, r->open);
	put_u32(b, r->mode);
	put_u32(b, r->on_deny);
	put_u32(b, r->log_denied);
	put_u32(b, r->log_allowed);
	put_rules(b, r);
	for (int d = 0; d < DIRECTIONS; d++) {
		put_str(b, r->deny_where[d]);
		for (int k = 0; k < ENTRY_KINDS; k++)
			put_list(b, &r->entries[d][k]);
		for (int k = 0; k < GUARD_KINDS; k++)
			put_list(b, &r->guards[d][k]);
	}
	put_array(b, r->known, r->n_known, sizeof(*r->known));
	return bh_buf_error(b);
}

/* --- reading ----------------------------------------------------------------------------------- */

static void fail(struct wire *w, int error)
{
	if (!w->error)
		w->error = error;
	w->left = 0;
}

/* LEN bytes, or NULL. */
static const void *take(struct wire *w, size_t len)
{
	const uint8_t *p = w->p;

	if (len > w->left) {
		fail(w, -EBADMSG);
		return NULL;
	}
	w->p += len;
	w->left -= len;
	return p;
}

uint32_t wire_get_u32(struct wire *w)
{
	const void *p = take(w, sizeof(uint32_t));
	uint32_t v = 0;

	if (p)
		memcpy(&v, p, sizeof(v));
	return v;
}

uint64_t wire_get_u64(struct wire *w)
{
	const void *p = take(w, sizeof(uint64_t));
	uint64_t v = 0;

	if (p)
		memcpy(&v, p, sizeof(v));
	return v;
}

static uint32_t get_below(struct wire *w, uint32_t bound)
{
	uint32_t v = wire_get_u32(w);

	if (v < bound)
		return v;
	fail(w, -EBADMSG);
	return 0;
}

/* NULL where NULL was put. */
static const char *get_str(struct wire *w, struct bh_arena *arena)
{
	uint32_t len = wire_get_u32(w);
	const char *p, *s;

	if (w->error || len == NO_STRING)
		return NULL;
	p = take(w, len);
	if (!p)
		return NULL;
	s = bh_arena_strndup(arena, p, len);
	if (!s)
		fail(w, -ENOMEM);
	return s;
}

static const char *get_text(struct wire *w, struct bh_arena *arena)
{
	const char *s = get_str(w, arena);

	if (!s)
		fail(w, -EBADMSG);
	return s ? s : "";
}

static void *get_array(struct wire *w, struct bh_arena *arena, size_t size, size_t *ret_n)
{
	uint32_t n = wire_get_u32(w);
	const void *p = n <= w->left / size ? take(w, n * size) : take(w, SIZE_MAX);
	void *copy;

	*ret_n = 0;
	if (!p || !n)
		return NULL;
	copy = bh_arena_memdup(arena, p, n * size);
	if (!copy)
		fail(w, -ENOMEM);
	else
		*ret_n = n;
	return copy;
}

static bool is_family(uint8_t family)
{
	return family == AF_INET || family == AF_INET6;
}

void wire_get_member(struct wire *w, struct bh_arena *arena, struct roster_member *ret)
{
	struct endpoint *e = &ret->endpoint;

	*ret = (struct roster_member) { 0 };
	e->id = get_text(w, arena);
	e->name = get_text(w, arena);
	e->image = get_str(w, arena);
	e->netns = get_str(w, arena);
	e->runtime = get_below(w, ENDPOINT_UNKNOWN + 1);
	e->netns_ino = wire_get_u64(w);
	e->addrs = get_array(w, arena, sizeof(*e->addrs), &e->n_addrs);
	ret->services = get_text(w, arena);
	ret->owner = get_str(w, arena);
	ret->scope = get_text(w, arena);
	for (size_t i = 0; i < e->n_addrs; i++)
		if (!is_family(e->addrs[i].family))
			fail(w, -EBADMSG);
}

static void get_rules(struct wire *w, struct ruleset *r)
{
	uint32_t n = get_below(w, BH_RULESET_RULES_MAX + 1);
	struct ruleset_rule *rules = bh_arena_array(r->arena, n ? n : 1, sizeof(*rules));

	if (!rules) {
		fail(w, -ENOMEM);
		return;
	}
	for (uint32_t i = 0; i < n && !w->error; i++) {
		rules[i].name = get_text(w, r->arena);
		rules[i].where = get_text(w, r->arena);
		rules[i].direction = get_below(w, DIRECTIONS);
	}
	r->rules = rules;
	r->n_rules = n;
}

static void get_list(struct wire *w, struct ruleset *r, struct entry_list *ret)
{
	ret->e = get_array(w, r->arena, sizeof(*ret->e), &ret->n);
	for (size_t i = 0; i < ret->n; i++)
		if (ret->e[i].rule >= r->n_rules || !is_family(ret->e[i].addr.lo.family) ||
		    !is_family(ret->e[i].addr.hi.family)) {
			fail(w, -EBADMSG);
			return;
		}
}

static void get_directions(struct wire *w, struct ruleset *r)
{
	for (int d = 0; d < DIRECTIONS && !w->error; d++) {
		r->deny_where[d] = get_str(w, r->arena);
		for (int k = 0; k < ENTRY_KINDS; k++)
			get_list(w, r, &r->entries[d][k]);
		for (int k = 0; k < GUARD_KINDS; k++)
			get_list(w, r, &r->guards[d][k]);
	}
}

int wire_get_ruleset(struct wire *w, struct ruleset **ret)
{
	struct bh_arena *arena = bh_arena_new();
	struct ruleset *r = arena ? bh_arena_alloc(arena, sizeof(*r)) : NULL;

	if (!r) {
		bh_arena_free(arena);
		return -ENOMEM;
	}
	r->arena = arena;
	r->endpoint = get_text(w, arena);
	r->services = get_text(w, arena);
	r->generation = get_text(w, arena);
	r->open = get_below(w, 2);
	r->mode = get_below(w, MODE_OFF + 1);
	r->on_deny = wire_get_u32(w);
	r->log_denied = get_below(w, 2);
	r->log_allowed = get_below(w, 2);
	get_rules(w, r);
	get_directions(w, r);
	r->known = get_array(w, arena, sizeof(*r->known), &r->n_known);
	if (w->error) {
		bh_arena_free(arena);
		return w->error;
	}
	*ret = r;
	return 0;
}
