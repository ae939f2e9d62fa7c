/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PROBE_NETWORKS_H
#define PROBE_NETWORKS_H

#include <bulkhead/base/buf.h>
#include <bulkhead/probe/probe.h>

/*
 * The networks outside that policies name, as they are written: what rules come to is merged where it
 * touches, and of a merged range nobody sees where one network ends.
 */

/* PARTY has a rule that names NETWORK: an index of networks.prefixes. */
struct naming {
	uint32_t network, party;
};

struct networks {
	struct bh_vec prefixes; /* struct bh_prefix, each once; exceptions among them */
	struct bh_vec namings;  /* struct naming */
};

/*
 * Those that the parties of RUN name in egress rules and guardrails. Of those beyond BH_PROBE_NETWORKS_MAX
 * each party's number is in its `beyond`; that of rules that let in who is outside is in its `from_outside`. RET is to be given to networks_done() in any case. -ENOMEM; -E2BIG
 * over BH_PROBE_ASKERS_MAX, ERR is then not set.
 */
int networks_named(struct probe_run *run, struct networks *ret, struct bh_err *err);
void networks_done(struct networks *n);

/*
 * What is asked of a network: an address that stands for it first, then both ends, one in the middle, and
 * the two that are just outside. Each may come twice. Pure.
 */
#define NETWORK_ADDRESSES 6
size_t network_addresses(const struct bh_prefix *p, struct bh_addr out[NETWORK_ADDRESSES]);

/* Does the party have the rule that a counter of that name counts? */
bool party_has_rule(const struct probe_party *p, const char *name);

#endif
