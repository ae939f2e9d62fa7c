/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plugin.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/text.h>

/* bulkhead-cni: a runtime starts it, for one operation on one container (docs/cni.md). */

#define ANSWER_MAX (8 * BH_CNI_CONFIG_MAX) /* text that is escaped becomes longer */

static int read_input(char **ret, size_t *ret_len, struct cni_error *err)
{
	int r = bh_read_stream(STDIN_FILENO, BH_CNI_CONFIG_MAX, ret, ret_len);

	if (r == -EFBIG)
		return cni_fail(err, CNI_UNDECODABLE, "the configuration has more than %u bytes",
				BH_CNI_CONFIG_MAX);
	if (r < 0)
		return cni_fail(err, CNI_IO_FAILURE, "standard input cannot be read: %s",
				strerror(-r));
	return 0;
}

static int write_all(const struct bh_buf *b)
{
	for (size_t done = 0; done < b->len;) {
		ssize_t n = write(STDOUT_FILENO, b->data + done, b->len - done);

		if (n < 0 && errno != EINTR)
			return -errno;
		done += n < 0 ? 0 : (size_t)n;
	}
	return 0;
}

/* It may be anything, and nothing: before 1.0.0 a runtime gave none. */
static int answer_version(const char *text, size_t len, struct plugin *p)
{
	json_t *root = json_loadb(text, len, 0, NULL);
	int r = cni_version_write(json_string_value(json_object_get(root, "cniVersion")), &p->out);

	json_decref(root);
	return r;
}

static int answer(struct plugin *p, const char **ret_version, struct cni_error *err)
{
	bh_autofree char *text = NULL;
	size_t len = 0;
	int r = cni_environment_check(&p->env, &p->command, err);

	if (r >= 0)
		r = read_input(&text, &len, err);
	if (r < 0)
		return r;
	if (p->command == CNI_VERSION)
		return answer_version(text, len, p);
	r = cni_config_parse(text, len, p->command, &p->config, ret_version, err);
	return r < 0 ? r : plugin_run(p, err);
}

int main(void)
{
	struct plugin p = {
		.env = {
			.command = getenv("CNI_COMMAND"),
			.container = getenv("CNI_CONTAINERID"),
			.netns = getenv("CNI_NETNS"),
			.ifname = getenv("CNI_IFNAME"),
			.args = getenv("CNI_ARGS"),
		},
	};
	struct cni_error err = CNI_ERROR_INIT;
	const char *version = NULL;
	int r;

	signal(SIGPIPE, SIG_IGN);
	bh_buf_init(&p.out, ANSWER_MAX);
	r = answer(&p, &version, &err);
	if (r < 0) {
		bh_buf_reset(&p.out);
		cni_error_write(&err, version, &p.out);
	}
	if (write_all(&p.out) < 0)
		r = -EIO;
	cni_config_done(&p.config);
	bh_buf_done(&p.out);
	return r < 0 ? 1 : 0;
}
