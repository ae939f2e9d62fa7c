/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_RUNTIME_PROCESS_H
#define BULKHEAD_RUNTIME_PROCESS_H

#include <bulkhead/base/addr.h>
#include <bulkhead/base/err.h>
#include <bulkhead/model/record.h>

/*
 * Which process has the socket that sent a packet: the kernel is asked for the socket inside its
 * namespace (NETLINK_SOCK_DIAG), and /proc for the process of that namespace that holds it.
 */

/* The packet. Plain data: it can be sent to whoever may look, with the descriptor beside it. */
struct process_question {
	int netns_fd;       /* in which it was sent; borrowed */
	uint64_t netns_ino; /* of the same */
	uint8_t proto;      /* IPPROTO_TCP or IPPROTO_UDP; of others nothing is known */
	uint16_t sport, dport;
	uint32_t ifindex;                   /* by which it was to leave; 0 = not known */
	struct bh_addr source, destination; /* of one family */
	bool has_uid;
	uint32_t uid; /* of the socket, as the log has it: another's socket is no answer */
};

/* What was found lately, and how much was looked for. */
struct process_finder;
/* PROC: where procfs is, NULL for /proc; borrowed. */
int process_finder_new(const char *proc, struct process_finder **ret, struct bh_err *err);
void process_finder_free(struct process_finder *f); /* takes NULL */

/*
 * Never fails: what is not found has `unknown` set, a static string that says why. NOW: CLOCK_MONOTONIC
 * in microseconds. Needs CAP_SYS_ADMIN (setns) and CAP_SYS_PTRACE (/proc of others). One call looks
 * at BH_PROCESS_PIDS_MAX processes and BH_PROCESS_FDS_MAX descriptors at most; there are at most
 * BH_PROCESS_PER_S looks a second for one namespace and BH_PROCESS_TOTAL_PER_S for all, and answers are
 * kept for BH_PROCESS_CACHE_MS. It takes tens of microseconds, 20 ms at the very most. comm and exe are hostile bytes.
 */
void process_of_socket(struct process_finder *f, const struct process_question *q, int64_t now,
		       struct record_process *ret);

#endif
