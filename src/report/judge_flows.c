/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>

#include "judge.h"

/* What may pass: 1.2.5 to 1.2.7, 1.3, 1.4. */

#define FLOW       "%s to %s on %s"
#define FLOW_OF(f) fact_text(f, "from"), fact_text(f, "to"), fact_text(f, "ports")

static bool is_way(const json_t *f, const char *way)
{
	return fact_equals(f, "way", way);
}

/* A flow has what one of its two ends says. */
static bool says(const json_t *f, const char *key)
{
	return fact_text(f, key)[0];
}

/* --- 1.2.5 ------------------------------------------------------------------------------------ */

static void judge_reasons(struct judging *j)
{
	/* a reason and an owner always, the others when the scope says so */
	static const struct {
		const char *key;
		bool always;
	} fields[] = { { "reason", true }, { "owner", true }, { "ticket", false } };
	size_t i, k, n = json_array_size(fact(j->report, "flows"));
	json_t *f;

	fact_each (j->report, "flows", i, f)
		for (k = 0; k < sizeof(fields) / sizeof(fields[0]); k++) {
			char path[64] = "scope.requires.";

			strncat(path, fields[k].key, sizeof(path) - strlen(path) - 1);
			if ((fields[k].always || fact_is(j->report, path)) &&
			    !says(f, fields[k].key))
				judge_found(j, FLOW " has no %s" VARIES(" (%s)"), FLOW_OF(f),
					    fields[k].key, fact_text(f, "where"));
		}
	if (n)
		judge_evidence(j,
			       "flows that are listed with service, protocol, port, reason, owner "
			       "and ticket: %zu; all else is denied",
			       n);
	else
		judge_unknown(j, "no flow touches the scope");
}

/* --- 1.2.6 ------------------------------------------------------------------------------------ */

static void judge_insecure(struct judging *j)
{
	size_t i, k, n = 0, flows = json_array_size(fact(j->report, "flows"));
	json_t *f, *p;

	fact_each (j->report, "flows", i, f)
		fact_each (f, "insecure", k, p) {
			n++;
			if (says(f, "note"))
				judge_evidence(j, FLOW " is %s: %s", FLOW_OF(f),
					       fact_text(p, "what"), fact_text(f, "note"));
			else
				judge_found(
					j,
					FLOW " is %s, and no note says what makes up for it" VARIES(
						" (%s)"),
					FLOW_OF(f), fact_text(p, "what"), fact_text(f, "where"));
		}
	if (!flows)
		judge_unknown(j, "no flow touches the scope");
	else if (!n)
		judge_evidence(j,
			       "of %zu flow%s none is on a port of a service that is known to be "
			       "insecure",
			       flows, bh_s(flows));
}

/* --- 1.2.7 ------------------------------------------------------------------------------------ */

static void judge_review_of(struct judging *j, const json_t *f, int64_t now, json_int_t days)
{
	int64_t reviewed = fact_time(f, "reviewed");
	json_int_t late = (json_int_t)((now - reviewed) / JUDGE_DAY) - days;

	if (is_way(f, "inside") || fact_is(f, "dns"))
		return; /* crosses nothing; has no rule that could say */
	if (!reviewed)
		judge_found(j, FLOW " was never reviewed" VARIES(" (%s)"), FLOW_OF(f),
			    fact_text(f, "where"));
	else if (reviewed > now + JUDGE_DAY)
		judge_found(j,
			    FLOW " says of a review at %s, which is in the future" VARIES(" (%s)"),
			    FLOW_OF(f), fact_text(f, "reviewed"), fact_text(f, "where"));
	else if (reviewed + days * JUDGE_DAY <= now)
		judge_found(j,
			    FLOW " was last reviewed at %s, and is due" VARIES(
				    " since %" JSON_INTEGER_FORMAT " day%s (%s)"),
			    FLOW_OF(f), fact_text(f, "reviewed"), late, bh_s((uint64_t)late),
			    fact_text(f, "where"));
}

