/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ENFORCE_SENDER_H
#define ENFORCE_SENDER_H

#include <bulkhead/flow/flow.h>
#include <bulkhead/runtime/process.h>

/*
 * Fill in the process that sent a packet which the log has just told of, EV, when it was to leave by TCP
 * or UDP through the stack. NETNS_FD: its namespace, of inode INO. (The record may be of the kernel's
 * count, when that was read before the log.)
 */
void sender_fill(struct process_finder *f, int netns_fd, uint64_t ino,
		 const struct flow_log_event *ev, struct flow_record *rec);

#endif
