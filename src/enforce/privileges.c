/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/enforce/enforce.h>

#include <bulkhead/runtime/runtime.h>

#include "privileges.h"

const char *raw_sockets_name(enum raw_sockets s)
{
	static const char *const names[] = {
		[RAW_SOCKETS_NOT_ASKED] = "",
		[RAW_SOCKETS_DENIED] = "denied",
		[RAW_SOCKETS_KEPT] = "kept",
		[RAW_SOCKETS_UNKNOWN] = "unknown",
	};

	return names[s];
}

bool privileges_deny_raw(const struct policy_set *policies, const struct selection *selection,
			 size_t endpoint)
{
	const struct selection_list *l = &selection->services_of[endpoint];

	for (size_t k = 0; k < l->n; k++) {
		const struct service *s = &policies->services[l->i[k]];

		if (s->denies_raw && s->mode == MODE_ENFORCE)
			return true;
	}
	return false;
}

/* What a starter said of it is of the container; its process may not have become that yet. */
enum raw_sockets privileges_raw_sockets(const struct site *s, size_t endpoint)
{
	const struct endpoint *e = &s->endpoints->endpoints[endpoint];
	bool may;

	if (!privileges_deny_raw(s->policies, s->selection, endpoint))
		return RAW_SOCKETS_NOT_ASKED;
	if (endpoint_is_announced(e->runtime))
		return e->obstacle == ENDPOINT_HOLDABLE ? RAW_SOCKETS_DENIED : RAW_SOCKETS_KEPT;
	if (!e->pid || runtime_may_open_raw(e->pid, &may) < 0)
		return RAW_SOCKETS_UNKNOWN;
	return may ? RAW_SOCKETS_KEPT : RAW_SOCKETS_DENIED;
}
