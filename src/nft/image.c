/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "image.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <libmnl/libmnl.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/text.h>

#include "attr.h"
#include "batch.h"
#include "kernel.h"
#include "query.h"

#define EXPRESSIONS_MAX 2048

void image_drift(struct image *im, const char *fmt, ...)
{
	char text[sizeof(im->drift)];
	va_list ap;

	if (im->drift[0])
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	bh_escape_str(im->drift, sizeof(im->drift), text);
}

int image_init(struct image *im, struct bh_err *err)
{
	*im = (struct image) { .arena = bh_arena_new(), .now = time(NULL) };
	if (!im->arena)
		return bh_err_oom(err);
	bh_vec_init(&im->counters, sizeof(struct image_counter), BH_READBACK_OBJECTS_MAX);
	bh_vec_init(&im->rules, sizeof(struct image_rule), BH_READBACK_RULES_MAX);
	for (unsigned i = 0; i < NFT_ALL_SETS; i++)
		bh_vec_init(&im->entries[i], sizeof(struct entry), BH_RULESET_ENTRIES_MAX);
	for (unsigned f = 0; f < FAMILIES; f++)
		bh_vec_init(&im->ranges[f], sizeof(struct bh_range), BH_RANGES_MAX);
	return 0;
}

void image_done(struct image *im)
{
	bh_vec_done(&im->counters);
	bh_vec_done(&im->rules);
	for (unsigned i = 0; i < NFT_ALL_SETS; i++)
		bh_vec_done(&im->entries[i]);
	for (unsigned f = 0; f < FAMILIES; f++)
		bh_vec_done(&im->ranges[f]);
	bh_arena_free(im->arena);
	im->arena = NULL;
}

/* A new last element; a full vector is drift, not a failure: ours are never that large. */
static int push(struct image *im, struct bh_vec *v, void **ret)
{
	*ret = bh_vec_push(v);
	if (*ret)
		return 0;
	if (v->n < v->max)
		return -ENOMEM;
	image_drift(im, "it holds more than Bulkhead ever writes");
	return 0;
}

/* Our names and comments are printable ASCII; what a terminal might obey is not ours. */
static void take_text(struct image *im, char *s, size_t cap)
{
	char raw[256];
	const char *p = s;

	while (*p >= ' ' && *p <= '~')
		p++;
	if (!*p)
		return;
	snprintf(raw, sizeof(raw), "%s", s);
	bh_escape_str(s, cap, raw);
	image_drift(im, "a name or comment has bytes that are not text: %s", s);
}

/* --- table ----------------------------------------------------------------------------------- */

static int on_table(const struct nlmsghdr *nlh, void *arg)
{
	const struct nlattr *tb[BH_NFTA_TABLE_OWNER + 1];
	struct image *im = arg;
	uint32_t flags = 0;
	unsigned t;

	attr_parse(nlh, tb, BH_NFTA_TABLE_OWNER);
	if (!nft_message_table(nlh, &t) || !attr_is(tb[NFTA_TABLE_NAME], NFT_TABLE_NAME))
		return 0;
	im->has_table[t] = true;
	attr_u32(tb[NFTA_TABLE_FLAGS], &flags);
	attr_u32(tb[BH_NFTA_TABLE_OWNER], &im->owner[t]);
	im->flags[t] = flags;
	if (flags & NFT_TABLE_F_DORMANT)
		image_drift(im, "the table is dormant: it filters nothing");
	else if (flags & ~(uint32_t)(BH_NFT_TABLE_F_OWNER | BH_NFT_TABLE_F_PERSIST))
		image_drift(im, "the table has the flags %u", flags);
	return 0;
}

/* --- chains ---------------------------------------------------------------------------------- */

static bool base_chain_is_ours(const struct nft_hook *want, const struct nlattr **tb,
			       const struct nlattr **hook)
{
	uint32_t number = UINT32_MAX, priority = 0, policy = NF_ACCEPT;

	return attr_u32(hook[NFTA_HOOK_HOOKNUM], &number) &&
	       attr_u32(hook[NFTA_HOOK_PRIORITY], &priority) &&
	       attr_u32(tb[NFTA_CHAIN_POLICY], &policy) && number == want->number &&
	       (int32_t)priority == want->priority && policy == NF_DROP &&
	       attr_is(tb[NFTA_CHAIN_TYPE], "filter");
}

