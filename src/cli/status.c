/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <stdio.h>

#include <jansson.h>

#include <bulkhead/base/limits.h>
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

static bool is_finding(const struct view *v, const struct endpoint_status *st)
{
	if (endpoint_state_is_finding(st->state))
		return true;
	return v->strict && st->state != STATE_PEER &&
	       (st->state != STATE_PROTECTED || st->n_members > 1);
}

static json_t *id_of(const struct view *v, size_t endpoint)
{
	char id[256];

	return json_string(
		bh_escape_str(id, sizeof(id), v->site->endpoints->endpoints[endpoint].id));
}

/* What a program may want to tell apart without reading the sentence. */
static void add_reasons(const struct view *v, const struct endpoint_status *st, json_t *o)
{
	json_t *others;

	if (st->obstacle)
		json_object_set_new(o, "obstacle",
				    json_string(endpoint_obstacle_word(st->obstacle)));
	if (st->obstacle && st->obstacle_of != st->endpoint)
		json_object_set_new(o, "obstacle_of", id_of(v, st->obstacle_of));
	if (st->n_members < 2)
		return;
	others = json_array();
	for (size_t k = 0; k < st->n_members; k++)
		if (st->members[k] != st->endpoint &&
		    json_array_size(others) < BH_STATUS_MEMBERS_LISTED_MAX)
			json_array_append_new(others, id_of(v, st->members[k]));
	json_object_set_new(o, "shares_with", others);
	json_object_set_new(o, "sharers", json_integer((json_int_t)st->n_members - 1));
}

static void print_json(const struct view *v, const struct endpoint_status *st, const char *services)
{
	const struct ruleset_item *item = site_item_of(v->site, st->endpoint);
	char scopes[512];
	json_t *o = json_pack("{s:o, s:s, s:s, s:b}", "endpoint", id_of(v, st->endpoint),
			      "services", services, "state", endpoint_state_name(st->state),
			      "finding", is_finding(v, st));

	if (site_scopes_of(v->site, st->endpoint, scopes, sizeof(scopes))[0])
		json_object_set_new(o, "scope", json_string(scopes));
	if (st->why[0])
		json_object_set_new(o, "why", json_string(st->why));
	add_reasons(v, st, o);
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

static const char *colour_of(const struct view *v, const struct endpoint_status *st)
{
	if (!v->colour)
		return "";
	if (is_finding(v, st))
		return "\033[31m";
	return st->state == STATE_PROTECTED ? "\033[32m" : "\033[33m";
}

static void print_text(const struct view *v, const struct endpoint_status *st, const char *services)
{
	char who[256];

	endpoint_format(who, sizeof(who), &v->site->endpoints->endpoints[st->endpoint]);
	printf("%s%-12s%s %-24s %-20s", colour_of(v, st), endpoint_state_name(st->state),
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
	v->findings += is_finding(v, st);
	site_services_of(v->site, st->endpoint, services, sizeof(services));
	(v->json ? print_json : print_text)(v, st, services);
	return 0;
}

static const char *kernel_word(const struct kernel_status *k)
{
	return k->finding ? CLI_UNSUPPORTED : k->lacks[0] ? "limited" : "supported";
}

/* What it does without is told; a finding it is only for the strict. */
static bool kernel_is_finding(const struct view *v, const struct kernel_status *k)
{
	return k->finding || (v->strict && k->lacks[0]);
}

static void print_kernel_json(const struct view *v, const struct kernel_status *k)
{
	json_t *o = json_pack("{s:s, s:s, s:b}", "kernel", CLI_KERNEL, "state", kernel_word(k),
			      "finding", kernel_is_finding(v, k));

	if (k->why[0])
		json_object_set_new(o, "why", json_string(k->why));
	if (k->lacks[0])
		json_object_set_new(o, "lacks", json_string(k->lacks));

	json_dumpf(o, stdout, 0);
	putchar('\n');
	json_decref(o);
}

/* A line of its own: what the kernel gives no single endpoint can tell. */
static void print_kernel(struct view *v)
{
	struct kernel_status k;

	enforce_kernel_status(&k, NULL);
	v->findings += kernel_is_finding(v, &k);
	if (v->json) {
		print_kernel_json(v, &k);
		return;
	}
	if (!k.why[0] && !k.lacks[0])
		return;
	printf("%s%-12s%s %-24s %-20s  %s%s%s\n",
	       !v->colour	       ? ""
	       : kernel_is_finding(v, &k) ? "\033[31m"
				       : "\033[33m",
	       kernel_word(&k), v->colour ? "\033[0m" : "", "this kernel", "-", k.why,
	       k.why[0] && k.lacks[0] ? "; " : "", k.lacks);
}

static int print_all(struct view *v, struct site *s)
{
	struct bh_err err = BH_ERR_INIT;

	v->site = s;
	if (enforce_status(s, on_status, v, &err) < 0)
		return cli_fail(CLI_FAILED, "%s", err.msg);
	print_kernel(v);
	if (!v->json)
		printf("%zu endpoints, %zu protected, %zu %s\n", v->total, v->protected,
		       v->findings, v->findings == 1 ? "finding" : "findings");
	return v->findings ? CLI_NO : CLI_YES;
}

int cmd_status(struct cli_options *o)
{
	struct view v = { .json = o->json, .strict = o->strict, .colour = cli_colour(stdout) };
	struct site s;
	int code = cli_load(&s, o, NEED_POLICIES | NEED_ENDPOINTS | NEED_RULESETS);

	if (code == CLI_YES)
		code = print_all(&v, &s);
	site_done(&s);
	return code;
}
