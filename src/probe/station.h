/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PROBE_STATION_H
#define PROBE_STATION_H

#include <bulkhead/base/buf.h>
#include <bulkhead/model/device.h>
#include <bulkhead/model/endpoint.h>
#include <bulkhead/nft/nft.h>
#include <bulkhead/sys/nlsock.h>

#include "packet.h"

/* Sockets in one namespace, opened there once and kept. */

#define STATION_PROTOS 4 /* TCP, UDP, SCTP, ICMP of the family */
#define FAMILIES       2 /* IPv4, IPv6: families[] */

/* A port that somebody listens on. */
struct listener {
	struct bh_addr addr; /* family 0: any */
	uint16_t proto, port;
};

/* Somebody on a link whose hardware address is known. */
struct neighbour {
	uint32_t device;
	struct bh_addr addr;
};

struct station {
	uint64_t ino, cookie; /* cookie 0: the kernel gives none */
	struct nlsock nft, route;
	struct bh_vec neighbours;         /* that were there before, sorted */
	int raw[FAMILIES];                /* to send whole packets; -1: no such family */
	int way[FAMILIES];                /* UDP, to ask the kernel for a source; never sends */
	int in[FAMILIES][STATION_PROTOS]; /* what passed all hooks */
	int tap;         /* what comes and goes, before the one and behind the other */
	int reserved[2]; /* the source port, so that it is nobody else's */
	struct net_devices devices;
	struct nft_totals before, after;
	struct listener *listeners;
	size_t n_listeners;
};

/*
 * Open the endpoint's namespace, reserve the source port there, and hear packets with SOURCE or the next
 * port. -EINVAL: it is the host's; -ESTALE: another has its name; -EADDRINUSE: the port is taken. Needs
 * CAP_NET_RAW and CAP_NET_ADMIN there.
 */
int station_open(const struct endpoint *e, uint16_t source, struct station **ret,
		 struct bh_err *err);
void station_close(struct station *s); /* takes NULL */

/* Is it still the endpoint's? */
bool station_stands(const struct station *s, const struct endpoint *e);

/* Which neighbours there are; and forget all that have come since. */
int station_know_neighbours(struct station *s, struct bh_err *err);
void station_forget_neighbours(struct station *s);

/* The address that the kernel would send from. 1: it is a subnet's broadcast; -errno: there is no way. */
int station_source(const struct station *s, const struct bh_addr *to, struct bh_addr *ret);

/* Who listens there: TCP in state LISTEN, and every port of UDP, but for the reserved one. */
int station_listen(struct station *s, const struct endpoint *e, uint16_t own, struct bh_err *err);
bool station_listens(const struct station *s, const struct bh_addr *addr, uint16_t proto,
		     uint16_t port);

/* Send a packet, LEN bytes from the IP header on. 0 or -errno. */
int station_send(const struct station *s, const struct bh_addr *to, const void *data, size_t len);
/* The same as a frame by that device, to a hardware address that is nobody's. */
int station_send_frame(const struct station *s, const struct bh_addr *to, uint32_t device,
		       const void *data, size_t len);

enum heard { HEARD_OUT, HEARD_SEEN, HEARD_IN };

/* Read what has come on one of its sockets until there is no more; FN gets each. */
struct station_hearer {
	void (*fn)(const struct station *s, enum heard what, const struct packet_key *k, void *arg);
	void *arg;
};
void station_hear(const struct station *s, int fd, const struct station_hearer *h);
/* FN for each socket that hears. */
int station_each_ear(const struct station *s, int (*fn)(int fd, void *arg), void *arg);

#endif
