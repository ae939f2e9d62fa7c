/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>
#include <bulkhead/model/json.h>

#include "netns_name.h"

/* Lines of one kind for a person; --json has all. */
#define LINES_MAX 50

/* --- words --------------------------------------------------------------------------------------- */

const char *probe_flow(const struct probe_run *run, const struct probe_cell *c,
		       char out[PROBE_FLOW_STR])
{
	const struct port_spec port = { c->proto, c->port, c->port };
	char from[128], to[128], what[PORT_SPEC_STR], src[BH_ADDR_STR], dst[BH_ADDR_STR];

	snprintf(out, PROBE_FLOW_STR, "%s -> %s %s%s (%s -> %s)",
		 probe_party_name(run, c->from, from, sizeof(from)),
		 probe_party_name(run, c->to, to, sizeof(to)), port_spec_format(what, &port),
		 c->way == PROBE_FRAME   ? " as a frame made by hand"
		 : c->way == PROBE_SPOOF ? " in another's name"
					 : "",
		 bh_addr_format(src, &c->src), bh_addr_format(dst, &c->dst));
	return out;
}

const char *probe_explain(const struct probe_report *rep, const struct probe_cell *c, char out[512])
{
	const struct explain_party from = { .addr = c->src }, to = { .addr = c->dst };
	const struct port_spec port = { c->proto, c->port, c->port };
	struct explanation x;

	if (c->way != PROBE_STACK)
		snprintf(out, 512,
			 "nothing that the stack has not made with a source of the "
			 "namespace's own may leave");
	else if (explain(rep->explainer, &from, &to, &port, &x, NULL) < 0)
		out[0] = '\0';
	else
		snprintf(out, 512, "%s", x.sentence);
	return out;
}

enum direction probe_end_of(const struct probe_cell *c)
{
	return c->fault == PROBE_LEFT || c->fault == PROBE_HELD_BACK ? DIRECTION_EGRESS
								     : DIRECTION_INGRESS;
}

bool probe_next_pair(const struct probe_run *run, size_t *at, struct probe_pair *ret)
{
	if (*at == run->n_cells)
		return false;
	*ret = (struct probe_pair) { .first = &run->cells[*at] };
	for (; *at < run->n_cells; (*at)++) {
		const struct probe_cell *c = &run->cells[*at];

		if (c->from != ret->first->from || c->to != ret->first->to)
			break;
		ret->n++;
		ret->agree += c->outcome == PROBE_AGREES;
		ret->passed += probe_has_passed(c);
		ret->findings += c->outcome == PROBE_FINDING;
		ret->not_probed += c->outcome == PROBE_NOT_PROBED;
		ret->reason[c->reason] += c->outcome == PROBE_NOT_PROBED;
	}
	return true;
}

/* The end whose fault it is that they were not probed, if it is one's alone, in its own words. */
static const char *reason_text(const struct probe_run *run, const struct probe_cell *c, unsigned r)
{
	const struct probe_party *from = &run->parties[c->from], *to = &run->parties[c->to];

	if (from->reason == r && from->why[0])
		return from->why;
	return to->reason == r && to->why[0] ? to->why : probe_reason_text(r);
}

static const struct probe_party *at_fault(const struct probe_run *run, const struct probe_cell *c)
{
	return &run->parties[probe_end_of(c) == DIRECTION_EGRESS ? c->from : c->to];
}

/* --- for a person -------------------------------------------------------------------------------- */

static void print_finding(const struct probe_report *rep, const struct probe_cell *c)
{
	const struct probe_run *run = rep->run;
	const struct probe_party *p = at_fault(run, c);
	const char *where = probe_where(run, c, probe_end_of(c));
	char flow[PROBE_FLOW_STR], why[512];

	printf("finding  %s: %s\n", probe_flow(run, c, flow), probe_fault_text(c->fault));
	printf("         %s%s%s\n", probe_explain(rep, c, why), where ? "; decided by " : "",
	       where ? where : "");
	if (p->table_bad)
		printf("         there, %s\n", p->table_why);
}

