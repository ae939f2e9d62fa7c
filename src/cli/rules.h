/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_RULES_H
#define CLI_RULES_H

#include <bulkhead/compile/compile.h>
#include <bulkhead/store/rules.h>

#include "cli.h"

/* What is known of the use of policy rules; for `rules`, and for whoever reports on them. */

struct rule_hits {
	struct flows_rule *all; /* by name */
	size_t n;
	bool kept;            /* there is a history, and it could be read */
	bool missing;         /* there is none */
	int64_t apart;        /* since when hits of segmentation tests are no use; microseconds */
	char why[BH_ERR_MAX]; /* without: the reason, escaped */
};

/*
 * From the history that the options name. Root leaves its rights for those of whom the history belongs to,
 * for good (denied_open()): load all else before. 0, also without a history; -ENOMEM.
 */
int rule_hits_load(const struct cli_options *o, struct rule_hits *ret);
/* From a history that is open. */
int rule_hits_read(struct flows_reader *r, struct rule_hits *ret);
void rule_hits_done(struct rule_hits *h);

enum rule_use {
	RULE_USED,    /* hit within the window */
	RULE_UNUSED,  /* watched for the whole window, or longer, and not hit in it */
	RULE_UNKNOWN, /* not watched for so long */
	RULE_EXPIRED, /* it allows nothing any more */
};
const char *rule_use_name(enum rule_use u); /* "used", "unused", "not-yet-known", "expired" */

struct rule_judgement {
	enum rule_use use;
	const struct flows_rule *hits; /* NULL: nothing was ever counted; borrowed */
	bool apart;                    /* its last hit is none of a segmentation test */
	char why[160];                 /* of UNKNOWN: a sentence */
};

#define RULES_WINDOW_S (90 * 86400) /* when nothing else is asked for */
/* WINDOW and NOW: seconds. */
void rule_judge(const struct rule_hits *h, const struct compile_rule *r, int64_t now,
		int64_t window, struct rule_judgement *ret);
/* The object of docs/rules.md; the caller's. NULL: out of memory. */
json_t *rule_json(const struct compile_rule *r, const struct rule_judgement *j);

#endif
