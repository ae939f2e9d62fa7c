/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/enforce/verify.h>

#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>

/* By id: verify_find() relies on it. docs/verify.md says the same, and a test compares them. */
const struct verify_info verify_infos[] = {
	{ "audit-mode", VERIFY_WARNING, "A service is in audit mode.",
	  "What its policy denies is recorded and passes.", "Set mode: enforce." },
	{ "device-unhooked", VERIFY_ERROR, "A network device has no chain of the table netdev.",
	  "Frames made by hand leave by it unseen, with any source address.",
	  "Run bulkhead apply, or start bulkheadd." },
	{ "devices-too-many", VERIFY_ERROR, "A namespace has more devices than can be held.",
	  "Frames made by hand leave by the last ones unseen.", "Take devices away." },
	{ "drift", VERIFY_ERROR, "The tables in the kernel are not what the policies say.",
	  "Something else is enforced than is declared.",
	  "Run bulkhead apply, and find out who changed them." },
	{ "foreign-chain", VERIFY_NOTE, "Somebody else has a base chain in the namespace.",
	  "It can deny more, and translate addresses before ours look; it cannot let pass what "
	  "ours "
	  "drop.",
	  "Find out whose it is." },
	{ "foreign-rewrites", VERIFY_ERROR,
	  "Somebody else's chain changes, copies or redirects packets.",
	  "What was judged is not what is sent, or what is delivered.",
	  "Delete the table, and take CAP_NET_ADMIN from whoever made it." },
	{ "guardrails-only", VERIFY_WARNING, "Only guardrails hold a container.",
	  "What they do not deny passes, both ways.", "Write a service: that selects it." },
	{ "host-network", VERIFY_ERROR, "A container shares the host's network namespace.",
	  "Nothing is enforced for it.", "Start it without --network host." },
	{ "kernel-limited", VERIFY_WARNING, "The kernel lacks something that our tables use.",
	  "Part of what is promised is not enforced.", "Use a newer kernel." },
	{ "kernel-unsupported", VERIFY_ERROR, "The kernel lacks what our tables are made of.",
	  "Nothing can be enforced.", "Use a newer kernel, or load its nf_tables modules." },
	{ "mode-off", VERIFY_WARNING, "A service has mode: off.", "Nothing is enforced for it.",
	  "Set mode: enforce." },
	{ "neighbour-unheld", VERIFY_WARNING,
	  "A container that nothing holds, or that can get round it, is on the same network.",
	  "It may be anybody's foothold beside what is protected, and claim addresses there.",
	  "Write a service: for it, take its capabilities, or give it a network of its own." },
	{ "net-admin", VERIFY_ERROR, "A container has CAP_NET_ADMIN.",
	  "It can put chains of its own behind ours, or take ours away when nobody owns them.",
	  "Start it without --cap-add NET_ADMIN." },
	{ "no-daemon", VERIFY_NOTE, "No bulkheadd runs.",
	  "What starts or changes from now on is not followed, and the tables are nobody's.",
	  "Start bulkheadd." },
	{ "not-enforced", VERIFY_ERROR, "No table of Bulkhead is in the namespace.",
	  "Everything passes.", "Run bulkhead apply." },
	{ "not-in-force", VERIFY_ERROR, "The policy files are not what the daemon enforces.",
	  "What was read here is not what is in force.",
	  "Run bulkhead apply, or bulkhead status to see why they were refused." },
	{ "nothing-checked", VERIFY_ERROR, "Nothing was looked at.",
	  "That nothing was found says nothing.",
	  "Start the containers, or correct the select: of the services." },
	{ "own-stack", VERIFY_ERROR, "A container has a network stack of its own (gVisor, Kata).",
	  "Its packets do not pass the hooks of its namespace.",
	  "Use a runtime that shares the kernel's stack." },
	{ "privileged", VERIFY_ERROR, "A container is privileged.",
	  "It can take the tables away, and much else.", "Start it without --privileged." },
	{ "raw-sockets", VERIFY_ERROR,
	  "A container may open sockets of AF_XDP, and no daemon holds its devices' queues.",
	  "Their frames pass every table.", "Run bulkheadd, or start it with --cap-drop NET_RAW." },
	{ "service-empty", VERIFY_NOTE, "A service selects nobody.",
	  "Nothing was read back for it.", "Start its containers, or remove it." },
	{ "shared", VERIFY_ERROR, "Containers of different services share a network namespace.",
	  "Each may do what any of them may.", "Give each its own network namespace." },
	{ "unlisted-namespace", VERIFY_WARNING,
	  "A network namespace with devices is nobody's that is listed.",
	  "No policy can select it, and nothing holds what is in it.",
	  "Give it a name (ip netns attach), or list it in the inventory." },
	{ "unmanaged", VERIFY_NOTE, "No service or guardrail selects a container.",
	  "Nothing is enforced for it.", "Write a service: for it." },
	{ "unowned", VERIFY_WARNING, "A daemon runs, and does not own the tables of a namespace.",
	  "Whoever has CAP_NET_ADMIN there can change them.",
	  "See bulkhead status for what keeps it from it." },
	{ "unreachable", VERIFY_ERROR, "A namespace cannot be opened or read.",
	  "What is enforced there is not known.", "Run it as root of the host." },
	{ "vanished", VERIFY_WARNING, "A namespace went while it was looked at.",
	  "It was not judged.", "Run it again." },
};
const size_t verify_infos_n = BH_ARRAY_SIZE(verify_infos);

static int by_id(const void *id, const void *info)
{
	return strcmp(id, ((const struct verify_info *)info)->id);
}

const struct verify_info *verify_find(const char *id)
{
	return bsearch(id, verify_infos, verify_infos_n, sizeof(*verify_infos), by_id);
}

const char *verify_severity_name(enum verify_severity s)
{
	static const char *const names[] = { "note", "warning", "error" };

	return names[s];
}
