/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_ANNOUNCEMENT_H
#define DAEMON_ANNOUNCEMENT_H

#include <time.h>

#include <jansson.h>

#include <bulkhead/base/err.h>
#include <bulkhead/ctl/ctl.h>
#include <bulkhead/model/endpoint.h>

/* What a starter says of a container that it is about to start: the arguments of `protect`. */
extern const struct ctl_arg announcement_args[];

struct announcement {
	json_t *said; /* the object itself; the strings below are in it, or in TEXT */
	enum endpoint_runtime runtime;
	const char *id, *name, *image, *netns;
	bool own;           /* the namespace was made for it: nobody else is in there */
	uint64_t netns_ino; /* that the starter saw; 0: it did not say */
	int pid;            /* 0: it did not say */
	enum endpoint_obstacle obstacle;
	struct label *labels;
	size_t n_labels;
	char *text;
	/* In the file, and no arguments: */
	bool gone;            /* its container */
	bool doubt;           /* it was found to be held, and nobody remembers for whom */
	uint64_t cookie;      /* of its namespace, as netns_cookie(); 0: not known */
	struct timespec seen; /* not in the file: the path's, when its cookie was looked at last */
};

/*
 * SAID is an object whose types announcement_args has checked; it is kept. -EINVAL with a sentence that
 * names the argument; -ENOMEM.
 */
int announcement_parse(json_t *said, struct announcement *ret, struct bh_err *err);
void announcement_done(struct announcement *a);
int announcement_set_gone(struct announcement *a);
/* Another way to its namespace. -ENOMEM. */
int announcement_set_netns(struct announcement *a, const char *path);

/* The runtime of that word, one that starts containers; ENDPOINT_UNKNOWN: there is none. */
enum endpoint_runtime announcement_runtime(const char *word);

/* As an endpoint, whose addresses nobody has said. It borrows. */
void announcement_endpoint(const struct announcement *a, struct endpoint *ret);

#endif
