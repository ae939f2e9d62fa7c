/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ENFORCE_SENDER_H
#define ENFORCE_SENDER_H

#include <bulkhead/flow/flow.h>
#include <bulkhead/runtime/process.h>
#include <bulkhead/sys/nlsock.h>

/*
 * Fill in the process that sent a packet which the log has just told of, EV, when it was to leave by TCP
 * or UDP through the stack. (The record may be of the kernel's count, which was read first.) NL: any socket in its namespace, which has inode INO.
 */
void sender_fill(struct process_finder *f, const struct nlsock *nl, uint64_t ino,
		 const struct flow_log_event *ev, struct flow_record *rec);

#endif
