/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ENFORCE_TASK_H
#define ENFORCE_TASK_H

#include <bulkhead/enforce/enforce.h>
#include <bulkhead/sys/nlsock.h>

/* One namespace to work on. */
struct task {
	struct nlsock *sock;
	const struct ruleset *ruleset; /* that is brought about; NULL = no table */
	struct nft_frames frames;      /* of its devices */
	bool own;
	struct apply_result *res;
	bool stands;         /* set: exactly RULESET stands there, as of COMMIT_ID */
	uint32_t commit_id;  /* of the namespace's nf_tables */
	uint64_t alternates; /* as in struct nft_state */
};

/* Read what stands, write what is wanted if that is not it, and read it back. RES gets the outcome. */
int task_bring_about(struct task *t, struct bh_err *err);
/* Take the tables away. */
int task_remove(struct task *t, struct bh_err *err);

#endif
