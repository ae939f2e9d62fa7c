/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ENFORCE_KERNEL_H
#define ENFORCE_KERNEL_H

#include <bulkhead/nft/nft.h>

/*
 * What this kernel gives. Until it has refused something, or kernel_learn() was called, it is taken
 * to have everything: then nobody waits for a probe on a kernel that has.
 */
bool kernel_has(enum nft_feature f);

/* Ask the kernel, once a process. */
int kernel_learn(struct bh_err *err);
bool kernel_is_known(void);
/* What kernel_learn() found. */
const struct nft_kernel *kernel_features(void);

#endif
