/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/sys/xsk.h>

#include <errno.h>
#include <linux/if_xdp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/sys/netns.h>

#define FRAME_BYTES 4096
#define RING_FRAMES 1

/* The kernel asks for memory to send from: one page for all sockets, that is never written to. */
static void *shared_page(void)
{
	static void *page = MAP_FAILED;

	if (page == MAP_FAILED)
		page = mmap(NULL, FRAME_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);
	return page == MAP_FAILED ? NULL : page;
}

bool xsk_supported(void)
{
	bh_autoclose int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);

	return fd >= 0 || (errno != EAFNOSUPPORT && errno != ESOCKTNOSUPPORT);
}

static int give_memory(int fd)
{
	static const int rings[] = { XDP_UMEM_FILL_RING, XDP_UMEM_COMPLETION_RING, XDP_TX_RING };
	struct xdp_umem_reg reg = { .len = FRAME_BYTES, .chunk_size = FRAME_BYTES };
	int frames = RING_FRAMES;
	void *page = shared_page();

	if (!page)
		return -ENOMEM;
	reg.addr = (uint64_t)(uintptr_t)page;
	if (setsockopt(fd, SOL_XDP, XDP_UMEM_REG, &reg, sizeof(reg)) < 0)
		return -errno;
	for (size_t i = 0; i < BH_ARRAY_SIZE(rings); i++)
		if (setsockopt(fd, SOL_XDP, rings[i], &frames, sizeof(frames)) < 0)
			return -errno;
	return 0;
}

/* 1: bound; 0: there is no such queue. */
static int occupy_queue(int netns_fd, uint32_t ifindex, uint32_t queue, int *ret_fd,
			struct bh_err *err)
{
	struct sockaddr_xdp to = {
		.sxdp_family = AF_XDP,
		.sxdp_ifindex = ifindex,
		.sxdp_queue_id = queue,
		.sxdp_flags = XDP_COPY,
	};
	bh_autoclose int fd = -1;
	int r = netns_socket(netns_fd, AF_XDP, SOCK_RAW, 0, &fd, err);

	if (r < 0)
		return r;
	r = give_memory(fd);
	if (r < 0)
		return bh_err_errno(err, r, "the memory of an AF_XDP socket");
	if (bind(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
		if (errno == EINVAL && queue > 0)
			return 0;
		return bh_err_errno(err, -errno, "taking queue %u of a device from AF_XDP", queue);
	}
	*ret_fd = BH_STEAL_FD(fd);
	return 1;
}

int xsk_occupy(int netns_fd, uint32_t ifindex, int *fds, size_t cap, size_t *n, struct bh_err *err)
{
	int fd = -1, r;

	while ((r = occupy_queue(netns_fd, ifindex, (uint32_t)*n, &fd, err)) > 0) {
		if (*n == cap) {
			close(fd);
			return bh_err_set(err, -E2BIG, "the device has more than %zu queues", cap);
		}
		fds[(*n)++] = fd;
	}
	return r;
}

bool xsk_is_socket(int fd)
{
	socklen_t len = sizeof(int);
	int domain = 0;

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_XDP;
}

/* There is nothing in the ring: nothing is sent. */
bool xsk_is_bound(int fd)
{
	return sendto(fd, NULL, 0, MSG_DONTWAIT, NULL, 0) >= 0 || errno != ENXIO;
}
