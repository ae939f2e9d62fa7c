/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "batch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <libmnl/libmnl.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/nft/nft.h>

#include "expr.h"
#include "kernel.h"

/* Room that is there before a message is begun; no message of ours grows over it. */
#define MESSAGE_MAX (72 << 10)
/* A nest's length is 16 bits: elements go on in a new message before that. */
#define ELEMENTS_MAX (60 << 10)
#define CHUNK_FIRST  (256 << 10)

static const char no_data[1];

/* --- messages -------------------------------------------------------------------------------- */

static bool reserve(struct batch *b)
{
	size_t cap = b->cap ? b->cap : CHUNK_FIRST;
	char *data;

	if (b->error)
		return false;
	if (b->len > BH_BATCH_BYTES_MAX) {
		b->error = -E2BIG;
		return false;
	}
	if (b->cap - b->len >= MESSAGE_MAX)
		return true;
	while (cap - b->len < MESSAGE_MAX)
		cap *= 2;
	data = realloc(b->data, cap);
	if (!data) {
		b->error = -ENOMEM;
		return false;
	}
	b->data = data;
	b->cap = cap;
	return true;
}

static struct nlmsghdr *begin_raw(struct batch *b, uint16_t type, uint16_t flags, uint8_t family,
				  uint16_t res_id)
{
	struct nlmsghdr *nlh;
	struct nfgenmsg *nfg;

	if (!reserve(b))
		return NULL;
	nlh = mnl_nlmsg_put_header(b->data + b->len);
	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nlh->nlmsg_seq = ++b->seq;
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = family;
	nfg->version = NFNETLINK_V0;
	nfg->res_id = htons(res_id);
	return nlh;
}

static struct nlmsghdr *begin(struct batch *b, unsigned table, uint8_t message, uint16_t flags)
{
	return begin_raw(b, (NFNL_SUBSYS_NFTABLES << 8) | message, flags, nft_table_family(table),
			 0);
}

static void end(struct batch *b, const struct nlmsghdr *nlh)
{
	b->len += MNL_ALIGN(nlh->nlmsg_len);
}

void batch_begin_at(struct batch *b, uint32_t commit_id)
{
	struct nlmsghdr *nlh;

	*b = (struct batch) { 0 };
	nlh = begin_raw(b, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	if (!nlh)
		return;
	if (commit_id)
		mnl_attr_put_u32(nlh, NFNL_BATCH_GENID, htonl(commit_id));
	end(b, nlh);
}

void batch_begin(struct batch *b)
{
	batch_begin_at(b, 0);
}

void batch_done(struct batch *b)
{
	free(b->data);
	*b = (struct batch) { 0 };
}

size_t batch_messages(const struct batch *b)
{
	return b->seq - 1;
}

/* The last message before the end asks for the ack that proves the batch was worked through. */
static struct nlmsghdr *last_message(struct batch *b)
{
	struct nlmsghdr *nlh = NULL;

	for (size_t at = 0; at < b->len; at += MNL_ALIGN(nlh->nlmsg_len))
		nlh = (void *)(b->data + at);
	return nlh;
}

int batch_commit(struct batch *b, struct nlsock *s,
		 int (*on_message)(const struct nlmsghdr *, void *), void *arg, struct bh_err *err)
{
	uint32_t ack_seq = b->seq;
	struct nlmsghdr *nlh;

	if (b->error == -E2BIG)
		return bh_err_set(err, -E2BIG, "the ruleset is over the limit of %u bytes",
				  BH_BATCH_BYTES_MAX);
	if (b->error)
		return bh_err_oom(err);
	last_message(b)->nlmsg_flags |= NLM_F_ACK;
	nlh = begin_raw(b, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	if (!nlh)
		return bh_err_oom(err);
	end(b, nlh);
	return nlsock_transact(s, b->data, b->len, ack_seq, NULL, on_message, arg, err);
}

/* --- table, chains, rules -------------------------------------------------------------------- */

/* Type, length, value, as nftables keeps a comment. */
static void put_comment(struct nlmsghdr *nlh, uint16_t attr, const char *comment)
{
	uint8_t udata[2 + BH_NFT_COMMENT_MAX + 1] = { UDATA_COMMENT };
	size_t len = strnlen(comment, BH_NFT_COMMENT_MAX) + 1;

	if (!comment[0])
		return;
	udata[1] = (uint8_t)len;
	memcpy(udata + 2, comment, len - 1);
	udata[1 + len] = '\0';
	mnl_attr_put(nlh, attr, 2 + len, udata);
}

/* table inet bulkhead { flags owner; } */
void batch_new_table(struct batch *b, unsigned table, uint32_t flags)
{
	struct nlmsghdr *nlh = begin(b, table, NFT_MSG_NEWTABLE, NLM_F_CREATE);

	if (!nlh)
		return;
	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, NFT_TABLE_NAME);
	mnl_attr_put_u32(nlh, NFTA_TABLE_FLAGS, htonl(flags));
	end(b, nlh);
}

/* delete table inet bulkhead */
void batch_delete_table(struct batch *b, unsigned table)
{
	struct nlmsghdr *nlh = begin(b, table, NFT_MSG_DELTABLE, 0);

	if (!nlh)
		return;
	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, NFT_TABLE_NAME);
	end(b, nlh);
}

