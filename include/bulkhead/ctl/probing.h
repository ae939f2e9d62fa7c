/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_CTL_PROBING_H
#define BULKHEAD_CTL_PROBING_H

#include <stdbool.h>
#include <stdint.h>

#include <bulkhead/base/err.h>

/*
 * How a daemon knows that a segmentation test runs, or has run while no daemon did: a file beside the directory
 * of its socket (/run/bulkhead.probes for /run/bulkhead/control.sock). It has a byte for each test that ever
 * began, and each that runs holds a lock on it, which the kernel lets go of however it ends. It is gone
 * after a reboot, as the counters are that tests hit. Root's alone.
 */

/*
 * Before the first packet. Close RET_FD when the last one is sent. -EPERM when the file is another's;
 * -EINVAL: SOCKET has no directory of its own; else as open(2) and write(2).
 */
int ctl_probing_begin(const char *socket, int *ret_fd, struct bh_err *err);

struct ctl_probing {
	uint64_t begun; /* tests, ever */
	bool running;   /* one does, or several */
};
/* 0 with zeros where no test ever began; -errno as above when it cannot be known. Never waits. */
int ctl_probing_look(const char *socket, struct ctl_probing *ret, struct bh_err *err);

#endif
