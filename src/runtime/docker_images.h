/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_DOCKER_IMAGES_H
#define RUNTIME_DOCKER_IMAGES_H

#include <stdbool.h>
#include <stddef.h>

#include <bulkhead/base/err.h>
#include <bulkhead/model/policy.h>
#include <bulkhead/runtime/runtime.h>

#include "docker.h"

/*
 * What is known of images, by their id. That is a digest, so labels never change; but a registry may get
 * to know an image, by a digest of its own. So what was heard long ago is asked again.
 */

/* A cache that remembers also what is gone: for one listing. */
int docker_images_new_listing(struct runtime_images **ret, struct bh_err *err);

/* NULL: not known, or not for BH_IMAGES_FRESH_MS. Valid until the next call of docker_images_add(). */
const struct docker_image *docker_images_find(const struct runtime_images *images, const char *id);

/*
 * What the engine answered about it; JSON NULL: there is none. One that cannot be read is gone as
 * well. The oldest make room. *RET is valid until the next call. -ENOMEM.
 */
int docker_images_add(struct runtime_images *images, const char *id, const char *json, size_t len,
		      const struct docker_image **ret, struct bh_err *err);

#endif