static void take_devices(struct image *im, const struct nlattr *list)
{
	struct nft_frames *f = &im->frames;
	const struct nlattr *a;

	if (!list)
		return;
	mnl_attr_for_each_nested (a, list) {
		if (mnl_attr_get_type(a) == NFTA_DEVICE_NAME &&
		    f->n_devices < BH_ARRAY_SIZE(f->devices) &&
		    attr_string(a, f->devices[f->n_devices], sizeof(f->devices[0])))
			f->n_devices++;
		else
			image_drift(im, "the chain egress is hooked on a device of odd name");
	}
}

static int on_chain(const struct nlmsghdr *nlh, void *arg)
{
	const struct nlattr *tb[NFTA_CHAIN_TYPE + 1];
	const struct nlattr *hook[BH_NFTA_HOOK_DEVS + 1];
	const struct nft_hook *want;
	struct image *im = arg;
	char name[256];
	unsigned table;
	int chain;

	attr_parse(nlh, tb, NFTA_CHAIN_TYPE);
	if (!nft_message_table(nlh, &table) || !attr_is(tb[NFTA_CHAIN_TABLE], NFT_TABLE_NAME))
		return 0;
	if (!attr_string(tb[NFTA_CHAIN_NAME], name, sizeof(name)))
		return -EBADMSG;
	chain = nft_chain_by_name(name);
	if (chain < 0 || nft_chain_table((unsigned)chain) != table) {
		image_drift(im, "a foreign chain %s is in the table", name);
		return 0;
	}
	im->has_chain[chain] = true;
	want = nft_chain_hook((unsigned)chain);
	attr_parse_nested(tb[NFTA_CHAIN_HOOK], hook, BH_NFTA_HOOK_DEVS);
	if (want ? !base_chain_is_ours(want, tb, hook) : tb[NFTA_CHAIN_HOOK] != NULL)
		image_drift(im, "chain %s has another hook, priority or policy", name);
	if (chain == CHAIN_EGRESS)
		take_devices(im, hook[BH_NFTA_HOOK_DEVS]);
	return 0;
}

/* --- sets ------------------------------------------------------------------------------------ */

static bool is_once(const struct nlattr *data)
{
	const struct nlattr *tb[NFTA_LIMIT_FLAGS + 1];
	uint64_t rate = 0, unit = 0;
	uint32_t burst = 0, type = NFT_LIMIT_PKTS, flags = 0;

	attr_parse_nested(data, tb, NFTA_LIMIT_FLAGS);
	attr_u64(tb[NFTA_LIMIT_RATE], &rate);
	attr_u64(tb[NFTA_LIMIT_UNIT], &unit);
	attr_u32(tb[NFTA_LIMIT_BURST], &burst);
	attr_u32(tb[NFTA_LIMIT_TYPE], &type);
	attr_u32(tb[NFTA_LIMIT_FLAGS], &flags);
	return rate == 1 && unit == SECONDS_A_DAY && burst == 1 && type == NFT_LIMIT_PKTS && !flags;
}

/* counter limit rate 1/day burst 1 packets, in this order */
static bool expressions_are_ours(const struct nlattr *list)
{
	const struct nlattr *a, *tb[NFTA_EXPR_DATA + 1];
	unsigned n = 0;

	if (!list)
		return false;
	mnl_attr_for_each_nested (a, list) {
		attr_parse_nested(a, tb, NFTA_EXPR_DATA);
		if (n == 0 ? !attr_is(tb[NFTA_EXPR_NAME], "counter")
			   : n > 1 || !attr_is(tb[NFTA_EXPR_NAME], "limit") ||
				     !is_once(tb[NFTA_EXPR_DATA]))
			return false;
		n++;
	}
	return n == 2;
}

