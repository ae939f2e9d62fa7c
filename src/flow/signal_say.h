/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_SRC_FLOW_SIGNAL_SAY_H
#define BULKHEAD_SRC_FLOW_SIGNAL_SAY_H

#include <bulkhead/model/signal.h>

/* What there is to say beyond the signal itself. */
struct signal_words {
	bool kept;          /* "for the first time" is meant of all times */
	uint64_t kept_back; /* of the same kind, and not told */
};

/* Fill the signal's reason: one sentence, what is hostile in it escaped. */
void signal_say(struct flow_signal *s, const struct signal_words *w);

#endif
