/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_DOCKER_KEPT_H
#define RUNTIME_DOCKER_KEPT_H

#include "docker.h"

/*
 * What dockerd has written of a container below its data directory ROOT, for the time in which its API does
 * not answer. Complete, with labels divided, but for where it is: 0; else nothing is known of it, -ENOENT,
 * -EBADMSG, -EINVAL, -ENOMEM.
 */
int docker_kept(const char *root, const char *id, struct bh_arena *arena,
		struct docker_container *ret);
/* runtime_docker_kept(), with the directory ROOT. */
int docker_kept_add(const char *root, const char *id, int netns_fd, const char *path,
		    struct endpoint_builder *b, struct bh_err *err);

#endif