static void print_findings(const struct probe_report *rep)
{
	size_t shown = 0;

	for (size_t i = 0; i < rep->run->n_cells; i++)
		if (rep->run->cells[i].outcome == PROBE_FINDING && shown++ < LINES_MAX)
			print_finding(rep, &rep->run->cells[i]);
	if (shown > LINES_MAX)
		printf("... and %zu finding%s more: --json has them all\n", shown - LINES_MAX,
		       bh_s(shown - LINES_MAX));
}

static void print_tables(const struct probe_run *run)
{
	char name[256];

	for (uint32_t i = 0; i < run->n_parties; i++)
		if (run->parties[i].table_bad)
			printf("finding  %s: %s\n", probe_party_name(run, i, name, sizeof(name)),
			       run->parties[i].table_why);
}

static void print_not_probed(const struct probe_run *run)
{
	char from[128], to[128];
	size_t at = 0, shown = 0;
	struct probe_pair p;

	while (probe_next_pair(run, &at, &p))
		for (unsigned r = 1; r < PROBE_REASONS; r++)
			if (p.reason[r] && shown++ < LINES_MAX)
				printf("not probed  %s -> %s, %zu packet%s: %s\n",
				       probe_party_name(run, p.first->from, from, sizeof(from)),
				       probe_party_name(run, p.first->to, to, sizeof(to)),
				       p.reason[r], bh_s(p.reason[r]),
				       reason_text(run, p.first, r));
	if (shown > LINES_MAX)
		printf("... and %zu line%s more of what was not probed: --json has them all\n",
		       shown - LINES_MAX, bh_s(shown - LINES_MAX));
}

static void print_uncovered(const struct probe_run *run)
{
	struct probe_gap g;
	char name[256];
	size_t at = 0;

	while (probe_next_uncovered(run, &at, &g))
		printf("%s: %s\n", probe_party_name(run, g.party, name, sizeof(name)),
		       probe_reason_text(g.reason));
}

static void print_sums(const struct probe_run *run)
{
	const struct probe_totals *t = &run->totals;

	if (run->jump)
		printf("the clock was set by %.1f s meanwhile: when this was is not certain\n",
		       (double)run->jump / 1e6);
	printf("%zu packet%s = %zu as the policies say (%zu passed, %zu denied) + %zu finding%s + "
	       "%zu not probed\n",
	       t->packets, bh_s(t->packets), t->agree, t->passed, t->denied, t->findings,
	       bh_s(t->findings), t->not_probed);
	printf("%zu table%s compared, %zu not as wanted; %.1f s, source port %u\n", t->tables,
	       bh_s(t->tables), t->tables_bad, (double)run->took / 1e6, run->source_port);
}

/* --- for programs -------------------------------------------------------------------------------- */

static json_t *object(const char *kind)
{
	return json_pack("{s:s, s:s}", "schema", PROBE_SCHEMA, "kind", kind);
}

static void put(json_t *o, const char *key, json_t *value)
{
	json_object_set_new(o, key, value);
}

static void put_name(json_t *o, const char *key, const struct probe_run *run, uint32_t party)
{
	char name[256];

	put(o, key, json_string(probe_party_id(run, party, name, sizeof(name))));
}

/* Beside the id of a container, its name. */
static void put_given_name(json_t *o, const char *key, const struct probe_run *run, uint32_t party)
{
	const struct probe_party *p = &run->parties[party];

	if (p->kind == PROBE_ENDPOINT)
		json_put_text(o, key, run->site->endpoints->endpoints[p->endpoint].name);
}

static void put_ends(json_t *o, const struct probe_run *run, const struct probe_cell *c)
{
	put_name(o, "from", run, c->from);
	put_name(o, "to", run, c->to);
	put_given_name(o, "from_name", run, c->from);
	put_given_name(o, "to_name", run, c->to);
}

static json_t *facts_of(const struct probe_cell *c)
{
	static const struct {
		unsigned fact;
		const char *name;
	} names[] = {
		{ PROBE_SENT, "sent" },
		{ PROBE_OUT, "out" },
		{ PROBE_SEEN, "seen" },
		{ PROBE_IN, "in" },
		{ PROBE_COUNTED_OUT, "counted-egress" },
		{ PROBE_COUNTED_IN, "counted-ingress" },
	};
	json_t *list = json_array();

	for (size_t i = 0; i < BH_ARRAY_SIZE(names); i++)
		if (c->facts & names[i].fact)
			json_array_append_new(list, json_string(names[i].name));
	return list;
}

