/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_UNIT_LOGGER_KERNEL_H
#define TESTS_UNIT_LOGGER_KERNEL_H

/*
 * A namespace as the logger sees one: a log, and a socket by which answers come. It counts what is
 * denied as the kernel does: all of it, and each flow in a set, whose first packet is logged.
 */

#include <arpa/inet.h>
#include <endian.h>
#include <netinet/in.h>
#include <stdio.h>

#include <libmnl/libmnl.h>
#include <libnetfilter_log/libnetfilter_log.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <bulkhead/nft/counts.h>

#include "../../../src/nft/program.h"

#define KERNEL_FLOWS   1024
#define KERNEL_IFINDEX 7
#define KERNEL_BYTES   40
#define KERNEL_RULE    "one.out.to-two.443-tcp"

struct kernel {
	uint64_t ino;
	int log[2], counts[2]; /* [0]: the logger's end */
	uint32_t seq;
	uint64_t denied; /* the counter */
	uint64_t passed; /* of the policy rule KERNEL_RULE */
	struct nft_denied flows[KERNEL_FLOWS];
	size_t n;
	int64_t born[KERNEL_FLOWS];
	char buf[256 << 10] __attribute__((aligned(16)));
	size_t len;
};

static inline void kernel_up(struct kernel *k, uint64_t ino)
{
	*k = (struct kernel) { .ino = ino };
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, k->log), 0);
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, k->counts),
		0);
}

static inline void kernel_down(struct kernel *k)
{
	for (int i = 0; i < 2; i++) {
		close(k->log[i]);
		close(k->counts[i]);
	}
}

/* --- the log ----------------------------------------------------------------------------------- */

/* What does not fit is lost, as the kernel loses it: the number goes on. */
static inline void kernel_log(struct kernel *k, const struct nft_denied *d)
{
	char buf[512] __attribute__((aligned(16))) = { 0 };
	uint8_t packet[KERNEL_BYTES] = { 0x45, 0, 0, KERNEL_BYTES };
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *nfg;

	packet[8] = 64;
	packet[9] = d->proto;
	memcpy(packet + 12, d->source.b, 4);
	memcpy(packet + 16, d->destination.b, 4);
	packet[20] = 0xc0;
	packet[22] = (uint8_t)(d->port >> 8);
	packet[23] = (uint8_t)d->port;
	if (d->proto == IPPROTO_TCP) {
		packet[32] = 0x50;
		packet[33] = 2;
	} else {
		packet[25] = 20; /* UDP's length */
	}
	nlh->nlmsg_type = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET;
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = AF_INET;
	mnl_attr_put_strz(nlh, NFULA_PREFIX, "bulkhead:deny");
	mnl_attr_put_u32(nlh, NFULA_IFINDEX_OUTDEV, htonl(KERNEL_IFINDEX));
	mnl_attr_put_u32(nlh, NFULA_UID, htonl(1000));
	mnl_attr_put_u32(nlh, NFULA_SEQ, htonl(k->seq++));
	mnl_attr_put(nlh, NFULA_PAYLOAD, sizeof(packet), packet);
	(void)send(k->log[1], nlh, nlh->nlmsg_len, MSG_DONTWAIT);
}

static inline void kernel_deny(struct kernel *k, unsigned host, uint8_t proto, uint16_t port,
			       unsigned packets)
{
	struct nft_denied d = { .oif = KERNEL_IFINDEX, .proto = proto, .port = port };
	size_t i = 0;

	bh_addr_from_bytes(&d.source, (const uint8_t[]) { 10, 77, 0, (uint8_t)k->ino }, 4);
	bh_addr_from_bytes(&d.destination,
			   (const uint8_t[]) { 10, 88, (uint8_t)(host >> 8), (uint8_t)host }, 4);
	while (i < k->n && (bh_addr_cmp(&k->flows[i].destination, &d.destination) != 0 ||
			    k->flows[i].proto != proto || k->flows[i].port != port))
		i++;
	assert_true(i < KERNEL_FLOWS);
	if (i == k->n) {
		k->flows[k->n] = d;
		k->born[k->n++] = faults.clock;
		kernel_log(k, &d);
	}
	k->denied += packets;
	k->flows[i].packets += packets;
	k->flows[i].bytes += (uint64_t)packets * KERNEL_BYTES;
}

/* Deleted, with its final count; false: it is not there. */
static inline bool kernel_retire(struct kernel *k, struct nft_denied *d)
{
	for (size_t i = 0; i < k->n; i++) {
		if (bh_addr_cmp(&k->flows[i].destination, &d->destination) != 0 ||
		    k->flows[i].proto != d->proto || k->flows[i].port != d->port)
			continue;
		*d = k->flows[i];
		d->direction = DIRECTION_EGRESS;
		k->flows[i] = k->flows[--k->n];
		k->born[i] = k->born[k->n];
		return true;
	}
	return false;
}

