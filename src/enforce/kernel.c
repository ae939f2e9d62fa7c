/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel.h"

static struct nft_kernel kernel;
static bool known;

bool kernel_has(enum nft_feature f)
{
	return !known || kernel.has[f];
}

int kernel_learn(struct bh_err *err)
{
	int r = known ? 0 : nft_probe(&kernel, err);

	known |= r >= 0;
	return r;
}

bool kernel_is_known(void)
{
	return known;
}

const struct nft_kernel *kernel_features(void)
{
	return &kernel;
}
