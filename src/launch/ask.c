/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ask.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/ctl/ctl.h>

/* Between tries while nobody answers. */
#define RETRY_MS 20
/* Who has no room says so at once; what takes longer has been thought over. */
#define AT_ONCE_MS 200
/* The daemon gives up when this much of the time is over, and so says why. */
#define DAEMONS_PART(ms) ((ms) / 10 * 9)

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Items up to the end: the last one's state. */
static int read_answer(struct ctl_client *c, char *ret_state, struct ctl_end *end,
		       struct bh_err *err)
{
	json_t *item = NULL;
	int r;

	while ((r = ctl_client_next(c, &item, end, err)) > 0) {
		const char *state = json_string_value(json_object_get(item, "state"));

		if (state && ret_state)
			snprintf(ret_state, LAUNCH_STATE_MAX, "%s", state);
		json_decref(item);
	}
	return r;
}

static const struct {
	int exit, r;
} endings[] = {
	{ CTL_EXIT_YES, 0 },
	{ CTL_EXIT_NO, -EPERM },
	{ CTL_EXIT_USAGE, -EINVAL },
};

static int result_of(const struct ctl_end *end, struct bh_err *err)
{
	int r = -EAGAIN;

	for (size_t i = 0; i < BH_ARRAY_SIZE(endings); i++)
		if (endings[i].exit == end->exit)
			r = endings[i].r;
	return r < 0 ? bh_err_set(err, r, "%s", end->error) : 0;
}

static int ask_once(const char *socket, int64_t until, const char *verb, json_t *args,
		    char *ret_state, struct bh_err *err)
{
	int64_t left = until - now_ms();
	struct ctl_client *c;
	struct ctl_end end;
	int r = ctl_client_connect(socket, left > 1 ? (int)left : 1, &c, err);

	if (r < 0)
		return r;
	left = until - now_ms();
	if (json_object_get(args, "wait"))
		json_object_set_new(args, "wait", json_integer(DAEMONS_PART(left) + 1));
	r = ctl_client_request(c, verb, json_incref(args), left > 1 ? (int)left : 1, err);
	if (r >= 0)
		r = read_answer(c, ret_state, &end, err);
	ctl_client_free(c);
	return r < 0 ? r : result_of(&end, err);
}

/* Nobody is there, or the one who was has ended, or there are too many of us. */
static bool is_for_now(int r, int64_t took_ms)
{
	return r == -ENOENT || r == -ECONNREFUSED || r == -ECONNRESET ||
	       (r == -EAGAIN && took_ms < AT_ONCE_MS);
}

int launch_ask(const char *socket, unsigned wait_ms, const char *verb, json_t *args,
	       char *ret_state, struct bh_err *err)
{
	const struct timespec pause = { 0, RETRY_MS * 1000000 };
	int64_t began, until = now_ms() + wait_ms;
	int r;

	if (!args)
		return bh_err_set(err, -EINVAL, "a label, or the name, is no UTF-8");
	for (;;) {
		began = now_ms();
		r = ask_once(socket, until, verb, args, ret_state, err);
		if (!is_for_now(r, now_ms() - began) || now_ms() + RETRY_MS >= until)
			break;
		nanosleep(&pause, NULL);
	}
	json_decref(args);
	return r;
}
