// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a process with CAP_NET_RAW can do by AF_XDP, in copy mode, which every device takes.
 *
 *   xdpsend hold DEVICE QUEUE
 *       Binds a socket to that queue, says "bound", and keeps it until SIGTERM.
 *   xdpsend send DEVICE QUEUE TO-MAC FROM-IPV4 TO-IPV4 PORT
 *       Binds, and hands the device one frame with a datagram for PORT; says "sent" when the device
 *       has taken it.
 *   xdpsend queues DEVICE N
 *       Gives the device N queues, as `ethtool -L DEVICE rx N tx N` does.
 *
 * Exit code 1 and the name of the error (EBUSY, EINVAL, ...) when the kernel does not let it.
 */
#include <bulkhead/base/addr.h>
#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/text.h>

#include <arpa/inet.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_xdp.h>
#include <linux/sockios.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define FRAME_BYTES 4096
#define RING_FRAMES 2 /* at least */
#define TAKEN_MS    2000

static const char payload[] = "by AF_XDP";

struct frame {
	struct ether_header eth;
	struct iphdr ip;
	struct udphdr udp;
	char payload[sizeof(payload)];
} __attribute__((packed));

struct xsk {
	int fd;
	void *memory;
	struct xdp_mmap_offsets offsets;
};

static int refused(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerrorname_np(errno));
	return 1;
}

static int usage(void)
{
	fputs("usage: xdpsend hold DEVICE QUEUE | send DEVICE QUEUE TO-MAC FROM TO PORT | "
	      "queues DEVICE N\n",
	      stderr);
	return 2;
}

static bool set(const struct xsk *x, int option, const void *value, socklen_t len)
{
	return setsockopt(x->fd, SOL_XDP, option, value, len) == 0;
}

static bool make(struct xsk *x)
{
	struct xdp_umem_reg reg = { .len = FRAME_BYTES, .chunk_size = FRAME_BYTES };
	socklen_t len = sizeof(x->offsets);
	int n = RING_FRAMES;

	x->fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	x->memory =
		mmap(NULL, FRAME_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (x->fd < 0 || x->memory == MAP_FAILED)
		return false;
	reg.addr = (uint64_t)(uintptr_t)x->memory;
	return set(x, XDP_UMEM_REG, &reg, sizeof(reg)) &&
	       set(x, XDP_UMEM_FILL_RING, &n, sizeof(n)) &&
	       set(x, XDP_UMEM_COMPLETION_RING, &n, sizeof(n)) &&
	       set(x, XDP_TX_RING, &n, sizeof(n)) &&
	       getsockopt(x->fd, SOL_XDP, XDP_MMAP_OFFSETS, &x->offsets, &len) == 0;
}

static bool bind_to(const struct xsk *x, const char *device, uint32_t queue)
{
	struct sockaddr_xdp to = {
		.sxdp_family = AF_XDP,
		.sxdp_ifindex = if_nametoindex(device),
		.sxdp_queue_id = queue,
		.sxdp_flags = XDP_COPY,
	};

	return bind(x->fd, (struct sockaddr *)&to, sizeof(to)) == 0;
}

static bool set_queues(const char *device, uint32_t n)
{
	struct ethtool_channels channels = { .cmd = ETHTOOL_SCHANNELS,
					     .rx_count = n,
					     .tx_count = n };
	struct ifreq request = { .ifr_data = (char *)&channels };
	bh_autoclose int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", device);
	return ioctl(fd, SIOCETHTOOL, &request) == 0;
}

static uint16_t checksum(const void *header)
{
	const uint8_t *p = header;
	uint32_t sum = 0;

	for (size_t i = 0; i < sizeof(struct iphdr); i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t) ~(sum + (sum >> 16)));
}

static bool write_frame(char **argv, void *out)
{
	struct frame f = {
		.eth = { .ether_shost = { 2, 0, 0, 0, 0, 1 }, .ether_type = htons(ETHERTYPE_IP) },
		.ip = { .version = 4,
			.ihl = 5,
			.tot_len = htons(sizeof(f) - sizeof(f.eth)),
			.ttl = 64,
			.protocol = IPPROTO_UDP },
		.udp = { .source = htons(40000), .len = htons(sizeof(f.udp) + sizeof(payload)) },
	};
	struct ether_addr *mac = ether_aton(argv[0]);
	uint64_t port;

	if (!mac || inet_pton(AF_INET, argv[1], &f.ip.saddr) != 1 ||
	    inet_pton(AF_INET, argv[2], &f.ip.daddr) != 1 ||
	    bh_parse_u64(argv[3], 1, 65535, &port) < 0)
		return false;
	memcpy(f.eth.ether_dhost, mac, ETH_ALEN);
	memcpy(f.payload, payload, sizeof(payload));
	f.udp.dest = htons((uint16_t)port);
	f.ip.check = checksum((char *)&f + offsetof(struct frame, ip));
	memcpy(out, &f, sizeof(f));
	return true;
}

static void *map_ring(const struct xsk *x, off_t at, const struct xdp_ring_offset *o, size_t each)
{
	return mmap(NULL, o->desc + RING_FRAMES * each, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_POPULATE, x->fd, at);
}

/* The frame is in the ring, and the kernel told of it, until the device has it. */
static bool transmit(const struct xsk *x)
{
	char *tx = map_ring(x, XDP_PGOFF_TX_RING, &x->offsets.tx, sizeof(struct xdp_desc));
	char *done = map_ring(x, (off_t)XDP_UMEM_PGOFF_COMPLETION_RING, &x->offsets.cr,
			      sizeof(uint64_t));
	struct xdp_desc d = { .addr = 0, .len = sizeof(struct frame) };

	if (tx == MAP_FAILED || done == MAP_FAILED)
		return false;
	memcpy(tx + x->offsets.tx.desc, &d, sizeof(d));
	__atomic_store_n((uint32_t *)(tx + x->offsets.tx.producer), 1, __ATOMIC_RELEASE);
	for (int i = 0; i < TAKEN_MS; i++) {
		if (sendto(x->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 && errno != EAGAIN &&
		    errno != EBUSY)
			return false;
		if (__atomic_load_n((uint32_t *)(done + x->offsets.cr.producer), __ATOMIC_ACQUIRE))
			return true;
		poll(NULL, 0, 1);
	}
	errno = ETIMEDOUT;
	return false;
}

int main(int argc, char **argv)
{
	struct xsk x = { .fd = -1 };
	uint64_t queue;
	bool send = argc == 8 && strcmp(argv[1], "send") == 0;

	if ((!send && argc != 4) || bh_parse_u64(argv[3], 0, 65535, &queue) < 0)
		return usage();
	if (strcmp(argv[1], "queues") == 0)
		return set_queues(argv[2], (uint32_t)queue) ? 0 : refused("queues");
	if (!send && strcmp(argv[1], "hold") != 0)
		return usage();
	if (!make(&x))
		return refused("socket");
	if (!bind_to(&x, argv[2], (uint32_t)queue))
		return refused("bind");
	if (send && !write_frame(argv + 4, x.memory))
		return usage();
	if (send && !transmit(&x))
		return refused("send");
	puts(send ? "sent" : "bound");
	fflush(stdout);
	while (!send)
		pause();
	return 0;
}
