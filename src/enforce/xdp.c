/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xdp.h"

#include <bulkhead/enforce/holds.h>
#include <bulkhead/sys/xsk.h>

bool xdp_is_closed(const struct site *s, size_t endpoint)
{
	const struct hold *h;

	if (!xsk_supported())
		return true;
	h = s->holds ? holds_find(s->holds, s->endpoints->endpoints[endpoint].netns_ino) : NULL;
	return h && hold_closes_xdp(h);
}
