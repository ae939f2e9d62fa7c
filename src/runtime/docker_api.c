/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "docker.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include <bulkhead/runtime/runtime.h>

#include "docker_http.h"

#define WAIT_MS 1000 /* libcurl has deadlines of its own */

struct docker_api {
	struct docker_transfer t;
	CURLM *multi;        /* of this one transfer */
	int64_t deadline_ms; /* on CLOCK_MONOTONIC, for all questions together; 0: none */
	long budget_ms;
};

int64_t docker_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static struct {
	int fd;
	void (*fn)(void *arg);
	void *arg;
} meanwhile;

void runtime_while_waiting(int fd, void (*fn)(void *arg), void *arg)
{
	meanwhile.fd = fd;
	meanwhile.fn = fn;
	meanwhile.arg = arg;
}

static int patience_fd = -1;
static bool in_hurry;

void runtime_patience(int fd)
{
	patience_fd = fd;
}

void runtime_hurry(bool hurry)
{
	in_hurry = hurry;
}

/* A question about one container makes way sooner: it is asked again soon, and of little. */
static bool is_brief(const struct docker_api *api)
{
	return api->deadline_ms != 0;
}

/* False: what is waited for is given up. */
static bool wait_for_more(struct docker_api *api, int64_t began_ms)
{
	struct curl_waitfd other[2] = {
		{ .fd = meanwhile.fd, .events = CURL_WAIT_POLLIN },
		{ .fd = patience_fd, .events = CURL_WAIT_POLLIN },
	};
	int patience = is_brief(api) ? BH_RUNTIME_BRIEF_MS : BH_RUNTIME_PATIENCE_MS;
	int64_t left = began_ms + patience - docker_now_ms();
	bool impatient = patience_fd >= 0 && left <= 0;
	unsigned first = meanwhile.fn ? 0 : 1, n = (impatient ? 2 : 1) - first;

	if (in_hurry && !is_brief(api) && left <= 0)
		return false;
	curl_multi_poll(api->multi, other + first, n, left > 0 ? (int)left : WAIT_MS, NULL);
	if (meanwhile.fn && other[0].revents)
		meanwhile.fn(meanwhile.arg);
	return !(impatient && other[1].revents);
}

static CURLcode result_of(CURLM *multi)
{
	int left;
	const CURLMsg *msg = curl_multi_info_read(multi, &left);

	return msg && msg->msg == CURLMSG_DONE ? msg->data.result : CURLE_FAILED_INIT;
}

static CURLcode perform(struct docker_api *api)
{
	CURLcode code = CURLE_OUT_OF_MEMORY;
	int64_t began = docker_now_ms();
	bool patient = true;
	int running = 1;

	if (curl_multi_add_handle(api->multi, api->t.curl) != CURLM_OK)
		return code;
	while (patient && curl_multi_perform(api->multi, &running) == CURLM_OK && running)
		patient = wait_for_more(api, began);
	if (!patient)
		code = CURLE_ABORTED_BY_CALLBACK;
	else if (!running)
		code = result_of(api->multi);
	curl_multi_remove_handle(api->multi, api->t.curl);
	return code;
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
	r = api && (api->multi = curl_multi_init()) ? docker_transfer_init(&api->t, err)
						    : bh_err_oom(err);
	if (r < 0) {
		if (api)
			curl_multi_cleanup(api->multi);
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
	curl_multi_cleanup(api->multi);
	free(api);
	curl_global_cleanup();
}

void docker_api_set_deadline(struct docker_api *api, int budget_ms)
{
	api->budget_ms = budget_ms;
	api->deadline_ms = docker_now_ms() + budget_ms;
}

int docker_api_get(struct docker_api *api, const char *path, struct bh_buf *body,
		   struct bh_err *err)
{
	int64_t left = api->deadline_ms ? api->deadline_ms - docker_now_ms() : BH_RUNTIME_REPLY_MS;
	CURLcode code;
	int r;

	if (left <= 0)
		return bh_err_set(err, -ETIMEDOUT, "%s: no answer within %ld milliseconds",
				  api->t.who, api->budget_ms);
	r = docker_transfer_prepare(&api->t, path, body, (long)left, err);
	if (r < 0)
		return r;
	code = perform(api);
	if (code == CURLE_ABORTED_BY_CALLBACK)
		return bh_err_set(err, -EBUSY,
				  "%s does not answer at once, and somebody waits who may be "
				  "starting a container",
				  api->t.who);
	return docker_transfer_result(&api->t, code, err);
}
