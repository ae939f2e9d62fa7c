/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdint.h>
#include <stdlib.h>

#include <bulkhead/flow/flow.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_packet(const uint8_t *data, size_t size)
{
	struct packet p;

	if (packet_decode(data, size, &p) < 0)
		return;
	/* What is said to be known hangs together. */
	if (p.source.family != p.destination.family || (p.has_ports && p.dport != p.key) ||
	    (p.has_ports && p.has_icmp) || (p.fragment && p.has_key) ||
	    (p.has_tcp_flags && !p.has_ports) || ((p.has_ports || p.has_icmp) && !p.has_key))
		abort();
}

/* The same bytes as a packet, and as a frame with one in it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct frame f;
	size_t at;

	try_packet(data, size);
	if (frame_decode(data, size, &f, &at) < 0)
		return 0;
	if (at > size)
		abort();
	try_packet(data + at, size - at);
	return 0;
}
