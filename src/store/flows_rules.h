/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef STORE_FLOWS_RULES_H
#define STORE_FLOWS_RULES_H

#include <sqlite3.h>

#include <bulkhead/store/rules.h>

/* Rows of the table `rule`. */
struct flows_rule_row {
	int64_t id;
	struct flows_rule rule;
	int64_t idle_from; /* of `watched`: when it was hit last */
	int64_t seen;      /* of the time that loggers ran: when it was in a namespace last */
};

#define FLOWS_RULE_COLUMNS                                                                         \
	"id, name, packets, bytes, since, first_hit, last_hit, read, watched, idle_from, seen, "   \
	"probe_packets, probe_bytes, last_probe"
void flows_rule_read(sqlite3_stmt *s, struct flows_rule_row *ret);

#endif
