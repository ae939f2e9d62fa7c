/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/model/policy.h>

#include <endian.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <nettle/sha2.h>

static void finish(struct sha256_ctx *ctx, char out[DIGEST_HEX])
{
	uint8_t sum[SHA256_DIGEST_SIZE];

	sha256_digest(ctx, sizeof(sum), sum);
	for (size_t i = 0; i < sizeof(sum); i++)
		sprintf(out + 2 * i, "%02x", sum[i]);
}

void digest_bytes(const void *data, size_t len, char out[DIGEST_HEX])
{
	struct sha256_ctx ctx;

	sha256_init(&ctx);
	sha256_update(&ctx, len, data);
	finish(&ctx, out);
}

/* Lengths stand before names and bytes, so that no two sets have the same input to the hash. */
void digest_sources(const struct policy_source *src, size_t n, char out[DIGEST_HEX])
{
	struct sha256_ctx ctx;

	sha256_init(&ctx);
	for (size_t i = 0; i < n; i++) {
		uint64_t len[2] = { htobe64(strlen(src[i].name)), htobe64(src[i].len) };

		sha256_update(&ctx, sizeof(len), (const uint8_t *)len);
		sha256_update(&ctx, strlen(src[i].name), (const uint8_t *)src[i].name);
		sha256_update(&ctx, src[i].len, (const uint8_t *)src[i].data);
	}
	finish(&ctx, out);
}