static bool denied_set_is_ours(const struct nlattr **tb)
{
	const struct nlattr *desc[NFTA_SET_DESC_CONCAT + 1];
	uint64_t timeout = 0;
	uint32_t size = 0;

	attr_parse_nested(tb[NFTA_SET_DESC], desc, NFTA_SET_DESC_CONCAT);
	return attr_u32(desc[NFTA_SET_DESC_SIZE], &size) && size == BH_DENIED_SET_SIZE &&
	       attr_u64(tb[NFTA_SET_TIMEOUT], &timeout) && timeout == BH_DENIED_TIMEOUT_MS &&
	       expressions_are_ours(tb[BH_NFTA_SET_EXPRESSIONS]);
}

/* How an interval key is cut into fields decides what its ranges mean. */
static bool fields_are_ours(const struct nft_set_info *s, const struct nlattr *concat)
{
	const struct nlattr *field, *tb[NFTA_SET_FIELD_LEN + 1];
	uint32_t len;
	unsigned n = 0;

	if (!concat)
		return !(s->flags & BH_NFT_SET_CONCAT);
	mnl_attr_for_each_nested (field, concat) {
		attr_parse_nested(field, tb, NFTA_SET_FIELD_LEN);
		if (n == s->n_fields || !attr_u32(tb[NFTA_SET_FIELD_LEN], &len) ||
		    len != nft_fields[s->fields[n++]].len)
			return false;
	}
	return n == s->n_fields;
}

/* No size, no timeout that elements would inherit, no expressions. */
static bool plain_set_is_ours(const struct nft_set_info *s, const struct nlattr **tb)
{
	const struct nlattr *desc[NFTA_SET_DESC_CONCAT + 1];

	attr_parse_nested(tb[NFTA_SET_DESC], desc, NFTA_SET_DESC_CONCAT);
	return !desc[NFTA_SET_DESC_SIZE] && !tb[NFTA_SET_TIMEOUT] && !tb[NFTA_SET_EXPR] &&
	       !tb[BH_NFTA_SET_EXPRESSIONS] && fields_are_ours(s, desc[NFTA_SET_DESC_CONCAT]);
}

static bool set_is_ours(const struct nft_set_info *s, const struct nlattr **tb)
{
	uint32_t flags = 0, type = 0, len = 0, object = 0;

	attr_u32(tb[NFTA_SET_FLAGS], &flags);
	attr_u32(tb[NFTA_SET_KEY_TYPE], &type);
	attr_u32(tb[NFTA_SET_KEY_LEN], &len);
	attr_u32(tb[NFTA_SET_OBJ_TYPE], &object);
	if (flags != s->flags || type != s->key_type || len != s->key_len)
		return false;
	if (s->is_map != (object == NFT_OBJECT_COUNTER))
		return false;
	return s->is_denied ? denied_set_is_ours(tb) : plain_set_is_ours(s, tb);
}

static int on_set(const struct nlmsghdr *nlh, void *arg)
{
	const struct nlattr *tb[BH_NFTA_SET_EXPRESSIONS + 1];
	struct image *im = arg;
	char name[256];
	unsigned table;
	int set;

	attr_parse(nlh, tb, BH_NFTA_SET_EXPRESSIONS);
	if (!nft_message_table(nlh, &table) || !attr_is(tb[NFTA_SET_TABLE], NFT_TABLE_NAME))
		return 0;
	if (!attr_string(tb[NFTA_SET_NAME], name, sizeof(name)))
		return -EBADMSG;
	set = nft_set_by_name(name);
	if (set < 0 || table != TABLE_INET) {
		image_drift(im, "a foreign set %s is in the table", name);
		return 0;
	}
	if (set_is_ours(nft_set_info((unsigned)set), tb))
		im->has_set[set] = true;
	else
		image_drift(im, "set %s has another type", name);
	return 0;
}

/* --- counters -------------------------------------------------------------------------------- */

