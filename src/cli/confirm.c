/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>

#include "applied.h"
#include "cli.h"

/* What waits does so in a daemon: without one there is nothing to confirm. */
int cmd_confirm(struct cli_options *o)
{
	struct applied a = { .json = o->json };
	int code = cli_ask_daemon(o, "confirm", applied_item, &a);

	if (code == CLI_NO_DAEMON)
		return cli_fail(CLI_FAILED, "confirm: no bulkheadd answers; what waits is judged "
					    "by its time when one starts");
	if (code == CLI_YES && !o->json)
		puts("confirmed");
	return code;
}
