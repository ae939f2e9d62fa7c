/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When which batch was in the kernel.  usage: commits RECORDING
 * RECORDING is preload/record.c's. A line "NETNS WHEN" for each batch: the inode of the network
 * namespace, and nanoseconds of CLOCK_REALTIME.
 */
#include <inttypes.h>
#include <stdio.h>

#include "preload/record.h"

int main(int argc, char **argv)
{
	FILE *f = argc == 2 ? fopen(argv[1], "r") : NULL;
	struct record r;

	if (!f) {
		fputs("usage: commits RECORDING\n", stderr);
		return 2;
	}
	while (fread(&r, sizeof(r), 1, f) == 1 && fseek(f, (long)r.len, SEEK_CUR) == 0)
		printf("%" PRIu64 " %" PRIu64 "\n", r.netns_ino, r.when);
	return fclose(f) == 0 ? 0 : 3;
}
