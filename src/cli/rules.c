/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rules.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <bulkhead/base/text.h>
#include <bulkhead/store/inforce.h>

#define USEC INT64_C(1000000)

struct view {
	const struct cli_options *o;
	const struct rule_hits *hits;
	int64_t now, window; /* seconds */
	bool colour;
	size_t n, uses[RULE_EXPIRED + 1];
	size_t mixed; /* of those that are used: by a segmentation test, perhaps */
};

/* --- what is asked for -------------------------------------------------------------------------- */

static bool is_among(const struct cli_words *w, const char *s)
{
	for (size_t i = 0; s && i < w->n; i++)
		if (strcmp(w->words[i], s) == 0)
			return true;
	return !w->n;
}

static bool is_asked_for(const struct view *v, const struct compile_rule *r)
{
	if (r->guardrail)
		return !v->o->services.n && is_among(&v->o->scopes, r->guardrail->scope);
	return is_among(&v->o->services, r->service->name) &&
	       is_among(&v->o->scopes, r->service->scope);
}

/* A name that is nobody's would give an empty list, which reads as if all were well. */
static int check_names(const struct cli_options *o, const struct policy_set *p)
{
	char shown[128];

	for (size_t i = 0; i < o->scopes.n; i++)
		if (!policy_set_scope(p, o->scopes.words[i]))
			return cli_fail(CLI_USAGE, "rules: there is no scope '%s'",
					bh_escape_str(shown, sizeof(shown), o->scopes.words[i]));
	for (size_t i = 0; i < o->services.n; i++)
		if (!policy_set_service(p, o->services.words[i]))
			return cli_fail(CLI_USAGE, "rules: there is no service '%s'",
					bh_escape_str(shown, sizeof(shown), o->services.words[i]));
	return CLI_YES;
}

static int parse_window(const struct cli_options *o, int64_t now, int64_t *ret)
{
	char shown[128];
	int64_t since;

	*ret = RULES_WINDOW_S;
	if (!o->unused)
		return CLI_YES;
	bh_escape_str(shown, sizeof(shown), o->unused);
	if (cli_when_parse(o->unused, now * USEC, &since) < 0)
		return cli_fail(CLI_USAGE, "rules: --unused '%s': " CLI_WHEN_HINT, shown);
	*ret = now - since / USEC;
	if (*ret <= 0)
		return cli_fail(CLI_USAGE, "rules: --unused '%s' is not in the past", shown);
	return CLI_YES;
}

/* --- printing ---------------------------------------------------------------------------------- */

static const char *colour_of(const struct view *v, enum rule_use u)
{
	static const char *const colours[] = { [RULE_USED] = "\033[32m",
					       [RULE_UNUSED] = "\033[31m",
					       [RULE_UNKNOWN] = "\033[33m",
					       [RULE_EXPIRED] = "\033[33m" };

	return v->colour ? colours[u] : "";
}

static void print_field(const json_t *o, const char *key)
{
	if (cli_text(o, key)[0])
		printf(" %s %s", key, cli_text(o, key));
}

static void print_probes(const struct rule_judgement *j, const char *last)
{
	if (j->hits && j->hits->probe_packets)
		printf("  (%s: %" PRIu64 " packets, last %s)",
		       j->hits->packets ? "segmentation tests" : "hit by segmentation tests alone",
		       j->hits->probe_packets, last);
}

static void print_text(const struct view *v, const struct rule_judgement *j, const json_t *o)
{
	const char *hit = cli_text(o, "last_hit");

	printf("%s%-13s%s %-40s %12" PRIu64, colour_of(v, j->use), rule_use_name(j->use),
	       v->colour ? "\033[0m" : "", cli_text(o, "rule"), j->hits ? j->hits->packets : 0);
	printf(" %-24s %s:%lld", hit[0] ? hit : "never", cli_text(o, "file"),
	       (long long)json_integer_value(json_object_get(o, "line")));
	print_field(o, "owner");
	print_field(o, "ticket");
	print_field(o, "reviewed");
	print_field(o, "expires");
	if (cli_text(o, "reason")[0])
		printf("  %s", cli_text(o, "reason"));
	if (j->why[0])
		printf("  (%s)", j->why);
	print_probes(j, cli_text(o, "last_probe"));
	putchar('\n');
}

