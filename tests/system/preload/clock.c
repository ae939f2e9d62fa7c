/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Preloaded: from the moment that the file $CLOCK_SET is there, the clock that can be set is an hour
 * back. The others go on.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t which, struct timespec *ret)
{
	static int (*theirs)(clockid_t, struct timespec *);
	const char *file = getenv("CLOCK_SET");
	int r;

	if (!theirs)
		*(void **)&theirs = dlsym(RTLD_NEXT, "clock_gettime");
	r = theirs(which, ret);
	if (r == 0 && which == CLOCK_REALTIME && file && access(file, F_OK) == 0)
		ret->tv_sec -= 3600;
	return r;
}