/* devices = { "eth0", "eth1" } */
static void put_devices(struct nlmsghdr *nlh, const struct nft_frames *f)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, BH_NFTA_HOOK_DEVS);

	for (size_t i = 0; i < f->n_devices; i++)
		mnl_attr_put_strz(nlh, NFTA_DEVICE_NAME, f->devices[i]);
	mnl_attr_nest_end(nlh, nest);
}

static void put_hook(struct nlmsghdr *nlh, const struct nft_hook *h, const struct nft_frames *f)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, NFTA_CHAIN_HOOK);

	mnl_attr_put_u32(nlh, NFTA_HOOK_HOOKNUM, htonl(h->number));
	mnl_attr_put_u32(nlh, NFTA_HOOK_PRIORITY, htonl((uint32_t)h->priority));
	if (f)
		put_devices(nlh, f);
	mnl_attr_nest_end(nlh, nest);
	mnl_attr_put_u32(nlh, NFTA_CHAIN_POLICY, htonl(NF_DROP));
	mnl_attr_put_strz(nlh, NFTA_CHAIN_TYPE, "filter");
}

/* chain output { type filter hook output priority filter; policy drop; } */
void batch_new_chain(struct batch *b, unsigned chain, const struct nft_frames *frames)
{
	struct nlmsghdr *nlh = begin(b, nft_chain_table(chain), NFT_MSG_NEWCHAIN, NLM_F_CREATE);
	const struct nft_hook *hook = nft_chain_hook(chain);

	if (!nlh)
		return;
	mnl_attr_put_strz(nlh, NFTA_CHAIN_TABLE, NFT_TABLE_NAME);
	mnl_attr_put_strz(nlh, NFTA_CHAIN_NAME, nft_chain_name(chain));
	if (hook)
		put_hook(nlh, hook, nft_chain_table(chain) == TABLE_NETDEV ? frames : NULL);
	end(b, nlh);
}

void batch_delete_chain(struct batch *b, unsigned chain)
{
	struct nlmsghdr *nlh = begin(b, nft_chain_table(chain), NFT_MSG_DELCHAIN, 0);

	if (!nlh)
		return;
	mnl_attr_put_strz(nlh, NFTA_CHAIN_TABLE, NFT_TABLE_NAME);
	mnl_attr_put_strz(nlh, NFTA_CHAIN_NAME, nft_chain_name(chain));
	end(b, nlh);
}

/* flush chain inet bulkhead output */
void batch_flush_chain(struct batch *b, unsigned chain)
{
	struct nlmsghdr *nlh = begin(b, nft_chain_table(chain), NFT_MSG_DELRULE, 0);

	if (!nlh)
		return;
	mnl_attr_put_strz(nlh, NFTA_RULE_TABLE, NFT_TABLE_NAME);
	mnl_attr_put_strz(nlh, NFTA_RULE_CHAIN, nft_chain_name(chain));
	end(b, nlh);
}

