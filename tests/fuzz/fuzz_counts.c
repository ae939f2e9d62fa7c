/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/nft/counts.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int on_flow(const struct nft_denied *d, void *arg)
{
	if (d->direction != (d->oif ? DIRECTION_EGRESS : DIRECTION_INGRESS))
		abort();
	return 0;
}

/* The first byte is the question, the rest what came on the socket; sequence numbers are 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nft_counts *c = nft_counts_new();
	void *copy = malloc(size ? size : 1);
	struct nft_totals t;

	if (c && copy && size) {
		memcpy(copy, data + 1, size - 1);
		nft_counts_begin(c, data[0] % NFT_ASKS, 0);
		(void)nft_counts_feed(c, 0, copy, size - 1);
		nft_counts_totals(c, &t);
		(void)nft_counts_each(c, on_flow, NULL);
	}
	nft_counts_free(c);
	free(copy);
	return 0;
}
