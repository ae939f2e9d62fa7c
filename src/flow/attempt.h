/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_SRC_FLOW_ATTEMPT_H
#define BULKHEAD_SRC_FLOW_ATTEMPT_H

#include <nettle/cmac.h>

#include <bulkhead/model/record.h>

/*
 * What a denied record says of who tried what, as numbers: digests under a secret key (AES-CMAC, cut
 * to 8 bytes), so that nobody can make two names or addresses look the same.
 */

/* Which way it went, as the endpoint that denied it sees it. Floods come in from afar. */
enum way { WAY_OUT, WAY_IN_LOCAL, WAY_IN_AFAR };
#define WAYS 3

struct attempt {
	const struct flow_record *rec;
	enum way way;
	uint64_t self;  /* the endpoint that denied it */
	uint64_t owner; /* its service, and the way */
	uint64_t packets;
	bool has_ends;     /* the following are known */
	bool is_later;     /* not by the first packet: counted in the kernel, and recorded later */
	bool is_answer;    /* of TCP: says that it belongs to a connection that is open */
	bool local;        /* who tried is of this host */
	uint64_t from;     /* who tried: the endpoint, or the address */
	uint64_t from_who; /* the same by service */
	uint64_t pair;     /* who by service, whom by service, on what */
	uint32_t peer;     /* whom, by address */
	bool has_port;
	uint32_t port; /* with the protocol */
};

void attempt_read(struct cmac_aes128_ctx *key, const struct flow_record *rec, struct attempt *ret);

/* The I-th of the flows that an aggregated record of this endpoint's own shows; the first has its packets. */
void attempt_sample(struct cmac_aes128_ctx *key, unsigned i, struct attempt *a);

/* FROM's number and a word, as one. */
uint64_t attempt_digest(struct cmac_aes128_ctx *key, uint64_t from, const char *word, size_t len);

#endif
