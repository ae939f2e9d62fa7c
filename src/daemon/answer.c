/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "answer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct answer {
	json_t *items;
	size_t sent;
	enum ctl_exit exit;
	char error[BH_ERR_MAX];
};

static void answer_free(struct answer *a)
{
	if (a)
		json_decref(a->items);
	free(a);
}

struct answer *answer_new(struct ctl_call *call)
{
	struct answer *a = calloc(1, sizeof(*a));

	if (a && (a->items = json_array()))
		return a;
	free(a);
	ctl_call_end(call, CTL_EXIT_FAILED, "out of memory");
	return NULL;
}

void answer_item(json_t *item, void *arg)
{
	struct answer *a = arg;

	json_array_append_new(a->items, item);
}

void answer_line(const char *line, void *arg)
{
	answer_item(json_pack("{s:s}", "message", line), arg);
}

void answer_error(struct answer *a, enum ctl_exit exit, const struct bh_err *err,
		  const char *otherwise)
{
	a->exit = exit;
	snprintf(a->error, sizeof(a->error), "%s", err->msg[0] ? err->msg : otherwise);
}

/* Send what there is room for; the rest when it was read. */
void answer_more(struct ctl_call *call, void *arg)
{
	struct answer *a = ctl_call_data(call);
	int r;

	while (a->sent < json_array_size(a->items)) {
		if (!ctl_call_has_room(call)) {
			ctl_call_want_more(call);
			return;
		}
		r = ctl_call_item(call, json_incref(json_array_get(a->items, a->sent++)));
		if (r == -EPIPE)
			break;
		if (r < 0) { /* what is left out must not look like the whole */
			a->exit = CTL_EXIT_FAILED;
			snprintf(a->error, sizeof(a->error),
				 "an item of the answer was left out: %s", strerror(-r));
		}
	}
	ctl_call_end(call, a->exit, a->error[0] ? a->error : NULL);
	answer_free(a);
}

void answer_gone(struct ctl_call *call, void *arg)
{
	answer_free(ctl_call_data(call));
}

void answer_send(struct ctl_call *call, struct answer *a)
{
	ctl_call_set_data(call, a);
	answer_more(call, NULL);
}
