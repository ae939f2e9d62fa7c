/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/launch/launch.h>

#include <string.h>

#include "ask.h"

/* Without the daemon a start may go on: then it is not asked for long, for the hook asks again. */
#define SHORT_MS 1000

int launch_denies_raw(enum endpoint_runtime runtime, const char *id, const struct launch_options *o,
		      bool *ret, struct bh_err *err)
{
	unsigned wait = o->quarantine && o->wait_ms > SHORT_MS ? SHORT_MS : o->wait_ms;
	json_t *args = json_pack("{s:s, s:s, s:i}", "runtime", endpoint_runtime_name(runtime), "id",
				 id, "wait", (int)wait);
	char state[LAUNCH_STATE_MAX] = "";
	int r = launch_ask(o->socket, wait, "privileges", args, state, err);

	if (r >= 0)
		*ret = strcmp(state, "denied") == 0;
	return r;
}
