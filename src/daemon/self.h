/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_SELF_H
#define DAEMON_SELF_H

#include <jansson.h>

#include "controller.h"

/*
 * What `status` says of the daemon itself: docs/daemon.md. OPENLY: with the text of mistakes in the
 * policies, which quotes them. The caller's; NULL: out of memory.
 */
json_t *self_report(const struct controller *c, bool openly);

#endif
