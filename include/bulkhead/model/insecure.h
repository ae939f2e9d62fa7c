/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_MODEL_INSECURE_H
#define BULKHEAD_MODEL_INSECURE_H

#include <stdbool.h>

#include <bulkhead/model/flowspec.h>

/*
 * Ports on which things mostly go in the clear, or without anybody being asked who he is. A port is no
 * proof: a database may speak TLS on its own. Source: IANA's registry, and each program's default.
 */
struct insecure_port {
	uint16_t proto, lo, hi;
	const char *what; /* "telnet", "PostgreSQL without TLS" */
	bool store;       /* something that keeps data listens there */
};

/*
 * The first that one of the spec's ports is; NULL: none is, or the spec names all of a protocol, which
 * names nothing.
 */
const struct insecure_port *insecure_port_find(const struct port_spec *p);

#endif
