/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef STORE_FLOWS_ROW_H
#define STORE_FLOWS_ROW_H

#include <sqlite3.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/model/record.h>

/*
 * A record to rows and back: the tables `flow` (what recurs) and `record` (what does not). The names
 * and the order of the columns stand here; their types in flows_schema.c.
 */

/* Texts of a flow; `unknown` of the process is the one that is no array. */
#define FLOWS_TEXTS 27
struct flows_text_field {
	const char *name;
	size_t offset, size;
};
extern const struct flows_text_field flows_text_fields[FLOWS_TEXTS];
const char *flows_text_of(const struct flow_record *r, size_t i); /* never NULL */

#define FLOWS_NUMBERS 18
/* What makes a flow the same as another: compared byte by byte, nothing between the fields. */
struct flow_key {
	int64_t texts[FLOWS_TEXTS]; /* their numbers; 0: "" */
	uint32_t numbers[FLOWS_NUMBERS];
	struct bh_addr source, destination;
	uint8_t frame[12];
	uint8_t zero[2];
};

/* All of KEY but its texts. */
void flow_key_fill(struct flow_key *key, const struct flow_record *r);

/* "INSERT INTO flow(...) VALUES(?...)": id, used, then what flow_key_bind() binds. */
void flows_sql_insert_flow(struct bh_buf *sql);
void flow_key_bind(sqlite3_stmt *s, int at, const struct flow_key *key);

/* How many columns, and their names behind PREFIX, comma between. */
#define FLOWS_FLOW_COLUMNS   (FLOWS_NUMBERS + 3 + FLOWS_TEXTS)
#define FLOWS_RECORD_COLUMNS 13
void flows_sql_flow_columns(struct bh_buf *sql, const char *prefix);
void flows_sql_record_columns(struct bh_buf *sql, const char *prefix);

/* The columns of `record` (or `signal`) from FIRST on, bound at AT. */
void flows_record_bind(sqlite3_stmt *s, int at, const struct flow_record *r, int64_t flow);

/* Texts by their number, for reading: never NULL, "" when there is none; stays until FN's caller says. */
struct flows_text_source {
	const char *(*fn)(int64_t id, void *arg);
	void *arg;
};
/*
 * A row that has the columns of a record at AT, those of its flow behind them. What cannot be in a
 * record that was written by us is put right: numbers that are none, texts that are too long, texts that
 * were not escaped. RET's process.unknown is the source's.
 */
void flows_record_read(sqlite3_stmt *s, int at, const struct flows_text_source *texts,
		       struct flow_record *ret);

/* Family 0 when it is none. */
void flows_address_read(sqlite3_stmt *s, int at, struct bh_addr *ret);

/* Nothing is set when there is none, or no possible one. */
void flows_packet_read(sqlite3_stmt *s, int at, struct record_packet *k);

/* TEXT as docs/record.md calls escaped; what is so already stays as it is. */
void flows_tame(char *out, size_t size, const char *text);

#endif
