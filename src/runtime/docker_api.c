/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "docker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include <bulkhead/base/text.h>

struct docker_api {
	CURL *curl;
	const char *who, *socket_path;
	struct bh_buf *body; /* of the request under way */
	size_t header_bytes;
	char why[CURL_ERROR_SIZE];
};

/* Returning less than what came ends the transfer. */
static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
	struct docker_api *api = arg;

	return bh_buf_add(api->body, data, size * n) < 0 ? 0 : size * n;
}

static size_t on_header(char *data, size_t size, size_t n, void *arg)
{
	struct docker_api *api = arg;

	api->header_bytes += size * n;
	return api->header_bytes > BH_RUNTIME_HEADER_BYTES_MAX ? 0 : size * n;
}

static CURLcode only_http(CURL *curl)
{
#if LIBCURL_VERSION_NUM >= 0x075500
	return curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http");
#else
	return curl_easy_setopt(curl, CURLOPT_PROTOCOLS, (long)CURLPROTO_HTTP);
#endif
}

/* Nothing of the environment counts (no proxy, no .netrc), and no answer leads elsewhere. */
static bool set_up(struct docker_api *api)
{
	CURL *c = api->curl;
	bool ok = only_http(c) == CURLE_OK;

	ok &= curl_easy_setopt(c, CURLOPT_UNIX_SOCKET_PATH, api->socket_path) == CURLE_OK;
	ok &= curl_easy_setopt(c, CURLOPT_PROXY, "") == CURLE_OK;
	ok &= curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK;
	ok &= curl_easy_setopt(c, CURLOPT_HTTP09_ALLOWED, 0L) == CURLE_OK;
	ok &= curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
	ok &= curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)BH_RUNTIME_CONNECT_MS) ==
	      CURLE_OK;
	ok &= curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)BH_RUNTIME_REPLY_MS) == CURLE_OK;
	ok &= curl_easy_setopt(c, CURLOPT_ERRORBUFFER, api->why) == CURLE_OK;
	ok &= curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK;
	ok &= curl_easy_setopt(c, CURLOPT_WRITEDATA, api) == CURLE_OK;
	ok &= curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK;
	ok &= curl_easy_setopt(c, CURLOPT_HEADERDATA, api) == CURLE_OK;
	return ok;
}

int docker_api_open(const char *who, const char *socket_path, struct docker_api **ret,
		    struct bh_err *err)
{
	struct docker_api *api;

	/* No TLS: what is asked listens on a Unix socket. */
	if (curl_global_init(CURL_GLOBAL_NOTHING) != CURLE_OK)
		return bh_err_oom(err);
	api = calloc(1, sizeof(*api));
	if (api) {
		api->who = who;
		api->socket_path = socket_path;
		api->curl = curl_easy_init();
	}
	if (!api || !api->curl || !set_up(api)) {
		if (api)
			curl_easy_cleanup(api->curl);
		free(api);
		curl_global_cleanup();
		return bh_err_set(err, -EIO, "%s: libcurl cannot be set up", who);
	}
	*ret = api;
	return 0;
}

void docker_api_close(struct docker_api *api)
{
	if (!api)
		return;
	curl_easy_cleanup(api->curl);
	free(api);
	curl_global_cleanup();
}

static int no_answer(const struct docker_api *api, struct bh_err *err)
{
	char path[256], why[256];
	long os_error = 0;

	curl_easy_getinfo(api->curl, CURLINFO_OS_ERRNO, &os_error);
	bh_escape_str(path, sizeof(path), api->socket_path);
	if (os_error == ECONNREFUSED)
		return bh_err_set(err, -ECONNREFUSED,
				  "%s does not answer on %s, though its socket is there; if it is "
				  "not to be asked, say \"runtimes: {%s: false}\" in the host file",
				  api->who, path,
				  strcmp(api->who, "Podman") == 0 ? "podman" : "docker");
	if (os_error > 0)
		return bh_err_errno(err, -(int)os_error, "%s does not answer on %s", api->who,
				    path);
	return bh_err_set(err, -ECONNREFUSED, "%s does not answer on %s: %s", api->who, path,
			  bh_escape_str(why, sizeof(why), api->why));
}

static int failed(const struct docker_api *api, CURLcode code, const char *path, struct bh_err *err)
{
	char why[256];

	if (code == CURLE_COULDNT_CONNECT)
		return no_answer(api, err);
	if (code == CURLE_OUT_OF_MEMORY || api->body->error == -ENOMEM)
		return bh_err_oom(err);
	if (api->body->error == -EFBIG || api->header_bytes > BH_RUNTIME_HEADER_BYTES_MAX)
		return bh_err_set(err, -EFBIG, "%s: its answer to %s is larger than %u MiB",
				  api->who, path, BH_RUNTIME_REPLY_BYTES_MAX >> 20);
	if (code == CURLE_OPERATION_TIMEDOUT)
		return bh_err_set(err, -ETIMEDOUT, "%s: no answer to %s within %d seconds",
				  api->who, path, BH_RUNTIME_REPLY_MS / 1000);
	return bh_err_set(
		err, -EIO, "%s: %s: %s", api->who, path,
		bh_escape_str(why, sizeof(why), api->why[0] ? api->why : curl_easy_strerror(code)));
}

int docker_api_get(struct docker_api *api, const char *path, struct bh_buf *body,
		   struct bh_err *err)
{
	char url[256], said[160];
	long status = 0;
	CURLcode code;

	if ((size_t)snprintf(url, sizeof(url), "http://localhost%s", path) >= sizeof(url))
		return bh_err_set(err, -EINVAL, "%s: too long a question", api->who);
	bh_buf_reset(body);
	api->body = body;
	api->header_bytes = 0;
	api->why[0] = '\0';
	code = curl_easy_setopt(api->curl, CURLOPT_URL, url);
	if (code == CURLE_OK)
		code = curl_easy_perform(api->curl);
	if (code != CURLE_OK)
		return failed(api, code, path, err);
	curl_easy_getinfo(api->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status == 404)
		return bh_err_set(err, -ENOENT, "%s: there is no %s", api->who, path);
	if (status != 200)
		return bh_err_set(err, -EIO, "%s: %s: status %ld: %s", api->who, path, status,
				  bh_escape_str(said, sizeof(said), bh_buf_str(body)));
	return 0;
}
