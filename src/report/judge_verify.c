/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

#include "judge.h"

/* What `verify` finds beside the tables, and which requirements it voids (docs/report.md). */

/* Whatever is said of what may pass, and is read from the tables. */
#define PASSING "1.3.1 1.3.2 1.4.2 1.4.4"
/* The same, false sources, and that what is active is what is approved. */
#define HELD "1.2.8 1.4.3 " PASSING

/* Every kind of docs/verify.md; what is not here counts as HELD. */
static const struct {
	const char *finding, *voids;
} kinds[] = {
	{ "audit-mode", HELD },
	{ "device-unhooked", HELD },
	{ "devices-too-many", HELD },
	{ "drift", HELD },
	{ "foreign-chain", "1.2.8" },
	{ "foreign-rewrites", HELD },
	{ "guardrails-only", "1.2.8 " PASSING },
	{ "host-network", HELD " 10.2" },
	{ "kernel-limited", HELD },
	{ "kernel-unsupported", HELD " 10.2" },
	{ "mode-off", HELD " 10.2" },
	{ "neighbour-unheld", HELD },
	{ "net-admin", HELD },
	{ "no-daemon", "1.2.8 10.7" },
	{ "not-enforced", HELD " 10.2" },
	{ "not-in-force", "1.2.2 1.2.5 " HELD },
	{ "nothing-checked", HELD },
	{ "own-stack", HELD " 10.2" },
	{ "privileged", HELD },
	{ "raw-sockets", HELD " 10.2" },
	{ "service-empty", HELD },
	{ "shared", "1.2.8 " PASSING },
	{ "unlisted-namespace", "1.2.3 1.2.4 " HELD },
	{ "unmanaged", HELD },
	{ "unowned", "1.2.8" },
	{ "unreachable", "1.2.3 " HELD },
	{ "vanished", HELD },
};

/* Is ID one of those, with spaces between? */
static bool is_among(const char *list, const char *id)
{
	size_t len = strlen(id);

	while (*list) {
		size_t n = strcspn(list, " ");

		if (n == len && strncmp(list, id, n) == 0)
			return true;
		list += n + (list[n] == ' ');
	}
	return false;
}

static bool voids(const json_t *f, const char *id)
{
	for (size_t i = 0; i < BH_ARRAY_SIZE(kinds); i++)
		if (fact_equals(f, "finding", kinds[i].finding))
			return is_among(kinds[i].voids, id);
	return is_among(HELD, id);
}

/* By whom and of which kind: what it says of it may be another the next time. */
static void say_of(struct judging *j, const json_t *f, char key[BH_REPORT_TEXT_MAX])
{
	j->kind = fact_text(f, "finding");
	snprintf(key, BH_REPORT_TEXT_MAX, "verify: %s (%s)", fact_text(f, "name"), j->kind);
	j->key = key;
}

void judge_verified(struct judging *j, const char *id)
{
	char key[BH_REPORT_TEXT_MAX];
	size_t i;
	json_t *f;

	if (is_among(HELD, id))
		judge_was_read(j, "verify", "bulkhead verify");
	fact_each (j->report, "verify.unknown", i, f) {
		say_of(j, f, key);
		if (voids(f, id))
			judge_unknown(j, "verify: %s", fact_text(f, "text"));
	}
	fact_each (j->report, "verify.findings", i, f) {
		say_of(j, f, key);
		if (voids(f, id))
			judge_found(j, "verify: %s", fact_text(f, "text"));
	}
	j->kind = j->key = NULL;
}
