/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_ENGINES_H
#define DAEMON_ENGINES_H

#include <bulkhead/runtime/events.h>

#include "controller.h"

/*
 * What Docker and Podman say by themselves: their events, as hints where to look, and whose a new
 * namespace will be before its container runs.
 */
int engines_new(struct controller *c, struct engines **ret, struct bh_err *err);
void engines_free(struct engines *e); /* takes NULL */

/* The labels of images, for all who ask. */
struct runtime_images *engines_images(const struct engines *e);

/* Does an engine answer that puts its namespaces where `ip netns` does? */
bool engines_tell(const struct engines *e);

/* And does it say what it starts? Podman may be set up to tell of no events; it has told of one then. */
bool engines_tell_of_starts(const struct engines *e);

/* runtime_early_join() with each of them. */
int engines_join(struct engines *e, int netns_fd, const char *path, uint64_t number,
		 struct endpoint_builder *b, char ret_id[RUNTIME_ID_SIZE], struct diag_list *diags,
		 struct bh_err *err);

/*
 * The endpoint of the container with this id of Docker or Podman, whose start is held: as
 * runtime_early_named(). 0 too when that engine is not followed.
 */
int engines_named(struct engines *e, enum endpoint_runtime runtime, const char *id, int netns_fd,
		  const char *path, struct endpoint_builder *b, struct diag_list *diags,
		  struct bh_err *err);

/* Add to LIST, an array, an object for each that is followed: "engine", "state", "since". */
void engines_report(const struct engines *e, json_t *list);

#endif
