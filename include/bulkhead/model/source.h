/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_MODEL_SOURCE_H
#define BULKHEAD_MODEL_SOURCE_H

#include <stddef.h>

/* One source of a policy set: what the user named it, and its bytes (not NUL-terminated). */
struct policy_source {
	const char *name;
	const char *data;
	size_t len;
};

#endif
