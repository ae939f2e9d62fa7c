/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef REPORT_JUDGE_H
#define REPORT_JUDGE_H

#include "facts.h"

/*
 * One requirement being judged. A finding makes it a finding; something unknown makes it not assessed;
 * without either it is met, if there is evidence.
 */
struct judging {
	const json_t *report;
	json_t *findings, *unknown, *evidence;
	json_t *n_findings, *n_unknown; /* how many there are of each kind */
	json_t *finding_keys,
		*unknown_keys; /* beside each: what it is known by in another report */
	const char *key;       /* that of what is said; NULL: all of it but what is in VARIES() */
	const char *kind; /* of what is said; NULL: what is said by one format is of one kind */
	size_t more, more_unknown; /* that were not kept */
};

/* Of a format: what may be another the next time, and it is the same matter. A count, an age, a line. */
#define VARIES_BEGIN '\1'
#define VARIES_END   '\2'
#define VARIES(fmt)  "\1" fmt "\2"

void judge_found(struct judging *j, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void judge_unknown(struct judging *j, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void judge_evidence(struct judging *j, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

struct requirement {
	const char *id, *title; /* in our own words */
	const char *checked;    /* what is looked at */
	const char *left;       /* what a tool cannot show, and people must; NULL: nothing */
	void (*judge)(struct judging *j);
};

/* The parts of the table, in order; each ends with an entry without an id. */
extern const struct requirement requirements_config[]; /* 1.2.1 to 1.2.4, 1.2.8 */
extern const struct requirement requirements_flows[];  /* 1.2.5 to 1.2.7, 1.3, 1.4 */
extern const struct requirement requirements_trail[];  /* 10, 11 */

/* Every endpoint of the scope holds what the policies ask for: read back from its kernel. */
void judge_enforced(struct judging *j);
/* What verify found that voids requirement ID; it has been looked at where it must be. */
void judge_verified(struct judging *j, const char *id);
/*
 * The daemon compared all endpoints with the policies a short while ago; else RET says what is wrong with
 * when it did.
 */
/*
 * The trail has all that it ever had, as far as can be seen: nothing that is kept is older than its first entry,
 * or that was removed in order (prune). Else a finding.
 */
void judge_begins(struct judging *j);
/* The same, and what is left is as it was written. */
void judge_whole(struct judging *j);
/* When no daemon ran, and when not all was recorded. */
void judge_gaps(struct judging *j);
#define JUDGE_STR 256
bool judge_is_recent(const struct judging *j, char ret[JUDGE_STR]);
/* "state" of section WHAT is "read"; otherwise why not is said as unknown. */
bool judge_was_read(struct judging *j, const char *what, const char *title);

#define JUDGE_DAY    86400
#define JUDGE_SECOND 1  /* of a time that was cut off to whole ones */
#define JUDGE_LATE   60 /* seconds that what was looked at may be newer than the report */

#endif
