/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <jansson.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/policy/schema.h>

#include "cli.h"

int cmd_schema(struct cli_options *o)
{
	struct bh_buf line;
	json_t *schema = NULL;
	int r;

	bh_buf_init(&line, BH_JSON_SCHEMA_BYTES_MAX);
	r = o->host ? host_json_schema(&line) : policy_json_schema(&line);
	if (r >= 0)
		schema = json_loadb(line.data, line.len, 0, NULL);
	bh_buf_done(&line);
	if (!schema)
		return cli_fail(CLI_FAILED, "schema: out of memory");
	json_dumpf(schema, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	putchar('\n');
	json_decref(schema);
	return CLI_YES;
}
