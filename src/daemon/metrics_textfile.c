/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "metrics_textfile.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bulkhead/base/limits.h>
#include <bulkhead/sys/replace.h>

/* Behind whatever enforces. */
#define PRIORITY      (SD_EVENT_PRIORITY_NORMAL + 50)
#define ACCURACY_USEC 250000

struct metrics_textfile {
	char *path;
	const struct metrics *metrics;
	void (*notice)(const char *text, void *arg);
	void *arg;
	sd_event_source *timer;
	uint64_t usec; /* between two writes */
	bool failing;
};

int metrics_textfile_write(const struct metrics *m, const char *path, struct bh_err *err)
{
	struct bh_buf text;
	int r;

	bh_buf_init(&text, BH_METRICS_BYTES_MAX);
	r = metrics_write(m, &text);
	if (r < 0)
		bh_err_errno(err, r, "cannot write the metrics");
	else
		r = replace_file(path, 0644, text.data, text.len, err);
	bh_buf_done(&text);
	return r;
}

static void tell(struct metrics_textfile *t, const char *text)
{
	if (t->notice)
		t->notice(text, t->arg);
}

/* Said once, not every time. */
static void judge(struct metrics_textfile *t, bool failed, const struct bh_err *err)
{
	if (failed && !t->failing)
		tell(t, err->msg);
	else if (!failed && t->failing)
		tell(t, "the metrics can be written again");
	t->failing = failed;
}

static void write_now(struct metrics_textfile *t)
{
	struct bh_err err = BH_ERR_INIT;
	int r = metrics_textfile_write(t->metrics, t->path, &err);

	judge(t, r < 0, &err);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *arg)
{
	struct metrics_textfile *t = arg;

	write_now(t);
	metrics_textfile_set_usec(t, t->usec);
	return 0;
}

void metrics_textfile_set_usec(struct metrics_textfile *t, uint64_t usec)
{
	t->usec = usec;
	sd_event_source_set_time_relative(t->timer, usec);
	sd_event_source_set_enabled(t->timer, SD_EVENT_ONESHOT);
}

static int start(struct metrics_textfile *t, sd_event *event)
{
	int r = sd_event_add_time_relative(event, &t->timer, CLOCK_MONOTONIC, t->usec,
					   ACCURACY_USEC, on_timer, t);

	if (r >= 0)
		r = sd_event_source_set_priority(t->timer, PRIORITY);
	if (r >= 0)
		write_now(t);
	return r;
}

int metrics_textfile_new(sd_event *event, const char *path, const struct metrics *m,
			 void (*notice)(const char *text, void *arg), void *arg,
			 struct metrics_textfile **ret, struct bh_err *err)
{
	struct metrics_textfile *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return bh_err_oom(err);
	t->metrics = m;
	t->notice = notice;
	t->arg = arg;
	t->usec = UINT64_C(1000) * BH_METRICS_TEXTFILE_MS;
	t->path = strdup(path);
	r = t->path ? start(t, event) : -ENOMEM;
	if (r < 0) {
		metrics_textfile_free(t);
		return bh_err_errno(err, r, "metrics: text file");
	}
	*ret = t;
	return 0;
}

void metrics_textfile_free(struct metrics_textfile *t)
{
	if (!t)
		return;
	sd_event_source_disable_unref(t->timer);
	free(t->path);
	free(t);
}