static void put_packet(json_t *o, const struct probe_run *run, const struct probe_cell *c)
{
	char proto[PROTO_STR], addr[BH_ADDR_STR];

	put(o, "protocol", json_string(proto_name(proto, c->proto)));
	put(o, "port", json_integer(c->port));
	put(o, "way", json_string(probe_way_name(c->way)));
	put(o, "source", json_string(bh_addr_format(addr, &c->src)));
	put(o, "destination", json_string(bh_addr_format(addr, &c->dst)));
	put(o, "source_port", json_integer(run->source_port + (c->way != PROBE_STACK)));
}

static void json_finding(const struct probe_report *rep, const struct probe_cell *c)
{
	const struct probe_run *run = rep->run;
	enum direction end = probe_end_of(c);
	bool denied = c->fault == PROBE_LEFT || c->fault == PROBE_LET_IN;
	const char *where = probe_where(run, c, end);
	json_t *o = object("finding");
	char why[512];

	put(o, "fault", json_string(probe_fault_name(c->fault)));
	put_ends(o, run, c);
	put_packet(o, run, c);
	put(o, "end", json_string(direction_name(end)));
	put_name(o, "endpoint", run, end == DIRECTION_EGRESS ? c->from : c->to);
	put(o, "expected", json_string(denied ? "deny" : "allow"));
	if (where)
		put(o, "where", json_string(where));
	put(o, "text", json_string(probe_fault_text(c->fault)));
	put(o, "explain", json_string(probe_explain(rep, c, why)));
	put(o, "errno", json_integer(c->error));
	put(o, "facts", facts_of(c));
	cli_print_object(o);
	json_decref(o);
}

static void json_table(const struct probe_run *run, uint32_t party)
{
	json_t *o = object("table");

	put_name(o, "endpoint", run, party);
	put(o, "text", json_string(run->parties[party].table_why));
	cli_print_object(o);
	json_decref(o);
}

/* Returns how many there are. */
static size_t json_uncovered(const struct probe_run *run)
{
	struct probe_gap g;
	size_t at = 0, n;

	for (n = 0; probe_next_uncovered(run, &at, &g); n++) {
		json_t *o = object("not-covered");

		put_name(o, "endpoint", run, g.party);
		put_given_name(o, "name", run, g.party);
		put(o, "reason", json_string(probe_reason_name(g.reason)));
		if (g.n)
			put(o, g.reason == PROBE_SPECIAL ? "networks" : "rules",
			    json_integer((json_int_t)g.n));
		put(o, "text", json_string(probe_reason_text(g.reason)));
		cli_print_object(o);
		json_decref(o);
	}
	return n;
}

static void json_reason(const struct probe_run *run, const struct probe_pair *p, unsigned r)
{
	json_t *o = object("not-probed");

	put_ends(o, run, p->first);
	put(o, "reason", json_string(probe_reason_name(r)));
	put(o, "packets", json_integer((json_int_t)p->reason[r]));
	put(o, "text", json_string(reason_text(run, p->first, r)));
	cli_print_object(o);
	json_decref(o);
}

/* An id may be another's later: where packets were sent says what was tested. */
static void put_netns(json_t *o, const char *key, const struct probe_party *p)
{
	char name[NETNS_NAME_STR];

	if (p->netns_ino)
		put(o, key, json_string(netns_name(name, p->netns_ino, p->netns_cookie)));
}

static void json_pair(const struct probe_run *run, const struct probe_pair *p)
{
	json_t *o = object("pair");

	put_ends(o, run, p->first);
	put_netns(o, "from_netns", &run->parties[p->first->from]);
	put_netns(o, "to_netns", &run->parties[p->first->to]);
	put(o, "packets", json_integer((json_int_t)p->n));
	put(o, "agree", json_integer((json_int_t)p->agree));
	put(o, "passed", json_integer((json_int_t)p->passed));
	put(o, "denied", json_integer((json_int_t)(p->agree - p->passed)));
	put(o, "findings", json_integer((json_int_t)p->findings));
	put(o, "not_probed", json_integer((json_int_t)p->not_probed));
	cli_print_object(o);
	json_decref(o);
}

