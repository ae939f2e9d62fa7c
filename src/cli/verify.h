/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_VERIFY_H
#define CLI_VERIFY_H

#include <jansson.h>

#include <bulkhead/enforce/verify.h>

/* The objects of docs/verify.md, for `verify` and for whoever reports on it. Each is the caller's. */

json_t *verify_json(const struct site *s, const struct verify_finding *f);
json_t *verify_status_json(const struct site *s, const struct endpoint_status *st);
/* SCOPE may be NULL. With when and where it was. */
json_t *verify_sums_json(const struct site *s, const char *scope, bool daemon,
			 const struct verify_sums *sums);

#endif
