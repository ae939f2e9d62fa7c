/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "self.h"

#include <stdio.h>
#include <string.h>

#include <bulkhead/base/text.h>
#include <bulkhead/enforce/report.h>

#include "announced.h"
#include "engines.h"
#include "logger.h"

static void put_time(json_t *o, const char *key, int64_t usec)
{
	char text[BH_TIME_STR];

	if (usec)
		json_object_set_new(o, key, json_string(bh_format_time(text, usec)));
}

static void put_number(json_t *o, const char *key, uint64_t v)
{
	json_object_set_new(o, key, json_integer((json_int_t)v));
}

static json_t *report_logger(const struct logger_state *l)
{
	json_t *o = json_pack("{s:s}", "state", l->runs ? "runs" : "down");

	put_time(o, "since", l->since);
	put_number(o, "restarts", l->restarts);
	put_number(o, "listening", l->listening);
	put_number(o, "unheard", l->unheard);
	put_number(o, "denied", l->denied);
	put_number(o, "recorded", l->recorded);
	put_number(o, "records", l->records);
	put_number(o, "records_lost", l->lost_records);
	put_number(o, "log_messages_lost", l->log_lost);
	put_number(o, "signals", l->signals);
	if (l->allowed) {
		put_number(o, "allowed", l->allowed);
		put_number(o, "allowed_recorded", l->allowed_recorded);
	}
	return o;
}

/* What starters said: "" when it is known, and kept. */
static void tell_starts(const struct announced *n, bool openly, char out[BH_ERR_MAX])
{
	const char *unwritten = announced_unwritten(n);

	out[0] = '\0';
	if (announced_doubts(n))
		snprintf(out, BH_ERR_MAX,
			 "what starters said is lost: everything is denied in %zu namespaces until "
			 "it is known whose they are; start their containers again",
			 announced_doubts(n));
	else if (unwritten)
		snprintf(out, BH_ERR_MAX, "what starters say cannot be kept%s%s",
			 openly ? ": " : "", openly ? unwritten : "");
}

/* One sentence of all that is a finding; "" when nothing is. */
static void tell_why(const struct controller *c, const struct logger_state *l, bool openly,
		     char *out, size_t cap)
{
	char starts[BH_ERR_MAX];
	const struct refusal *r = &c->health.refused;
	char mistakes[2 * BH_ERR_MAX];
	size_t len = 0;

	out[0] = '\0';
	if (r->there)
		len = (size_t)snprintf(
			out, cap, "what stands in the policy files was refused: %.800s",
			mistakes_format(mistakes, sizeof(mistakes), &r->mistakes, openly));
	if (c->trouble[0] && len < cap)
		len += (size_t)snprintf(out + len, cap - len, "%sthe last look failed%s%s",
					len ? "; " : "", openly ? ": " : "",
					openly ? c->trouble : "");
	tell_starts(c->announced, openly, starts);
	if (starts[0] && len < cap)
		len += (size_t)snprintf(out + len, cap - len, "%s%s", len ? "; " : "", starts);
	if (l->why[0] && len < cap)
		snprintf(out + len, cap - len, "%s%s", len ? "; " : "", l->why);
}

static json_t *report_refusal(const struct refusal *r, bool openly)
{
	json_t *o = json_object();

	if (r->mistakes.place[0])
		json_object_set_new(o, "place", json_string(r->mistakes.place));
	if (openly)
		json_object_set_new(o, "first", json_string(r->mistakes.first));
	put_number(o, "mistakes", r->mistakes.n);
	put_time(o, "since", r->since);
	return o;
}

json_t *self_report(const struct controller *c, bool openly)
{
	const struct health *s = &c->health;
	char why[5 * BH_ERR_MAX];
	struct logger_state l;
	json_t *engines = json_array();
	json_t *o;

	logger_state(c->logger, &l);
	tell_why(c, &l, openly, why, sizeof(why));
	o = json_pack("{s:s, s:s, s:b, s:s, s:b}", "daemon", REPORT_DAEMON, "state",
		      s->refused.there ? "refused"
		      : why[0]         ? "trouble"
				       : "in-force",
		      "finding", why[0] != '\0', "generation", s->in_force.policies, "watch",
		      c->site.host.watch);

	put_time(o, "since", s->since);
	put_number(o, "namespaces_held", holds_count(c->holds));
	put_number(o, "repairs", s->repairs);
	put_time(o, "compared", s->compared);
	put_time(o, "files_checked", s->checked);
	engines_report(c->engines, engines);
	json_object_set_new(o, "engines", engines);
	json_object_set_new(o, "logger", report_logger(&l));
	if (why[0])
		json_object_set_new(o, "why", json_string(why));
	if (s->refused.there)
		json_object_set_new(o, "refused", report_refusal(&s->refused, openly));
	if (c->trouble[0] && openly)
		json_object_set_new(o, "trouble", json_string(c->trouble));
	return o;
}
