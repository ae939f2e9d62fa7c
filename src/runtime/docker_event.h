/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_DOCKER_EVENT_H
#define RUNTIME_DOCKER_EVENT_H

#include <bulkhead/base/buf.h>
#include <bulkhead/runtime/events.h>

/* The stream of events as bytes: JSON objects one behind the other, cut anywhere. No I/O. */

struct docker_splitter {
	struct bh_buf object; /* what there is of one that is not complete yet */
	size_t depth;         /* of brackets; 0: between objects */
	size_t passed_over;   /* bytes of one that is too large */
	bool in_string, escaped;
};

void docker_splitter_init(struct docker_splitter *s);
void docker_splitter_done(struct docker_splitter *s);

/*
 * The next bytes; FN gets each complete object, JSON NULL for one larger than BH_EVENT_BYTES_MAX. A
 * negative return of FN ends it. -EBADMSG: between objects is something else than white space;
 * -EFBIG: no end within BH_EVENT_SKIP_MAX. After a failure it is of no more use.
 */
int docker_splitter_feed(struct docker_splitter *s, const char *data, size_t len,
			 int (*fn)(const char *json, size_t len, void *arg), void *arg);

/*
 * 1: an event of interest, in RET; 0: any other. -EBADMSG: its type, action or ids are not what an
 * engine writes. Keys that are not known are passed over.
 */
int docker_parse_event(const char *json, size_t len, struct runtime_event *ret);

#endif
