/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xdp.h"

#include <bulkhead/enforce/holds.h>
#include <bulkhead/sys/xsk.h>

static const struct hold *hold_of(const struct site *s, size_t endpoint)
{
	return s->holds ? holds_find(s->holds, s->endpoints->endpoints[endpoint].netns_ino) : NULL;
}

bool xdp_is_closed(const struct site *s, size_t endpoint)
{
	const struct hold *h = hold_of(s, endpoint);

	return !xsk_supported() || (h && hold_closes_xdp(h));
}

const char *xdp_why_open(const struct site *s, size_t endpoint)
{
	const struct hold *h = hold_of(s, endpoint);

	return h && !hold_closes_xdp(h) ? hold_xdp_why(h) : NULL;
}
