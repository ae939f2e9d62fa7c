/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_STORE_FLOWS_H
#define BULKHEAD_STORE_FLOWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <bulkhead/base/err.h>
#include <bulkhead/model/flowspec.h>
#include <bulkhead/model/record.h>
#include <bulkhead/model/signal.h>

/*
 * The history of denied (and audited) flows: flows.db, an SQLite database in WAL mode, in a directory
 * that belongs to the logger (docs/denied.md). One writer, any number of readers at any time.
 *
 * DIR is a descriptor of that directory; it stays the caller's and open as long as what was opened on
 * it. Files are reached by /proc/self/fd: whoever holds the descriptor needs no right to the
 * directories above it, but needs /proc. Texts of records are hostile, and so is the file when it is
 * read: the logger may have been taken over.
 *
 * All times: microseconds since the epoch.
 */

#define FLOWS_DIR  "flows" /* in the store's directory */
#define FLOWS_FILE "flows.db"

/* --- writing ---------------------------------------------------------------------------------- */

struct flows_options {
	uint32_t days;      /* records are kept for so long; 0: BH_DENIED_DAYS_DEFAULT */
	uint32_t megabytes; /* and in so much room at most, 2^20 bytes each; 0: the default */
	/* A number that this start of the machine has, below 2^63; 0: not known. For rules.h. */
	int64_t boot;
	/* What a person should know: once when trouble begins, once when it ends. May be NULL. */
	void (*notice)(const char *text, void *arg);
	/* Each record that is given up, so that its packets can be counted as not recorded. May be NULL. */
	void (*lost)(const struct flow_record *r, void *arg);
	void *arg;
};

struct flows; /* a writer */

/*
 * A database that cannot be opened now (a full or read-only disk, another writer, one of a newer
 * version) is no failure: that is trouble, told as such, and tried again with growing pauses from
 * flows_commit() and flows_tend(). A damaged one is set aside as flows-damaged-TIME.db and a new one
 * begun; that is told too. -ENOMEM, -EBADF.
 */
int flows_open(int dir, const struct flows_options *o, int64_t now, struct flows **ret,
	       struct bh_err *err);
/* Commits what waits, if it can. Takes NULL. */
void flows_close(struct flows *f, int64_t now);

/*
 * Nothing of these touches the disk: they wait for flows_commit(), in bounded memory. R and S are
 * copied. 0; 1: it is time for flows_commit(); -ENOBUFS: there is no room, and it is lost (options'
 * LOST has heard of it).
 */
int flows_add(struct flows *f, const struct flow_record *r);
int flows_add_signal(struct flows *f, const struct flow_signal *s);

/* The sums of one endpoint and direction in one namespace, since they were begun. */
struct flows_account {
	char endpoint[RECORD_STR]; /* id; with NETNS and DIRECTION what it is known by */
	uint64_t netns;            /* inode of the namespace */
	enum direction direction;
	char name[RECORD_STR], service[RECORD_STR];
	uint64_t denied, recorded, not_recorded; /* denied = recorded + not_recorded */
	uint64_t counter;                        /* of the kernel, as it was last read */
	int64_t when;                            /* that reading */
};

/* Replaces what was kept under the same endpoint, namespace and direction. As flows_add(). */
int flows_put_account(struct flows *f, const struct flows_account *a);
/*
 * Those that are kept: what a logger that was started again goes on from. FN's negative return ends it.
 * -EIO with ERR while there is trouble.
 */
int flows_accounts(struct flows *f, int (*fn)(const struct flows_account *a, void *arg), void *arg,
		   struct bh_err *err);

/*
 * Write what waits, as one transaction: all of it or nothing, also after kill -9 and a power failure
 * (which may take the last ones with it). With less than 40 MEGABYTES it may be several, the sums and
 * signals in the last. To be called each 200 ms or so, and when an add returned 1.
 * 0; -EAGAIN: there is trouble, it waits on.
 */
int flows_commit(struct flows *f, int64_t now);

