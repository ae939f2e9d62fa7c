/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef LAUNCH_ASK_H
#define LAUNCH_ASK_H

#include <jansson.h>

#include <bulkhead/launch/launch.h>

/*
 * Ask the daemon at SOCKET for VERB within WAIT_MS, and wait for the end of its answer. While none is there, or
 * it has no room, it is tried again: it may be being started anew. ARGS (NULL: they could not be made) is
 * taken. 0; -EPERM: it says no; -EINVAL: the request is wrong; -EAGAIN: it could not; others: it could not be
 * asked, or did not answer. RET_STATE as launch_hold().
 */
int launch_ask(const char *socket, unsigned wait_ms, const char *verb, json_t *args,
	       char *ret_state, struct bh_err *err);

#endif
