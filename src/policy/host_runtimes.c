/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host.h"

#include <stddef.h>

#include <bulkhead/base/cleanup.h>

/* Where containers are looked for. */

/* true, false, or the path of the socket to ask. */
static int read_runtime(struct reader *rd, const struct field *f, const struct node *n, bool *use,
			const char **socket)
{
	const char *path = NULL;
	int r;

	if (host_is_true(n) || host_is_false(n)) {
		*use = host_is_true(n);
		return 0;
	}
	r = host_read_path(rd, f, n, "true, false or the path of a socket", HOST_SOCKET_MAX, &path);
	if (path) {
		*use = true;
		*socket = path;
	}
	return r;
}

static int read_docker(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	struct host_config *c = out;

	return read_runtime(rd, f, n, &c->docker, &c->docker_socket);
}

static int read_podman(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	struct host_config *c = out;

	return read_runtime(rd, f, n, &c->podman, &c->podman_socket);
}

static const struct field fields[] = {
	{ .key = "docker",
	  .takes = TAKES_TEXT,
	  .read = read_docker,
	  .example = "docker: true, false or /run/docker.sock" },
	{ .key = "podman",
	  .takes = TAKES_TEXT,
	  .read = read_podman,
	  .example = "podman: true, false or /run/podman/podman.sock" },
	{ .key = "netns",
	  .takes = TAKES_TEXT,
	  .read = schema_read_bool,
	  .offset = offsetof(struct host_config, netns),
	  .example = "netns: true" },
};

static const struct schema schema = SCHEMA("runtimes", fields, NULL);

int host_read_runtimes(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	return schema_read(rd, &schema, n, out);
}