static int on_counter(const struct nlmsghdr *nlh, void *arg)
{
	const struct nlattr *tb[NFTA_OBJ_USERDATA + 1], *data[NFTA_COUNTER_PACKETS + 1];
	struct image *im = arg;
	struct image_counter *c, scratch = { 0 };
	uint32_t type = 0;
	unsigned table;
	void *slot;
	int fixed, r;

	attr_parse(nlh, tb, NFTA_OBJ_USERDATA);
	if (!nft_message_table(nlh, &table) || !attr_is(tb[NFTA_OBJ_TABLE], NFT_TABLE_NAME))
		return 0;
	attr_u32(tb[NFTA_OBJ_TYPE], &type);
	if (type != NFT_OBJECT_COUNTER ||
	    !attr_string(tb[NFTA_OBJ_NAME], scratch.name, sizeof(scratch.name))) {
		image_drift(im, "a foreign object is in the table");
		return 0;
	}
	attr_comment(tb[NFTA_OBJ_USERDATA], scratch.comment, sizeof(scratch.comment));
	take_text(im, scratch.name, sizeof(scratch.name));
	take_text(im, scratch.comment, sizeof(scratch.comment));
	attr_parse_nested(tb[NFTA_OBJ_DATA], data, NFTA_COUNTER_PACKETS);
	attr_u64(data[NFTA_COUNTER_PACKETS], &scratch.packets);
	attr_u64(data[NFTA_COUNTER_BYTES], &scratch.bytes);
	fixed = nft_counter_by_name(scratch.name);
	if (fixed >= 0 && nft_counter_table((unsigned)fixed) == table) {
		im->fixed[fixed] = scratch;
		im->has_fixed[fixed] = true;
		return 0;
	}
	if (fixed >= 0 || table != TABLE_INET) {
		image_drift(im, "a foreign counter %s is in the table", scratch.name);
		return 0;
	}
	r = push(im, &im->counters, &slot);
	c = slot;
	if (c)
		*c = scratch;
	return r;
}

static int order_counters(const void *a, const void *b)
{
	return strcmp(((const struct image_counter *)a)->name,
		      ((const struct image_counter *)b)->name);
}

/* --- rules ----------------------------------------------------------------------------------- */

/* Notes the maps that a rule looks something up in. */
static void take_names(struct image *im, const struct nlattr *expressions)
{
	static const struct {
		const char *expr;
		uint16_t attr;
	} lookups[] = { { "lookup", NFTA_LOOKUP_SET }, { "objref", NFTA_OBJREF_SET_NAME } };
	const struct nlattr *a, *tb[NFTA_EXPR_DATA + 1], *data[NFTA_OBJREF_SET_NAME + 1];
	char name[256];
	int set;

	mnl_attr_for_each_nested (a, expressions) {
		attr_parse_nested(a, tb, NFTA_EXPR_DATA);
		for (size_t i = 0; i < BH_ARRAY_SIZE(lookups); i++) {
			if (!attr_is(tb[NFTA_EXPR_NAME], lookups[i].expr))
				continue;
			attr_parse_nested(tb[NFTA_EXPR_DATA], data, NFTA_OBJREF_SET_NAME);
			if (!attr_string(data[lookups[i].attr], name, sizeof(name)))
				continue;
			set = nft_set_by_name(name);
			if (set >= 0)
				im->named[set] = true;
		}
	}
}

static int on_rule(const struct nlmsghdr *nlh, void *arg)
{
	const struct nlattr *tb[NFTA_RULE_USERDATA + 1];
	const struct nlattr *e;
	struct image *im = arg;
	struct image_rule *rule;
	char name[256];
	unsigned table;
	void *slot;
	int chain, r;

	attr_parse(nlh, tb, NFTA_RULE_USERDATA);
	if (!nft_message_table(nlh, &table) || !attr_is(tb[NFTA_RULE_TABLE], NFT_TABLE_NAME))
		return 0;
	if (!attr_string(tb[NFTA_RULE_CHAIN], name, sizeof(name)))
		return -EBADMSG;
	chain = nft_chain_by_name(name);
	e = tb[NFTA_RULE_EXPRESSIONS];
	if (chain < 0 || nft_chain_table((unsigned)chain) != table || !e ||
	    mnl_attr_get_len(e) > EXPRESSIONS_MAX) {
		image_drift(im, "a foreign rule is in chain %s", name);
		return 0;
	}
	r = push(im, &im->rules, &slot);
	if (!slot)
		return r;
	rule = slot;
	rule->chain = (uint8_t)chain;
	rule->expressions = bh_arena_memdup(im->arena, e, mnl_attr_get_len(e));
	attr_comment(tb[NFTA_RULE_USERDATA], rule->comment, sizeof(rule->comment));
	take_text(im, rule->comment, sizeof(rule->comment));
	take_names(im, e);
	return rule->expressions ? 0 : -ENOMEM;
}

