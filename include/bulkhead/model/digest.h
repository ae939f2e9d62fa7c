/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_MODEL_DIGEST_H
#define BULKHEAD_MODEL_DIGEST_H

#include <stddef.h>

#define DIGEST_HEX 65 /* with the NUL */
/* SHA-256 of LEN bytes in lower-case hex. */
void digest_bytes(const void *data, size_t len, char out[DIGEST_HEX]);

#endif