/* --- answers ----------------------------------------------------------------------------------- */

static inline struct nlmsghdr *kernel_begin(struct kernel *k, uint16_t type, uint8_t family,
					    uint32_t seq)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(k->buf + k->len);
	struct nfgenmsg *nfg;

	nlh->nlmsg_type = type;
	nlh->nlmsg_seq = seq;
	if (type >= NLMSG_MIN_TYPE) {
		nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
		nfg->nfgen_family = family;
	}
	return nlh;
}

static inline void kernel_send(struct kernel *k)
{
	(void)send(k->counts[1], k->buf, k->len, MSG_DONTWAIT);
	k->len = 0;
}

static inline void kernel_end(struct kernel *k, const struct nlmsghdr *nlh)
{
	k->len += NLMSG_ALIGN(nlh->nlmsg_len);
	if (k->len > 8192)
		kernel_send(k);
}

static inline void kernel_put_counter(struct kernel *k, const char *name, uint8_t family,
				      uint64_t packets, uint32_t seq)
{
	struct nlmsghdr *nlh =
		kernel_begin(k, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWOBJ, family, seq);
	struct nlattr *data;

	mnl_attr_put_strz(nlh, NFTA_OBJ_TABLE, NFT_TABLE_NAME);
	mnl_attr_put_strz(nlh, NFTA_OBJ_NAME, name);
	data = mnl_attr_nest_start(nlh, NFTA_OBJ_DATA);
	mnl_attr_put_u64(nlh, NFTA_COUNTER_BYTES, htobe64(packets * KERNEL_BYTES));
	mnl_attr_put_u64(nlh, NFTA_COUNTER_PACKETS, htobe64(packets));
	mnl_attr_nest_end(nlh, data);
	kernel_end(k, nlh);
}

static inline void kernel_put_flow(struct kernel *k, size_t i, uint32_t seq)
{
	const struct nft_denied *d = &k->flows[i];
	struct nlmsghdr *nlh =
		kernel_begin(k, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSETELEM, NFPROTO_INET, seq);
	struct nlattr *list, *elem, *nest, *expr, *data;
	uint8_t key[20] = { KERNEL_IFINDEX };

	memcpy(key + 4, d->source.b, 4);
	memcpy(key + 8, d->destination.b, 4);
	key[12] = d->proto;
	key[16] = (uint8_t)(d->port >> 8);
	key[17] = (uint8_t)d->port;
	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, NFT_TABLE_NAME);
	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, "denied4");
	list = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_LIST_ELEMENTS);
	elem = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
	nest = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_KEY);
	mnl_attr_put(nlh, NFTA_DATA_VALUE, sizeof(key), key);
	mnl_attr_nest_end(nlh, nest);
	mnl_attr_put_u64(nlh, NFTA_SET_ELEM_EXPIRATION,
			 htobe64((uint64_t)(60000 - (faults.clock - k->born[i]) / 1000)));
	nest = mnl_attr_nest_start(nlh, 17); /* NFTA_SET_ELEM_EXPRESSIONS */
	expr = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
	mnl_attr_put_strz(nlh, NFTA_EXPR_NAME, "counter");
	data = mnl_attr_nest_start(nlh, NFTA_EXPR_DATA);
	mnl_attr_put_u64(nlh, NFTA_COUNTER_BYTES, htobe64(d->bytes));
	mnl_attr_put_u64(nlh, NFTA_COUNTER_PACKETS, htobe64(d->packets));
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, expr);
	mnl_attr_nest_end(nlh, nest);
	mnl_attr_nest_end(nlh, elem);
	mnl_attr_nest_end(nlh, list);
	kernel_end(k, nlh);
}

static inline void kernel_answer(struct kernel *k, enum nft_counts_question q, uint32_t seq)
{
	struct nlmsghdr *nlh;

	if (q == NFT_ASK_TOTALS)
		kernel_put_counter(k, "denied.egress", NFPROTO_INET, k->denied, seq);
	if (q == NFT_ASK_RULES)
		kernel_put_counter(k, KERNEL_RULE, NFPROTO_INET, k->passed, seq);
	for (size_t i = 0; q == NFT_ASK_FLOWS4 && i < k->n; i++)
		kernel_put_flow(k, i, seq);
	nlh = kernel_begin(k, q == NFT_ASK_TOTALS ? NLMSG_ERROR : NLMSG_DONE, 0, seq);
	mnl_nlmsg_put_extra_header(nlh,
				   q == NFT_ASK_TOTALS ? sizeof(struct nlmsgerr) : sizeof(int));
	kernel_end(k, nlh);
	if (k->len)
		kernel_send(k);
}

/* What a logger that has gone did not read of an answer. */
static inline void kernel_drain(struct kernel *k)
{
	char buf[64];

	while (recv(k->counts[0], buf, sizeof(buf), MSG_DONTWAIT) >= 0)
		;
}

#endif