/* --- elements -------------------------------------------------------------------------------- */

struct bound {
	struct bh_addr addr;
	bool is_end;
};

struct element_reader {
	struct image *im;
	unsigned set;
	struct bh_vec bounds; /* struct bound, of an interval set */
};

/* Key bytes into the fields of an entry; LO or the high ends of its intervals. */
static void take_key(const struct nft_set_info *s, const uint8_t *key, struct entry *e, bool lo)
{
	size_t at = 0;

	for (unsigned i = 0; i < s->n_fields; i++) {
		enum nft_field f = (enum nft_field)s->fields[i];
		uint16_t port = f == FIELD_PORT ? (uint16_t)(key[at] << 8 | key[at + 1]) : key[at];

		if (f == FIELD_ADDR4 || f == FIELD_ADDR6)
			memcpy(lo ? e->addr.lo.b : e->addr.hi.b, key + at, nft_fields[f].len);
		else if (f == FIELD_PROTO)
			*(lo ? &e->proto_lo : &e->proto_hi) = key[at];
		else
			*(lo ? &e->port_lo : &e->port_hi) = port;
		at += (nft_fields[f].len + 3u) / 4 * 4;
	}
}

static const uint8_t *key_bytes(const struct nlattr *nest, size_t len)
{
	const struct nlattr *tb[NFTA_DATA_VALUE + 1];

	attr_parse_nested(nest, tb, NFTA_DATA_VALUE);
	if (!tb[NFTA_DATA_VALUE] || mnl_attr_get_payload_len(tb[NFTA_DATA_VALUE]) != len)
		return NULL;
	return mnl_attr_get_payload(tb[NFTA_DATA_VALUE]);
}

/* What the fields of the key do not say, by the kind of the map. */
static void fill_entry(const struct nft_set_info *s, struct entry *e)
{
	uint8_t icmp = s->family == FAMILY4 ? 1 : 58;

	e->addr.lo.family = e->addr.hi.family = s->family == FAMILY4 ? AF_INET : AF_INET6;
	if (s->is_guard) {
		if (s->kind == GUARD_ICMP)
			e->proto_lo = e->proto_hi = icmp;
		if (s->kind == GUARD_NET)
			e->port_hi = 65535;
		return;
	}
	if (s->kind == ENTRY_WORLD || s->kind == ENTRY_WORLD_ICMP)
		memset(e->addr.hi.b, 0xff, bh_addr_len(e->addr.hi.family));
	if (s->kind == ENTRY_ICMP || s->kind == ENTRY_ICMP_RANGE)
		e->proto_lo = e->proto_hi = icmp;
	if (s->kind == ENTRY_HOST) {
		e->proto_hi = 255;
		e->port_hi = 65535;
	}
}

static bool find_counter(const struct image *im, const struct nlattr *objref, uint32_t *ret)
{
	struct image_counter key;
	const struct image_counter *hit;

	if (!attr_string(objref, key.name, sizeof(key.name)) || im->counters.n == 0)
		return false;
	hit = bsearch(&key, im->counters.data, im->counters.n, sizeof(key), order_counters);
	if (!hit)
		return false;
	*ret = (uint32_t)(hit - (const struct image_counter *)im->counters.data);
	return true;
}

/* Would we write these very bytes? There is room between the fields of a key. */
static bool is_key_of(const struct nft_set_info *s, const struct entry *e, bool lo,
		      const uint8_t *key)
{
	uint8_t ours[40];

	return memcmp(key, ours, entry_key(s, e, lo, ours)) == 0;
}

