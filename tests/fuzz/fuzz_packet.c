/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdint.h>
#include <stdlib.h>

#include <bulkhead/flow/flow.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct packet p;

	if (packet_decode(data, size, &p) < 0)
		return 0;
	/* What is said to be known hangs together. */
	if (p.source.family != p.destination.family || (p.has_ports && p.dport != p.key) ||
	    (p.has_ports && p.has_icmp) || (p.fragment && p.has_key) ||
	    (p.has_tcp_flags && !p.has_ports) || ((p.has_ports || p.has_icmp) && !p.has_key))
		abort();
	return 0;
}
