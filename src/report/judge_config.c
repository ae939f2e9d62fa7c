/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include <bulkhead/base/text.h>

#include "judge.h"

/* How the controls are configured, and how that is kept: 1.2.1 to 1.2.4, 1.2.8. */

static void judge_standards(struct judging *j)
{
	const json_t *r = j->report;
	size_t guardrails = json_array_size(fact(r, "policies.guardrails"));
	json_int_t warnings = fact_number(r, "policies.warnings");

	if (!fact_text(r, "scope.framework")[0])
		judge_found(j, "scope %s names no framework that it is held to (framework:)",
			    fact_text(r, "scope.name"));
	if (!guardrails)
		judge_found(j,
			    "no guardrail stands over scope %s: nothing keeps a service's own "
			    "rules within a standard",
			    fact_text(r, "scope.name"));
	else
		judge_evidence(
			j, "guardrails that hold for the scope whatever its services allow: %zu",
			guardrails);
	if (warnings)
		judge_found(
			j,
			"bulkhead check warns of" VARIES(" %" JSON_INTEGER_FORMAT
							 " thing%s") " in the policies that nobody "
								     "has accepted with a reason",
			warnings, bh_s((uint64_t)warnings));
	judge_evidence(j,
		       "policy files, read and found valid: %" JSON_INTEGER_FORMAT " (digest %s)",
		       fact_number(r, "policies.files"), fact_text(r, "policies.digest"));
}

/* --- what is in force ------------------------------------------------------------------------- */

/* The files, the generation that is kept as in force, and the trail's last change are one. */
static void judge_in_force(struct judging *j)
{
	const char *digest = fact_text(j->report, "policies.digest");
	const char *now = fact_text(j->report, "generations.policies");

	if (!judge_was_read(j, "generations", "the policies in force"))
		return;
	if (!now[0])
		judge_unknown(j, "it is not known which policies are in force: none were kept");
	else if (strcmp(digest, now) != 0)
		judge_found(j,
			    "the policy files" VARIES(
				    " (%.12s)") " are not the policies in force" VARIES(" (%.12s)"),
			    digest, now);
	else
		judge_evidence(j, "the policy files are the generation in force since %s",
			       fact_text(j->report, "generations.since"));
	if (fact_text(j->report, "daemon.generation")[0] &&
	    !fact_equals(j->report, "daemon.generation", digest))
		judge_found(j,
			    "bulkheadd enforces other policies" VARIES(
				    " (%.12s)") " than the files say",
			    fact_text(j->report, "daemon.generation"));
	if (fact_is(j->report, "generations.waits"))
		judge_found(j, "the policies in force wait to be confirmed");
}

static void judge_changes(struct judging *j)
{
	const json_t *changes = fact(j->report, "trail.changes");
	const char *digest = fact_text(j->report, "policies.digest");
	const json_t *last = json_array_get(changes, json_array_size(changes) - 1);

	if (!judge_was_read(j, "trail", "the audit trail"))
		return;
	if (!last) {
		judge_unknown(j, "the audit trail has no change of policies");
		return;
	}
	if (strcmp(fact_text(last, "after"), digest) != 0)
		judge_found(
			j,
			"the last change in the trail" VARIES(
				" (entry %" JSON_INTEGER_FORMAT
				")") " led to policies" VARIES(" %.12s") ", and not to "
									 "these" VARIES(" (%.12s)"),
			fact_number(last, "seq"), fact_text(last, "after"), digest);
	judge_evidence(j,
		       "changes of policies in the audit trail: %zu, each with who, when and the "
		       "difference; "
		       "the last by %s at %s (entry %" JSON_INTEGER_FORMAT ")",
		       json_array_size(changes), fact_text(last, "who"), fact_text(last, "when"),
		       fact_number(last, "seq"));
}

static void judge_change_trail(struct judging *j)
{
	json_int_t damage = fact_number(j->report, "trail.n_findings");

	judge_changes(j);
	judge_in_force(j);
	if (damage)
		judge_found(j,
			    "the audit trail is not whole: " VARIES("%" JSON_INTEGER_FORMAT
								    " finding%s, the first: %s"),
			    damage, bh_s((uint64_t)damage),
			    fact_text(j->report, "trail.first_finding"));
}