static int take_entry(struct element_reader *rd, const struct nlattr **tb)
{
	const struct nft_set_info *s = nft_set_info(rd->set);
	const uint8_t *lo = key_bytes(tb[NFTA_SET_ELEM_KEY], s->key_len);
	const uint8_t *hi =
		tb[NFTA_SET_ELEM_KEY_END] ? key_bytes(tb[NFTA_SET_ELEM_KEY_END], s->key_len) : lo;
	struct entry *e;
	uint64_t left;
	void *slot;
	int r;

	if (!lo || !hi) { /* "*", for one */
		image_drift(rd->im, "an element of %s has no key", s->name);
		return 0;
	}
	r = push(rd->im, &rd->im->entries[rd->set], &slot);
	if (!slot)
		return r;
	e = slot;
	take_key(s, lo, e, true);
	take_key(s, hi, e, false);
	fill_entry(s, e);
	if (!is_key_of(s, e, true, lo) || !is_key_of(s, e, false, hi))
		image_drift(rd->im, "an element of %s has an odd key", s->name);
	if (attr_u64(tb[NFTA_SET_ELEM_EXPIRATION], &left))
		e->expires = rd->im->now + (int64_t)(left + 999) / 1000;
	if (!find_counter(rd->im, tb[NFTA_SET_ELEM_OBJREF], &e->rule))
		image_drift(rd->im, "an element of %s names no counter of ours", s->name);
	return 0;
}

/* Begins and end marks come in any order: they are kept as they are and paired when all are there.
 */
static int take_bound(struct element_reader *rd, const struct nlattr **tb)
{
	const struct nft_set_info *s = nft_set_info(rd->set);
	const uint8_t *key = key_bytes(tb[NFTA_SET_ELEM_KEY], s->key_len);
	uint32_t flags = 0;
	struct bound *b;
	void *slot;
	int r;

	if (!key) {
		image_drift(rd->im, "an element of %s has no key", s->name);
		return 0;
	}
	attr_u32(tb[NFTA_SET_ELEM_FLAGS], &flags);
	r = push(rd->im, &rd->bounds, &slot);
	b = slot;
	if (b) {
		bh_addr_from_bytes(&b->addr, key, s->key_len);
		b->is_end = flags & NFT_SET_ELEM_INTERVAL_END;
	}
	return r;
}

static int order_bounds(const void *a, const void *b)
{
	const struct bound *x = a, *y = b;
	int r = bh_addr_cmp(&x->addr, &y->addr);

	return r ? r : y->is_end - x->is_end;
}

/* A begin opens a range, the end mark behind it (or the end of all addresses) closes it. */
static int pair_bounds(struct element_reader *rd)
{
	struct bound *b = rd->bounds.data;
	struct bh_vec *ranges = &rd->im->ranges[rd->set - SET_KNOWN];

	if (rd->bounds.n)
		qsort(b, rd->bounds.n, sizeof(*b), order_bounds);
	for (size_t i = 0; i < rd->bounds.n; i++) {
		struct bh_range range = { b[i].addr, b[i].addr };
		struct bh_range *last;
		void *slot;
		int r;

		if (b[i].is_end) /* nft(8) puts one on the very first address */
			continue;
		memset(range.hi.b, 0xff, bh_addr_len(range.hi.family));
		if (i + 1 < rd->bounds.n) {
			range.hi = b[i + 1].addr;
			if (b[i + 1].is_end)
				bh_addr_prev(&range.hi);
		}
		r = push(rd->im, ranges, &slot);
		last = slot;
		if (!last)
			return r;
		*last = range;
	}
	return 0;
}

static int on_elements(const struct nlmsghdr *nlh, void *arg)
{
	const struct nlattr *tb[NFTA_SET_ELEM_LIST_ELEMENTS + 1], *el[NFTA_SET_ELEM_KEY_END + 1];
	struct element_reader *rd = arg;
	const struct nlattr *a;
	int r = 0;

	attr_parse(nlh, tb, NFTA_SET_ELEM_LIST_ELEMENTS);
	if (!tb[NFTA_SET_ELEM_LIST_ELEMENTS])
		return 0;
	mnl_attr_for_each_nested (a, tb[NFTA_SET_ELEM_LIST_ELEMENTS]) {
		attr_parse_nested(a, el, NFTA_SET_ELEM_KEY_END);
		r = nft_map_of(rd->set) >= 0 ? take_entry(rd, el) : take_bound(rd, el);
		if (r < 0)
			return r;
	}
	return 0;
}

