/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/base/limits.h>

#include "flows_reader.h"
#include "flows_rules.h"

/* The sums of policy rules, for those who read. The file is hostile. */

static int64_t not_below(sqlite3_stmt *s, int i, int64_t least)
{
	int64_t v = sqlite3_column_int64(s, i);

	return v > least ? v : least;
}

void flows_rule_read(sqlite3_stmt *s, struct flows_rule_row *ret)
{
	const char *name = (const char *)sqlite3_column_text(s, 1);
	struct flows_rule *rule = &ret->rule;

	memset(ret, 0, sizeof(*ret));
	ret->id = sqlite3_column_int64(s, 0);
	snprintf(rule->name, sizeof(rule->name), "%s", name ? name : "");
	rule->packets = (uint64_t)not_below(s, 2, 0);
	rule->bytes = (uint64_t)not_below(s, 3, 0);
	rule->since = not_below(s, 4, 0);
	rule->first_hit = not_below(s, 5, 0);
	rule->last_hit = not_below(s, 6, 0);
	rule->read = not_below(s, 7, 0);
	rule->watched = not_below(s, 8, 0);
	ret->idle_from = not_below(s, 9, 0);
	ret->seen = not_below(s, 10, 0);
	rule->probe_packets = (uint64_t)not_below(s, 11, 0);
	rule->probe_bytes = (uint64_t)not_below(s, 12, 0);
	rule->last_probe = not_below(s, 13, 0);
	rule->idle = rule->watched > ret->idle_from ? rule->watched - ret->idle_from : 0;
}

/* All of them first: no snapshot while FN runs. */
static int read_all(sqlite3_stmt *s, struct bh_vec *ret, struct bh_err *err)
{
	struct flows_rule_row row;
	int q;

	while ((q = flows_db_next(s, err)) > 0) {
		struct flows_rule *rule = bh_vec_push(ret);

		if (!rule)
			return ret->n < ret->max ? bh_err_oom(err)
						 : bh_err_set(err, -E2BIG,
							      "the history has more policy rules "
							      "than a reader looks at");
		flows_rule_read(s, &row);
		*rule = row.rule;
	}
	return q;
}

int flows_rules(struct flows_reader *r, int (*fn)(const struct flows_rule *rule, void *arg),
		void *arg, struct bh_err *err)
{
	sqlite3_stmt *s = NULL;
	struct bh_vec all;
	int q = flows_db_prepare(r->db, "SELECT " FLOWS_RULE_COLUMNS " FROM rule ORDER BY name", &s,
				 err);

	bh_vec_init(&all, sizeof(struct flows_rule), BH_RULE_SUMS_MAX);
	if (q >= 0)
		q = read_all(s, &all, err);
	sqlite3_finalize(s);
	for (size_t i = 0; q >= 0 && i < all.n; i++)
		q = fn((const struct flows_rule *)all.data + i, arg);
	bh_vec_done(&all);
	return q < 0 ? q : 0;
}

int flows_rules_apart(struct flows_reader *r, int64_t *ret, struct bh_err *err)
{
	return flows_db_number(
		r->db, "SELECT coalesce(max(value), 0) FROM state WHERE name = 'apart'", ret, err);
}
