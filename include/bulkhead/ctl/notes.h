/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_CTL_NOTES_H
#define BULKHEAD_CTL_NOTES_H

#include <limits.h>

#include <jansson.h>

#include <bulkhead/base/err.h>

/*
 * Requests for a daemon that does not answer: files in a directory beside that of its socket
 * (/run/bulkhead.starts for /run/bulkhead/control.sock), which are gone after a reboot. Root's alone.
 */

/*
 * Leave REQUEST, an object without "v" and "do"; another of this NAME (letters, digits, "-") is replaced.
 * -EPERM when the directory is not ours alone; -EMSGSIZE: more than BH_CTL_FRAME_MAX bytes, which nobody would
 * read.
 */
int ctl_note_leave(const char *socket, const char *name, const json_t *request, struct bh_err *err);

/* Where they are. -EINVAL: SOCKET has no directory of its own, and OUT is "". */
int ctl_notes_path(const char *socket, char out[PATH_MAX], struct bh_err *err);
/* That directory, for who watches it. -EPERM: it is not ours alone; -ENOENT: there is none yet. */
int ctl_notes_open(const char *socket, int *ret_fd, struct bh_err *err);

/*
 * Take them all: FN is called for each that can be read, at most BH_CTL_NOTES_MAX, and the file removed. FN
 * takes a reference if it keeps REQUEST, whose keys nobody has checked. 0 also when there are none; -E2BIG when
 * there are more, which stay.
 */
int ctl_notes_take(const char *socket, void (*fn)(json_t *request, void *arg), void *arg,
		   struct bh_err *err);

#endif
