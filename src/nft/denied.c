/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/nft/nft.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>

#include <bulkhead/base/cleanup.h>

#include "attr.h"
#include "batch.h"
#include "denied.h"
#include "kernel.h"
#include "query.h"

/* --- elements of the denied sets ------------------------------------------------------------- */

/* Fields of a denied key: interface, source, destination, protocol, port; padded to 4 bytes. */
static bool take_key(unsigned set, const struct nlattr *nest, struct nft_denied *d)
{
	const struct nft_set_info *s = nft_set_info(set);
	size_t len = nft_fields[s->fields[1]].len;
	const struct nlattr *tb[NFTA_DATA_VALUE + 1];
	const uint8_t *key;

	attr_parse_nested(nest, tb, NFTA_DATA_VALUE);
	if (!tb[NFTA_DATA_VALUE] || mnl_attr_get_payload_len(tb[NFTA_DATA_VALUE]) != s->key_len)
		return false;
	key = mnl_attr_get_payload(tb[NFTA_DATA_VALUE]);
	memcpy(&d->oif, key, sizeof(d->oif));
	key += sizeof(d->oif);
	bh_addr_from_bytes(&d->source, key, len);
	bh_addr_from_bytes(&d->destination, key + len, len);
	d->proto = key[2 * len];
	d->port = (uint16_t)(key[2 * len + 4] << 8 | key[2 * len + 5]);
	d->direction = d->oif ? DIRECTION_EGRESS : DIRECTION_INGRESS;
	return true;
}

static void put_key(unsigned set, const struct nft_denied *d, struct denied_key *out)
{
	size_t len = nft_fields[nft_set_info(set)->fields[1]].len;
	uint8_t *key = out->bytes;

	memset(out, 0, sizeof(*out));
	memcpy(key, &d->oif, sizeof(d->oif));
	key += sizeof(d->oif);
	memcpy(key, d->source.b, len);
	memcpy(key + len, d->destination.b, len);
	key[2 * len] = d->proto;
	key[2 * len + 4] = (uint8_t)(d->port >> 8);
	key[2 * len + 5] = (uint8_t)d->port;
}

static void take_counter(const struct nlattr *expr, struct nft_denied *d)
{
	const struct nlattr *tb[NFTA_EXPR_DATA + 1], *data[NFTA_COUNTER_PACKETS + 1];

	attr_parse_nested(expr, tb, NFTA_EXPR_DATA);
	if (!attr_is(tb[NFTA_EXPR_NAME], "counter"))
		return;
	attr_parse_nested(tb[NFTA_EXPR_DATA], data, NFTA_COUNTER_PACKETS);
	attr_u64(data[NFTA_COUNTER_PACKETS], &d->packets);
	attr_u64(data[NFTA_COUNTER_BYTES], &d->bytes);
}

static int take_element(const struct denied_reader *rd, unsigned set, const struct nlattr *elem)
{
	const struct nlattr *tb[BH_NFTA_SET_ELEM_EXPRESSIONS + 1], *a;
	struct nft_denied d = { 0 };

	attr_parse_nested(elem, tb, BH_NFTA_SET_ELEM_EXPRESSIONS);
	if (!take_key(set, tb[NFTA_SET_ELEM_KEY], &d))
		return 0; /* of a set that is not ours any more */
	attr_u64(tb[NFTA_SET_ELEM_EXPIRATION], &d.expires_ms);
	if (tb[BH_NFTA_SET_ELEM_EXPRESSIONS])
		mnl_attr_for_each_nested (a, tb[BH_NFTA_SET_ELEM_EXPRESSIONS])
			take_counter(a, &d);
	return rd->fn(&d, rd->arg);
}

int denied_elements(const struct nlmsghdr *nlh, void *arg)
{
	const struct nlattr *tb[NFTA_SET_ELEM_LIST_ELEMENTS + 1], *a;
	struct denied_reader *rd = arg;
	char name[64];
	int set = rd->set, r = 0;

	attr_parse(nlh, tb, NFTA_SET_ELEM_LIST_ELEMENTS);
	if (set < 0 && attr_is(tb[NFTA_SET_ELEM_LIST_TABLE], NFT_TABLE_NAME) &&
	    attr_string(tb[NFTA_SET_ELEM_LIST_SET], name, sizeof(name)))
		set = nft_set_by_name(name);
	if (set < SET_DENIED || !tb[NFTA_SET_ELEM_LIST_ELEMENTS])
		return 0;
	mnl_attr_for_each_nested (a, tb[NFTA_SET_ELEM_LIST_ELEMENTS]) {
		r = take_element(rd, (unsigned)set, a);
		if (r < 0)
			break;
	}
	return r;
}

