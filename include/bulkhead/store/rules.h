/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_STORE_RULES_H
#define BULKHEAD_STORE_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include <bulkhead/base/err.h>
#include <bulkhead/store/flows.h>

/*
 * What each policy rule has let pass, over all containers and restarts: in flows.db, beside the denied
 * flows (docs/rules.md). A rule is known by the name of its counter in the kernel, which says the service,
 * the direction and what the rule says (or its name:), and so is the same wherever its line stands.
 *
 * Each reading of a counter is compared with the last one of the same namespace, and both, the sum and
 * the reading, are written in one transaction: no packet is counted twice, whoever is killed. What is
 * lost is what a counter grew by between its last reading and its end.
 *
 * Two clocks: times are microseconds since the epoch, for people. What is judged by is WATCHED, the
 * microseconds for which a logger ran and read: no clock that jumps, and no night without a logger, makes a
 * rule seem unused.
 */

/* --- writing (with the writer of flows.h) ------------------------------------------------------ */

/*
 * A segmentation test hits every rule, which is no use of it. What a counter grew by between two readings is
 * taken for a test's if one ran when the first was asked for, or one more has begun until the second was
 * there: by numbers that count tests (ctl/probing.h), so that nothing has to be told of their ends. Of
 * such growth what cannot be a test's counts as use: bytes beyond BH_PROBE_PACKET_MAX a packet.
 */
static inline uint64_t flows_probes_mark(uint64_t begun, bool running)
{
	return begun << 1 | running;
}

/* A counter as the kernel has it now. */
struct flows_rule_reading {
	uint64_t netns, cookie; /* inode; SO_NETNS_COOKIE, 0: the kernel has none */
	const char *rule;       /* name of the counter; hostile, and borrowed */
	uint64_t packets, bytes;
	/* flows_probes_mark(): when it was asked for; when a counter that was never read may have begun */
	uint64_t probes_asked, probes_born;
};

/*
 * False: the file could not be read yet, so what was counted before is not known, and nothing may be
 * put: the counters go on in the kernel.
 */
bool flows_rules_known(const struct flows *f);
/* A logger has run for so many microseconds more. */
void flows_rules_watched(struct flows *f, int64_t usec);
/* Segmentation tests, as they are known from now on: flows_probes_mark(). */
void flows_rules_probes(struct flows *f, uint64_t mark);
/* As the last logger knew them, and 0 before flows_rules_known(). */
uint64_t flows_rules_probes_before(const struct flows *f);
/* As flows_add(). -EAGAIN: !flows_rules_known(). -EINVAL: no name of a counter of ours. */
int flows_put_rule(struct flows *f, const struct flows_rule_reading *r, int64_t now);
/* The namespace has ended: what was read of it last is of no use any more. */
void flows_rules_forget(struct flows *f, uint64_t netns, uint64_t cookie);

/* --- reading ---------------------------------------------------------------------------------- */

struct flows_rule {
	char name[BH_NFT_NAME_MAX + 1]; /* of the counter; hostile */
	uint64_t packets, bytes;
	int64_t since;               /* when it was first seen in a namespace */
	int64_t first_hit, last_hit; /* looks that found it hit; 0: never */
	int64_t read;                /* the last look */
	int64_t watched;             /* microseconds that it was looked at, and in force */
	int64_t idle;                /* of them since the last hit; WATCHED if there was none */
	/* of segmentation tests, in none of the above, and the last look that found any; 0: never */
	uint64_t probe_packets, probe_bytes;
	int64_t last_probe;
};

/* Since when hits of segmentation tests are told apart: microseconds since the epoch. As flows_sums(). */
int flows_rules_apart(struct flows_reader *r, int64_t *ret, struct bh_err *err);
/* By name. As flows_sums(). -E2BIG: more than BH_RULE_SUMS_MAX. */
int flows_rules(struct flows_reader *r, int (*fn)(const struct flows_rule *rule, void *arg),
		void *arg, struct bh_err *err);

#endif
