/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_BASE_CLEANUP_H
#define BULKHEAD_BASE_CLEANUP_H

#include <stdlib.h>
#include <unistd.h>

/* Scope-bound ownership: the variable is released when it leaves scope unless it was stolen. */

static inline void bh_cleanup_free(void *p)
{
	free(*(void **)p);
}

static inline void bh_cleanup_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

#define bh_autofree  __attribute__((cleanup(bh_cleanup_free)))
#define bh_autoclose __attribute__((cleanup(bh_cleanup_close)))

/* Hand the value on and leave an empty one behind. */
#define BH_STEAL_FD(fd)                                                                            \
	({                                                                                         \
		int *p_ = &(fd), v_ = *p_;                                                         \
		*p_ = -1;                                                                          \
		v_;                                                                                \
	})
#define BH_STEAL_PTR(ptr)                                                                          \
	({                                                                                         \
		__typeof__(ptr) *p_ = &(ptr), v_ = *p_;                                            \
		*p_ = NULL;                                                                        \
		v_;                                                                                \
	})

#define BH_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif
