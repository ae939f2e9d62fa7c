/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bulkhead/base/text.h>
#include <bulkhead/sys/child.h>
#include <bulkhead/sys/privs.h>
#include <bulkhead/sys/unixsock.h>

#include "calls.h"
#include "line.h"
#include "logger.h"
#include "writing.h"
#include "space.h"

#define SECOND 1000000

/* Each second: look, and say that we live. */
static int on_second(sd_event_source *source, uint64_t usec, void *arg)
{
	struct logger *l = arg;
	struct lg_stats stats = l->stats;

	spaces_look(l);
	stats.head.type = LG_STATS;
	spaces_add_stats(l, &stats);
	line_send(l, &stats, sizeof(stats));
	sd_event_source_set_time_relative(source, SECOND);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int open_all(struct logger *l, struct bh_err *err)
{
	int r = sd_event_new(&l->event);

	if (r < 0)
		return bh_err_errno(err, r, "event loop");
	gethostname(l->host, sizeof(l->host) - 1);
	l->roster = roster_new();
	if (!l->roster)
		return bh_err_oom(err);
	r = unixsock_datagram(&l->datagrams, err);
	if (r < 0)
		return r;
	r = line_open(l, CHILD_CHANNEL_FD, err);
	if (r >= 0 && (r = sd_event_add_time_relative(l->event, NULL, CLOCK_MONOTONIC, SECOND,
						      10000, on_second, l)) < 0)
		bh_err_errno(err, r, "event loop");
	return r;
}

static void close_all(struct logger *l)
{
	spaces_finish(l);
	writing_close(l);
	roster_free(l->roster);
	channel_done(&l->line);
	sd_event_unref(l->event);
	if (l->store_dir >= 0)
		close(l->store_dir);
}

/*
 * The event loop's descriptors are made first: after the filter no new kind of thing is needed. Nothing
 * is read before the privileges are gone.
 */
static int run(struct logger *l, uid_t uid, gid_t gid, struct bh_err *err)
{
	int r = open_all(l, err);

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
	struct logger l = { .store_dir = -1, .line = { .fd = -1 } };
	struct bh_err err = BH_ERR_INIT;
	uint32_t uid, gid;
	int r;

	if (argc != 3 || !take_id(argv[1], &uid) || !take_id(argv[2], &gid)) {
		fprintf(stderr, "bulkhead-logger: bulkheadd starts it; it is no command\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	r = run(&l, uid, gid, &err);
	if (err.msg[0])
		fprintf(stderr, "bulkhead-logger: %s\n", err.msg);
	close_all(&l);
	return r < 0 && r != -EPIPE ? 1 : 0;
}
