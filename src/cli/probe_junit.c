/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe.h"

#include <inttypes.h>
#include <stdio.h>

#include <bulkhead/base/text.h>

#include "junit.h"

/* A suite for the packets, with a case for each pair of ends; one for the tables. */

static const char *name_of(const struct probe_run *run, uint32_t party, char *out, size_t cap)
{
	return probe_party_name(run, party, out, cap);
}

static void add_failure(const struct probe_report *rep, const struct probe_cell *c,
			struct bh_buf *out)
{
	char flow[PROBE_FLOW_STR], why[512], text[PROBE_FLOW_STR + 1024];

	snprintf(text, sizeof(text), "%s: %s; %s", probe_flow(rep->run, c, flow),
		 probe_fault_text(c->fault), probe_explain(rep, c, why));
	bh_buf_addstr(out, "      <failure");
	junit_attribute(out, "type", probe_fault_name(c->fault));
	junit_attribute(out, "message", text);
	bh_buf_addstr(out, "/>\n");
}

/* What was not probed is an error: no failure of the policy, and no success. Where there is no way, none is asked for. */
static void add_errors(const struct probe_pair *p, struct bh_buf *out)
{
	char text[256];

	for (unsigned r = 1; r < PROBE_REASONS; r++) {
		if (!p->reason[r])
			continue;
		snprintf(text, sizeof(text), "%zu packet%s not probed: %s", p->reason[r],
			 p->reason[r] == 1 ? " was" : "s were", probe_reason_text(r));
		bh_buf_addstr(out, probe_reason_matters(r) ? "      <error" : "      <skipped");
		if (probe_reason_matters(r)) /* the other has none */
			junit_attribute(out, "type", probe_reason_name(r));
		junit_attribute(out, "message", text);
		bh_buf_addstr(out, "/>\n");
	}
}

static bool has_errors(const struct probe_pair *p)
{
	for (unsigned r = 1; r < PROBE_REASONS; r++)
		if (p->reason[r] && probe_reason_matters(r))
			return true;
	return false;
}

static void add_pair(const struct probe_report *rep, const struct probe_pair *p, struct bh_buf *out)
{
	char from[256], to[256];

	bh_buf_addstr(out, "    <testcase");
	junit_attribute(out, "classname", name_of(rep->run, p->first->from, from, sizeof(from)));
	junit_attribute(out, "name", name_of(rep->run, p->first->to, to, sizeof(to)));
	bh_buf_addf(out, " assertions=\"%zu\"", p->n);
	if (!p->findings && !p->not_probed) {
		bh_buf_addstr(out, "/>\n");
		return;
	}
	bh_buf_addstr(out, ">\n");
	for (size_t i = 0; i < p->n; i++)
		if (p->first[i].outcome == PROBE_FINDING)
			add_failure(rep, &p->first[i], out);
	add_errors(p, out);
	bh_buf_addstr(out, "    </testcase>\n");
}

/* What no packet is planned for is neither a success nor an error. */
static size_t add_uncovered(const struct probe_report *rep, struct bh_buf *out)
{
	struct probe_gap g;
	char name[256];
	size_t at = 0, n;

	for (n = 0; probe_next_uncovered(rep->run, &at, &g); n++) {
		if (!out)
			continue;
		bh_buf_addstr(out, "    <testcase");
		junit_attribute(out, "classname", name_of(rep->run, g.party, name, sizeof(name)));
		junit_attribute(out, "name", probe_reason_name(g.reason));
		bh_buf_addstr(out, ">\n      <skipped");
		junit_attribute(out, "message", probe_reason_text(g.reason));
		bh_buf_addstr(out, "/>\n    </testcase>\n");
	}
	return n;
}

static void add_tables(const struct probe_report *rep, struct bh_buf *out)
{
	const struct probe_run *run = rep->run;
	char name[256];

	bh_buf_addf(out, "  <testsuite name=\"tables\" tests=\"%zu\" failures=\"%zu\">\n",
		    run->totals.tables, run->totals.tables_bad);
	for (uint32_t i = 0; i < run->n_parties; i++) {
		const struct probe_party *p = &run->parties[i];

		if (!p->checked)
			continue;
		bh_buf_addstr(out, "    <testcase classname=\"tables\"");
		junit_attribute(out, "name", name_of(run, i, name, sizeof(name)));
		if (!p->table_bad) {
			bh_buf_addstr(out, "/>\n");
			continue;
		}
		bh_buf_addstr(out, ">\n      <failure type=\"table\"");
		junit_attribute(out, "message", p->table_why);
		bh_buf_addstr(out, "/>\n    </testcase>\n");
	}
	bh_buf_addstr(out, "  </testsuite>\n");
}

void probe_junit(const struct probe_report *rep, struct bh_buf *out)
{
	size_t at = 0, n = 0, failures = 0, errors = 0;
	struct probe_pair p;

	while (probe_next_pair(rep->run, &at, &p)) {
		n++;
		failures += p.findings > 0;
		errors += !p.findings && has_errors(&p);
	}
	n += add_uncovered(rep, NULL); /* how many */
	bh_buf_addf(out,
		    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		    "<testsuites name=\"bulkhead probe\" tests=\"%zu\" failures=\"%zu\" "
		    "errors=\"%zu\">\n"
		    "  <testsuite name=\"packets\" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" "
		    "time=\"%.3f\">\n",
		    n + rep->run->totals.tables, failures + rep->run->totals.tables_bad, errors, n,
		    failures, errors, (double)rep->run->took / 1e6);
	for (at = 0; probe_next_pair(rep->run, &at, &p);)
		add_pair(rep, &p, out);
	add_uncovered(rep, out);
	bh_buf_addstr(out, "  </testsuite>\n");
	add_tables(rep, out);
	bh_buf_addstr(out, "</testsuites>\n");
}
