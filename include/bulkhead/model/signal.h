/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_MODEL_SIGNAL_H
#define BULKHEAD_MODEL_SIGNAL_H

#include <bulkhead/base/buf.h>
#include <bulkhead/model/record.h>

/* What is worth waking somebody for, found in the stream of records: docs/signals.md. */

enum signal_kind {
	SIGNAL_FIRST_DENIED, /* these two were never denied to one another before */
	SIGNAL_PORT_SCAN,    /* many ports or many peers within the window */
	SIGNAL_RAW_SOCKET,   /* a frame made by hand, or a source not its own */
	SIGNAL_INTO_SCOPE,   /* somebody outside a scope tried to get into it */
};
#define SIGNAL_KINDS 4
const char *signal_kind_name(enum signal_kind k); /* "first-denied", "port-scan", ... */

struct flow_signal {
	enum signal_kind kind;
	int64_t when;              /* microseconds since the epoch */
	struct flow_record record; /* the one that gave rise to it */
	uint32_t window_s;         /* SIGNAL_PORT_SCAN: within so many seconds */
	uint32_t ports, peers;     /* the same: so many distinct ones, at least */
	uint64_t packets;          /* that it stands for, since the same was told last */
	char scope[RECORD_STR];    /* SIGNAL_INTO_SCOPE: which one; else "" */
	char reason[512];          /* one sentence; escaped */
};

/* One JSON object and a newline: schema "bulkhead.signal/1". */
int flow_signal_json(const struct flow_signal *s, struct bh_buf *out);
/* One line for a person, newline included, hostile text escaped. */
int flow_signal_text(const struct flow_signal *s, struct bh_buf *out, bool colour);

#endif
