/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "expr.h"

#include <arpa/inet.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <linux/netfilter/nf_log.h>
#include <linux/rtnetlink.h>
#include <uthash.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/base/cleanup.h>
#include <bulkhead/nft/nft.h>

#include "kernel.h"

/* --- operations to expressions --------------------------------------------------------------- */

/* The rule that is being built; a failed allocation sticks. */
struct builder {
	struct nftnl_rule *rule;
	bool failed;
};

static struct nftnl_expr *add(struct builder *b, const char *name)
{
	struct nftnl_expr *e = nftnl_expr_alloc(name);

	if (!e) {
		b->failed = true;
		return NULL;
	}
	nftnl_rule_add_expr(b->rule, e);
	return e;
}

static void set_u32(struct builder *b, struct nftnl_expr *e, uint16_t attr, uint32_t v)
{
	if (e)
		nftnl_expr_set_u32(e, attr, v);
	else
		b->failed = true;
}

static void set_str(struct builder *b, struct nftnl_expr *e, uint16_t attr, const char *v)
{
	if (e && nftnl_expr_set_str(e, attr, v) < 0)
		b->failed = true;
}

static void meta(struct builder *b, uint32_t key, uint32_t reg)
{
	struct nftnl_expr *e = add(b, "meta");

	set_u32(b, e, NFTNL_EXPR_META_KEY, key);
	set_u32(b, e, NFTNL_EXPR_META_DREG, reg);
}

static void ct(struct builder *b, uint32_t key)
{
	struct nftnl_expr *e = add(b, "ct");

	set_u32(b, e, NFTNL_EXPR_CT_KEY, key);
	set_u32(b, e, NFTNL_EXPR_CT_DREG, NFT_REG_1);
}

