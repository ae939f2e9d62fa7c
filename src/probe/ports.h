/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PROBE_PORTS_H
#define PROBE_PORTS_H

#include <bulkhead/base/limits.h>
#include <bulkhead/model/ruleset.h>

/* What is asked of a pair: protocols with ports, or ICMP requests. Pure. */

struct ask {
	uint16_t proto, port;
};

/* Each once. */
struct asks {
	struct ask a[BH_PROBE_PORTS_MAX];
	size_t n;
	size_t more; /* so many did not fit */
};

/*
 * Those that one direction of a ruleset names, guardrails included; of ranges the ends, one in the middle,
 * and the two beside it, which it does not name.
 */
void asks_of_ruleset(const struct ruleset *r, enum direction d, struct asks *ret);

/* Of a policy: a range of ports, and not all there are; and the same that is asked of one in a ruleset. */
bool asks_is_range(const struct port_spec *p);
void asks_add_range(struct asks *l, const struct port_spec *p);

/*
 * What both name, with the sample, or PORT (may be NULL) alone if it is one; else what of it is among
 * them. Either may be NULL. OUT has room for ASKS_PAIR_MAX. Returns how many.
 */
#define ASKS_PAIR_MAX (2 * BH_PROBE_PORTS_MAX + 16)
size_t asks_of_pair(const struct asks *source, const struct asks *destination,
		    const struct port_spec *port, struct ask out[ASKS_PAIR_MAX]);

/* Is there anything in it that can be asked? Of ICMP there are only some requests. */
bool ask_is_possible(const struct port_spec *port);

/* Can it be asked over this family? */
bool ask_fits(const struct ask *a, uint8_t family);

#endif
