/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/runtime/runtime.h>

#include "resolve.h"

#include <dirent.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
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

static uint8_t prefix_len(const struct bh_addr *mask)
{
	uint8_t len = 0;

	for (size_t i = 0; i < bh_addr_len(mask->family); i++)
		len = (uint8_t)(len + __builtin_popcount(mask->b[i]));
	return len;
}

/* What the interface's subnet shares; a broadcast address need not be the one that follows. */
static int add_shared(struct endpoint_builder *b, const struct ifaddrs *i, const struct bh_addr *a)
{
	struct bh_addr shared[3], mask;
	size_t n = 0;
	int r = 0;

	if (take_sockaddr(i->ifa_netmask, &mask))
		n = bh_subnet_shared(a, prefix_len(&mask), shared);
	if ((i->ifa_flags & IFF_BROADCAST) && take_sockaddr(i->ifa_broadaddr, &shared[n]))
		n++;
	for (size_t k = 0; r >= 0 && k < n; k++)
		r = endpoint_builder_add_shared_addr(b, &shared[k]);
	return r;
}

/* A host may have an address of the network on its loopback interface: the address decides. */
static int add_interface(struct endpoint_builder *b, const struct ifaddrs *i)
{
	struct bh_addr a;
	int r;

	if (!take_sockaddr(i->ifa_addr, &a) || bh_addr_is_loopback(&a))
		return 0;
	r = endpoint_builder_add_host_addr(b, &a);
	return r < 0 ? r : add_shared(b, i, &a);
}

int runtime_host_addrs(struct endpoint_builder *b, struct bh_err *err)
{
	struct ifaddrs *list;
	int r = 0;

	if (getifaddrs(&list) < 0)
		return bh_err_errno(err, -errno, "listing the host's addresses");
	for (const struct ifaddrs *i = list; i && r >= 0; i = i->ifa_next)
		r = add_interface(b, i);
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
