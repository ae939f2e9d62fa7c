/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Many containers at once.  usage: crowd DIRECTORY
 * A line "NAME ADDRESS" on stdin is a namespace with this address on a device eth0, bound to
 * DIRECTORY/NAME. The other ends of the devices are together in a namespace
 * that nobody lists. DIRECTORY becomes a file system by itself: `umount --lazy DIRECTORY` is the end of
 * all of them.
 */
#include <stdio.h>
#include <sys/mount.h>

#include "container.h"

static int bind_at(const char *directory, const char *name, int netns_fd, struct bh_err *err)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return container_bind(netns_fd, path, err);
}

static int add(const char *directory, int hub, const char *name, const char *address,
	       struct bh_err *err)
{
	bh_autoclose int fd = -1;
	int r = container_new(hub, address, &fd, err);

	return r < 0 ? bh_err_prefix(err, r, "%s", name) : bind_at(directory, name, fd, err);
}

static int add_hub(const char *directory, int *ret_fd, struct bh_err *err)
{
	int r = netns_scratch(ret_fd, err);

	return r < 0 ? r : bind_at(directory, CONTAINER_HUB, *ret_fd, err);
}

/* A copy of it somewhere else would keep the namespaces. */
static int make_directory(const char *directory, struct bh_err *err)
{
	if (mount("crowd", directory, "tmpfs", 0, "mode=0755") < 0 ||
	    mount(NULL, directory, NULL, MS_PRIVATE, NULL) < 0)
		return bh_err_errno(err, -errno, "mounting on %s", directory);
	return 0;
}

int main(int argc, char **argv)
{
	struct bh_err err = BH_ERR_INIT;
	char name[128], address[64];
	int hub = -1, r;

	if (argc != 2) {
		fputs("usage: crowd DIRECTORY\n", stderr);
		return 2;
	}
	r = make_directory(argv[1], &err);
	if (r >= 0)
		r = add_hub(argv[1], &hub, &err);
	while (r >= 0 && scanf("%127s %63s", name, address) == 2)
		r = add(argv[1], hub, name, address, &err);
	if (r < 0)
		fprintf(stderr, "crowd: %s\n", err.msg);
	return r < 0 ? 1 : 0;
}
