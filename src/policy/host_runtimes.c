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
	  .about = "Docker: true, false, or the path of its API socket",
	  .shape = SHAPE_SWITCH_OR_PATH,
	  .takes = TAKES_TEXT,
	  .read = read_docker,
	  .example = "docker: true, false or /run/docker.sock" },
	{ .key = "podman",
	  .about = "Podman: true, false, or the path of its API socket",
	  .shape = SHAPE_SWITCH_OR_PATH,
	  .takes = TAKES_TEXT,
	  .read = read_podman,
	  .example = "podman: true, false or /run/podman/podman.sock" },
	{ .key = "netns",
	  .about = "Named network namespaces (ip netns)",
	  .takes = TAKES_TEXT,
	  .read = schema_read_bool,
	  .offset = offsetof(struct host_config, netns),
	  .example = "netns: true" },
};

const struct schema host_runtimes_schema = SCHEMA("runtimes", fields, NULL);

int host_read_runtimes(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	return schema_read(rd, &host_runtimes_schema, n, out);
}
