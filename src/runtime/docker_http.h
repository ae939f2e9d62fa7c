/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_DOCKER_HTTP_H
#define RUNTIME_DOCKER_HTTP_H

#include <stddef.h>

#include <curl/curl.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/base/err.h>

/* One GET over an engine's socket, be it waited for (docker_api.c) or not (docker_async.c). */

struct docker_transfer {
	CURL *curl;
	const char *who, *socket_path; /* what messages call it, and where it listens: borrowed */
	struct bh_buf *body;           /* where the answer goes; its maximum bounds it */
	size_t header_bytes;
	long timeout_ms; /* 0: none but for connecting */
	char path[256];
	char why[CURL_ERROR_SIZE];
};

/*
 * Nothing of the environment counts (no proxy, no .netrc), and no answer leads elsewhere. WHO and
 * SOCKET_PATH are set; the body goes to ->body. -EIO when libcurl cannot.
 */
int docker_transfer_init(struct docker_transfer *t, struct bh_err *err);
void docker_transfer_done(struct docker_transfer *t);

/* What is asked next, and for how long. -EINVAL: too long a path. */
int docker_transfer_prepare(struct docker_transfer *t, const char *path, struct bh_buf *body,
			    long timeout_ms, struct bh_err *err);

/* How it ended: as docker_api_get() says it. */
int docker_transfer_result(struct docker_transfer *t, CURLcode code, struct bh_err *err);

#endif
