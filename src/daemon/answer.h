/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_ANSWER_H
#define DAEMON_ANSWER_H

#include <jansson.h>

#include <bulkhead/base/err.h>
#include <bulkhead/ctl/ctl.h>

/* An answer that was made at once and is sent as fast as its client reads. */
struct answer;

/* For CALL, which is ended with a reason when there is no memory: then NULL. */
struct answer *answer_new(struct ctl_call *call);

/* ARG is the answer, so that both fit where something is told. Takes ITEM; NULL: out of memory. */
void answer_item(json_t *item, void *arg);
void answer_line(const char *line, void *arg);
/* How it ends: with ERR's sentence, or OTHERWISE. Without this it ends with 0. */
void answer_error(struct answer *a, enum ctl_exit exit, const struct bh_err *err,
		  const char *otherwise);

/* All of it is there: send it. The answer is the call's then. */
void answer_send(struct ctl_call *call, struct answer *a);

/* Of every verb that answers so: its more() and gone(). */
void answer_more(struct ctl_call *call, void *arg);
void answer_gone(struct ctl_call *call, void *arg);

#endif
