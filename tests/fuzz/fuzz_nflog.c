/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/flow/flow.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int on_event(struct flow_log_event *ev, void *arg)
{
	if (!memchr(ev->prefix, '\0', sizeof(ev->prefix)) || ev->interface[0] || ev->when)
		abort();
	/* of a frame, only what says that it holds IP */
	if (ev->has_frame && ev->has_packet && ev->frame.type != 0x0800 && ev->frame.type != 0x86dd)
		abort();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	void *copy = malloc(size ? size : 1); /* aligned, and its end is watched */

	if (!copy)
		return 0;
	memcpy(copy, data, size);
	flow_log_parse(copy, size, on_event, NULL);
	free(copy);
	return 0;
}