void batch_new_rule(struct batch *b, const struct nft_rule *r)
{
	struct nlmsghdr *nlh =
		begin(b, nft_chain_table(r->chain), NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
	const struct expr_bytes *e = expr_of_rule(r);

	if (!nlh)
		return;
	if (!e) {
		b->error = -ENOMEM;
		return;
	}
	mnl_attr_put_strz(nlh, NFTA_RULE_TABLE, NFT_TABLE_NAME);
	mnl_attr_put_strz(nlh, NFTA_RULE_CHAIN, nft_chain_name(r->chain));
	mnl_attr_put(nlh, NFTA_RULE_EXPRESSIONS | NLA_F_NESTED, e->len, e->data);
	put_comment(nlh, NFTA_RULE_USERDATA, r->comment);
	end(b, nlh);
}

/* --- counters -------------------------------------------------------------------------------- */

void batch_new_counter(struct batch *b, unsigned table, const char *name, const char *comment,
		       uint64_t packets, uint64_t bytes)
{
	struct nlmsghdr *nlh = begin(b, table, NFT_MSG_NEWOBJ, NLM_F_CREATE);
	struct nlattr *nest;

	if (!nlh)
		return;
	mnl_attr_put_strz(nlh, NFTA_OBJ_TABLE, NFT_TABLE_NAME);
	mnl_attr_put_strz(nlh, NFTA_OBJ_NAME, name);
	mnl_attr_put_u32(nlh, NFTA_OBJ_TYPE, htonl(NFT_OBJECT_COUNTER));
	nest = mnl_attr_nest_start(nlh, NFTA_OBJ_DATA);
	mnl_attr_put_u64(nlh, NFTA_COUNTER_BYTES, htobe64(bytes));
	mnl_attr_put_u64(nlh, NFTA_COUNTER_PACKETS, htobe64(packets));
	mnl_attr_nest_end(nlh, nest);
	put_comment(nlh, NFTA_OBJ_USERDATA, comment);
	end(b, nlh);
}

void batch_delete_counter(struct batch *b, const char *name)
{
	struct nlmsghdr *nlh = begin(b, TABLE_INET, NFT_MSG_DELOBJ, 0);

	if (!nlh)
		return;
	mnl_attr_put_strz(nlh, NFTA_OBJ_TABLE, NFT_TABLE_NAME);
	mnl_attr_put_strz(nlh, NFTA_OBJ_NAME, name);
	mnl_attr_put_u32(nlh, NFTA_OBJ_TYPE, htonl(NFT_OBJECT_COUNTER));
	end(b, nlh);
}

/* --- sets ------------------------------------------------------------------------------------ */

/* How the fields of an interval key are cut (NFTA_SET_DESC_CONCAT). */
static void put_concat(struct nlmsghdr *nlh, const struct nft_set_info *s)
{
	struct nlattr *desc = mnl_attr_nest_start(nlh, NFTA_SET_DESC);
	struct nlattr *concat = mnl_attr_nest_start(nlh, NFTA_SET_DESC_CONCAT), *field;

	for (unsigned i = 0; i < s->n_fields; i++) {
		field = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
		mnl_attr_put_u32(nlh, NFTA_SET_FIELD_LEN, htonl(nft_fields[s->fields[i]].len));
		mnl_attr_nest_end(nlh, field);
	}
	mnl_attr_nest_end(nlh, concat);
	mnl_attr_nest_end(nlh, desc);
}

/* limit rate 1/day burst 1 packets: once in the life of an element */
static void put_once(struct nlmsghdr *nlh)
{
	struct nlattr *data;

	mnl_attr_put_strz(nlh, NFTA_EXPR_NAME, "limit");
	data = mnl_attr_nest_start(nlh, NFTA_EXPR_DATA);
	mnl_attr_put_u64(nlh, NFTA_LIMIT_RATE, htobe64(1));
	mnl_attr_put_u64(nlh, NFTA_LIMIT_UNIT, htobe64(SECONDS_A_DAY));
	mnl_attr_put_u32(nlh, NFTA_LIMIT_BURST, htonl(1));
	mnl_attr_put_u32(nlh, NFTA_LIMIT_TYPE, htonl(NFT_LIMIT_PKTS));
	mnl_attr_nest_end(nlh, data);
}

/* size N; timeout 1h; counter limit rate 1/day burst 1 packets */
static void put_denied(struct nlmsghdr *nlh)
{
	struct nlattr *elem, *nest = mnl_attr_nest_start(nlh, NFTA_SET_DESC);

	mnl_attr_put_u32(nlh, NFTA_SET_DESC_SIZE, htonl(BH_DENIED_SET_SIZE));
	mnl_attr_nest_end(nlh, nest);
	mnl_attr_put_u64(nlh, NFTA_SET_TIMEOUT, htobe64(BH_DENIED_TIMEOUT_MS));
	nest = mnl_attr_nest_start(nlh, BH_NFTA_SET_EXPRESSIONS);
	elem = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
	mnl_attr_put_strz(nlh, NFTA_EXPR_NAME, "counter");
	mnl_attr_put(nlh, NFTA_EXPR_DATA | NLA_F_NESTED, 0, no_data);
	mnl_attr_nest_end(nlh, elem);
	elem = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
	put_once(nlh);
	mnl_attr_nest_end(nlh, elem);
	mnl_attr_nest_end(nlh, nest);
}

/* Without it nft(8) prints addresses of an interval set back to front. */
static void put_byteorder(struct nlmsghdr *nlh)
{
	struct {
		uint8_t type, len;
		uint32_t order;
	} __attribute__((packed)) udata = { UDATA_SET_KEY_BYTEORDER, 4, NFT_BYTEORDER_BIG };

	mnl_attr_put(nlh, NFTA_SET_USERDATA, sizeof(udata), &udata);
}

void batch_new_set(struct batch *b, unsigned set)
{
	const struct nft_set_info *s = nft_set_info(set);
	struct nlmsghdr *nlh = begin(b, TABLE_INET, NFT_MSG_NEWSET, NLM_F_CREATE);

	if (!nlh)
		return;
	mnl_attr_put_strz(nlh, NFTA_SET_TABLE, NFT_TABLE_NAME);
	mnl_attr_put_strz(nlh, NFTA_SET_NAME, s->name);
	mnl_attr_put_u32(nlh, NFTA_SET_FLAGS, htonl(s->flags));
	mnl_attr_put_u32(nlh, NFTA_SET_KEY_TYPE, htonl(s->key_type));
	mnl_attr_put_u32(nlh, NFTA_SET_KEY_LEN, htonl(s->key_len));
	mnl_attr_put_u32(nlh, NFTA_SET_ID, htonl(set + 1));
	if (s->is_map)
		mnl_attr_put_u32(nlh, NFTA_SET_OBJ_TYPE, htonl(NFT_OBJECT_COUNTER));
	if (s->is_denied)
		put_denied(nlh);
	if (s->flags & BH_NFT_SET_CONCAT)
		put_concat(nlh, s);
	if (s->n_fields == 1)
		put_byteorder(nlh);
	end(b, nlh);
}

void batch_delete_set(struct batch *b, unsigned set)
{
	struct nlmsghdr *nlh = begin(b, TABLE_INET, NFT_MSG_DELSET, 0);

	if (!nlh)
		return;
	mnl_attr_put_strz(nlh, NFTA_SET_TABLE, NFT_TABLE_NAME);
	mnl_attr_put_strz(nlh, NFTA_SET_NAME, nft_set_info(set)->name);
	end(b, nlh);
}

static struct nlmsghdr *begin_elements(struct batch *b, uint8_t message, uint16_t flags,
				       unsigned set)
{
	struct nlmsghdr *nlh = begin(b, TABLE_INET, message, flags);

	if (!nlh)
		return NULL;
	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, NFT_TABLE_NAME);
	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, nft_set_info(set)->name);
	return nlh;
}

