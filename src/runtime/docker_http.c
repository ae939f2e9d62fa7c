/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "docker_http.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>

/* Returning less than what came ends the transfer. */
static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
	struct docker_transfer *t = arg;

	return bh_buf_add(t->body, data, size * n) < 0 ? 0 : size * n;
}

static size_t on_header(char *data, size_t size, size_t n, void *arg)
{
	struct docker_transfer *t = arg;

	t->header_bytes += size * n;
	return t->header_bytes > BH_RUNTIME_HEADER_BYTES_MAX ? 0 : size * n;
}

static CURLcode only_http(CURL *curl)
{
#if LIBCURL_VERSION_NUM >= 0x075500
	return curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http");
#else
	return curl_easy_setopt(curl, CURLOPT_PROTOCOLS, (long)CURLPROTO_HTTP);
#endif
}

static bool set_up(struct docker_transfer *t)
{
	CURL *c = t->curl;
	bool ok = only_http(c) == CURLE_OK;

	ok &= curl_easy_setopt(c, CURLOPT_UNIX_SOCKET_PATH, t->socket_path) == CURLE_OK;
	ok &= curl_easy_setopt(c, CURLOPT_PROXY, "") == CURLE_OK;
	ok &= curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK;
	ok &= curl_easy_setopt(c, CURLOPT_HTTP09_ALLOWED, 0L) == CURLE_OK;
	ok &= curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
	ok &= curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t->why) == CURLE_OK;
	ok &= curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK;
	ok &= curl_easy_setopt(c, CURLOPT_WRITEDATA, t) == CURLE_OK;
	ok &= curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK;
	ok &= curl_easy_setopt(c, CURLOPT_HEADERDATA, t) == CURLE_OK;
	return ok;
}

int docker_transfer_init(struct docker_transfer *t, struct bh_err *err)
{
	t->curl = curl_easy_init();
	if (t->curl && set_up(t))
		return 0;
	docker_transfer_done(t);
	return bh_err_set(err, -EIO, "%s: libcurl cannot be set up", t->who);
}

void docker_transfer_done(struct docker_transfer *t)
{
	curl_easy_cleanup(t->curl);
	t->curl = NULL;
}

int docker_transfer_prepare(struct docker_transfer *t, const char *path, struct bh_buf *body,
			    long timeout_ms, struct bh_err *err)
{
	long connect_ms = timeout_ms && timeout_ms < BH_RUNTIME_CONNECT_MS ? timeout_ms
									   : BH_RUNTIME_CONNECT_MS;
	char url[sizeof(t->path) + 32];

	if ((size_t)snprintf(t->path, sizeof(t->path), "%s", path) >= sizeof(t->path))
		return bh_err_set(err, -EINVAL, "%s: too long a question", t->who);
	snprintf(url, sizeof(url), "http://localhost%s", t->path);
	bh_buf_reset(body);
	t->body = body;
	t->header_bytes = 0;
	t->why[0] = '\0';
	t->timeout_ms = timeout_ms;
	if (curl_easy_setopt(t->curl, CURLOPT_URL, url) != CURLE_OK ||
	    curl_easy_setopt(t->curl, CURLOPT_CONNECTTIMEOUT_MS, connect_ms) != CURLE_OK ||
	    curl_easy_setopt(t->curl, CURLOPT_TIMEOUT_MS, timeout_ms) != CURLE_OK)
		return bh_err_oom(err);
	return 0;
}

/* --- how it ended ----------------------------------------------------------------------------- */

static int no_answer(const struct docker_transfer *t, struct bh_err *err)
{
	char path[256], why[256];
	long os_error = 0;

	curl_easy_getinfo(t->curl, CURLINFO_OS_ERRNO, &os_error);
	bh_escape_str(path, sizeof(path), t->socket_path);
	if (os_error == ECONNREFUSED)
		return bh_err_set(err, -ECONNREFUSED,
				  "%s does not answer on %s, though its socket is there; if it is "
				  "not to be asked, say \"runtimes: {%s: false}\" in the host file",
				  t->who, path,
				  strcmp(t->who, "Podman") == 0 ? "podman" : "docker");
	if (os_error > 0)
		return bh_err_errno(err, -(int)os_error, "%s does not answer on %s", t->who, path);
	return bh_err_set(err, -ECONNREFUSED, "%s does not answer on %s: %s", t->who, path,
			  bh_escape_str(why, sizeof(why), t->why));
}

static int too_large(const struct docker_transfer *t, struct bh_err *err)
{
	if (t->body->max < 1u << 20)
		return bh_err_set(err, -EFBIG, "%s: its answer to %s is larger than %zu KiB",
				  t->who, t->path, t->body->max >> 10);
	return bh_err_set(err, -EFBIG, "%s: its answer to %s is larger than %zu MiB", t->who,
			  t->path, t->body->max >> 20);
}

static int too_late(const struct docker_transfer *t, struct bh_err *err)
{
	long ms = t->timeout_ms ? t->timeout_ms : BH_RUNTIME_CONNECT_MS;

	if (ms % 1000)
		return bh_err_set(err, -ETIMEDOUT, "%s: no answer to %s within %ld milliseconds",
				  t->who, t->path, ms);
	return bh_err_set(err, -ETIMEDOUT, "%s: no answer to %s within %ld seconds", t->who,
			  t->path, ms / 1000);
}

static int failed(const struct docker_transfer *t, CURLcode code, struct bh_err *err)
{
	char why[256];

	if (code == CURLE_COULDNT_CONNECT)
		return no_answer(t, err);
	if (code == CURLE_OUT_OF_MEMORY || t->body->error == -ENOMEM)
		return bh_err_oom(err);
	if (t->body->error == -EFBIG || t->header_bytes > BH_RUNTIME_HEADER_BYTES_MAX)
		return too_large(t, err);
	if (code == CURLE_OPERATION_TIMEDOUT)
		return too_late(t, err);
	return bh_err_set(
		err, -EIO, "%s: %s: %s", t->who, t->path,
		bh_escape_str(why, sizeof(why), t->why[0] ? t->why : curl_easy_strerror(code)));
}

int docker_transfer_result(struct docker_transfer *t, CURLcode code, struct bh_err *err)
{
	char said[160];
	long status = 0;

	if (code != CURLE_OK)
		return failed(t, code, err);
	curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status == 404) /* not -ENOENT: that is a socket that is not there, and says nothing */
		return bh_err_set(err, -ESRCH, "%s: there is no %s", t->who, t->path);
	if (status != 200)
		return bh_err_set(err, -EIO, "%s: %s: status %ld: %s", t->who, t->path, status,
				  bh_escape_str(said, sizeof(said), bh_buf_str(t->body)));
	return 0;
}
