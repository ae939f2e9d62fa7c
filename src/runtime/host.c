/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/runtime/runtime.h>

#include "resolve.h"

#include <dirent.h>
#include <errno.h>
#include <ifaddrs.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/stat.h>

static bool take_sockaddr(const struct sockaddr *sa, struct bh_addr *ret)
{
	const struct sockaddr_in6 *in6 = (const void *)sa;
	const struct sockaddr_in *in = (const void *)sa;

	if (sa && sa->sa_family == AF_INET)
		return bh_addr_from_bytes(ret, &in->sin_addr, sizeof(in->sin_addr));
	if (sa && sa->sa_family == AF_INET6 && !IN6_IS_ADDR_LINKLOCAL(&in6->sin6_addr))
		return bh_addr_from_bytes(ret, &in6->sin6_addr, sizeof(in6->sin6_addr));
	return false;
}

/* A host may have an address of the network on its loopback interface: the address decides. */
int runtime_host_addrs(struct endpoint_builder *b, struct bh_err *err)
{
	struct ifaddrs *list;
	struct bh_addr a;
	int r = 0;

	if (getifaddrs(&list) < 0)
		return bh_err_errno(err, -errno, "listing the host's addresses");
	for (const struct ifaddrs *i = list; i && r >= 0; i = i->ifa_next)
		if (take_sockaddr(i->ifa_addr, &a) && !runtime_is_loopback(&a))
			r = endpoint_builder_add_host_addr(b, &a);
	freeifaddrs(list);
	return r < 0 ? bh_err_errno(err, r, "the host's addresses") : 0;
}

bool runtime_socket_exists(const char *socket_path)
{
	struct stat st;

	return stat(socket_path, &st) == 0 && S_ISSOCK(st.st_mode);
}

bool runtime_docker_has_namespaces(const char *dir)
{
	uint64_t ours = runtime_netns_ino("/proc/self/ns/net"), ino;
	const struct dirent *ent;
	char path[PATH_MAX];
	bool found = false;
	DIR *d = opendir(dir);

	while (d && !found && (ent = readdir(d)) != NULL) {
		if (ent->d_name[0] == '.' ||
		    (size_t)snprintf(path, sizeof(path), "%s/%s", dir, ent->d_name) >= sizeof(path))
			continue;
		ino = runtime_netns_ino(path);
		found = ino && ino != ours; /* ours is that of --network host */
	}
	if (d)
		closedir(d);
	return found;
}
