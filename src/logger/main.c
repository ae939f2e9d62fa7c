/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include <bulkhead/base/text.h>
#include <bulkhead/sys/child.h>
#include <bulkhead/sys/privs.h>

#include "calls.h"
#include "loop.h"

/*
 * The event loop's descriptors are made first: after the filter no new kind of thing is needed. Nothing
 * is read before the privileges are gone.
 */
static int run(struct logger *l, uid_t uid, gid_t gid, struct bh_err *err)
{
	int r = loop_open(l, CHILD_CHANNEL_FD, err);

	if (r >= 0)
		r = privs_drop(uid, gid, err);
	if (r >= 0)
		r = calls_filter(err);
	if (r >= 0)
		r = sd_event_loop(l->event);
	return r;
}

static bool take_id(const char *text, uint32_t *ret)
{
	uint64_t v;

	if (bh_parse_u64(text, 1, UINT32_MAX - 1, &v) < 0)
		return false;
	*ret = (uint32_t)v;
	return true;
}

int main(int argc, char **argv)
{
	struct logger l = LOGGER_INIT;
	struct bh_err err = BH_ERR_INIT;
	uint32_t uid, gid;
	int r;

	if (argc != 3 || !take_id(argv[1], &uid) || !take_id(argv[2], &gid)) {
		fprintf(stderr, "bulkhead-logger: bulkheadd starts it; it is no command\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	/* which are for the controller, whose end is seen: what is known is to be written */
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	r = run(&l, uid, gid, &err);
	if (err.msg[0])
		fprintf(stderr, "bulkhead-logger: %s\n", err.msg);
	loop_close(&l);
	return r < 0 && r != -EPIPE ? 1 : 0;
}
