/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NFT_TEXT_H
#define NFT_TEXT_H

#include <bulkhead/base/buf.h>

#include "program.h"

/* One rule in nft's syntax, comment included, without a newline. */
void nft_rule_text(const struct nft_rule *r, struct bh_buf *out);

#endif
