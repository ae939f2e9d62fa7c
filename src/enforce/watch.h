/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ENFORCE_WATCH_H
#define ENFORCE_WATCH_H

#include <bulkhead/enforce/follow.h>
#include <bulkhead/flow/account.h>
#include <bulkhead/flow/explained.h>
#include <bulkhead/nft/nft.h>

#include "parties.h"
#include "sender.h"

/* What all watched namespaces share. */
struct watch_shared {
	struct site *site;
	struct parties *parties;
	const struct follow_callbacks *cb;
	struct flow_budget budget;
	struct process_finder *processes;
	struct flow_explained explained; /* in this reading of a log */
	char host[65];
};

/* One namespace that is being followed: its log, its counts, and what its table says. */
struct watch {
	struct watch_shared *shared;
	size_t endpoint; /* index into the site's endpoints */
	int netns_fd;
	uint64_t ino;
	struct nlsock nl;
	struct flow_log *log;
	struct flow_account *account;
	struct nft_state have; /* as read at the start, or after the table was changed */
	uint32_t commit;       /* of the namespace's nftables, when `have` was read */
	const struct flow_log_event *event; /* that is being recorded, or NULL */
	int64_t now;                        /* of the look that is going on */
	size_t retired;                     /* flows, in this look */
	int retired_error;                  /* of handing out what was retired */
	bool cannot_retire;                 /* the kernel refused, and that was told */
};

/* Tell a person something about an endpoint. */
void watch_notice(const struct watch_shared *shared, const struct endpoint *e, const char *what);

/*
 * Start to follow the namespace of an endpoint. *ret is NULL and 0 returned when it holds no table
 * of ours. The caller frees with watch_free().
 */
int watch_new(struct watch_shared *shared, size_t endpoint, int64_t now, struct watch **ret,
	      struct bh_err *err);
void watch_free(struct watch *w); /* takes NULL */

/* Read the log: one bounded round. > 0 when there may be more. */
int watch_read_log(struct watch *w, struct bh_err *err);
/* Look at the kernel's counts and record what is due. */
int watch_look(struct watch *w, int64_t now, struct bh_err *err);
/* The last look: record all that is counted. */
int watch_finish(struct watch *w, int64_t now, struct bh_err *err);
/* The namespace behind the endpoint's path is another one now, or none. */
bool watch_is_gone(const struct watch *w);
void watch_add_sums(const struct watch *w, struct follow_sums *sums);

#endif
