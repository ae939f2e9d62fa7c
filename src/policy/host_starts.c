/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host.h"

#include <stddef.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

/* starts: what who starts a container does, and for how long it waits. */

static const char *const without_words[] = {
	[STARTS_FAIL] = "fail", [STARTS_QUARANTINE] = "quarantine", NULL
};
_Static_assert(sizeof(enum starts_without) == sizeof(int), "without-daemon is read as an int");

static int read_wait(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	struct host_config *c = out;
	uint64_t seconds;

	if (bh_parse_duration(n->text, 1, BH_STARTS_WAIT_MAX_S, &seconds) < 0)
		mistake(rd, n, "bad-value", "write it as 10s or 1m",
			"\"wait\" takes a time from 1s to %dm, not \"%s\"",
			BH_STARTS_WAIT_MAX_S / 60, SHOWN(n->text));
	else
		c->starts.wait_s = (uint32_t)seconds;
	return 0;
}

static int read_oci_runtime(struct reader *rd, const struct field *f, const struct node *n,
			    void *out)
{
	struct host_config *c = out;

	return host_read_path(rd, f, n, "the path of a program", HOST_PATH_MAX, &c->starts.runtime);
}

static const struct field starts_fields[] = {
	{ .key = "without-daemon",
	  .about = "What becomes of a start when bulkheadd does not answer",
	  .takes = TAKES_TEXT,
	  .read = schema_read_word,
	  .offset = offsetof(struct host_config, starts.without_daemon),
	  .words = without_words,
	  .example = "without-daemon: fail" },
	{ .key = "wait",
	  .about = "How long a start waits for its policy",
	  .shape = SHAPE_DURATION,
	  .takes = TAKES_TEXT,
	  .read = read_wait,
	  .example = "wait: 10s" },
	{ .key = "runtime",
	  .about = "The OCI runtime that bulkhead-runc becomes",
	  .shape = SHAPE_PATH,
	  .takes = TAKES_TEXT,
	  .read = read_oci_runtime,
	  .example = "runtime: /usr/sbin/runc" },
};

const struct schema host_starts_schema = SCHEMA("starts", starts_fields, NULL);

int host_read_starts(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	return schema_read(rd, &host_starts_schema, n, out);
}