static json_t *filter_of(const struct cli_options *o)
{
	return json_pack("{s:s*, s:s*, s:s*}", "from", o->from, "to", o->to, "port", o->port);
}

static void put_totals(json_t *o, const struct probe_totals *t)
{
	const struct {
		const char *key;
		size_t n;
	} sums[] = {
		{ "packets", t->packets },
		{ "agree", t->agree },
		{ "passed", t->passed },
		{ "denied", t->denied },
		{ "findings", t->findings },
		{ "not_probed", t->not_probed },
		{ "sent", t->sent },
		{ "tables", t->tables },
		{ "tables_bad", t->tables_bad },
	};
	json_t *faults = json_object(), *reasons = json_object();

	for (size_t i = 0; i < BH_ARRAY_SIZE(sums); i++)
		put(o, sums[i].key, json_integer((json_int_t)sums[i].n));
	for (unsigned i = 1; i < PROBE_FAULTS; i++)
		if (t->fault[i])
			put(faults, probe_fault_name(i), json_integer((json_int_t)t->fault[i]));
	for (unsigned i = 1; i < PROBE_REASONS; i++)
		if (t->reason[i])
			put(reasons, probe_reason_name(i), json_integer((json_int_t)t->reason[i]));
	put(o, "faults", faults);
	put(o, "reasons", reasons);
}

static const char *result_of(const struct probe_run *run)
{
	if (run->totals.findings || run->totals.tables_bad)
		return "findings";
	return probe_is_clean(run) ? "clean" : "incomplete";
}

static size_t endpoints_of(const struct probe_run *run)
{
	size_t n = 0;

	for (size_t i = 0; i < run->n_parties; i++)
		n += run->parties[i].kind == PROBE_ENDPOINT;
	return n;
}

static void json_summary(const struct probe_report *rep, size_t not_covered)
{
	const struct probe_run *run = rep->run;
	const struct cli_options *opt = rep->o;
	const char *digest = run->site->policies->digest;
	json_t *o = object("summary");
	char host[256] = "", when[BH_TIME_STR];

	gethostname(host, sizeof(host) - 1);
	put(o, "host", json_string(host));
	put(o, "start", json_string(bh_format_time(when, run->start)));
	put(o, "end", json_string(bh_format_time(when, run->end)));
	put(o, "seconds", json_real((double)(run->took / 1000) / 1000));
	put(o, "policies", json_string(digest));
	put(o, "generation", json_stringn(digest, strnlen(digest, 16)));
	put(o, "source_port", json_integer(run->source_port));
	put(o, "listen_only", json_boolean(opt->listen_only));
	put(o, "complete", json_boolean(!opt->from && !opt->to && !opt->port));
	put(o, "filter", filter_of(opt));
	put(o, "endpoints", json_integer((json_int_t)endpoints_of(run)));
	put_totals(o, &run->totals);
	put(o, "not_covered", json_integer((json_int_t)not_covered));
	put(o, "clock_jump", json_integer(run->jump / 1000000));
	put(o, "result", json_string(result_of(run)));
	cli_print_object(o);
	json_decref(o);
}

static void print_json(const struct probe_report *rep)
{
	const struct probe_run *run = rep->run;
	struct probe_pair p;
	size_t at = 0;

	for (size_t i = 0; i < run->n_cells; i++)
		if (run->cells[i].outcome == PROBE_FINDING)
			json_finding(rep, &run->cells[i]);
	for (uint32_t i = 0; i < run->n_parties; i++)
		if (run->parties[i].table_bad)
			json_table(run, i);
	while (probe_next_pair(run, &at, &p)) {
		for (unsigned r = 1; r < PROBE_REASONS; r++)
			if (p.reason[r])
				json_reason(run, &p, r);
		json_pair(run, &p);
	}
	json_summary(rep, json_uncovered(run));
}

void probe_print(const struct probe_report *rep)
{
	if (rep->o->json) {
		print_json(rep);
		return;
	}
	print_findings(rep);
	print_tables(rep->run);
	print_not_probed(rep->run);
	print_uncovered(rep->run);
	print_sums(rep->run);
}