/* flush set inet bulkhead egress4 */
void batch_flush_set(struct batch *b, unsigned set)
{
	struct nlmsghdr *nlh = begin_elements(b, NFT_MSG_DELSETELEM, 0, set);

	if (nlh)
		end(b, nlh);
}

/* --- elements -------------------------------------------------------------------------------- */

/* A run of elements over as many messages as it takes. */
struct element_writer {
	struct batch *b;
	uint8_t message;
	uint16_t flags;
	unsigned set;
	struct nlmsghdr *nlh;
	struct nlattr *nest;
};

static void writer_close(struct element_writer *w)
{
	if (!w->nlh)
		return;
	mnl_attr_nest_end(w->nlh, w->nest);
	end(w->b, w->nlh);
	w->nlh = NULL;
}

/* Where the next element goes; NULL after an error. */
static struct nlmsghdr *writer_next(struct element_writer *w)
{
	if (w->nlh && w->nlh->nlmsg_len > ELEMENTS_MAX)
		writer_close(w);
	if (!w->nlh) {
		w->nlh = begin_elements(w->b, w->message, w->flags, w->set);
		if (w->nlh)
			w->nest = mnl_attr_nest_start(w->nlh, NFTA_SET_ELEM_LIST_ELEMENTS);
	}
	return w->nlh;
}

static void put_key(struct nlmsghdr *nlh, uint16_t attr, const void *key, size_t len)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, attr);

	mnl_attr_put(nlh, NFTA_DATA_VALUE, len, key);
	mnl_attr_nest_end(nlh, nest);
}

size_t entry_key(const struct nft_set_info *s, const struct entry *e, bool lo, uint8_t out[40])
{
	const struct bh_addr *addr = lo ? &e->addr.lo : &e->addr.hi;
	uint16_t port = lo ? e->port_lo : e->port_hi;
	size_t at = 0;

	memset(out, 0, 40);
	for (unsigned i = 0; i < s->n_fields; i++) {
		enum nft_field f = (enum nft_field)s->fields[i];

		if (f == FIELD_ADDR4 || f == FIELD_ADDR6) {
			memcpy(out + at, addr->b, nft_fields[f].len);
		} else if (f == FIELD_PROTO) {
			out[at] = lo ? e->proto_lo : e->proto_hi;
		} else if (f == FIELD_PORT) {
			out[at] = (uint8_t)(port >> 8);
			out[at + 1] = (uint8_t)port;
		} else {
			out[at] = (uint8_t)port;
		}
		at += (nft_fields[f].len + 3u) / 4 * 4;
	}
	return s->key_len;
}

