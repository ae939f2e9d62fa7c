/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ENFORCE_SENDER_H
#define ENFORCE_SENDER_H

#include <bulkhead/flow/flow.h>
#include <bulkhead/runtime/process.h>
#include <bulkhead/sys/nlsock.h>

/*
 * Fill in the process that sent a packet which the log has just told of, EV, when it left by TCP or UDP
 * through the stack. NL: any socket in its namespace, which has inode INO.
 */
void sender_fill(struct process_finder *f, const struct nlsock *nl, uint64_t ino,
		 const struct flow_log_event *ev, struct flow_record *rec);

#endif
