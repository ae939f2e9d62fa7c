/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "line.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bulkhead/base/text.h>

#include "inquiry.h"
#include "probing.h"
#include "writing.h"
#include "space.h"

#define MESSAGES_AT_ONCE 256

/* --- saying ------------------------------------------------------------------------------------ */

static void watch_room(struct logger *l)
{
	sd_event_source_set_io_events(l->line_io, EPOLLIN | (l->line.n ? EPOLLOUT : 0));
}

int line_send(struct logger *l, const void *m, size_t len)
{
	int r = channel_put(&l->line, m, len, NULL, 0);

	if (r < 0)
		sd_event_exit(l->event, r);
	else
		watch_room(l);
	return r;
}

int line_send_head(struct logger *l, enum lg_type type, uint64_t netns)
{
	const struct lg_head m = { .type = type, .netns = netns };

	return line_send(l, &m, sizeof(m));
}

int line_ask(struct logger *l, uint64_t netns, enum nft_counts_question q, uint32_t seq)
{
	const struct lg_ask m = {
		.head = { .type = LG_ASK, .netns = netns },
		.question = q,
		.seq = seq,
	};

	return line_send(l, &m, sizeof(m));
}

void logger_notice(const char *text, void *arg)
{
	struct lg_notice m = { .head.type = LG_NOTICE };

	bh_escape_str(m.text, sizeof(m.text), text);
	line_send(arg, &m, sizeof(m));
}

/* --- being told -------------------------------------------------------------------------------- */

/* A message as it came. The descriptors that nobody takes are closed. */
struct message {
	size_t len;
	int fds[CHANNEL_FDS_MAX];
	size_t n_fds;
	union {
		struct lg_head head;
		struct lg_hello hello;
		struct lg_output output;
		struct lg_flows flows;
		struct lg_process process;
		struct lg_sync sync;
		struct lg_probes probes;
		char bytes[BH_LOGGER_MESSAGE];
	};
};

static int take_fd(struct message *m, size_t i)
{
	int fd = i < m->n_fds ? m->fds[i] : -1;

	if (i < m->n_fds)
		m->fds[i] = -1;
	return fd;
}

static int on_hello(struct logger *l, struct message *m)
{
	if (strncmp(m->hello.build, LG_BUILD, sizeof(m->hello.build)) != 0 || l->store_dir >= 0)
		return -EPROTO;
	l->hello = m->hello;
	l->budget.max = m->hello.flows;
	l->budget.own = BH_FLOWS_OWN;
	probing_open(l, m->hello.probes);
	l->store_dir = take_fd(m, 0);
	return l->store_dir < 0 ? -EPROTO : 0;
}

static int on_output(struct logger *l, struct message *m)
{
	const struct lg_output *o = &m->output;
	struct host_output *to = &l->outputs_wanted[l->n_outputs_wanted];

	if (l->told_all || l->n_outputs_wanted == BH_OUTPUTS_MAX ||
	    memchr(o->path, '\0', sizeof(o->path)) == NULL)
		return -EPROTO;
	*to = (struct host_output) {
		.kind = o->kind,
		.format = o->format,
		.what = o->what,
		.facility = o->facility,
		.rotate_megabytes = o->rotate_megabytes,
		.rotate_keep = o->rotate_keep,
		.path = o->path[0] ? strdup(o->path) : NULL,
	};
	if (o->path[0] && !to->path)
		return -ENOMEM;
	l->n_outputs_wanted++;
	return 0;
}

static int on_go(struct logger *l, struct message *m)
{
	if (l->told_all || l->store_dir < 0)
		return -EPROTO;
	l->told_all = true;
	return writing_open(l) < 0 ? -ENOMEM : line_send_head(l, LG_READY, 0);
}

static int on_site(struct logger *l, struct message *m)
{
	int fd = take_fd(m, 0);
	struct bh_err err = BH_ERR_INIT;
	const void *data;
	size_t len;
	int r = channel_blob_map(fd, BH_LOGGER_SITE_MAX, &data, &len);

	if (fd >= 0)
		close(fd);
	if (r < 0)
		return r;
	r = roster_take(l->roster, data, len, &err);
	channel_blob_unmap(data, len);
	if (r < 0)
		logger_notice(err.msg, l);
	spaces_identify(l);
	return r == -ENOMEM ? r : 0; /* what is told once must be known: by the next one, then */
}