static void put_entry_keys(struct nlmsghdr *nlh, const struct nft_set_info *s,
			   const struct entry *e)
{
	uint8_t key[40];
	size_t len = entry_key(s, e, true, key);

	put_key(nlh, NFTA_SET_ELEM_KEY, key, len);
	if (s->is_interval) {
		entry_key(s, e, false, key);
		put_key(nlh, NFTA_SET_ELEM_KEY_END, key, len);
	}
}

void batch_new_entries(struct batch *b, unsigned set, const struct ruleset *r,
		       const struct entry_list *l, const bool *pick, int64_t now)
{
	struct element_writer w = { b, NFT_MSG_NEWSETELEM, NLM_F_CREATE, set, NULL, NULL };

	for (size_t i = 0; i < l->n; i++) {
		const struct entry *e = &l->e[i];
		struct nlmsghdr *nlh;
		struct nlattr *nest;

		if (pick && !pick[i])
			continue;
		nlh = writer_next(&w);
		if (!nlh)
			return;
		nest = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
		put_entry_keys(nlh, nft_set_info(set), e);
		if (e->expires) /* one that ends this very second: as short as there is */
			mnl_attr_put_u64(
				nlh, NFTA_SET_ELEM_TIMEOUT,
				htobe64((uint64_t)(e->expires > now ? (e->expires - now) * 1000
								    : 1)));
		mnl_attr_put_strz(nlh, NFTA_SET_ELEM_OBJREF, r->rules[e->rule].name);
		mnl_attr_nest_end(nlh, nest);
	}
	writer_close(&w);
}

void batch_delete_entries(struct batch *b, unsigned set, const struct entry_list *l,
			  const bool *pick)
{
	struct element_writer w = { b, NFT_MSG_DELSETELEM, 0, set, NULL, NULL };

	for (size_t i = 0; i < l->n; i++) {
		struct nlmsghdr *nlh;
		struct nlattr *nest;

		if (pick && !pick[i])
			continue;
		nlh = writer_next(&w);
		if (!nlh)
			return;
		nest = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
		put_entry_keys(nlh, nft_set_info(set), &l->e[i]);
		mnl_attr_nest_end(nlh, nest);
	}
	writer_close(&w);
}

static void put_bound(struct element_writer *w, const struct bh_addr *a, bool is_end)
{
	struct nlmsghdr *nlh = writer_next(w);
	struct nlattr *nest;

	if (!nlh)
		return;
	nest = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
	if (is_end)
		mnl_attr_put_u32(nlh, NFTA_SET_ELEM_FLAGS, htonl(NFT_SET_ELEM_INTERVAL_END));
	put_key(nlh, NFTA_SET_ELEM_KEY, a->b, bh_addr_len(a->family));
	mnl_attr_nest_end(nlh, nest);
}

/* A range is its first address, and an end mark on the one behind its last unless there is none. */
void batch_new_ranges(struct batch *b, unsigned set, const struct bh_range *ranges, size_t n)
{
	struct element_writer w = { b, NFT_MSG_NEWSETELEM, NLM_F_CREATE, set, NULL, NULL };

	for (size_t i = 0; i < n; i++) {
		struct bh_addr behind = ranges[i].hi;

		put_bound(&w, &ranges[i].lo, false);
		if (bh_addr_next(&behind))
			put_bound(&w, &behind, true);
	}
	writer_close(&w);
}

static void write_keys(struct element_writer *w, const struct denied_key *keys, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct nlmsghdr *nlh = writer_next(w);
		struct nlattr *nest;

		if (!nlh)
			return;
		nest = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
		put_key(nlh, NFTA_SET_ELEM_KEY, keys[i].bytes, nft_set_info(w->set)->key_len);
		mnl_attr_nest_end(nlh, nest);
	}
	writer_close(w);
}

void batch_destroy_keys(struct batch *b, unsigned set, const struct denied_key *keys, size_t n)
{
	struct element_writer w = {
		b, BH_NFT_MSG_DESTROYSETELEM, NLM_F_ECHO, set, NULL, NULL,
	};

	write_keys(&w, keys, n);
}

void batch_delete_key(struct batch *b, unsigned set, const struct denied_key *key)
{
	struct element_writer w = { b, NFT_MSG_DELSETELEM, NLM_F_ECHO, set, NULL, NULL };

	write_keys(&w, key, 1);
}
