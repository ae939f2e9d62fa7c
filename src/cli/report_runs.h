/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_REPORT_RUNS_H
#define CLI_REPORT_RUNS_H

#include "report.h"

/* Times in which no daemon ran, or not all was recorded: from the entries of the trail, in their order. */

enum run_state { RUN_NEVER, RUN_ON, RUN_OFF };

#define RUNS_DAY (INT64_C(86400) * 1000000)

struct run_reading {
	int64_t from; /* what was over by then is not looked at */
	json_t *gaps;
	size_t more;          /* gaps that were left out: the oldest */
	size_t more_restarts; /* the same of restarts in order, which go first */
	enum run_state state;
	int64_t at;   /* when it became so */
	int64_t seen; /* RUN_ON: its last entry */
	bool failed;  /* RUN_OFF: it ended by a failure */
	bool marks;   /* the last start was of a version that keeps a mark */
	char boot[BOOT_ID_MAX];
	int64_t first;   /* the first start; 0: none yet */
	int64_t earlier; /* a run that ended then is known, and no entry of it is there; 0: none */
	int64_t deaf;    /* since when not all is recorded; 0: it is */
	char deaf_why[RUN_STR];
};

/* T: of the entry, microseconds since the epoch. */
void runs_entry(struct run_reading *r, const json_t *entry, int64_t t);
/* "runs" of the trail; ends R. */
json_t *runs_object(struct run_reading *r, const struct gathering *g);

#endif
