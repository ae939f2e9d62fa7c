/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_ENFORCE_HOLDS_H
#define BULKHEAD_ENFORCE_HOLDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <bulkhead/base/err.h>
#include <bulkhead/model/endpoint.h>
#include <bulkhead/nft/nft.h>
#include <bulkhead/sys/nlsock.h>

/*
 * What a daemon keeps open in each namespace, so that nobody inside can take it: the socket that owns
 * the tables, and sockets of AF_XDP on every queue of every device. A namespace lives as long as
 * something of it is open, so a hold ends when its container does: holds_release().
 */
struct hold;
struct holds;

/* NULL: out of memory. The process gets as many descriptors as it may have: four a namespace. */
struct holds *holds_new(void);
void holds_free(struct holds *h); /* takes NULL; the tables stay, owned by nobody */

/*
 * The hold of the endpoint's namespace, opened when there is none yet. *RET is H's. Errors as those
 * of netns_open(): -ESTALE: another namespace has its name by now; -E2BIG: BH_NAMESPACES_MAX.
 */
int holds_open(struct holds *h, const struct endpoint *e, struct hold **ret, struct bh_err *err);

/* By the inode of the namespace; NULL: none. */
struct hold *holds_find(const struct holds *h, uint64_t netns_ino);
void holds_release(struct holds *h, uint64_t netns_ino);
size_t holds_count(const struct holds *h);
uint64_t holds_serial(const struct holds *h); /* another after each that came or went */

struct nlsock *hold_socket(struct hold *h); /* of NETLINK_NETFILTER; the owner of the tables */
int hold_netns(const struct hold *h);       /* its descriptor, H's */
uint64_t hold_ino(const struct hold *h);

/* Its devices or tables may have changed: the next look asks the kernel. */
void hold_doubt(struct hold *h);
/* Is there no such doubt about its devices and addresses? */
bool hold_is_sure(struct hold *h);
/* Somebody may have changed tables, in whichever of them: the next look asks each for its commits. */
void holds_ask_numbers(struct holds *h);
/* What stands there, as far as the daemon knows. H's. */
struct standing;
struct standing *hold_standing(struct hold *h);

/*
 * Delete denied flows from the kernel's sets; FN gets each with its final count, as nft_denied_retire()
 * does it. What is known to stand stays known.
 */
int hold_retire(struct hold *h, const struct nft_denied *flows, size_t n,
		int (*fn)(const struct nft_denied *, void *), void *arg, struct bh_err *err);

/* Namespaces of which it is known that there is no table of ours, and that shall have none. */
int holds_note_bare(struct holds *h, uint64_t netns_ino);
bool holds_is_bare(const struct holds *h, uint64_t netns_ino);
/* Whose turn it is of N when PART of them are looked at each time: the first. */
size_t holds_next_turn(struct holds *h, size_t part, size_t n);
/*
 * Let go of all but those N (sorted). ON_GONE is told of each hold before. Returns how many stay.
 */
size_t holds_keep_only(struct holds *h, const uint64_t *inos, size_t n,
		       void (*on_gone)(uint64_t netns_ino, void *arg), void *arg);

/* Tell the keeper of what H has that it was not told of: before the tables are written. */
void hold_keep(struct hold *h);

/*
 * Take the queues of DEVICES, all of its namespace, that are not taken yet, or no more: of one that was
 * moved away and back. Whether that could be done hold_closes_xdp() tells, and hold_xdp_why() why not.
 */
struct net_devices;
void hold_take_queues(struct hold *h, const struct net_devices *devices);
bool hold_closes_xdp(const struct hold *h);
const char *hold_xdp_why(const struct hold *h); /* "" when closed */

/* --- beyond this process --------------------------------------------------------------------- */

/* What a descriptor of a hold is. */
struct held {
	uint64_t netns_ino;
	enum held_kind {
		HELD_OWNER, /* the socket that owns the tables */
		HELD_QUEUE, /* one of AF_XDP, on a queue */
	} kind;
	uint32_t ifindex, queue; /* of a queue */
};

/*
 * Who keeps descriptors open beyond this process. KEEP is told of each that was opened, DROP of each
 * before it is closed for good; of neither when the process ends.
 */
struct holds_keeper {
	void (*keep)(const struct held *what, int fd, void *arg);
	void (*drop)(const struct held *what, void *arg);
	void *arg;
};
void holds_set_keeper(struct holds *h, const struct holds_keeper *keeper);

/* Tell the keeper once more of everything that is to be kept: it had no room for some. */
void holds_keep_again(struct holds *h);

/*
 * Go on with a descriptor that an earlier process left with the keeper, who is not told of it. Owners
 * come before queues, queues of a device in their order. FD is H's then, and stays the caller's on
 * failure. It may be anything: -EINVAL, -ENOTSOCK: it is not what is said; -ESTALE: of another
 * namespace; -ENXIO: its device is gone; -EPERM: the tables are another socket's; -EEXIST: H has one already.
 */
int holds_restore(struct holds *h, const struct held *what, int fd, struct bh_err *err);

#endif
