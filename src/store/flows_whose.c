/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/model/testmark.h>

#include "flows_reader.h"
#include "flows_row.h"

/*
 * Whose is a record: a segmentation test's, or somebody's? Only those of the time of a test are looked up.
 */

/* Somebody went on where a test began: then all of it is not the test's. */
static bool is_within(const struct flows_span *t, const struct flows_brief *rec)
{
	int64_t last;

	return rec->first >= t->since && rec->first <= t->until &&
	       !__builtin_add_overflow(rec->first, rec->span, &last) && last <= t->until;
}

/* What is logged is one packet. */
static enum flows_whose judge(sqlite3_stmt *s, const struct flows_brief *rec, uint16_t port)
{
	int64_t source = sqlite3_column_int64(s, 1);
	bool has_port = sqlite3_column_int64(s, 0) == 1;
	struct record_packet packet = { 0 };

	flows_packet_read(s, 2, &packet);
	if (packet.len)
		return rec->packets == 1 && testmark_is(&packet, port) ? FLOWS_A_TESTS
								       : FLOWS_OTHERS;
	return has_port && source != port && source != port + 1 ? FLOWS_OTHERS : FLOWS_UNCLEAR;
}

static int look_up(struct flows_reader *r, const struct flows_brief *rec, struct bh_err *err)
{
	static const char sql[] =
		"SELECT has_source_port, source_port, packet FROM record WHERE id = ?1";
	int q = r->sender ? 0 : flows_db_prepare(r->db, sql, &r->sender, err);

	if (q < 0)
		return q;
	sqlite3_reset(r->sender);
	sqlite3_bind_int64(r->sender, 1, rec->id);
	return flows_db_next(r->sender, err);
}

int flows_is_whose(struct flows_reader *r, const struct flows_filter *f,
		   const struct flows_brief *rec, struct bh_err *err)
{
	enum flows_whose whose = FLOWS_OTHERS;

	for (size_t i = 0; f->whose && i < f->n_tests; i++) {
		enum flows_whose one;
		int q;

		if (!is_within(&f->tests[i].span, rec))
			continue;
		q = look_up(r, rec, err);
		if (q < 0)
			return q;
		one = q ? judge(r->sender, rec, f->tests[i].port) : FLOWS_OTHERS;
		whose = one > whose ? one : whose;
	}
	if (r->sender)
		sqlite3_reset(r->sender);
	return !f->whose || whose == f->whose;
}