static void judge_unused(struct judging *j)
{
	json_int_t days = fact_number(j->report, "days");
	json_int_t young = fact_number(j->report, "rules.young");
	json_int_t tested = fact_number(j->report, "rules.tested");
	size_t i, n = 0;
	json_t *u;

	if (!judge_was_read(j, "rules", "the rules that nothing has hit"))
		return;
	fact_each (j->report, "rules.unused", i, u) {
		n++;
		judge_found(j,
			    "nothing%s has hit the rule %s of %s " VARIES(
				    "for %" JSON_INTEGER_FORMAT " day%s (%s)"),
			    fact_number(u, "tests") ? " but segmentation tests" : "",
			    fact_text(u, "rule"), fact_text(u, "service"), days,
			    bh_s((uint64_t)days), fact_text(u, "where"));
	}
	if (young)
		judge_unknown(
			j,
			VARIES("%" JSON_INTEGER_FORMAT) " rule" VARIES(
				"%s") " without a hit " VARIES("%s") " been counted for fewer "
								     "than " VARIES(
									     "%" JSON_INTEGER_FORMAT
									     " day%s"),
			young, bh_s((uint64_t)young), young == 1 ? "has" : "have", days,
			bh_s((uint64_t)days));
	if (tested)
		judge_unknown(j,
			      VARIES("%" JSON_INTEGER_FORMAT) " rule" VARIES(
				      "%s") " hit last while a segmentation test ran, which hits "
					    "every rule and was not told apart then: whether "
					    "anything else "
					    "needs %s is not known",
			      tested, tested == 1 ? " was" : "s were", tested == 1 ? "it" : "them");
	if (!fact_number(j->report, "rules.n"))
		judge_unknown(j, "the scope has no rule whose hits could be counted");
	else if (!n)
		judge_evidence(j,
			       "of %" JSON_INTEGER_FORMAT " rule%s of the scope none is known to "
			       "have gone unused",
			       fact_number(j->report, "rules.n"),
			       bh_s((uint64_t)fact_number(j->report, "rules.n")));
}

static void judge_reviews(struct judging *j)
{
	int64_t now = fact_time(j->report, "generated");
	json_int_t days = fact_number(j->report, "scope.review_days");
	size_t i, n = json_array_size(fact(j->report, "flows"));
	json_t *f;

	if (!days || days > BH_REPORT_REVIEW_DAYS)
		days = BH_REPORT_REVIEW_DAYS;
	fact_each (j->report, "flows", i, f)
		judge_review_of(j, f, now, days);
	if (n)
		judge_evidence(j,
			       "the date of the last review of each flow across the scope was "
			       "compared with %" JSON_INTEGER_FORMAT " day%s",
			       days, bh_s((uint64_t)days));
	judge_unused(j);
}

/* --- 1.3 -------------------------------------------------------------------------------------- */

/* Everything of a protocol, or of all: nobody said what is needed. */
static bool is_broad(const json_t *f)
{
	return fact_is(f, "broad");
}

static void judge_modes(struct judging *j)
{
	size_t i;
	json_t *s;

	fact_each (j->report, "services", i, s)
		if (!fact_equals(s, "mode", "enforce"))
			judge_found(j, "%s is in mode %s, which stops nothing" VARIES(" (%s)"),
				    fact_text(s, "name"), fact_text(s, "mode"),
				    fact_text(s, "where"));
}

static void judge_way(struct judging *j, const char *way)
{
	size_t i, n = 0;
	json_t *f;

	judge_modes(j);
	judge_enforced(j);
	fact_each (j->report, "flows", i, f) {
		if (!is_way(f, way))
			continue;
		n++;
		if (is_broad(f))
			judge_found(j, FLOW " names no ports" VARIES(" (%s)"), FLOW_OF(f),
				    fact_text(f, "where"));
		/* who comes in from everywhere is 1.4.2's question */
		if (fact_is(f, "everybody") && is_way(f, "outbound"))
			judge_found(j, FLOW " is for everybody outside" VARIES(" (%s)"), FLOW_OF(f),
				    fact_text(f, "where"));
	}
	if (json_array_size(fact(j->report, "services")))
		judge_evidence(j,
			       "%s flows that are allowed: %zu; whatever is not listed is denied",
			       way, n);
}

static void judge_inbound(struct judging *j)
{
	judge_way(j, "inbound");
}

static void judge_outbound(struct judging *j)
{
	judge_way(j, "outbound");
}

