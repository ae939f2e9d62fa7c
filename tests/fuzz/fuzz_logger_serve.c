/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Messages of a logger that is not itself any more, each behind its length in two bytes. */

#include <stdint.h>

#include "../unit/daemon/logger_link.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void hear(struct link *l, const uint8_t *data, size_t n)
{
	void *copy = malloc(n ? n : 1); /* aligned, and its end is watched */

	if (!copy)
		return;
	memcpy(copy, data, n);
	logger_serve(&l->k, copy, n);
	free(copy);
}

static void forget_answers(int fd)
{
	char byte;

	while (recv(fd, &byte, 1, MSG_DONTWAIT) > 0)
		;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct link l;

	if (link_up(&l) < 0)
		abort();
	while (size >= 2) {
		size_t n = (size_t)data[0] << 8 | data[1];

		data += 2;
		size -= 2;
		n = n < size ? n : size;
		hear(&l, data, n);
		data += n;
		size -= n;
		channel_flush(&l.k.line);
		forget_answers(l.far);
	}
	link_down(&l);
	return 0;
}
