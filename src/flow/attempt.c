/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "attempt.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "proto.h"

#define TCP_ACK 0x10

/* What is digested begins with one of these: no two kinds of things give the same bytes. */
enum kind { OF_SERVICE = 1, OF_NAME, OF_ENDPOINT, OF_ADDRESS, OF_OWNER, OF_PAIR, OF_WORD };

static uint64_t digest_end(struct cmac_aes128_ctx *key)
{
	uint64_t d;

	cmac_aes128_digest(key, sizeof(d), (uint8_t *)&d); /* ready for the next, too */
	return d;
}

static uint64_t digest_of(struct cmac_aes128_ctx *key, enum kind kind, const void *data, size_t len)
{
	const uint8_t tag = (uint8_t)kind;

	cmac_aes128_update(key, 1, &tag);
	cmac_aes128_update(key, len, data);
	return digest_end(key);
}

static uint64_t digest_addr(struct cmac_aes128_ctx *key, const struct bh_addr *a)
{
	return digest_of(key, OF_ADDRESS, a, sizeof(*a));
}

uint64_t attempt_digest(struct cmac_aes128_ctx *key, uint64_t from, const char *word, size_t len)
{
	cmac_aes128_update(key, sizeof(from), (const uint8_t *)&from);
	return digest_of(key, OF_WORD, word, len);
}

/* Containers come and go, their service stays; without one, the name that was given to them. */
static uint64_t who(struct cmac_aes128_ctx *key, const struct record_end *e)
{
	if (e->service[0])
		return digest_of(key, OF_SERVICE, e->service, strlen(e->service));
	if (e->endpoint[0] && e->name[0])
		return digest_of(key, OF_NAME, e->name, strlen(e->name));
	if (e->endpoint[0])
		return digest_of(key, OF_ENDPOINT, e->endpoint, strlen(e->endpoint));
	return digest_addr(key, &e->addr);
}

static uint64_t endpoint(struct cmac_aes128_ctx *key, const char *id)
{
	return digest_of(key, OF_ENDPOINT, id, strlen(id));
}

static enum way way_of(const struct flow_record *rec)
{
	if (rec->direction == DIRECTION_EGRESS)
		return WAY_OUT;
	return rec->source.endpoint[0] ? WAY_IN_LOCAL : WAY_IN_AFAR;
}

static void read_self(struct cmac_aes128_ctx *key, struct attempt *a)
{
	const struct flow_record *rec = a->rec;
	bool out = a->way == WAY_OUT;
	const struct {
		uint64_t who, way;
	} owner = { who(key, out ? &rec->source : &rec->destination), a->way };

	/* before it is known whose a namespace is, it has a path and no id */
	a->self = endpoint(key, rec->endpoint_id[0] ? rec->endpoint_id : rec->netns);
	a->owner = digest_of(key, OF_OWNER, &owner, sizeof(owner));
}

static void read_port(struct attempt *a)
{
	const struct flow_record *rec = a->rec;

	a->has_port = rec->destination.has_port;
	a->port = (uint32_t)rec->proto << 16 | (a->has_port ? rec->destination.port : 0);
	a->is_later = proto_has_ports(rec->proto) && !rec->source.has_port && a->has_port;
	a->is_answer = rec->has_tcp_flags && (rec->tcp_flags & TCP_ACK);
}

static void read_pair(struct cmac_aes128_ctx *key, struct attempt *a)
{
	const struct flow_record *rec = a->rec;
	const struct {
		uint64_t from, to;
		uint32_t port, type;
	} pair = {
		a->from_who,
		who(key, &rec->destination),
		a->port,
		rec->has_icmp ? 1u + rec->icmp_type
		: a->has_port ? 0x200
			      : 0x300,
	};

	_Static_assert(sizeof(pair) == 24, "a pair has no padding");
	a->pair = digest_of(key, OF_PAIR, &pair, sizeof(pair));
}

static uint32_t peer_of(struct cmac_aes128_ctx *key, const struct bh_addr *a)
{
	uint32_t v;

	if (a->family != AF_INET)
		return (uint32_t)digest_addr(key, a);
	memcpy(&v, a->b, sizeof(v));
	return v;
}

void attempt_read(struct cmac_aes128_ctx *key, const struct flow_record *rec, struct attempt *ret)
{
	*ret = (struct attempt) { .rec = rec, .way = way_of(rec), .packets = rec->packets };
	read_self(key, ret);
	ret->has_ends = !rec->aggregated && rec->source.addr.family && rec->destination.addr.family;
	if (!ret->has_ends)
		return;
	ret->local = rec->source.endpoint[0];
	ret->from = ret->local ? endpoint(key, rec->source.endpoint)
			       : digest_addr(key, &rec->source.addr);
	ret->from_who = who(key, &rec->source);
	ret->peer = peer_of(key, &rec->destination.addr);
	read_port(ret);
	read_pair(key, ret);
}

void attempt_sample(struct cmac_aes128_ctx *key, unsigned i, struct attempt *a)
{
	const struct record_sample *sample = &a->rec->samples[i];

	a->packets = i == 0 ? a->rec->packets : 0;
	a->local = true;
	a->from = a->self;
	a->peer = peer_of(key, &sample->peer);
	a->has_port = proto_has_ports(sample->proto);
	a->port = (uint32_t)sample->proto << 16 | sample->port;
}