/*
 * A bounded piece of retention, by age and by size, and of giving room back: some ten milliseconds at
 * most. To be called once a second or so; > 0: there is more to do, call it again soon. Also the time
 * at which the write-ahead log is taken over into the database, which waits for the disk.
 */
int flows_tend(struct flows *f, int64_t now);

struct flows_loss {
	uint64_t records, packets, signals; /* since flows_open(), that could not be written */
};
void flows_lost(const struct flows *f, struct flows_loss *ret);
/* One sentence while there is trouble (and BH_FLOWS_STEADY_MS longer), else NULL. */
const char *flows_trouble(const struct flows *f);

/* --- reading ---------------------------------------------------------------------------------- */

struct flows_reader;

/*
 * -ENOENT: there is no history. -EBADMSG: it is damaged, or not one. -EPROTO: of a newer version.
 * -EBUSY, -EACCES, -EIO, ... Root does not open what belongs to somebody else (-EPERM): privs_drop().
 */
int flows_reader_open(int dir, struct flows_reader **ret, struct bh_err *err);
void flows_reader_close(struct flows_reader *r); /* takes NULL */
/* Does a writer hold this history now? */
bool flows_is_kept(int dir);

/* An end as it may be asked for: any of them. */
struct flows_peer {
	const char *word;        /* a service, the id of an endpoint or a name; NULL: */
	struct bh_prefix prefix; /* its addresses */
};

struct flows_span {
	int64_t since, until;
};

/* A segmentation test: when it ran, both ends included, and the source port of its packets. */
struct flows_test {
	struct flows_span span;
	uint16_t port;
};

/* Who made a record, as far as it can be told. */
enum flows_whose {
	FLOWS_ANYBODYS, /* not asked */
	FLOWS_OTHERS,   /* no test: of another time, or its packet is none of a test's */
	FLOWS_UNCLEAR,  /* of the time of a test, and made of counts: no packet, no source port */
	FLOWS_A_TESTS,  /* a packet of a test (model/testmark.h), seen while it ran */
};

/*
 * What is asked for. Lists: entries are alternatives, an empty one is everything. Strings are borrowed
 * and compared byte by byte.
 */
struct flows_filter {
	int64_t since,
		until; /* last seen at SINCE or later, first seen before UNTIL; 0: no bound */
	const struct flows_test *tests;
	size_t n_tests;
	enum flows_whose whose;      /* by TESTS */
	const char *const *services; /* of the endpoint that denied it */
	size_t n_services;
	/* That endpoint: its id, its name, or the first BH_FLOWS_ID_PREFIX_MIN or more bytes of its id. */
	const char *const *endpoints;
	size_t n_endpoints;
	const struct flows_peer *peers; /* the other end */
	size_t n_peers;
	const struct port_spec *ports; /* of the destination */
	size_t n_ports;
	const char *const *rules; /* names, or kinds as docs/record.md has them */
	size_t n_rules;
	const uint32_t *uids;
	size_t n_uids;
	unsigned verdicts;   /* 1 << RECORD_DENY, ...; 0: all */
	unsigned directions; /* 1 << DIRECTION_EGRESS, ...; 0: both */
};

/* Is WORD one of those that a record joins with commas, as services? */
bool flows_is_joined(const char *joined, const char *word);

enum flows_sort { FLOWS_BY_TIME, FLOWS_BY_PACKETS, FLOWS_BY_RECORDS };

/* Where a page ends, and the next one begins. */
struct flows_cursor {
	int64_t value; /* what is sorted by */
	int64_t id;    /* of the record; 0: nothing was there before */
};

struct flows_order {
	enum flows_sort sort;      /* FLOWS_BY_RECORDS: of groups only */
	bool reverse;              /* time: the newest first; packets, records: the least first */
	size_t limit;              /* 0: no limit */
	struct flows_cursor after; /* of records */
	size_t skip;               /* of groups */
};

