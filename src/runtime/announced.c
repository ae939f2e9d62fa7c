/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/runtime/runtime.h>

#include <errno.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>

#include "resolve.h"

int runtime_announced(int netns_fd, const struct endpoint *said, struct endpoint_builder *b,
		      struct diag_list *diags, struct bh_err *err)
{
	struct bh_addr addrs[BH_ENDPOINT_ADDRS_MAX];
	struct endpoint e = *said;
	char shown[128];
	int r;

	e.addrs = addrs;
	r = runtime_netns_addrs(netns_fd, addrs, BH_ARRAY_SIZE(addrs), &e.n_addrs, err);
	/* Root inside may add addresses; this must not stop the work for all others. */
	if (r == -E2BIG)
		diag_add(diags, DIAG_WARNING, NULL, "too-many-addresses", NULL,
			 "container %s has more than %d addresses: none of them count",
			 bh_escape_str(shown, sizeof(shown), e.id), BH_ENDPOINT_ADDRS_MAX);
	else if (r < 0)
		return r;
	return endpoint_builder_add(b, &e, err);
}
