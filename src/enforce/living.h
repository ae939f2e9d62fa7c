/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ENFORCE_LIVING_H
#define ENFORCE_LIVING_H

#include <bulkhead/base/err.h>
#include <bulkhead/model/endpoint.h>

/*
 * An engine that is on its way down, or up, does not know all its containers. So a container of BEFORE
 * that is missing in *NOW is taken over into it as long as its process lives in the namespace that it
 * had: the kernel knows better. *NOW may be replaced; on failure it stays as it is.
 */
int living_keep(const struct endpoint_set *before, struct endpoint_set **now, struct bh_err *err);

#endif