/*
 * Each record that the filter names, in its order. No lock is held while FN runs, however long that
 * takes; records that retention removes meanwhile are left out. FN gets a record that is its own until
 * it returns; what FN returns below 0 ends it and is returned. *RET_END (may be NULL): behind the last
 * one; *RET_MORE: there are more. -EBADMSG: damaged; -E2BIG: more than BH_FLOWS_READ_MAX.
 */
int flows_query(struct flows_reader *r, const struct flows_filter *f, const struct flows_order *o,
		int (*fn)(const struct flow_record *rec, void *arg), void *arg,
		struct flows_cursor *ret_end, bool *ret_more, struct bh_err *err);

/* The same of signals, by time; filtered by what gave rise to them. */
int flows_query_signals(struct flows_reader *r, const struct flows_filter *f,
			const struct flows_order *o,
			int (*fn)(const struct flow_signal *s, void *arg), void *arg,
			struct flows_cursor *ret_end, bool *ret_more, struct bh_err *err);

/* What can be grouped by. */
enum flows_field {
	FLOWS_SERVICE,
	FLOWS_CONTAINER,
	FLOWS_PEER,    /* service, else name, else id, else address */
	FLOWS_ADDRESS, /* the other end's */
	FLOWS_PORT,
	FLOWS_DIRECTION,
	FLOWS_VERDICT,
	FLOWS_RULE,
	FLOWS_UID,
	FLOWS_PROCESS,
	FLOWS_IMAGE,
	FLOWS_OWNER,
	FLOWS_SCOPE,
	FLOWS_REASON,
};
#define FLOWS_FIELDS 14
const char *flows_field_name(enum flows_field f);            /* "service", "container", ... */
int flows_field_parse(const char *s, enum flows_field *ret); /* -EINVAL */

struct flows_group {
	const char
		*values[BH_FLOWS_BY_MAX]; /* as asked for; "" when not known. Hostile, unescaped */
	uint64_t packets, records;
	int64_t first, last;
};

/* Records and packets over time: those whose first_seen is in each of N equal parts of FROM..TO. */
struct flows_timeline {
	int64_t from, to; /* both 0: from the first record to the last that the filter names */
	size_t n;
	uint64_t *packets; /* N of them, the caller's */
};

struct flows_totals {
	uint64_t records, packets, groups;
	int64_t first, last; /* 0 when there are no records */
};

/*
 * Groups by N of the fields (0: one group of all). TIMELINE and RET may be NULL. FN as above; -E2BIG also
 * when there are more than BH_FLOWS_GROUPS_MAX.
 */
int flows_group(struct flows_reader *r, const struct flows_filter *f, const enum flows_field *by,
		size_t n, const struct flows_order *o,
		int (*fn)(const struct flows_group *g, void *arg), void *arg,
		struct flows_timeline *timeline, struct flows_totals *ret, struct bh_err *err);

/* The accounts as they were committed last, by service and endpoint. */
int flows_sums(struct flows_reader *r, int (*fn)(const struct flows_account *a, void *arg),
	       void *arg, struct bh_err *err);

/* What the history itself has to say. */
struct flows_state {
	uint64_t records, packets;           /* that are there */
	uint64_t aged_records, aged_packets; /* that retention has removed */
	uint64_t lost_records, lost_packets; /* that could not be written, and it was told */
	uint64_t lost_signals;
	int64_t begun; /* when this file was */
};
int flows_summary(struct flows_reader *r, struct flows_state *ret, struct bh_err *err);

/*
 * Records that came since the last call (or since the reader was opened), in the order in which they
 * came; cheap when there are none. F is the same each time, and its times are not looked at. -ESTALE: the file was replaced by another: open it anew. SIGNALS (may
 * be NULL) gets what came of those.
 */
int flows_follow(struct flows_reader *r, const struct flows_filter *f,
		 int (*fn)(const struct flow_record *rec, void *arg),
		 int (*signals)(const struct flow_signal *s, void *arg), void *arg,
		 struct bh_err *err);
/* Of a reader that was opened anew: if its file was begun at SINCE or later, what is there is news, too. */
int flows_follow_since(struct flows_reader *r, int64_t since, struct bh_err *err);

#endif
