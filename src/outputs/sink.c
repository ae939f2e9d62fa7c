/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sink.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>
#include <bulkhead/sys/unixsock.h>

#define SENTENCE_MAX 1024

static const struct {
	const struct sink_ops *ops;
	const char *name, *path;
} kinds[] = {
	[OUTPUT_FILE] = { &file_ops, "file", NULL },
	[OUTPUT_JOURNAL] = { &journal_ops, "journal", "/run/systemd/journal/socket" },
	[OUTPUT_SYSLOG] = { &syslog_ops, "syslog", "/dev/log" },
};

int64_t sink_now(const struct sink *s)
{
	struct timespec ts;

	if (s->opts->now_usec)
		return s->opts->now_usec();
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* "file /var/log/...", "journal" */
static char *make_name(const struct host_output *cfg)
{
	char shown[PATH_MAX];
	char *name;

	if (!cfg->path)
		return strdup(kinds[cfg->kind].name);
	bh_escape_str(shown, sizeof(shown), cfg->path);
	return asprintf(&name, "%s %s", kinds[cfg->kind].name, shown) < 0 ? NULL : name;
}

int sink_init(struct sink *s, const struct host_output *cfg, const struct outputs_options *opts,
	      struct bh_err *err)
{
	const char *path = cfg->path ? cfg->path : kinds[cfg->kind].path;

	*s = (struct sink) {
		.ops = kinds[cfg->kind].ops,
		.cfg = *cfg,
		.opts = opts,
		.path = path ? strdup(path) : NULL,
		.name = make_name(cfg),
		.fd = -1,
		.dir = -1,
	};
	bh_buf_init(&s->scratch, BH_OUTPUT_LINE_MAX);
	s->cfg.path = s->path;
	if (!s->path || !s->name) {
		sink_done(s);
		return bh_err_oom(err);
	}
	return 0;
}

/* --- telling ---------------------------------------------------------------------------------- */

static void tell(const struct sink *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void tell(const struct sink *s, const char *fmt, ...)
{
	char sentence[SENTENCE_MAX];
	va_list ap;

	if (!s->opts->notice)
		return;
	va_start(ap, fmt);
	vsnprintf(sentence, sizeof(sentence), fmt, ap);
	va_end(ap);
	s->opts->notice(sentence, s->opts->arg);
}

static void tell_end(struct sink *s, int64_t now)
{
	uint64_t lost = s->lost - s->lost_before;

	tell(s, "output %s works again after %" PRId64 " s; %" PRIu64 " %s not written to it",
	     s->name, (now - s->since) / 1000000, lost, lost == 1 ? "line was" : "lines were");
	s->failing = false;
	s->why_text[0] = '\0';
}

static void tell_if_over(struct sink *s, int64_t now)
{
	if (s->failing && s->good_since && now - s->good_since >= BH_OUTPUT_STEADY_MS * 1000LL)
		tell_end(s, now);
}

/* --- failing ----------------------------------------------------------------------------------- */

static int64_t clamp_backoff(int64_t usec)
{
	const int64_t least = BH_OUTPUT_RETRY_MIN_MS * 1000LL,
		      most = BH_OUTPUT_RETRY_MAX_MS * 1000LL;

	return usec < least ? least : usec > most ? most : usec;
}

static void begin_failing(struct sink *s, int r, int64_t now)
{
	s->failing = true;
	s->since = now;
	s->lost_before = s->lost;
	tell(s, "output %s fails: %s; what is not written to it is counted", s->name, strerror(-r));
}

static void fail(struct sink *s, int r)
{
	int64_t now = sink_now(s);

	if (!s->failing)
		begin_failing(s, r, now);
	snprintf(s->why_text, sizeof(s->why_text), "%s", strerror(-r));
	s->good_since = 0;
	s->backoff_usec = clamp_backoff(2 * s->backoff_usec);
	s->retry_at = now + s->backoff_usec;
	s->ops->close(s);
}

void sink_lose(struct sink *s, int r)
{
	fail(s, r);
	s->lost++;
}

bool sink_waits(struct sink *s)
{
	bool waits = s->retry_at && sink_now(s) < s->retry_at;

	s->lost += waits;
	return waits;
}

void sink_put(struct sink *s, const struct message *m)
{
	int r = s->ops->put(s, m);

	if (r < 0) {
		sink_lose(s, r);
		return;
	}
	s->written++;
	s->retry_at = s->backoff_usec = 0;
	if (!s->failing)
		return;
	if (!s->good_since)
		s->good_since = sink_now(s);
	tell_if_over(s, sink_now(s));
}

void sink_tick(struct sink *s)
{
	int64_t now = sink_now(s);
	int r = 0;

	if (now >= s->retry_at)
		r = s->ops->look(s, true);
	if (r < 0)
		fail(s, r);
	else
		tell_if_over(s, now);
}

void sink_reopen(struct sink *s)
{
	s->ops->close(s);
	s->retry_at = s->backoff_usec = 0;
	sink_tick(s);
}

void sink_done(struct sink *s)
{
	if (s->failing)
		tell(s, "output %s ends while it fails: %" PRIu64 " of its lines were not written",
		     s->name, s->lost - s->lost_before);
	if (s->ops)
		s->ops->close(s);
	bh_buf_done(&s->scratch);
	free(s->path);
	free(s->name);
	*s = (struct sink) { .fd = -1, .dir = -1 };
}

/* --- sockets ------------------------------------------------------------------------------------- */

int sink_find(struct sink *s, bool force)
{
	struct stat st;

	if (stat(s->path, &st) < 0)
		return -errno;
	return S_ISSOCK(st.st_mode) ? 0 : -ENOTSOCK;
}

int sink_send(struct sink *s)
{
	if (bh_buf_error(&s->scratch) < 0)
		return bh_buf_error(&s->scratch);
	return unixsock_send_to(s->opts->socket, s->path, s->scratch.data, s->scratch.len);
}

void sink_keep(struct sink *s)
{
}