static int on_rule(const struct compile_rule *r, void *arg)
{
	struct view *v = arg;
	struct rule_judgement j;
	json_t *o;

	if (!is_asked_for(v, r))
		return 0;
	rule_judge(v->hits, r, v->now, v->window, &j);
	v->n++;
	v->uses[j.use]++;
	v->mixed += j.use == RULE_USED && !j.apart;
	if (v->o->unused && j.use != RULE_UNUSED)
		return 0;
	o = rule_json(r, &j);
	if (v->o->json)
		cli_print_object(o);
	else
		print_text(v, &j, o);
	json_decref(o);
	return 0;
}

/* What was asked for; left out where all was. */
static void put_words(json_t *o, const char *key, const struct cli_words *w)
{
	json_t *list = json_array();

	for (size_t i = 0; i < w->n; i++)
		json_array_append_new(list, json_string(w->words[i]));
	if (w->n)
		json_object_set(o, key, list);
	json_decref(list);
}

static void print_sums(const struct view *v, const struct policy_set *p)
{
	const size_t *n = v->uses;
	json_t *o;

	if (!v->o->json) {
		printf("rules: %zu; used: %zu, unused: %zu, not yet known: %zu, expired: %zu\n",
		       v->n, n[RULE_USED], n[RULE_UNUSED], n[RULE_UNKNOWN], n[RULE_EXPIRED]);
		return;
	}
	o = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:b}", "rules", (json_int_t)v->n,
		      "used", (json_int_t)n[RULE_USED], "unused", (json_int_t)n[RULE_UNUSED],
		      "not_yet_known", (json_int_t)n[RULE_UNKNOWN], "expired",
		      (json_int_t)n[RULE_EXPIRED], "not_apart", (json_int_t)v->mixed,
		      "window_seconds", (json_int_t)v->window, "policies", p->digest, "history",
		      v->hits->kept);
	cli_put_run(o);
	put_words(o, "scopes", &v->o->scopes);
	put_words(o, "services", &v->o->services);
	cli_print_object(o);
	json_decref(o);
}

/* --- the verb ---------------------------------------------------------------------------------- */

/* The list is of files: those that are in force may be others. Before root leaves its rights. */
static void compare_in_force(const struct cli_options *o, const struct policy_set *p)
{
	struct in_force now;

	if (in_force_load(o->store, &now, NULL) < 0 || !now.id[0])
		return;
	if (strncmp(now.id, p->digest, strlen(p->digest)) != 0)
		cli_fail(CLI_NO,
			 "rules: the policies in force are %.12s, and these files say "
			 "%.12s: what is listed is of the files",
			 now.id, p->digest);
}

/* YES only when each rule is known to be used: what is not known is no answer. */
static int list(struct view *v, const struct policy_set *p)
{
	struct bh_err err = BH_ERR_INIT;

	if (!v->hits->kept)
		cli_fail(CLI_NO, "rules: %s", v->hits->why);
	if (compile_each_rule(p, on_rule, v, &err) < 0)
		return cli_fail(CLI_FAILED, "%s", err.msg);
	print_sums(v, p);
	if (!v->hits->kept && !v->hits->missing)
		return CLI_FAILED;
	if (!v->n)
		return cli_fail(CLI_NO, "rules: there is no rule, and nothing was judged");
	return v->o->unused && (v->uses[RULE_UNUSED] || v->uses[RULE_UNKNOWN]) ? CLI_NO : CLI_YES;
}

int cmd_rules(struct cli_options *o)
{
	struct view v = { .o = o, .now = time(NULL), .colour = cli_colour(stdout) };
	struct rule_hits hits = { 0 };
	struct site s;
	int code;

	site_init(&s);
	code = parse_window(o, v.now, &v.window);
	if (code == CLI_YES)
		code = cli_load(&s, o, NEED_POLICIES);
	if (code == CLI_YES)
		code = check_names(o, s.policies);
	if (code == CLI_YES) {
		compare_in_force(o, s.policies);
		v.hits = &hits;
		code = rule_hits_load(o, &hits) < 0 ? cli_fail(CLI_FAILED, "out of memory")
						    : list(&v, s.policies);
	}
	rule_hits_done(&hits);
	site_done(&s);
	return code;
}