static int order_entries(const void *a, const void *b)
{
	return entry_cmp(a, b);
}

/* --- asking ---------------------------------------------------------------------------------- */

static bool is_twice_in(const struct bh_vec *sorted)
{
	const struct entry *e = sorted->data;

	for (size_t i = 1; i < sorted->n; i++)
		if (entry_cmp(&e[i - 1], &e[i]) == 0)
			return true;
	return false;
}

static int read_map(struct image *im, struct nlsock *s, unsigned set, struct bh_err *err)
{
	struct element_reader rd = { .im = im, .set = set };
	struct bh_vec *v = &im->entries[set];
	unsigned try = 0;
	int r;

	do {
		v->n = 0;
		r = nft_query(s, NFT_MSG_GETSETELEM, NLM_F_DUMP, NFTA_SET_ELEM_LIST_TABLE,
			      nft_set_info(set)->name, on_elements, &rd, err);
		if (r < 0)
			return r;
		if (v->n)
			qsort(v->data, v->n, sizeof(struct entry), order_entries);
		if (im->drift[0] || !is_twice_in(v))
			return 0;
	} while (nft_wait_for_resize(try++));
	return bh_err_set(err, -EINTR, "the kernel is still resizing the map %s",
			  nft_set_info(set)->name);
}

static int read_ranges(struct image *im, struct nlsock *s, unsigned set, struct bh_err *err)
{
	struct element_reader rd = { .im = im, .set = set };
	int r;

	bh_vec_init(&rd.bounds, sizeof(struct bound), 2 * BH_RANGES_MAX);
	r = nft_query(s, NFT_MSG_GETSETELEM, NLM_F_DUMP, NFTA_SET_ELEM_LIST_TABLE,
		      nft_set_info(set)->name, on_elements, &rd, err);
	if (r >= 0)
		r = pair_bounds(&rd);
	bh_vec_done(&rd.bounds);
	return r;
}

int image_read(struct image *im, struct nlsock *s, struct bh_err *err)
{
	/* Of all tables: absent is an answer. */
	int r = nft_query(s, NFT_MSG_GETTABLE, NLM_F_DUMP, 0, NULL, on_table, im, err);

	if (r < 0 || (!im->has_table[TABLE_INET] && !im->has_table[TABLE_NETDEV]))
		return r;
	r = nft_query(s, NFT_MSG_GETCHAIN, NLM_F_DUMP, NFTA_CHAIN_TABLE, NULL, on_chain, im, err);
	for (unsigned t = 0; t < NFT_TABLES && r >= 0; t++)
		if (im->has_table[t])
			r = nft_query_table(s, t, NFT_MSG_GETSET, NLM_F_DUMP, NFTA_SET_TABLE,
					    on_set, im, err);
	if (r >= 0)
		r = nft_query(s, NFT_MSG_GETOBJ, NLM_F_DUMP, NFTA_OBJ_TABLE, NULL, on_counter, im,
			      err);
	if (r >= 0 && im->counters.n)
		qsort(im->counters.data, im->counters.n, sizeof(struct image_counter),
		      order_counters);
	for (unsigned i = 0; r >= 0 && i < NFT_ALL_SETS; i++) {
		if (!im->has_set[i] || nft_set_info(i)->is_denied)
			continue;
		r = nft_map_of(i) >= 0 ? read_map(im, s, i, err) : read_ranges(im, s, i, err);
	}
	for (unsigned t = 0; t < NFT_TABLES && r >= 0; t++)
		if (im->has_table[t])
			r = nft_query_table(s, t, NFT_MSG_GETRULE, NLM_F_DUMP, NFTA_RULE_TABLE,
					    on_rule, im, err);
	return r;
}