/* --- 1.4 -------------------------------------------------------------------------------------- */

static void judge_untrusted(struct judging *j)
{
	size_t i, n = 0;
	json_t *f;

	fact_each (j->report, "flows", i, f) {
		if (!is_way(f, "inbound") || !fact_is(f, "untrusted"))
			continue;
		n++;
		if (is_broad(f))
			judge_found(j,
				    FLOW
				    " comes from an untrusted network and names no ports" VARIES(
					    " (%s)"),
				    FLOW_OF(f), fact_text(f, "where"));
		else if (!says(f, "reason"))
			judge_found(j,
				    FLOW " comes from an untrusted network, and no reason says "
					 "that it may" VARIES(" (%s)"),
				    FLOW_OF(f), fact_text(f, "where"));
		else
			judge_evidence(j, FLOW " comes from an untrusted network: %s", FLOW_OF(f),
				       fact_text(f, "reason"));
	}
	judge_modes(j);
	judge_enforced(j);
	if (!n && json_array_size(fact(j->report, "services")))
		judge_evidence(j, "no flow comes into the scope from an untrusted network; replies "
				  "pass only in connections that were allowed");
}

static void judge_spoofing(struct judging *j)
{
	judge_enforced(j);
	judge_evidence(j, "the tables of every namespace deny what is sent with a source address "
			  "that the container does not have, and frames that were made by hand");
}

static void judge_stores(struct judging *j)
{
	size_t i, stores = 0, direct = 0;
	json_t *s, *f;

	fact_each (j->report, "services", i, s)
		stores += fact_is(s, "store");
	fact_each (j->report, "flows", i, f) {
		if (!is_way(f, "inbound") || !fact_is(f, "untrusted"))
			continue;
		direct++;
		if (fact_is(f, "to_store"))
			judge_found(j,
				    FLOW
				    " leads from an untrusted network to a store" VARIES(" (%s)"),
				    FLOW_OF(f), fact_text(f, "where"));
	}
	judge_enforced(j);
	if (!direct && json_array_size(fact(j->report, "services")))
		judge_evidence(j, "nothing of the scope is reachable from an untrusted network, so "
				  "no store is");
	else if (direct && !stores)
		judge_unknown(j,
			      "which service of the scope stores account data is not known: none "
			      "is reached on a port of a known database");
	else if (stores)
		judge_evidence(j,
			       "services of the scope that are taken for stores, by their ports: "
			       "%zu",
			       stores);
}

const struct requirement requirements_flows[] = {
	{ "1.2.5", "Every service, protocol and port that is allowed is known, approved and needed",
	  "each flow that touches the scope has a reason and an owner, and a ticket where the "
	  "scope "
	  "asks for it",
	  "Whether the reasons are good ones.", judge_reasons },
	{ "1.2.6", "Insecure services, protocols and ports are known, and made up for",
	  "the ports of each flow, against a list of those on which things mostly go in the clear",
	  "Whether such a service is insecure here, and the note does make up for it.",
	  judge_insecure },
	{ "1.2.7", "Rules are reviewed at least every six months, and are still needed",
	  "the date of the last review of each flow across the scope; rules that nothing has hit",
	  "That somebody did look.", judge_reviews },
	{ "1.3.1", "What comes into the cardholder environment is only what is needed",
	  "every endpoint of the scope enforces; each inbound flow names its peers and ports; all "
	  "else is denied",
	  NULL, judge_inbound },
	{ "1.3.2", "What leaves the cardholder environment is only what is needed",
	  "the same of outbound flows", NULL, judge_outbound },
	{ "1.4.2", "From untrusted networks comes only what a public service is meant to get",
	  "inbound flows of the world, of public addresses and of the host (published ports come "
	  "by "
	  "it)",
	  "Which other networks are to be taken for untrusted.", judge_untrusted },
	{ "1.4.3", "Packets with a false source address are found and kept out",
	  "the rules against false sources stand in every namespace of the scope",
	  "Routers and switches in front of this host.", judge_spoofing },
	{ "1.4.4", "What stores account data is not reachable from untrusted networks",
	  "flows from untrusted networks to services of the scope that are reached on ports of "
	  "databases",
	  "Which services store account data.", judge_stores },
	{ 0 },
};
