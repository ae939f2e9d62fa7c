/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_MODEL_NAMESPACE_LABELS_PRIVATE_H
#define BULKHEAD_MODEL_NAMESPACE_LABELS_PRIVATE_H

#include <bulkhead/base/buf.h>
#include <bulkhead/model/endpoint.h>

/* V, a vector of struct namespace_label, into S: sorted, of two for one key the first. -ENOMEM. */
int namespace_labels_take(struct bh_arena *arena, const struct bh_vec *v, struct endpoint_set *s);

#endif
