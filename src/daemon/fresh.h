/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_FRESH_H
#define DAEMON_FRESH_H

#include "controller.h"

/*
 * Network namespaces that have just been made, of which it is not known whose they are: with
 * `new-namespaces: quarantine` everything is denied in them at once, before an engine says what it
 * starts there. They leave the list when it is known, or when they are gone.
 */
struct fresh;

struct fresh *fresh_new(struct controller *c); /* NULL: out of memory */
void fresh_free(struct fresh *f);              /* takes NULL */

/*
 * A file has appeared in a folder of namespaces. BY_NAME: it may be one of `ip netns`, whose name says
 * whose it is, unless an engine has called it so. Denies first, and has all be compared.
 */
void fresh_appeared(struct fresh *f, const char *folder, const char *name, bool by_name);

/* Is a namespace of this name one that Podman makes, or who uses CNI? */
bool fresh_is_of_engine(const char *name);

/* The endpoints that they are: of the container that will live there, or unknown. For site_options. */
int fresh_add(struct endpoint_builder *b, struct diag_list *diags, void *arg, struct bh_err *err);

/* Is it one of them? */
bool fresh_has(const struct fresh *f, uint64_t netns_ino);
size_t fresh_count(const struct fresh *f);
/* All fresh_count() of them. */
void fresh_list(const struct fresh *f, uint64_t *ret_inos);

#endif
