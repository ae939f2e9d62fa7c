/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_FLOW_EXPLAINED_H
#define BULKHEAD_FLOW_EXPLAINED_H

#include <bulkhead/flow/flow.h>

/*
 * The last explanation, for the packets of one flow that come one upon the other. Nothing in it is
 * owned or looked into. It starts all zero.
 */
struct flow_explained {
	bool known;
	struct flow_explained_key {
		const char *netns_name;
		const struct ruleset *ruleset;
		int64_t second;
		struct bh_addr source, destination;
		enum direction direction;
		enum record_verdict verdict;
		enum record_rule_kind rule_kind;
		uint16_t proto, sport, dport;
		uint8_t icmp_type;
		bool has_port, has_icmp, has_frame, aggregated, logged;
		char interface[16];
	} key;
	struct flow_record record; /* of it, only what explains */
};

/* flow_explain(), of a record of which nothing is explained yet. */
void flow_explain_again(struct flow_explained *last, struct flow_record *rec,
			const struct flow_context *ctx);
/*
 * Whenever something that the context points to may have changed: who is who, or a ruleset, also one of
 * another end.
 */
void flow_explained_forget(struct flow_explained *last);

#endif
