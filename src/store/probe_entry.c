/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/store/audit.h>

#include <inttypes.h>
#include <stdio.h>

#include <bulkhead/base/text.h>

const char *audit_probe_begins(char out[AUDIT_PROBE_STR], uint16_t port, uint64_t packets)
{
	snprintf(out, AUDIT_PROBE_STR,
		 "a segmentation test begins: %" PRIu64 " packet%s from source port %u, raw ones "
		 "from %u, are no attack",
		 packets, bh_s(packets), port, port + 1u);
	return out;
}

const char *audit_probe_ended(char out[AUDIT_PROBE_STR], uint16_t port, uint64_t packets,
			      uint64_t findings, uint64_t not_probed)
{
	snprintf(out, AUDIT_PROBE_STR,
		 "the segmentation test from source port %u is done: %" PRIu64 " packet%s, %" PRIu64
		 " finding%s, %" PRIu64 " not probed",
		 port, packets, bh_s(packets), findings, bh_s(findings), not_probed);
	return out;
}
