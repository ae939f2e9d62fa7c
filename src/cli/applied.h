/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_APPLIED_H
#define CLI_APPLIED_H

#include <bulkhead/enforce/report.h>

#include "cli.h"

/* What an apply did, told from the objects of report.h, whoever made them: this process or a daemon. */
struct applied {
	const struct site *site; /* of this process; NULL: a daemon's */
	bool json, clean;
	const char *head; /* of the sum; NULL: "applied" or "cleaned" */
	size_t n[APPLY_FAILED + 1];
};

/* ARG is the struct applied. Takes O. Failures and repairs are said one by one, the rest in the sum. */
int applied_item(json_t *o, void *arg);
int applied_result(const struct apply_result *res, void *arg);
/* The last line, unless JSON is wanted. CODE, or CLI_FAILED when some namespace failed. */
int applied_end(const struct applied *a, int code);

#endif