/* The elements of one set, before anybody sees them. */
struct listed {
	struct denied_key key;
	struct nft_denied d;
};

void denied_list_begin(struct denied_list *l, unsigned set)
{
	l->set = set;
	bh_vec_init(&l->v, sizeof(struct listed), 4 * BH_DENIED_SET_SIZE);
}

/* Our sets hold fewer than there is room for: what is over that is of another's making. */
int denied_list_add(const struct nft_denied *d, void *arg)
{
	struct denied_list *l = arg;
	struct listed *slot = bh_vec_push(&l->v);

	if (!slot)
		return l->v.n == l->v.max ? 0 : -ENOMEM;
	slot->d = *d;
	put_key(l->set, d, &slot->key);
	return 0;
}

static int order_keys(const void *a, const void *b)
{
	const struct listed *x = a, *y = b;

	return memcmp(&x->key, &y->key, sizeof(x->key));
}

bool denied_list_sort(struct denied_list *l)
{
	const struct listed *e = l->v.data;

	if (l->v.n)
		qsort(l->v.data, l->v.n, l->v.size, order_keys);
	for (size_t i = 1; i < l->v.n; i++)
		if (order_keys(&e[i - 1], &e[i]) == 0)
			return false;
	return true;
}

int denied_list_each(const struct denied_list *l, int (*fn)(const struct nft_denied *, void *),
		     void *arg)
{
	int r = 0;

	for (size_t i = 0; i < l->v.n && r >= 0; i++)
		r = fn(&((const struct listed *)l->v.data)[i].d, arg);
	return r;
}

static int read_set(struct nlsock *s, struct denied_list *l, struct bh_err *err)
{
	struct denied_reader rd = { (int)l->set, denied_list_add, l };
	unsigned try = 0;
	int r;

	do {
		l->v.n = 0;
		r = nft_query(s, NFT_MSG_GETSETELEM, NLM_F_DUMP, NFTA_SET_ELEM_LIST_TABLE,
			      nft_set_info(l->set)->name, denied_elements, &rd, err);
		if (r < 0)
			return r == -ENOENT ? 0 : r; /* nothing is logged in this table */
		if (denied_list_sort(l))
			return 0;
	} while (nft_wait_for_resize(try++));
	return bh_err_set(err, -EINTR, "the kernel is still resizing the set %s",
			  nft_set_info(l->set)->name);
}

int nft_denied_dump(struct nlsock *s, int (*fn)(const struct nft_denied *, void *), void *arg,
		    struct bh_err *err)
{
	int r = 0;

	for (unsigned set = SET_DENIED; set < NFT_SETS && r >= 0; set++) {
		struct denied_list l;

		denied_list_begin(&l, set);
		r = read_set(s, &l, err);
		if (r >= 0)
			r = denied_list_each(&l, fn, arg);
		bh_vec_done(&l.v);
	}
	return r;
}

/* --- retiring -------------------------------------------------------------------------------- */

static int on_echo(const struct nlmsghdr *nlh, void *arg)
{
	uint8_t message = nlh->nlmsg_type & 0xff;

	if (nlh->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES ||
	    (message != NFT_MSG_DELSETELEM && message != BH_NFT_MSG_DESTROYSETELEM))
		return 0;
	return denied_elements(nlh, arg);
}

static size_t keys_of_set(unsigned set, const struct nft_denied *flows, size_t n,
			  struct denied_key *out)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned family = flows[i].source.family == AF_INET ? FAMILY4 : FAMILY6;

		if (set == SET_DENIED + family)
			put_key(set, &flows[i], &out[count++]);
	}
	return count;
}

struct retirement {
	struct nlsock *s;
	const struct nft_denied *flows;
	size_t n;
	struct denied_key *keys; /* room for N */
	struct denied_reader *rd;
};