static void judge_files(struct judging *j)
{
	size_t i, n = 0;
	json_t *p;

	fact_each (j->report, "policies.paths", i, p) {
		n++;
		if (!fact_is(p, "safe"))
			judge_found(j, "%s: " VARIES("%s"), fact_text(p, "path"),
				    fact_text(p, "why"));
	}
	if (!n)
		judge_unknown(j, "who may write to the policy files was not looked at");
	else
		judge_evidence(j,
			       "policy files and directories that were looked at for who may write "
			       "to them: %zu",
			       n);
}

static void judge_configuration(struct judging *j)
{
	judge_enforced(j);
	if (fact_equals(j->report, "verify.state", "read"))
		judge_evidence(j, "bulkhead verify looked at %" JSON_INTEGER_FORMAT " namespace%s",
			       fact_number(j->report, "verify.checked"),
			       bh_s((uint64_t)fact_number(j->report, "verify.checked")));
	judge_in_force(j);
	judge_files(j);
}

/* --- diagrams --------------------------------------------------------------------------------- */

static size_t count_allowed(const json_t *map)
{
	const json_t *e;
	size_t i, n = 0;

	json_array_foreach (fact(map, "edges"), i, e)
		n += fact_equals(e, "state", "allowed");
	return n;
}

static void judge_network_diagram(struct judging *j)
{
	size_t i, n = 0;
	json_t *e;

	if (!judge_was_read(j, "enforcement", "the live state"))
		return;
	fact_each (j->report, "endpoints", i, e) {
		n++;
		if (fact_equals(e, "state", "unreachable"))
			judge_found(j,
				    "%s cannot be looked at, and the diagram is not whole: " VARIES(
					    "%s"),
				    fact_text(e, "name"), fact_text(e, "why"));
		else if (fact_is(e, "inside") && fact_equals(e, "state", "peer"))
			judge_unknown(j,
				      "%s is not on this host: whether it is as drawn is not known",
				      fact_text(e, "name"));
	}
	if (!n)
		judge_unknown(j, "no endpoint is there to be drawn");
	else
		judge_evidence(j,
			       "the map is drawn from what was there at %s: endpoints: %zu, "
			       "connections that may be opened: %zu",
			       fact_text(j->report, "generated"), n,
			       count_allowed(fact(j->report, "map")));
}

static void judge_data_flows(struct judging *j)
{
	size_t n = json_array_size(fact(j->report, "flows"));

	judge_network_diagram(j);
	if (n)
		judge_evidence(j,
			       "flows into, out of and within the scope that are listed with their "
			       "ports: %zu",
			       n);
	else
		judge_unknown(j, "no flow touches the scope");
}

const struct requirement requirements_config[] = {
	{ "1.2.1", "There are standards for the rules of network controls, and they are kept to",
	  "the scope's framework and guardrails; every policy file is valid; no warning of check "
	  "stands without a reason",
	  "That the standard is approved, and known to those who write policies.",
	  judge_standards },
	{ "1.2.2", "Changes of network controls are approved and managed",
	  "the last change in the audit trail led to these policies; they are the ones in force; "
	  "the trail is whole",
	  "Who approves a change: the trail says who made it, the ticket of a flow what it was "
	  "for.",
	  judge_change_trail },
	{ "1.2.3", "A network diagram shows all connections of the cardholder environment",
	  "every endpoint was found, and the map was drawn from them and from the policies",
	  "Networks and machines that Bulkhead does not run on.", judge_network_diagram },
	{ "1.2.4", "A diagram shows how data flows across systems and networks",
	  "the map and the list of flows that touch the scope",
	  "Which of the flows carry account data.", judge_data_flows },
	{ "1.2.8", "Configurations are safe from unauthorised change, and equal what is active",
	  "the rules in every kernel were read back and compared; the files are those in force; "
	  "nobody but root may write to them",
	  NULL, judge_configuration },
	{ 0 },
};
