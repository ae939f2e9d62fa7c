/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <libmnl/libmnl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/flow/flow.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One buffer as it comes from the socket: messages behind each other. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nlmsghdr *buf = malloc(size ? size : 1);
	const struct nlmsghdr *nlh = buf;
	int len = (int)size;

	if (!buf)
		return 0;
	memcpy(buf, data, size);
	for (; mnl_nlmsg_ok(nlh, len); nlh = mnl_nlmsg_next(nlh, &len)) {
		struct flow_log_event ev;

		if (flow_log_parse(nlh, &ev) < 0)
			continue;
		if (!memchr(ev.prefix, '\0', sizeof(ev.prefix)) || ev.interface[0])
			abort();
	}
	free(buf);
	return 0;
}
