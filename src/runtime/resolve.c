/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/runtime/runtime.h>

#include "resolve.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <libmnl/libmnl.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>
#include <bulkhead/sys/netns.h>

uint64_t runtime_netns_ino(const char *path)
{
	uint64_t ino = 0;
	int fd;

	if (netns_open(path, &fd, &ino, NULL) < 0)
		return 0;
	close(fd);
	return ino;
}

/* The kernel answers at once; this only bounds a defect. */
#define RECV_TIMEOUT_S 10

/* --- addresses ------------------------------------------------------------------------------- */

struct addr_list {
	struct bh_addr *out;
	size_t cap, n;
	bool full;
};

/* Of a broadcast interface IFA_LOCAL is the own address, IFA_ADDRESS may be the peer's. */
static int on_addr(const struct nlmsghdr *nlh, void *arg)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *a, *own = NULL;
	struct addr_list *l = arg;

	if (nlh->nlmsg_type != RTM_NEWADDR || nlh->nlmsg_len < NLMSG_LENGTH(sizeof(*ifa)))
		return MNL_CB_OK;
	if (ifa->ifa_scope == RT_SCOPE_HOST || ifa->ifa_scope == RT_SCOPE_LINK)
		return MNL_CB_OK;
	mnl_attr_for_each (a, nlh, sizeof(*ifa)) {
		if (mnl_attr_get_type(a) == IFA_LOCAL ||
		    (mnl_attr_get_type(a) == IFA_ADDRESS && !own))
			own = a;
	}
	if (!own)
		return MNL_CB_OK;
	if (l->n == l->cap)
		l->full = true;
	else if (bh_addr_from_bytes(&l->out[l->n], mnl_attr_get_payload(own),
				    mnl_attr_get_payload_len(own)))
		l->n++;
	return MNL_CB_OK;
}

/* Any process may write to our socket: only what the kernel sent counts. */
static ssize_t receive(int fd, void *buf, size_t len)
{
	struct sockaddr_nl from = { 0 };
	struct iovec iov = { buf, len };
	struct msghdr msg = {
		.msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov, .msg_iovlen = 1
	};
	ssize_t n;

	do {
		n = recvmsg(fd, &msg, 0);
	} while ((n < 0 && errno == EINTR) || (n >= 0 && from.nl_pid != 0));
	if (n < 0)
		return -errno;
	return msg.msg_flags & MSG_TRUNC ? -EMSGSIZE : n;
}

static int dump_addrs(int fd, struct addr_list *l)
{
	const struct timeval timeout = { .tv_sec = RECV_TIMEOUT_S };
	char buf[32768] __attribute__((aligned(16)));
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ifaddrmsg *ifa;
	int r = MNL_CB_OK;
	ssize_t n;

	nlh->nlmsg_type = RTM_GETADDR;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	nlh->nlmsg_seq = 1;
	ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));
	ifa->ifa_family = AF_UNSPEC;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0 ||
	    send(fd, nlh, nlh->nlmsg_len, 0) < 0)
		return -errno;
	while (r > MNL_CB_STOP) {
		n = receive(fd, buf, sizeof(buf));
		if (n < 0)
			return (int)n;
		r = mnl_cb_run(buf, (size_t)n, 1, 0, on_addr, l);
	}
	return r < 0 ? -errno : 0;
}

int runtime_netns_addrs(int netns_fd, struct bh_addr *out, size_t cap, size_t *ret_n,
			struct bh_err *err)
{
	struct addr_list l = { .out = out, .cap = cap };
	bh_autoclose int fd = -1;
	int r = netns_socket(netns_fd, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE, &fd, err);

	if (r < 0)
		return r;
	r = dump_addrs(fd, &l);
	if (r < 0)
		return bh_err_errno(err, r, "listing its addresses");
	if (l.full)
		return bh_err_set(err, -E2BIG, "it has more than %zu addresses", cap);
	*ret_n = l.n;
	return 0;
}

/* --- resolvers ------------------------------------------------------------------------------- */

/* The word behind "nameserver" in the line that begins at LINE; false when it has none. */
static bool take_nameserver(const char *line, char *word, size_t cap)
{
	static const char key[] = "nameserver";
	const char *p = line + strspn(line, " \t");
	size_t len;

	if (strncmp(p, key, strlen(key)) != 0)
		return false;
	p += strlen(key);
	len = strspn(p, " \t");
	if (len == 0)
		return false;
	p += len;
	len = strcspn(p, " \t\r\n#;");
	if (len >= cap)
		return false;
	memcpy(word, p, len);
	word[len] = '\0';
	return true;
}

void runtime_resolvers_parse(const char *text, struct bh_addr *out, size_t cap, size_t *ret_n,
			     bool *ret_embedded)
{
	static const char docker[] = "127.0.0.11";
	char word[64];

	*ret_n = 0;
	*ret_embedded = false;
	for (const char *line = text; line;
	     line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		struct bh_addr a;

		if (!take_nameserver(line, word, sizeof(word)))
			continue;
		if (strcmp(word, docker) == 0)
			*ret_embedded = true;
		if (bh_addr_parse(word, &a) == 0 && !bh_addr_is_loopback(&a) && *ret_n < cap)
			out[(*ret_n)++] = a;
	}
}

void runtime_resolvers(const char *path, struct bh_addr *out, size_t cap, size_t *ret_n,
		       bool *ret_embedded)
{
	bh_autofree char *text = NULL;
	size_t len;

	*ret_n = 0;
	*ret_embedded = false;
	if (bh_read_file(path, BH_RESOLV_CONF_BYTES_MAX, &text, &len) == 0)
		runtime_resolvers_parse(text, out, cap, ret_n, ret_embedded);
}
