/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rules.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>

#include "denied.h"

#define USEC INT64_C(1000000)

/* --- the sums ---------------------------------------------------------------------------------- */

static int on_rule(const struct flows_rule *rule, void *arg)
{
	struct rule_hits *h = arg;

	if (h->n == BH_RULE_SUMS_MAX)
		return -E2BIG;
	if ((h->n & (h->n - 1)) == 0) {
		size_t room = h->n ? 2 * h->n : 1;
		struct flows_rule *more = realloc(h->all, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		h->all = more;
	}
	h->all[h->n++] = *rule;
	return 0;
}

int rule_hits_read(struct flows_reader *r, struct rule_hits *ret)
{
	struct bh_err err = BH_ERR_INIT;
	int q;

	*ret = (struct rule_hits) { 0 };
	q = flows_rules_apart(r, &ret->apart, &err);
	if (q >= 0)
		q = flows_rules(r, on_rule, ret, &err);
	ret->kept = q >= 0;
	if (q < 0)
		snprintf(ret->why, sizeof(ret->why), "the history cannot be read: %.400s",
			 err.msg[0] ? err.msg : strerrordesc_np(-q));
	return q == -ENOMEM ? q : 0;
}

int rule_hits_load(const struct cli_options *o, struct rule_hits *ret)
{
	struct bh_err err = BH_ERR_INIT;
	struct denied_store s;
	int r = denied_open_quietly(o, &s, &err);

	*ret = (struct rule_hits) { .missing = r == -ENOENT };
	if (r == -ENOENT)
		snprintf(ret->why, sizeof(ret->why),
			 "%.300s: there is no history: only a bulkheadd keeps what rules let pass",
			 s.path);
	else if (r < 0)
		snprintf(ret->why, sizeof(ret->why), "the history cannot be read: %.400s", err.msg);
	else
		r = rule_hits_read(s.reader, ret);
	denied_close(&s);
	return r == -ENOMEM ? r : 0;
}

void rule_hits_done(struct rule_hits *h)
{
	free(h->all);
	*h = (struct rule_hits) { 0 };
}

static int by_name(const void *name, const void *rule)
{
	return strcmp(name, ((const struct flows_rule *)rule)->name);
}

/* --- judging ----------------------------------------------------------------------------------- */

const char *rule_use_name(enum rule_use u)
{
	static const char *const names[] = {
		[RULE_USED] = "used",
		[RULE_UNUSED] = "unused",
		[RULE_UNKNOWN] = "not-yet-known",
		[RULE_EXPIRED] = "expired",
	};

	return names[u];
}

static int unknown(struct rule_judgement *j, const char *why)
{
	snprintf(j->why, sizeof(j->why), "%s", why);
	return RULE_UNKNOWN;
}

static int watched_too_short(struct rule_judgement *j, int64_t window)
{
	long long days = j->hits->watched / USEC / 86400, hours = j->hits->watched / USEC / 3600;

	snprintf(j->why, sizeof(j->why), "watched for %lld %s of the %lld %s that are asked for",
		 days ? days : hours, days ? "days" : "hours",
		 (long long)(window >= 86400 ? window / 86400 : window),
		 window >= 86400 ? "days" : "seconds");
	return RULE_UNKNOWN;
}

/* A rule that was hit is used, however short it was watched; one that was not must be watched first. */
static int judge_hits(const struct rule_hits *h, struct rule_judgement *j, int64_t window)
{
	const struct flows_rule *rule = j->hits;

	if (!h->kept)
		return unknown(j, h->missing ? "no history is kept" : "the history cannot be read");
	if (!rule)
		return unknown(j, "it was in no namespace that was watched: its service has no "
				  "container, or none that it names is there");
	if (rule->packets && rule->idle < window * USEC)
		return RULE_USED;
	return rule->watched < window * USEC ? watched_too_short(j, window) : RULE_UNUSED;
}

void rule_judge(const struct rule_hits *h, const struct compile_rule *r, int64_t now,
		int64_t window, struct rule_judgement *ret)
{
	*ret = (struct rule_judgement) { 0 };
	if (h->n)
		ret->hits = bsearch(r->name, h->all, h->n, sizeof(*h->all), by_name);
	ret->apart = ret->hits && ret->hits->last_hit >= h->apart;
	if (r->rule && r->rule->expires && r->rule->expires <= now)
		ret->use = RULE_EXPIRED;
	else if (r->service && r->service->mode == MODE_OFF)
		ret->use = (enum rule_use)unknown(ret, "its service has mode: off: nothing counts");
	else
		ret->use = (enum rule_use)judge_hits(h, ret, window);
}

/* --- JSON -------------------------------------------------------------------------------------- */

static void put_text(json_t *o, const char *key, const char *s)
{
	struct bh_buf text;

	if (!s)
		return;
	bh_buf_init(&text, BH_POLICY_SET_BYTES_MAX);
	bh_tame(&text, s, strlen(s));
	json_object_set_new(o, key, json_string(bh_buf_str(&text)));
	bh_buf_done(&text);
}

static void put_time(json_t *o, const char *key, int64_t usec)
{
	char text[BH_TIME_STR];

	if (usec)
		json_object_set_new(o, key, json_string(bh_format_time(text, usec)));
}

static void put_number(json_t *o, const char *key, int64_t v)
{
	json_object_set_new(o, key, json_integer(v));
}

static void put_hits(json_t *o, const struct rule_judgement *j)
{
	const struct flows_rule *rule = j->hits;

	put_number(o, "packets", (int64_t)rule->packets);
	put_number(o, "bytes", (int64_t)rule->bytes);
	put_time(o, "first_hit", rule->first_hit);
	put_time(o, "last_hit", rule->last_hit);
	put_time(o, "since", rule->since);
	put_time(o, "read", rule->read);
	put_number(o, "watched_seconds", rule->watched / USEC);
	put_number(o, "idle_seconds", rule->idle / USEC);
	put_number(o, "probe_packets", (int64_t)rule->probe_packets);
	put_time(o, "last_probe", rule->last_probe);
	if (rule->last_hit)
		json_object_set_new(o, "apart", json_boolean(j->apart));
}

static void put_reasons(json_t *o, const struct rule *rule)
{
	put_text(o, "name", rule->name);
	put_text(o, "reason", rule->reason);
	put_text(o, "ticket", rule->ticket);
	put_text(o, "reviewed", rule->reviewed);
	put_time(o, "expires", rule->expires * USEC);
}

json_t *rule_json(const struct compile_rule *r, const struct rule_judgement *j)
{
	const char *kind = r->guardrail ? "guardrail" : r->rule ? "rule" : "dns";
	json_t *o = json_pack("{s:s, s:s, s:s, s:s}", "rule", r->name, "kind", kind, "direction",
			      direction_name(r->direction), "use", rule_use_name(j->use));

	if (!o)
		return NULL;
	put_text(o, r->guardrail ? "guardrail" : "service",
		 r->guardrail ? r->guardrail->name : r->service->name);
	put_text(o, "scope", r->guardrail ? r->guardrail->scope : r->service->scope);
	if (r->service)
		put_text(o, "owner", r->service->owner);
	put_text(o, "file", r->loc->file);
	put_number(o, "line", r->loc->line);
	if (r->rule)
		put_reasons(o, r->rule);
	if (j->hits)
		put_hits(o, j);
	put_text(o, "why", j->why[0] ? j->why : NULL);
	return o;
}
