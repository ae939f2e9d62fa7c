/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "loop.h"

#include <stdlib.h>
#include <unistd.h>

#include <bulkhead/sys/unixsock.h>

#include "line.h"
#include "probing.h"
#include "space.h"
#include "writing.h"

#define SECOND 1000000

/* Each second: look, and say that we live. */
static int on_second(sd_event_source *source, uint64_t usec, void *arg)
{
	struct logger *l = arg;
	struct lg_stats stats = l->stats;

	spaces_look(l);
	probing_tick(l);
	stats.head.type = LG_STATS;
	spaces_add_stats(l, &stats);
	line_send(l, &stats, sizeof(stats));
	sd_event_source_set_time_relative(source, SECOND);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

int loop_open(struct logger *l, int fd, struct bh_err *err)
{
	int r;

	channel_init(&l->line, fd);
	r = sd_event_new(&l->event);
	if (r < 0)
		return bh_err_errno(err, r, "event loop");
	gethostname(l->host, sizeof(l->host) - 1);
	l->roster = roster_new();
	if (!l->roster)
		return bh_err_oom(err);
	r = unixsock_datagram(&l->datagrams, err);
	if (r < 0)
		return r;
	r = line_open(l, fd, err);
	if (r >= 0 && (r = sd_event_add_time_relative(l->event, NULL, CLOCK_MONOTONIC, SECOND,
						      10000, on_second, l)) < 0)
		bh_err_errno(err, r, "event loop");
	return r;
}

void loop_close(struct logger *l)
{
	spaces_finish(l);
	writing_close(l);
	roster_free(l->roster);
	sd_event_source_disable_unref(l->line_io);
	channel_done(&l->line);
	sd_event_unref(l->event);
	if (l->store_dir >= 0)
		close(l->store_dir);
	if (l->datagrams)
		close(l->datagrams);
	for (size_t i = 0; i < l->n_outputs_wanted; i++)
		free((char *)l->outputs_wanted[i].path);
}