static void cmp(struct builder *b, uint32_t op, const void *data, uint32_t len)
{
	struct nftnl_expr *e = add(b, "cmp");

	set_u32(b, e, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
	set_u32(b, e, NFTNL_EXPR_CMP_OP, op);
	if (e && nftnl_expr_set(e, NFTNL_EXPR_CMP_DATA, data, len) < 0)
		b->failed = true;
}

static void cmp8(struct builder *b, uint32_t op, uint8_t v)
{
	cmp(b, op, &v, sizeof(v));
}

static void cmp32(struct builder *b, uint32_t op, uint32_t v)
{
	cmp(b, op, &v, sizeof(v));
}

static void payload(struct builder *b, uint32_t base, uint32_t offset, uint32_t len, uint32_t reg)
{
	struct nftnl_expr *e = add(b, "payload");

	set_u32(b, e, NFTNL_EXPR_PAYLOAD_BASE, base);
	set_u32(b, e, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
	set_u32(b, e, NFTNL_EXPR_PAYLOAD_LEN, len);
	set_u32(b, e, NFTNL_EXPR_PAYLOAD_DREG, reg);
}

/* ct KEY with one of the bits of MASK */
static void ct_bits(struct builder *b, uint32_t key, uint32_t mask)
{
	uint32_t zero = 0;
	struct nftnl_expr *e;

	ct(b, key);
	e = add(b, "bitwise");
	set_u32(b, e, NFTNL_EXPR_BITWISE_SREG, NFT_REG_1);
	set_u32(b, e, NFTNL_EXPR_BITWISE_DREG, NFT_REG_1);
	set_u32(b, e, NFTNL_EXPR_BITWISE_LEN, sizeof(mask));
	if (e && (nftnl_expr_set(e, NFTNL_EXPR_BITWISE_MASK, &mask, sizeof(mask)) < 0 ||
		  nftnl_expr_set(e, NFTNL_EXPR_BITWISE_XOR, &zero, sizeof(zero)) < 0))
		b->failed = true;
	cmp32(b, NFT_CMP_NEQ, 0);
}

/* The N-th 32-bit register; those that begin a 128-bit one go by that one's name. */
static uint32_t reg32(unsigned n)
{
	return n % 4 == 0 ? NFT_REG_1 + n / 4 : NFT_REG32_00 + n;
}

/* Load the key of a set, field by field, into registers beginning with NFT_REG_1. */
static void load_key(struct builder *b, unsigned set, unsigned side)
{
	const struct nft_set_info *s = nft_set_info(set);
	unsigned n = 0;

	for (unsigned i = 0; i < s->n_fields; i++) {
		bool src = s->is_denied ? i == 1 : side & SIDE_SRC;

		switch ((enum nft_field)s->fields[i]) {
		case FIELD_OIF:
			meta(b, NFT_META_OIF, reg32(n));
			break;
		case FIELD_ADDR4:
			payload(b, NFT_PAYLOAD_NETWORK_HEADER, src ? 12 : 16, 4, reg32(n));
			break;
		case FIELD_ADDR6:
			payload(b, NFT_PAYLOAD_NETWORK_HEADER, src ? 8 : 24, 16, reg32(n));
			break;
		case FIELD_PROTO:
			meta(b, NFT_META_L4PROTO, reg32(n));
			break;
		case FIELD_PORT:
			payload(b, NFT_PAYLOAD_TRANSPORT_HEADER, side & SIDE_SPORT ? 0 : 2, 2,
				reg32(n));
			break;
		case FIELD_ICMP_TYPE:
		case FIELD_ICMPV6_TYPE:
			payload(b, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1, reg32(n));
			break;
		case FIELD_NONE:
			break;
		}
		n += (nft_fields[s->fields[i]].len + 3u) / 4;
	}
}

static void lookup(struct builder *b, const struct nft_op *op, bool invert)
{
	struct nftnl_expr *e;

	load_key(b, op->a, op->b);
	e = add(b, "lookup");
	set_u32(b, e, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
	set_str(b, e, NFTNL_EXPR_LOOKUP_SET, nft_set_info(op->a)->name);
	set_u32(b, e, NFTNL_EXPR_LOOKUP_FLAGS, invert ? NFT_LOOKUP_F_INV : 0);
}

static void objmap(struct builder *b, const struct nft_op *op)
{
	struct nftnl_expr *e;

	load_key(b, op->a, op->b);
	e = add(b, "objref");
	set_u32(b, e, NFTNL_EXPR_OBJREF_SET_SREG, NFT_REG_1);
	set_str(b, e, NFTNL_EXPR_OBJREF_SET_NAME, nft_set_info(op->a)->name);
}

static void dynset_add(struct builder *b, const struct nft_op *op)
{
	struct nftnl_expr *e;

	load_key(b, op->a, op->b);
	e = add(b, "dynset");
	set_u32(b, e, NFTNL_EXPR_DYNSET_SREG_KEY, NFT_REG_1);
	set_u32(b, e, NFTNL_EXPR_DYNSET_OP, NFT_DYNSET_OP_ADD);
	set_str(b, e, NFTNL_EXPR_DYNSET_SET_NAME, nft_set_info(op->a)->name);
	if (e) /* 0 = the set's own */
		nftnl_expr_set_u64(e, NFTNL_EXPR_DYNSET_TIMEOUT, 0);
}

static void counter(struct builder *b, const struct nft_op *op)
{
	struct nftnl_expr *e = add(b, "objref");

	set_u32(b, e, NFTNL_EXPR_OBJREF_IMM_TYPE, NFT_OBJECT_COUNTER);
	set_str(b, e, NFTNL_EXPR_OBJREF_IMM_NAME, nft_counter_name(op->a));
}

static void limit(struct builder *b, uint64_t per_second, uint32_t burst)
{
	struct nftnl_expr *e = add(b, "limit");

	if (!e)
		return;
	nftnl_expr_set_u64(e, NFTNL_EXPR_LIMIT_RATE, per_second);
	nftnl_expr_set_u64(e, NFTNL_EXPR_LIMIT_UNIT, 1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_LIMIT_BURST, burst);
	nftnl_expr_set_u32(e, NFTNL_EXPR_LIMIT_TYPE, NFT_LIMIT_PKTS);
	nftnl_expr_set_u32(e, NFTNL_EXPR_LIMIT_FLAGS, 0);
}

static void log_expr(struct builder *b, const struct nft_op *op)
{
	struct nftnl_expr *e = add(b, "log");

	set_str(b, e, NFTNL_EXPR_LOG_PREFIX, nft_log_prefix(op->a));
	if (!e)
		return;
	nftnl_expr_set_u16(e, NFTNL_EXPR_LOG_GROUP, NFT_NFLOG_GROUP);
	nftnl_expr_set_u32(e, NFTNL_EXPR_LOG_SNAPLEN, BH_NFLOG_COPY_RANGE);
}

static void icmp_types(struct builder *b, const struct nft_op *op)
{
	payload(b, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1, NFT_REG_1);
	if (op->a == op->b) {
		cmp8(b, NFT_CMP_EQ, op->a);
	} else {
		cmp8(b, NFT_CMP_GTE, op->a);
		cmp8(b, NFT_CMP_LTE, op->b);
	}
}

static void verdict(struct builder *b, int code, const char *chain)
{
	struct nftnl_expr *e = add(b, "immediate");

	set_u32(b, e, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	set_u32(b, e, NFTNL_EXPR_IMM_VERDICT, (uint32_t)code);
	if (chain)
		set_str(b, e, NFTNL_EXPR_IMM_CHAIN, chain);
}

static void reject(struct builder *b, uint32_t type, uint8_t code)
{
	struct nftnl_expr *e = add(b, "reject");

	set_u32(b, e, NFTNL_EXPR_REJECT_TYPE, type);
	if (e)
		nftnl_expr_set_u8(e, NFTNL_EXPR_REJECT_CODE, code);
}

/* --- frames ---------------------------------------------------------------------------------- */

static void protocol(struct builder *b, const struct nft_op *op)
{
	static const uint16_t types[] = {
		[PROTOCOL_IP] = ETH_P_IP,
		[PROTOCOL_IP6] = ETH_P_IPV6,
		[PROTOCOL_ARP] = ETH_P_ARP,
	};
	uint16_t type = htons(types[op->a]);

	meta(b, NFT_META_PROTOCOL, NFT_REG_1);
	cmp(b, NFT_CMP_EQ, &type, sizeof(type));
}

/* 127.0.0.0/8 by its first byte, ::1 whole */
static void not_loopback(struct builder *b, const struct nft_op *op)
{
	static const uint8_t one[16] = { [15] = 1 };

	if (op->a == FAMILY4) {
		payload(b, NFT_PAYLOAD_NETWORK_HEADER, 12, 1, NFT_REG_1);
		cmp8(b, NFT_CMP_NEQ, 127);
	} else {
		payload(b, NFT_PAYLOAD_NETWORK_HEADER, 8, 16, NFT_REG_1);
		cmp(b, NFT_CMP_NEQ, one, sizeof(one));
	}
}

static void unspecified(struct builder *b, const struct nft_op *op)
{
	static const uint8_t zero[16];
	uint32_t len = op->a == FAMILY4 ? 4 : 16;

	payload(b, NFT_PAYLOAD_NETWORK_HEADER, op->a == FAMILY4 ? 12 : 8, len, NFT_REG_1);
	cmp(b, NFT_CMP_EQ, zero, len);
}

/* fib saddr type local */
static void own_source(struct builder *b)
{
	struct nftnl_expr *e = add(b, "fib");

	set_u32(b, e, NFTNL_EXPR_FIB_FLAGS, NFTA_FIB_F_SADDR);
	set_u32(b, e, NFTNL_EXPR_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
	set_u32(b, e, NFTNL_EXPR_FIB_DREG, NFT_REG_1);
	cmp32(b, NFT_CMP_EQ, RTN_LOCAL);
}

/* meta KEY >= 0: true when there is such a thing at all */
static void is_there(struct builder *b, uint32_t key)
{
	struct nftnl_expr *e;

	meta(b, key, NFT_REG_1);
	e = add(b, "byteorder");
	set_u32(b, e, NFTNL_EXPR_BYTEORDER_SREG, NFT_REG_1);
	set_u32(b, e, NFTNL_EXPR_BYTEORDER_DREG, NFT_REG_1);
	set_u32(b, e, NFTNL_EXPR_BYTEORDER_OP, NFT_BYTEORDER_HTON);
	set_u32(b, e, NFTNL_EXPR_BYTEORDER_LEN, 4);
	set_u32(b, e, NFTNL_EXPR_BYTEORDER_SIZE, 4);
	cmp32(b, NFT_CMP_GTE, 0);
}

static void not_ethertype(struct builder *b, const struct nft_op *op)
{
	const uint8_t type[2] = { op->a, op->b };

	payload(b, NFT_PAYLOAD_LL_HEADER, 12, 2, NFT_REG_1);
	cmp(b, NFT_CMP_NEQ, type, sizeof(type));
}

/* @ll,0,48 0xffffffffffff @ll,96,16 0x0800 @nh,0,8 0x45 */
static void broadcast(struct builder *b)
{
	static const uint8_t all[6] = { 255, 255, 255, 255, 255, 255 }, ip[2] = { 8, 0 };

	payload(b, NFT_PAYLOAD_LL_HEADER, 0, sizeof(all), NFT_REG_1);
	cmp(b, NFT_CMP_EQ, all, sizeof(all));
	payload(b, NFT_PAYLOAD_LL_HEADER, 12, sizeof(ip), NFT_REG_1);
	cmp(b, NFT_CMP_EQ, ip, sizeof(ip));
	payload(b, NFT_PAYLOAD_NETWORK_HEADER, 0, 1, NFT_REG_1);
	cmp8(b, NFT_CMP_EQ, 0x45);
}

/* ip daddr 255.255.255.255 udp sport 68 udp dport 67 */
static void dhcp(struct builder *b)
{
	static const uint8_t ports[4] = { 0, 68, 0, 67 };

	payload(b, NFT_PAYLOAD_NETWORK_HEADER, 16, 4, NFT_REG_1);
	cmp32(b, NFT_CMP_EQ, INADDR_BROADCAST);
	meta(b, NFT_META_L4PROTO, NFT_REG_1);
	cmp8(b, NFT_CMP_EQ, IPPROTO_UDP);
	payload(b, NFT_PAYLOAD_TRANSPORT_HEADER, 0, sizeof(ports), NFT_REG_1);
	cmp(b, NFT_CMP_EQ, ports, sizeof(ports));
}

/* LO is OP_MAC_LO, and OP_MAC_HI stands before it. */
static void mac_at(struct builder *b, const struct nft_op *lo, uint32_t base, uint32_t offset)
{
	const uint8_t mac[6] = { lo[-1].a, lo[-1].b, lo[-1].c, lo->a, lo->b, lo->c };

	payload(b, base, offset, sizeof(mac), NFT_REG_1);
	cmp(b, NFT_CMP_EQ, mac, sizeof(mac));
}

/* --- all of them ----------------------------------------------------------------------------- */

static void emit(struct builder *b, const struct nft_op *op)
{
	switch ((enum nft_op_kind)op->kind) {
	case OP_END:
		break;
	case OP_LOOPBACK: /* the loopback device is number 1 in every namespace */
		meta(b, op->a == DIRECTION_EGRESS ? NFT_META_OIF : NFT_META_IIF, NFT_REG_1);
		cmp32(b, NFT_CMP_EQ, 1);
		break;
	case OP_DIRECTION: /* at the other hook there is no such device: 0 */
		meta(b, op->a == DIRECTION_EGRESS ? NFT_META_OIF : NFT_META_IIF, NFT_REG_1);
		cmp32(b, NFT_CMP_NEQ, 0);
		break;
	case OP_NFPROTO:
		meta(b, NFT_META_NFPROTO, NFT_REG_1);
		cmp8(b, NFT_CMP_EQ, op->a == FAMILY4 ? NFPROTO_IPV4 : NFPROTO_IPV6);
		break;
	case OP_L4PROTO:
		meta(b, NFT_META_L4PROTO, NFT_REG_1);
		cmp8(b, NFT_CMP_EQ, op->a);
		break;
	case OP_CT_DIRECTION:
		ct(b, NFT_CT_DIRECTION);
		cmp8(b, NFT_CMP_EQ, op->a ? IP_CT_DIR_REPLY : IP_CT_DIR_ORIGINAL);
		break;
	case OP_CT_RELATED:
		ct_bits(b, NFT_CT_STATE, NF_CT_STATE_BIT(IP_CT_RELATED));
		break;
	case OP_CT_UNKNOWN:
		ct_bits(b, NFT_CT_STATE, NF_CT_STATE_INVALID_BIT | NF_CT_STATE_UNTRACKED_BIT);
		break;
	case OP_CT_CONFIRMED:
		ct_bits(b, NFT_CT_STATUS, IPS_CONFIRMED);
		break;
	case OP_OBJMAP:
		objmap(b, op);
		break;
	case OP_LOOKUP:
		lookup(b, op, false);
		break;
	case OP_LOOKUP_NOT:
		lookup(b, op, true);
		break;
	case OP_ADD:
		dynset_add(b, op);
		break;
	case OP_COUNTER:
		counter(b, op);
		break;
	case OP_LIMIT:
		limit(b, op->a, op->a);
		break;
	case OP_ALLOW_LIMIT:
		limit(b, BH_ALLOW_LOG_PER_S, BH_ALLOW_LOG_PER_S);
		break;
	case OP_LOG:
		log_expr(b, op);
		break;
	case OP_ICMP_TYPES:
	case OP_ICMPV6_TYPES:
		icmp_types(b, op);
		break;
	case OP_HOPLIMIT:
		payload(b, NFT_PAYLOAD_NETWORK_HEADER, op->b == FAMILY4 ? 8 : 7, 1, NFT_REG_1);
		cmp8(b, NFT_CMP_EQ, op->a);
		break;
	case OP_ACCEPT:
		verdict(b, NF_ACCEPT, NULL);
		break;
	case OP_DROP:
		verdict(b, NF_DROP, NULL);
		break;
	case OP_CONTINUE:
		verdict(b, NFT_CONTINUE, NULL);
		break;
	case OP_GOTO:
		verdict(b, NFT_GOTO, nft_chain_name(op->a));
		break;
	case OP_JUMP:
		verdict(b, NFT_JUMP, nft_chain_name(op->a));
		break;
	case OP_REJECT_TCP:
		reject(b, NFT_REJECT_TCP_RST, 0);
		break;
	case OP_REJECT:
		reject(b, NFT_REJECT_ICMPX_UNREACH, NFT_REJECT_ICMPX_ADMIN_PROHIBITED);
		break;
	case OP_PROTOCOL:
		protocol(b, op);
		break;
	case OP_NOT_LOOPBACK:
		not_loopback(b, op);
		break;
	case OP_UNSPECIFIED:
		unspecified(b, op);
		break;
	case OP_OWN_SOURCE:
		own_source(b);
		break;
	case OP_STACK:
		is_there(b, NFT_META_RTCLASSID);
		break;
	case OP_SOCKET:
		is_there(b, NFT_META_SKUID);
		break;
	case OP_NOT_ETHERTYPE:
		not_ethertype(b, op);
		break;
	case OP_BROADCAST:
		broadcast(b);
		break;
	case OP_DHCP:
		dhcp(b);
		break;
	case OP_MAC_HI:
		break;
	case OP_MAC_LO:
		mac_at(b, op, NFT_PAYLOAD_LL_HEADER, 6);
		break;
	case OP_CHADDR: /* behind 8 bytes of UDP and 28 of BOOTP (RFC 2131, section 2) */
		mac_at(b, op - 1, NFT_PAYLOAD_TRANSPORT_HEADER, 8 + 28);
		break;
	case OP_DHCP_LIMIT:
		limit(b, BH_DHCP_PER_S, BH_DHCP_BURST);
		break;
	}
}

/* --- kept forms ------------------------------------------------------------------------------ */

#define EXPR_BYTES_MAX 2048
#define EXPR_TEXT_MAX  4096

/* One list of operations: our bytes, libnftnl's text of them, the kernel's bytes once seen equal.
 */
struct form {
	struct nft_op key[RULE_OPS_MAX + 1];
	struct expr_bytes ours, kernels;
	char *text;
	UT_hash_handle hh;
};

static struct form *forms; /* bounded: as many as lower.c can write different rules */

static void form_free(struct form *f)
{
	if (!f)
		return;
	free((void *)f->ours.data);
	free((void *)f->kernels.data);
	free(f->text);
	free(f);
}

static bool keep_bytes(struct expr_bytes *b, const void *data, size_t len)
{
	void *copy = malloc(len + 1);

	if (!copy)
		return false;
	memcpy(copy, data, len);
	free((void *)b->data);
	*b = (struct expr_bytes) { copy, len };
	return true;
}

/*
 * nft(8) puts a byte order change of one byte, which does nothing, in front of keys of interval
 * sets: it does not count.
 */
static bool is_no_op(const struct nftnl_expr *e)
{
	uint32_t len;

	return strcmp(nftnl_expr_get_str(e, NFTNL_EXPR_NAME), "byteorder") == 0 &&
	       nftnl_expr_get(e, NFTNL_EXPR_BYTEORDER_LEN, &len) &&
	       nftnl_expr_get_u32(e, NFTNL_EXPR_BYTEORDER_LEN) == 1 &&
	       nftnl_expr_get_u32(e, NFTNL_EXPR_BYTEORDER_SIZE) == 2;
}

static int append_text(struct nftnl_expr *e, void *arg)
{
	struct bh_buf *text = arg;
	char one[512];
	int n;

	if (is_no_op(e))
		return 0;
	n = nftnl_expr_snprintf(one, sizeof(one), e, NFTNL_OUTPUT_DEFAULT, 0);
	if (n < 0 || n >= (int)sizeof(one))
		return -1;
	bh_buf_addf(text, "%s[%s]", nftnl_expr_get_str(e, NFTNL_EXPR_NAME), one);
	return 0;
}

/* A rule's expressions in libnftnl's words: two rules with the same words do the same. */
static char *rule_text(struct nftnl_rule *rule)
{
	struct bh_buf text;
	char *ret = NULL;

	bh_buf_init(&text, EXPR_TEXT_MAX);
	if (nftnl_expr_foreach(rule, append_text, &text) == 0)
		ret = bh_buf_steal(&text);
	bh_buf_done(&text);
	return ret;
}

static bool form_fill(struct form *f)
{
	char buf[EXPR_BYTES_MAX + 1024] __attribute__((aligned(16)));
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct builder b = { .rule = nftnl_rule_alloc() };
	const struct nlattr *attr;
	bool ok = false;

	if (!b.rule)
		return false;
	for (int i = 0; f->key[i].kind; i++)
		emit(&b, &f->key[i]);
	if (!b.failed) {
		nftnl_rule_nlmsg_build_payload(nlh, b.rule);
		attr = mnl_nlmsg_get_payload(nlh);
		ok = keep_bytes(&f->ours, mnl_attr_get_payload(attr),
				mnl_attr_get_payload_len(attr));
		f->text = rule_text(b.rule);
	}
	nftnl_rule_free(b.rule);
	return ok && f->text;
}

static struct form *form_of(const struct nft_rule *r)
{
	struct form *f;

	HASH_FIND(hh, forms, r->ops, sizeof(r->ops), f);
	if (f)
		return f;
	f = calloc(1, sizeof(*f));
	if (!f)
		return NULL;
	memcpy(f->key, r->ops, sizeof(f->key));
	if (!form_fill(f)) {
		form_free(f);
		return NULL;
	}
	HASH_ADD(hh, forms, key, sizeof(f->key), f);
	return f;
}

const struct expr_bytes *expr_of_rule(const struct nft_rule *r)
{
	struct form *f = form_of(r);

	return f ? &f->ours : NULL;
}

/* Parse the kernel's expressions with libnftnl and compare the texts. */
static bool slow_match(const struct form *f, const struct nlattr *expressions)
{
	size_t len = mnl_attr_get_len(expressions);
	bh_autofree char *buf = calloc(1, len + 256);
	struct nftnl_rule *rule = nftnl_rule_alloc();
	struct nlmsghdr *nlh;
	char *text = NULL;
	bool same = false;

	if (buf && rule && len <= EXPR_BYTES_MAX) {
		nlh = mnl_nlmsg_put_header(buf);
		nlh->nlmsg_type = (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_NEWRULE;
		mnl_nlmsg_put_extra_header(nlh, sizeof(struct nfgenmsg));
		mnl_attr_put(nlh, NFTA_RULE_EXPRESSIONS | NLA_F_NESTED,
			     mnl_attr_get_payload_len(expressions),
			     mnl_attr_get_payload(expressions));
		if (nftnl_rule_nlmsg_parse(nlh, rule) >= 0)
			text = rule_text(rule);
		same = text && strcmp(text, f->text) == 0;
	}
	free(text);
	if (rule)
		nftnl_rule_free(rule);
	return same;
}

bool expr_matches(const struct nft_rule *r, const struct nlattr *expressions)
{
	const void *data = mnl_attr_get_payload(expressions);
	size_t len = mnl_attr_get_payload_len(expressions);
	struct form *f = form_of(r);

	if (!f)
		return false;
	if (f->kernels.data && f->kernels.len == len && memcmp(f->kernels.data, data, len) == 0)
		return true;
	if (!slow_match(f, expressions))
		return false;
	keep_bytes(&f->kernels, data, len);
	return true;
}
