/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <bulkhead/base/limits.h>

#include "cover.h"
#include "lint.h"

/* Each item is filed under one thing that it names; who looks for it knows all that may be. */
enum thing { SERVICE, LABEL, GROUP, ANY_GROUP, SCOPE, NOT_SCOPE, ENTITY, CIDR };

struct entry {
	uint64_t key; /* a hash: what is found is compared all the same */
	size_t item;
};

void cover_init(struct cover_index *x)
{
	*x = (struct cover_index) { 0 };
	bh_vec_init(&x->items, sizeof(struct cover_item), SIZE_MAX / sizeof(struct cover_item));
	bh_vec_init(&x->entries, sizeof(struct entry), SIZE_MAX / sizeof(struct entry));
}

void cover_done(struct cover_index *x)
{
	bh_vec_done(&x->items);
	bh_vec_done(&x->entries);
}

void cover_reset(struct cover_index *x)
{
	x->items.n = 0;
	x->entries.n = 0;
	memset(x->lengths, 0, sizeof(x->lengths));
}

static uint64_t mix(uint64_t h, const void *data, size_t len)
{
	const unsigned char *s = data;

	for (size_t i = 0; i < len; i++)
		h = (h ^ s[i]) * UINT64_C(1099511628211);
	return h;
}

static uint64_t key_of(enum thing t, const void *data, size_t len)
{
	unsigned char kind = (unsigned char)t;

	return mix(mix(UINT64_C(14695981039346656037), &kind, 1), data, len);
}

static uint64_t text_key(enum thing t, const char *s)
{
	return key_of(t, s, strlen(s));
}

static uint64_t label_key(const struct label *l)
{
	return mix(text_key(LABEL, l->key), l->value, strlen(l->value));
}

static uint64_t entity_key(enum entity e)
{
	return key_of(ENTITY, &e, sizeof(e));
}

/* Of the prefix of this length around an address. */
static uint64_t cidr_key(const struct bh_addr *a, unsigned len)
{
	unsigned char b[18] = { a->family, (unsigned char)len };

	memcpy(b + 2, a->b, len / 8);
	if (len % 8)
		b[2 + len / 8] = a->b[len / 8] & (unsigned char)(0xff00 >> len % 8);
	return key_of(CIDR, b, sizeof(b));
}

static unsigned family_of(const struct bh_addr *a)
{
	return a->family == AF_INET6;
}

static int file(struct cover_index *x, uint64_t key, size_t item)
{
	struct entry *e = bh_vec_push(&x->entries);

	if (!e)
		return -ENOMEM;
	*e = (struct entry) { key, item };
	return 0;
}

static int file_cidr(struct cover_index *x, const struct bh_prefix *p, size_t item)
{
	x->lengths[family_of(&p->addr)][p->len / 64] |= UINT64_C(1) << p->len % 64;
	return file(x, cidr_key(&p->addr, p->len), item);
}

static int file_peer(struct cover_index *x, const struct peer *q, size_t i)
{
	int r;

	if (q->service)
		return file(x, text_key(SERVICE, q->service), i);
	if (q->group) {
		r = file(x, text_key(GROUP, q->group), i);
		return r < 0 ? r : file(x, text_key(ANY_GROUP, ""), i);
	}
	if (q->scope)
		return file(x, text_key(SCOPE, q->scope), i);
	if (q->not_scope)
		return file(x, text_key(NOT_SCOPE, ""), i);
	if (q->n_labels)
		return file(x, label_key(&q->labels[0]), i);
	if (q->entity != ENTITY_NONE)
		return file(x, entity_key(q->entity), i);
	return q->has_cidr ? file_cidr(x, &q->cidr, i) : 0;
}

int cover_add(struct cover_index *x, const struct cover_item *item)
{
	struct cover_item *to = bh_vec_push(&x->items);

	if (!to)
		return -ENOMEM;
	*to = *item;
	return file_peer(x, item->peer, x->items.n - 1);
}

static int entry_cmp(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return (x->item > y->item) - (x->item < y->item);
}

void cover_sort(struct cover_index *x)
{
	if (x->entries.n)
		qsort(x->entries.data, x->entries.n, sizeof(struct entry), entry_cmp);
}

/* --- looking ------------------------------------------------------------------------------ */

struct search {
	struct lint *l;
	const struct cover_index *x;
	bool (*fn)(const struct cover_item *q, void *arg);
	void *arg;
	bool done;
};

static size_t first_of(const struct cover_index *x, uint64_t key)
{
	const struct entry *e = x->entries.data;
	size_t lo = 0, hi = x->entries.n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (e[mid].key < key)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void look(struct search *s, uint64_t key)
{
	const struct cover_item *items = s->x->items.data;
	const struct entry *e = s->x->entries.data;

	for (size_t i = first_of(s->x, key); !s->done && i < s->x->entries.n && e[i].key == key;
	     i++)
		s->done = !lint_step(s->l, 1) || s->fn(&items[e[i].item], s->arg);
}

static void look_labels(struct search *s, const struct label *labels, size_t n)
{
	for (size_t i = 0; i < n; i++)
		look(s, label_key(&labels[i]));
}

/* Every prefix around this one. */
static void look_around(struct search *s, const struct bh_prefix *p)
{
	const uint64_t *lengths = s->x->lengths[family_of(&p->addr)];

	for (unsigned len = 0; len <= p->len; len++)
		if (lengths[len / 64] >> len % 64 & 1)
			look(s, cidr_key(&p->addr, len));
}

static void look_addresses(struct search *s, const struct peer *p)
{
	const struct group *g = p->group ? lint_group(s->l, p->group) : NULL;

	if (p->has_cidr)
		look_around(s, &p->cidr);
	if (g) {
		look(s, text_key(GROUP, p->group));
		if (!p->has_cidr && g->n_cidrs)
			look_around(s, &g->cidrs[0]);
	}
	if (p->has_cidr || g)
		look(s, text_key(ANY_GROUP, ""));
}

static void look_service(struct search *s, const struct peer *p)
{
	const struct service *svc = lint_service(s->l, p->service);

	look(s, text_key(SERVICE, p->service));
	if (svc)
		look_labels(s, svc->select.labels, svc->select.n_labels);
	if (svc && svc->scope)
		look(s, text_key(SCOPE, svc->scope));
}

bool cover_find(struct lint *l, const struct cover_index *x, const struct peer *p,
		bool (*fn)(const struct cover_item *q, void *arg), void *arg)
{
	struct search s = { l, x, fn, arg, false };

	if (p->service)
		look_service(&s, p);
	look_labels(&s, p->labels, p->n_labels);
	look_addresses(&s, p);
	if (p->service || p->n_labels)
		look(&s, entity_key(ENTITY_MANAGED));
	if (p->entity != ENTITY_NONE)
		look(&s, entity_key(p->entity));
	if (p->scope)
		look(&s, text_key(SCOPE, p->scope));
	look(&s, text_key(NOT_SCOPE, ""));
	return s.done && !l->exhausted;
}
