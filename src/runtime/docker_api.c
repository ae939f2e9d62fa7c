/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "docker.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "docker_http.h"

struct docker_api {
	struct docker_transfer t;
	int64_t deadline_ms; /* on CLOCK_MONOTONIC, for all questions together; 0: none */
	long budget_ms;
};

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int docker_api_open(const char *who, const char *socket_path, struct docker_api **ret,
		    struct bh_err *err)
{
	struct docker_api *api;
	int r;

	/* No TLS: what is asked listens on a Unix socket. */
	if (curl_global_init(CURL_GLOBAL_NOTHING) != CURLE_OK)
		return bh_err_oom(err);
	api = calloc(1, sizeof(*api));
	if (api) {
		api->t.who = who;
		api->t.socket_path = socket_path;
	}
	r = api ? docker_transfer_init(&api->t, err) : bh_err_oom(err);
	if (r < 0) {
		free(api);
		curl_global_cleanup();
		return r;
	}
	*ret = api;
	return 0;
}

void docker_api_close(struct docker_api *api)
{
	if (!api)
		return;
	docker_transfer_done(&api->t);
	free(api);
	curl_global_cleanup();
}

void docker_api_set_deadline(struct docker_api *api, int budget_ms)
{
	api->budget_ms = budget_ms;
	api->deadline_ms = now_ms() + budget_ms;
}

int docker_api_get(struct docker_api *api, const char *path, struct bh_buf *body,
		   struct bh_err *err)
{
	int64_t left = api->deadline_ms ? api->deadline_ms - now_ms() : BH_RUNTIME_REPLY_MS;
	int r;

	if (left <= 0)
		return bh_err_set(err, -ETIMEDOUT, "%s: no answer within %ld milliseconds",
				  api->t.who, api->budget_ms);
	r = docker_transfer_prepare(&api->t, path, body, (long)left, err);
	if (r < 0)
		return r;
	return docker_transfer_result(&api->t, curl_easy_perform(api->t.curl), err);
}