/* All in one batch. */
static int destroy_all(const struct retirement *t, struct bh_err *err)
{
	struct batch b;
	int r = 0;

	batch_begin(&b);
	for (unsigned set = SET_DENIED; set < NFT_SETS; set++) {
		size_t count = keys_of_set(set, t->flows, t->n, t->keys);

		if (count)
			batch_destroy_keys(&b, set, t->keys, count);
	}
	if (batch_messages(&b) > 0)
		r = batch_commit(&b, t->s, on_echo, t->rd, err);
	batch_done(&b);
	return r;
}

static int delete_one(const struct retirement *t, unsigned set, const struct denied_key *key,
		      struct bh_err *err)
{
	struct batch b;
	int r;

	batch_begin(&b);
	batch_delete_key(&b, set, key);
	r = batch_commit(&b, t->s, on_echo, t->rd, err);
	batch_done(&b);
	return r == -ENOENT ? 0 : r; /* it expired before */
}

/* Each in a batch of its own: one that is not there any more would undo the others. */
static int delete_each(const struct retirement *t, struct bh_err *err)
{
	int r = 0;

	for (unsigned set = SET_DENIED; set < NFT_SETS && r >= 0; set++) {
		size_t count = keys_of_set(set, t->flows, t->n, t->keys);

		for (size_t i = 0; i < count && r >= 0; i++)
			r = delete_one(t, set, &t->keys[i], err);
	}
	return r;
}

int nft_denied_retire(struct nlsock *s, const struct nft_denied *flows, size_t n,
		      int (*fn)(const struct nft_denied *, void *), void *arg, struct bh_err *err)
{
	static bool no_destroy; /* the kernel is older than 6.3 */
	struct denied_reader rd = { -1, fn, arg };
	bh_autofree struct denied_key *keys = calloc(n + 1, sizeof(*keys));
	const struct retirement t = { s, flows, n, keys, &rd };
	int r;

	if (!keys)
		return bh_err_oom(err);
	if (!no_destroy) {
		r = destroy_all(&t, err);
		if (r != -EINVAL && r != -EOPNOTSUPP)
			return r;
		no_destroy = true;
	}
	return delete_each(&t, err);
}

/* --- totals ---------------------------------------------------------------------------------- */

int denied_total(const struct nlmsghdr *nlh, void *arg)
{
	const struct nlattr *tb[NFTA_OBJ_DATA + 1], *data[NFTA_COUNTER_PACKETS + 1];
	uint64_t *packets = arg;
	char name[64];
	unsigned table;
	int counter;

	attr_parse(nlh, tb, NFTA_OBJ_DATA);
	if (!nft_message_table(nlh, &table) || !attr_is(tb[NFTA_OBJ_TABLE], NFT_TABLE_NAME) ||
	    !attr_string(tb[NFTA_OBJ_NAME], name, sizeof(name)))
		return 0;
	counter = nft_counter_by_name(name);
	if (counter < 0 || nft_counter_table((unsigned)counter) != table)
		return 0;
	attr_parse_nested(tb[NFTA_OBJ_DATA], data, NFTA_COUNTER_PACKETS);
	attr_u64(data[NFTA_COUNTER_PACKETS], &packets[counter]);
	return 0;
}

void denied_totals_of(const uint64_t packets[NFT_COUNTERS], struct nft_totals *ret)
{
	for (unsigned d = 0; d < DIRECTIONS; d++) {
		ret->denied[d] = packets[COUNTER_DENIED + d];
		ret->revoked[d] = packets[COUNTER_REVOKED + d];
		ret->allowed[d] = packets[COUNTER_ALLOWED + d];
	}
	ret->forwarded = packets[COUNTER_FORWARDED];
	ret->raw = packets[COUNTER_RAW];
}

int nft_denied_totals(struct nlsock *s, struct nft_totals *ret, struct bh_err *err)
{
	uint64_t packets[NFT_COUNTERS] = { 0 };
	int r = nft_query(s, NFT_MSG_GETOBJ, NLM_F_DUMP, NFTA_OBJ_TABLE, NULL, denied_total,
			  packets, err);

	if (r < 0)
		return r;
	denied_totals_of(packets, ret);
	return 0;
}
