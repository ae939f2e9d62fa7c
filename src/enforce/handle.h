/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ENFORCE_HANDLE_H
#define ENFORCE_HANDLE_H

#include <bulkhead/model/endpoint.h>
#include <bulkhead/nft/nft.h>
#include <bulkhead/sys/nlsock.h>

/*
 * Open netlink sockets, one a namespace, kept until the end of the run: closing one that deleted
 * something waits until the kernel has freed it (docs/kernel.md), and by the end of the run it has.
 */
struct handles {
	struct nlsock *s;
	size_t n, cap;
};

/* Let the process have as many descriptors as it may. Returns how many that are. */
size_t descriptors_raise(void);

void handles_init(struct handles *h);
void handles_done(struct handles *h);
/*
 * The endpoint's namespace: the one that was listed, and not the host's. -ESTALE: another one has
 * its name by now; -EINVAL: it is no namespace, or the host's own.
 */
int endpoint_netns_open(const struct endpoint *e, int *ret_fd, uint64_t *ret_ino,
			struct bh_err *err);

/*
 * Open a socket in the endpoint's namespace. *ret is owned by H and valid until the next call.
 * *FRAMES: what its devices ask of the table netdev.
 */
int handles_open(struct handles *h, const struct endpoint *e, struct nlsock **ret,
		 struct nft_frames *frames, struct bh_err *err);

/* The same without keeping a socket. */
int frames_of(int netns_fd, struct nft_frames *ret, struct bh_err *err);

#endif
