/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_UNIT_DAEMON_LOGGER_LINK_H
#define TESTS_UNIT_DAEMON_LOGGER_LINK_H

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../../src/daemon/logger_private.h"

/* The controller's end of a line without a process behind it, and one namespace that is listened to. */

#define LINK_NETNS  4711
#define LINK_NO_PID 0x7ffffff0 /* more than a kernel gives: to end it ends nobody */

struct link {
	struct controller c;
	struct logger_link k;
	struct tap *tap;
	int far; /* the logger's end */
};

static inline int link_up(struct link *l)
{
	int fds[2];

	memset(l, 0, sizeof(*l));
	l->c.holds = holds_new();
	l->k = (struct logger_link) { .c = &l->c, .store_dir = -1, .pid = LINK_NO_PID };
	l->tap = calloc(1, sizeof(*l->tap));
	if (!l->c.holds || !l->tap || channel_pair(fds, NULL) < 0)
		return -1;
	channel_init(&l->k.line, fds[0]);
	l->far = fds[1];
	*l->tap = (struct tap) { .ino = LINK_NETNS, .counts = NLSOCK_INIT, .attached = true };
	HASH_ADD(hh, l->k.taps, ino, sizeof(l->tap->ino), l->tap);
	return 0;
}

static inline void link_down(struct link *l)
{
	channel_done(&l->k.line);
	close(l->far);
	taps_free(&l->k);
	holds_free(l->c.holds);
}

#endif
