/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_CTL_NOTES_H
#define BULKHEAD_CTL_NOTES_H

#include <limits.h>
#include <stdbool.h>

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

struct ctl_notes_taker {
	/*
	 * Called for each that can be read. True: it is done with, and goes; false: it stays for the next time. A
	 * reference is taken if REQUEST, whose keys nobody has checked, is kept.
	 */
	bool (*take)(json_t *request, void *arg);
	/*
	 * Then, if any is done with: is what they said where a crash does not reach it? False: all stay. NULL:
	 * nothing was to be kept.
	 */
	bool (*kept)(void *arg);
	void *arg;
};

/*
 * Take at most BH_CTL_NOTES_MAX. 0 also when there are none; -E2BIG when there are more, which stay; -EMFILE, -ENOMEM,
 * ...: some could not be read for now, and stay. What will never be read is removed.
 */
int ctl_notes_take(const char *socket, const struct ctl_notes_taker *taker, struct bh_err *err);

#endif
