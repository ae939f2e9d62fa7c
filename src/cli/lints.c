/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>

#include <jansson.h>

#include <bulkhead/policy/lint.h>

#include "cli.h"

static void print_json(const struct lint_info *l)
{
	json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:b, s:b}", "id", l->id, "title", l->title,
			      "why", l->why, "fix", l->fix, "needs_endpoints", l->endpoints,
			      "can_be_accepted", !l->always);

	cli_print_object(o);
	json_decref(o);
}

void cli_print_lints(bool json)
{
	for (size_t i = 0; i < lints_n; i++) {
		const struct lint_info *l = &lints[i];

		if (json)
			print_json(l);
		else
			printf("%s\n  %s\n  %s\n  %s\n", l->id, l->title, l->why, l->fix);
	}
}
