/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The least that bringing recorded batches into the kernel takes.  usage: replay RECORDING DIRECTORY
 * For each namespace in DIRECTORY: enter it, open and bind a socket, go back; send its batches, each
 * with one sendmsg, and take the kernel's answer. RECORDING is preload/record.c's; what it has for
 * other namespaces is passed over. Prints "WALL CPU NAMESPACES BATCHES BYTES", times in microseconds;
 * opening the namespaces' files and reading the recording are not in them.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <linux/netlink.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/sys/netns.h>

#include "measure.h"
#include "preload/record.h"

#define TARGETS_MAX 4096
#define BATCHES_MAX 64 /* of one namespace */

struct target {
	uint64_t ino;
	int netns, socket;
	struct iovec batch[BATCHES_MAX];
	unsigned n;
};

static struct target targets[TARGETS_MAX];
static unsigned n_targets;

/* --- before the clock runs ------------------------------------------------------------------- */

static int open_targets(const char *directory, struct bh_err *err)
{
	DIR *d = opendir(directory);
	struct dirent *e;
	char path[4096];
	int r = d ? 0 : bh_err_errno(err, -errno, "%s", directory);

	while (r >= 0 && (e = readdir(d))) {
		struct target *t = &targets[n_targets];

		if (e->d_name[0] == '.')
			continue;
		if (n_targets++ == TARGETS_MAX)
			return bh_err_set(err, -E2BIG, "more than %d namespaces", TARGETS_MAX);
		snprintf(path, sizeof(path), "%s/%s", directory, e->d_name);
		r = netns_open(path, &t->netns, &t->ino, err);
	}
	if (d)
		closedir(d);
	return r;
}

static struct target *target_of(uint64_t ino)
{
	for (unsigned i = 0; i < n_targets; i++)
		if (targets[i].ino == ino)
			return &targets[i];
	return NULL;
}

/*
 * A batch names the state that it is for, and is refused in any other. This one is for a state like it:
 * the attribute gets a type that nobody reads.
 */
static void forget_generation(void *batch)
{
	struct nlmsghdr *nlh = batch;
	struct nlattr *a = mnl_nlmsg_get_payload_offset(nlh, sizeof(struct nfgenmsg));

	if (nlh->nlmsg_len > NLMSG_LENGTH(sizeof(struct nfgenmsg)))
		a->nla_type = NFNL_BATCH_UNSPEC;
}

static int take_record(char *at, size_t left, size_t *ret_len, struct bh_err *err)
{
	struct record r;
	struct target *t;

	if (left < sizeof(r))
		return bh_err_set(err, -EBADMSG, "the recording is cut off");
	memcpy(&r, at, sizeof(r));
	if (left - sizeof(r) < r.len)
		return bh_err_set(err, -EBADMSG, "the recording is cut off");
	*ret_len = sizeof(r) + r.len;
	t = target_of(r.netns_ino);
	if (!t)
		return 0;
	if (t->n == BATCHES_MAX)
		return bh_err_set(err, -E2BIG, "more than %d batches", BATCHES_MAX);
	forget_generation(at + sizeof(r));
	t->batch[t->n++] = (struct iovec) { at + sizeof(r), r.len };
	return 0;
}

static int load(const char *path, struct bh_err *err)
{
	bh_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	size_t len = 0;
	char *all;
	int r = 0;

	if (fd < 0 || fstat(fd, &st) < 0)
		return bh_err_errno(err, -errno, "%s", path);
	all = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_POPULATE, fd,
		   0);
	if (all == MAP_FAILED)
		return bh_err_errno(err, -errno, "%s", path);
	for (size_t at = 0; r >= 0 && at < (size_t)st.st_size; at += len)
		r = take_record(all + at, (size_t)st.st_size - at, &len, err);
	return r;
}

/* --- while it runs --------------------------------------------------------------------------- */

static int open_socket(struct target *t, struct bh_err *err)
{
	struct sockaddr_nl own = { .nl_family = AF_NETLINK };
	int r = netns_socket(t->netns, AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER, &t->socket, err);

	if (r >= 0 && bind(t->socket, (struct sockaddr *)&own, sizeof(own)) < 0)
		r = bh_err_errno(err, -errno, "binding");
	return r;
}

static int take_answers(const struct target *t, struct bh_err *err)
{
	char buf[8192] __attribute__((aligned(16)));
	bool answered = false;
	ssize_t n;

	while ((n = recv(t->socket, buf, sizeof(buf), MSG_DONTWAIT)) > 0) {
		int left = (int)n;

		for (const struct nlmsghdr *nlh = (void *)buf; mnl_nlmsg_ok(nlh, left);
		     nlh = mnl_nlmsg_next(nlh, &left)) {
			const struct nlmsgerr *e = mnl_nlmsg_get_payload(nlh);

			if (nlh->nlmsg_type == NLMSG_ERROR && e->error)
				return bh_err_errno(err, e->error, "the kernel refused a batch");
			answered = true;
		}
	}
	return answered ? 0 : bh_err_set(err, -EIO, "the kernel did not answer");
}

static int send_batch(const struct target *t, const struct iovec *batch, struct bh_err *err)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct iovec iov = *batch;
	struct msghdr msg = {
		.msg_name = &kernel, .msg_namelen = sizeof(kernel), .msg_iov = &iov, .msg_iovlen = 1
	};
	if (sendmsg(t->socket, &msg, 0) < 0)
		return bh_err_errno(err, -errno, "sending %zu bytes", batch->iov_len);
	return take_answers(t, err);
}

static int replay(struct bh_err *err)
{
	int r = 0;

	for (unsigned i = 0; i < n_targets && r >= 0; i++) {
		struct target *t = &targets[i];

		r = t->n ? open_socket(t, err) : 0;
		for (unsigned k = 0; k < t->n && r >= 0; k++)
			r = send_batch(t, &t->batch[k], err);
	}
	return r;
}

static void report(double wall, double cpu)
{
	unsigned namespaces = 0, batches = 0;
	size_t bytes = 0;

	for (unsigned i = 0; i < n_targets; i++) {
		namespaces += targets[i].n > 0;
		batches += targets[i].n;
		for (unsigned k = 0; k < targets[i].n; k++)
			bytes += targets[i].batch[k].iov_len;
	}
	printf("%.0f %.0f %u %u %zu\n", wall, cpu, namespaces, batches, bytes);
}

int main(int argc, char **argv)
{
	struct bh_err err = BH_ERR_INIT;
	double wall, cpu;
	int r;

	if (argc != 3) {
		fputs("usage: replay RECORDING DIRECTORY\n", stderr);
		return 2;
	}
	r = open_targets(argv[2], &err);
	if (r >= 0)
		r = load(argv[1], &err);
	wall = now_ns();
	cpu = cpu_us_of(0);
	if (r >= 0)
		r = replay(&err);
	wall = now_ns() - wall;
	cpu = cpu_us_of(0) - cpu;
	if (r < 0) {
		fprintf(stderr, "replay: %s\n", err.msg);
		return 1;
	}
	report(wall / 1e3, cpu);
	return 0;
}
