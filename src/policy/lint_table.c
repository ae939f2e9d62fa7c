/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/policy/lint.h>

#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>

/* By id: lint_find() relies on it. docs/lint.md says the same, and a test compares them. */
const struct lint_info lints[] = {
	{ .id = "any-port",
	  .title = "A rule allows any port to or from services that use only some.",
	  .why = "The other end decides alone, and whatever it opens one day is open here already.",
	  .fix = "Name the ports that the other end has." },
	{ .id = "duplicate-peer",
	  .title = "A peer is allowed already, by another peer or rule of the same direction.",
	  .why = "Whoever takes one of the two away believes that the flow is closed.",
	  .fix = "Remove one of the two." },
	{ .id = "expired-rule",
	  .title = "A rule is over.",
	  .why = "It allows nothing any more, and says otherwise to whoever reads it.",
	  .fix = "Renew expires: or remove the rule." },
	{ .id = "expires-soon",
	  .title = "A rule will be over within 30 days.",
	  .why = "What it allows is denied from then on, whether or not it is still needed.",
	  .fix = "Renew expires: in time, or let it end." },
	{ .id = "icmp-family",
	  .title = "ICMP of one address family is allowed for peers of the other.",
	  .why = "icmp is IPv4 and icmpv6 is IPv6: no packet is both, so the port matches nothing.",
	  .fix = "Write icmp for IPv4 peers and icmpv6 for IPv6 peers." },
	{ .id = "image-digest",
	  .title = "A container is a service in everything but the digest of its image.",
	  .why = "What it runs is not what the policy names, or it is not known what it runs: the "
		 "container is not that service, and has none of what is allowed to it.",
	  .fix = "Start it from the image that is meant, or correct the digest.",
	  .endpoints = true },
	{ .id = "image-label",
	  .title = "A service would select a container only by a label that its image has.",
	  .why = "Whoever makes an image writes its labels, so they select nothing unless the host "
		 "file says so: the container is not protected by this service.",
	  .fix = "Give the container the label when it is created, or write image-labels: select "
		 "in "
		 "the host file.",
	  .endpoints = true },
	{ .id = "insecure-port",
	  .title = "A flow into or out of a scope, or within it, is on a port of a service that "
		   "is known to be insecure.",
	  .why = "On such ports passwords and data mostly go in the clear, and a standard wants "
		 "to know what makes up for it.",
	  .fix = "Use a secure service, or accept it with a reason that says what makes up for "
		 "it." },
	{ .id = "no-address",
	  .title = "A peer or a group has no address.",
	  .why = "It matches nothing.",
	  .fix = "Correct what excludes one another, or remove it." },
	{ .id = "no-peers",
	  .title = "A rule has an empty list of peers.",
	  .why = "It matches nothing.",
	  .fix = "Name a peer or remove the rule." },
	{ .id = "no-service",
	  .title = "There is no service and no guardrail in the policies.",
	  .why = "No container is protected.",
	  .fix = "Write a service: document, or name the right directory.",
	  .always = true },
	{ .id = "not-checked",
	  .title = "Something was not looked for.",
	  .why = "Memory or the number of comparisons that lint may take has run out.",
	  .fix = "Split rules with very many peers, or use groups.",
	  .always = true },
	{ .id = "one-sided",
	  .title = "One end allows a flow that the other end certainly refuses.",
	  .why = "A flow between two services passes only if both ends allow it.",
	  .fix = "Allow it at the other end too, or remove it here." },
	{ .id = "overlapping-cidrs",
	  .title = "Addresses are named twice, one prefix inside another.",
	  .why = "Whoever takes one of the two away believes that its addresses are out.",
	  .fix = "Remove the smaller one, or the larger one if that was not meant." },
	{ .id = "review-due",
	  .title = "A flow crosses a scope and was not reviewed for longer than the scope allows.",
	  .why = "The scope's review-every: promises that somebody looks at each such flow in "
		 "time.",
	  .fix = "Look at it again and write today's date in reviewed:." },
	{ .id = "rules-without-type",
	  .title = "A NetworkPolicy has rules of a direction that its policyTypes does not have.",
	  .why = "They have no effect.",
	  .fix = "Add the direction to policyTypes:, or remove the rules.",
	  .always = true },
	{ .id = "scope-field",
	  .title = "A flow crosses a scope without something that the scope requires.",
	  .why = "The scope's require: says what each flow across it must carry.",
	  .fix = "Add the field." },
	{ .id = "selects-nobody",
	  .title = "A service selects no container.",
	  .why = "Whatever was to be protected by it is not.",
	  .fix = "Compare select: with what bulkhead endpoints lists.",
	  .endpoints = true },
	{ .id = "shadowed-by-guardrail",
	  .title = "A guardrail denies all that a rule allows.",
	  .why = "Guardrails come first: the rule allows nothing.",
	  .fix = "Remove the rule, or make an exception with unless: in the guardrail." },
	{ .id = "shadowed-rule",
	  .title = "Other rules of the same direction allow all that a rule allows.",
	  .why = "The rule changes nothing, and taking it away closes nothing.",
	  .fix = "Remove the rule, or narrow the other one." },
	{ .id = "unknown-port-name",
	  .title = "No endpoint has a port of the name that a NetworkPolicy uses.",
	  .why = "It lets nothing through.",
	  .fix = "Write the port's number, or give the containers port names.",
	  .endpoints = true,
	  .always = true },
	{ .id = "unreachable",
	  .title = "Nobody may reach a service that others are told to reach.",
	  .why = "Its ingress lets nobody in who could be there.",
	  .fix = "Write the callers into its ingress:." },
	{ .id = "unused-accept",
	  .title = "An entry of accept: silences nothing.",
	  .why = "It would hide the next mistake of that kind, for a reason that was about "
		 "another.",
	  .fix = "Remove the entry.",
	  .always = true },
	{ .id = "unused-group",
	  .title = "No rule and no guardrail names a group.",
	  .why = "It changes nothing: most likely its name was to stand somewhere.",
	  .fix = "Name it in a rule, or remove it." },
	{ .id = "unused-scope",
	  .title = "No service is in a scope.",
	  .why = "It has no members: what guardrails say of it holds for nobody, and all that is "
		 "not-scope: of it is everybody.",
	  .fix = "Write scope: into its services, or remove it." },
	{ .id = "whole-family",
	  .title = "An egress rule allows every address of a family by its prefix.",
	  .why = "That includes containers, the host and the cloud's metadata service.",
	  .fix = "Write entity: world, which leaves these out." },
	{ .id = "world-egress",
	  .title = "A service of a scope may send to the whole world.",
	  .why = "What is kept apart by a scope can leave through it, wherever to.",
	  .fix = "Name the destinations with cidr: or group:." },
};
const size_t lints_n = BH_ARRAY_SIZE(lints);
_Static_assert(BH_ARRAY_SIZE(lints) <= LINTS_MAX, "callers have room for so many");

static int by_id(const void *key, const void *info)
{
	return strcmp(key, ((const struct lint_info *)info)->id);
}

const struct lint_info *lint_find(const char *id)
{
	return bsearch(id, lints, lints_n, sizeof(*lints), by_id);
}
