/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <stdio.h>

#include <jansson.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/text.h>
#include <bulkhead/enforce/enforce.h>

#include "cli.h"

struct view {
	const struct site *site;
	bool json, strict, colour;
	size_t findings, protected, total;
};

static uint64_t denied(const struct endpoint_status *st)
{
	return st->totals.denied[DIRECTION_EGRESS] + st->totals.denied[DIRECTION_INGRESS];
}

static bool is_finding(const struct view *v, enum endpoint_state state)
{
	if (endpoint_state_is_finding(state))
		return true;
	return v->strict && state != STATE_PROTECTED && state != STATE_PEER;
}

static void print_json(const struct view *v, const struct endpoint_status *st, const char *services)
{
	const struct ruleset_item *item = site_item_of(v->site, st->endpoint);
	char id[256], scopes[512];
	json_t *o;

	bh_escape_str(id, sizeof(id), v->site->endpoints->endpoints[st->endpoint].id);
	o = json_pack("{s:s, s:s, s:s, s:b}", "endpoint", id, "services", services, "state",
		      endpoint_state_name(st->state), "finding", is_finding(v, st->state));

	if (site_scopes_of(v->site, st->endpoint, scopes, sizeof(scopes))[0])
		json_object_set_new(o, "scope", json_string(scopes));
	if (st->why[0])
		json_object_set_new(o, "why", json_string(st->why));
	if (item) {
		json_object_set_new(o, "mode", json_string(mode_name(item->ruleset->mode)));
		json_object_set_new(o, "generation", json_string(item->ruleset->generation));
	}
	if (st->counted) {
		json_object_set_new(o, "denied_packets", json_integer((json_int_t)denied(st)));
		json_object_set_new(o, "forwarded_packets",
				    json_integer((json_int_t)st->totals.forwarded));
	}
	json_dumpf(o, stdout, 0);
	putchar('\n');
	json_decref(o);
}

static const char *colour_of(const struct view *v, enum endpoint_state state)
{
	if (!v->colour)
		return "";
	if (is_finding(v, state))
		return "\033[31m";
	return state == STATE_PROTECTED ? "\033[32m" : "\033[33m";
}

static void print_text(const struct view *v, const struct endpoint_status *st, const char *services)
{
	char who[256];

	cli_endpoint(who, sizeof(who), &v->site->endpoints->endpoints[st->endpoint]);
	printf("%s%-12s%s %-24s %-20s", colour_of(v, st->state), endpoint_state_name(st->state),
	       v->colour ? "\033[0m" : "", who, services[0] ? services : "-");
	if (st->counted)
		printf(" %" PRIu64 " denied", denied(st));
	if (st->counted && st->totals.forwarded) /* rare: whoever sees it should ask why */
		printf(", %" PRIu64 " forwarded", st->totals.forwarded);
	printf("%s%s\n", st->why[0] ? "  " : "", st->why);
}

static int on_status(const struct endpoint_status *st, void *arg)
{
	struct view *v = arg;
	char services[512];

	v->total++;
	v->protected += st->state == STATE_PROTECTED;
	v->findings += is_finding(v, st->state);
	site_services_of(v->site, st->endpoint, services, sizeof(services));
	(v->json ? print_json : print_text)(v, st, services);
	return 0;
}

int cmd_status(struct cli_options *o)
{
	struct bh_err err = BH_ERR_INIT;
	struct view v = { .json = o->json, .strict = o->strict, .colour = cli_colour(stdout) };
	struct site s;
	int code = cli_load(&s, o, NEED_POLICIES | NEED_ENDPOINTS | NEED_RULESETS);

	if (code == CLI_YES) {
		v.site = &s;
		if (enforce_status(&s, on_status, &v, &err) < 0)
			code = cli_fail(CLI_FAILED, "%s", err.msg);
		else if (v.findings)
			code = CLI_NO;
		if (!o->json && code != CLI_FAILED)
			printf("%zu endpoints, %zu protected, %zu %s\n", v.total, v.protected,
			       v.findings, v.findings == 1 ? "finding" : "findings");
	}
	site_done(&s);
	return code;
}