static int on_attach(struct logger *l, struct message *m)
{
	struct bh_err err = BH_ERR_INIT;
	int log = take_fd(m, 0), counts = take_fd(m, 1);

	if (log < 0 || counts < 0) {
		if (log >= 0)
			close(log);
		return -EPROTO;
	}
	if (space_attach(l, m->head.netns, log, counts, &err) < 0) {
		logger_notice(err.msg, l);
		return line_send_head(l, LG_DETACHED, m->head.netns);
	}
	return 0;
}

static int on_detach(struct logger *l, struct message *m)
{
	space_detach(l, m->head.netns);
	return 0;
}

static int on_retired(struct logger *l, struct message *m)
{
	if (m->flows.n > LG_FLOWS_MAX || m->len < LG_FLOWS_SIZE(m->flows.n))
		return -EPROTO;
	space_retired(l, &m->flows);
	return 0;
}

static int on_process(struct logger *l, struct message *m)
{
	inquiry_answer(l, &m->process);
	return 0;
}

static int on_sync(struct logger *l, struct message *m)
{
	struct lg_sync answer = { .head.type = LG_SYNCED, .number = m->sync.number };

	return line_send(l, &answer, sizeof(answer));
}

static int on_reopen(struct logger *l, struct message *m)
{
	writing_reopen(l);
	return 0;
}

static int on_probes(struct logger *l, struct message *m)
{
	return probing_told(l, &m->probes);
}

static int on_stop(struct logger *l, struct message *m)
{
	return sd_event_exit(l->event, 0);
}

static const struct {
	size_t size; /* at least */
	int (*fn)(struct logger *l, struct message *m);
} handlers[] = {
	[LG_HELLO] = { sizeof(struct lg_hello), on_hello },
	[LG_OUTPUT] = { sizeof(struct lg_output), on_output },
	[LG_GO] = { sizeof(struct lg_head), on_go },
	[LG_SITE] = { sizeof(struct lg_head), on_site },
	[LG_ATTACH] = { sizeof(struct lg_head), on_attach },
	[LG_DETACH] = { sizeof(struct lg_head), on_detach },
	[LG_RETIRED] = { offsetof(struct lg_flows, flows), on_retired },
	[LG_PROCESS] = { sizeof(struct lg_process), on_process },
	[LG_SYNC] = { sizeof(struct lg_sync), on_sync },
	[LG_REOPEN] = { sizeof(struct lg_head), on_reopen },
	[LG_PROBES] = { sizeof(struct lg_probes), on_probes },
	[LG_STOP] = { sizeof(struct lg_head), on_stop },
};

static int handle(struct logger *l, struct message *m)
{
	uint32_t type = m->head.type;
	int r;

	if (m->len < sizeof(m->head) || type >= sizeof(handlers) / sizeof(handlers[0]) ||
	    m->len < handlers[type].size ||
	    (!l->told_all && type != LG_HELLO && type != LG_OUTPUT && type != LG_GO))
		r = -EPROTO;
	else
		r = handlers[type].fn(l, m);
	for (size_t i = 0; i < m->n_fds; i++)
		if (m->fds[i] >= 0)
			close(m->fds[i]);
	return r;
}

static int read_one(struct logger *l)
{
	static struct message m;
	ssize_t n = channel_receive(l->line.fd, m.bytes, sizeof(m.bytes), m.fds, &m.n_fds);

	if (n == 0)
		return -EPIPE; /* the controller has gone */
	if (n < 0)
		return (int)n;
	m.len = (size_t)n;
	return handle(l, &m);
}

static int on_line(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct logger *l = arg;
	int r = 0;

	if (revents & EPOLLOUT) {
		r = channel_flush(&l->line);
		if (r == 0 || r == -EAGAIN)
			watch_room(l);
	}
	for (int i = 0; i < MESSAGES_AT_ONCE && (r == 0 || (i == 0 && r == -EAGAIN)); i++)
		r = read_one(l);
	return r < 0 && r != -EAGAIN ? sd_event_exit(l->event, r) : 0;
}

int line_open(struct logger *l, int fd, struct bh_err *err)
{
	int r;

	channel_init(&l->line, fd);
	r = sd_event_add_io(l->event, &l->line_io, fd, EPOLLIN, on_line, l);
	if (r >= 0) /* who is who, before what was logged since */
		r = sd_event_source_set_priority(l->line_io, SD_EVENT_PRIORITY_IMPORTANT);
	return r < 0 ? bh_err_errno(err, r, "event loop") : 0;
}
