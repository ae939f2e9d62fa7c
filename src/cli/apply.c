/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>

#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>

#include "applied.h"
#include "cli.h"
#include "record.h"

static int write_tables(struct site *s, struct applied *a)
{
	struct bh_err err = BH_ERR_INIT;
	int r = a->clean ? enforce_clean(s, applied_result, a, &err)
			 : enforce_apply(s, applied_result, a, &err);

	return r < 0 ? cli_fail(CLI_FAILED, "%s", err.msg) : CLI_YES;
}

static int load(struct site *s, const struct cli_options *o)
{
	unsigned need = NEED_ENDPOINTS;
	int code;

	if (!o->clean)
		need |= NEED_POLICIES | NEED_RULESETS;
	code = cli_load(s, o, need);
	if (code == CLI_YES && !o->clean && !s->policies->n_services && !s->policies->n_guardrails)
		code = cli_fail(CLI_USAGE, "apply: there is not one service in the policies; "
					   "bulkhead apply --clean takes all tables away");
	if (code == CLI_YES && !o->clean && (o->strict || s->host.strict))
		code = cli_preflight(s, o, "apply", true);
	return code;
}

static int apply_here(struct applied *a, struct cli_options *o)
{
	struct record rec;
	struct site s;
	int code;

	if (o->confirm)
		return cli_fail(
			CLI_FAILED,
			"apply: --confirm needs a bulkheadd, which takes it back when nobody "
			"confirms; start it, or apply without --confirm");
	code = record_begin(&rec, o, "apply", false);
	if (code != CLI_YES) {
		audit_close(rec.trail);
		return code;
	}
	code = load(&s, o);
	a->site = &s;
	if (code == CLI_YES)
		code = write_tables(&s, a);
	if (code == CLI_YES && a->n[APPLY_FAILED])
		code = CLI_FAILED;
	code = record_end(&rec, o->clean ? "clean" : "apply", &s, code);
	site_done(&s);
	return code;
}

static int take_confirm(struct cli_options *o)
{
	char shown[64];
	uint64_t seconds;

	if (!o->confirm)
		return CLI_YES;
	if (o->clean)
		return cli_fail(CLI_USAGE, "apply: --clean is not taken back: it goes without "
					   "--confirm");
	if (bh_parse_duration(o->confirm, BH_CONFIRM_MIN_S, BH_CONFIRM_MAX_S, &seconds) < 0)
		return cli_fail(
			CLI_USAGE,
			"apply: --confirm takes a time from 1s to 1h, like 60s or 5m, not '%s'",
			bh_escape_str(shown, sizeof(shown), o->confirm));
	o->confirm_seconds = (unsigned)seconds;
	return CLI_YES;
}

int cmd_apply(struct cli_options *o)
{
	struct applied a = { .json = o->json, .clean = o->clean };
	int code = take_confirm(o);

	if (code != CLI_YES)
		return code;
	if (o->clean && o->strict)
		return cli_fail(CLI_USAGE,
				"apply: --clean holds nothing: it goes without --strict");
	code = o->clean ? CLI_NO_DAEMON : cli_ask_daemon(o, "apply", applied_item, &a);
	if (code == CLI_NO_DAEMON)
		code = apply_here(&a, o);
	return applied_end(&a, code);
}
