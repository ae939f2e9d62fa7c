/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_LOGGER_PROTOCOL_H
#define BULKHEAD_LOGGER_PROTOCOL_H

#include <bulkhead/base/limits.h>
#include <bulkhead/model/record.h>
#include <bulkhead/nft/nft.h>

/*
 * Between the controller, which may ask the kernel, and the logger, which reads what containers send
 * and may do nothing (docs/logger.md). Messages of a channel (sys/channel.h), each one of these structs;
 * both ends are of one build, which LG_HELLO says. What the logger says is checked as anything hostile.
 */

enum lg_type {
	/* from the controller */
	LG_HELLO,   /* lg_hello, with the directory of the history: first of all */
	LG_OUTPUT,  /* lg_output: any number, then */
	LG_GO,      /* lg_head: that was all; answered by LG_READY */
	LG_SITE,    /* lg_head, with a blob (sys/channel.h) for roster_take() */
	LG_ATTACH,  /* lg_head, with two descriptors: the log, and a netlink socket for answers */
	LG_DETACH,  /* lg_head: nothing more is logged there; count to the end and let go */
	LG_RETIRED, /* lg_flows: final counts; the last of them has LAST */
	LG_PROCESS, /* lg_process */
	LG_SYNC, /* lg_sync: answered by LG_SYNCED, with the same number, when all before it is known */
	LG_REOPEN, /* lg_head: the outputs */
	LG_PROBES, /* lg_probes: a segmentation test begins, or has ended; answered by LG_PROBED */
	LG_STOP,   /* lg_head: write what is known, and end */
	/* from the logger */
	LG_READY,    /* lg_head */
	LG_ASK,      /* lg_ask: send this question on the netlink socket */
	LG_RETIRE,   /* lg_flows: delete these from the kernel's sets, and say the final counts */
	LG_WHO,      /* lg_who: which process? */
	LG_DETACHED, /* lg_head */
	LG_SYNCED,   /* lg_sync */
	LG_PROBED,   /* lg_probes as it was told: what it hits is told apart from now on */
	LG_STATS,    /* lg_stats: about each second, also when there is nothing new: it lives */
	LG_NOTICE,   /* lg_notice: a line for the log */
};

struct lg_head {
	uint32_t type; /* enum lg_type */
	uint32_t reserved;
	uint64_t netns; /* inode; 0 where none is meant */
};

#define LG_BUILD_STR 64
struct lg_hello {
	struct lg_head head;
	char build[LG_BUILD_STR];
	uint32_t days, megabytes; /* of history */
	uint32_t flows;           /* in memory */
	uint32_t records_per_second;
	uint64_t probes; /* flows_probes_mark() */
};

struct lg_output {
	struct lg_head head;
	uint32_t kind, format, what, facility, rotate_megabytes, rotate_keep; /* host_output */
	char path[4096];                                                      /* "": none */
};

struct lg_ask {
	struct lg_head head;
	uint32_t question; /* enum nft_counts_question */
	uint32_t seq;
};

struct lg_sync {
	struct lg_head head;
	uint64_t number;
};

struct lg_probes {
	struct lg_head head;
	uint32_t serial; /* counts these */
	uint32_t waits;  /* nothing is sent before the answer */
	uint64_t mark;   /* flows_probes_mark() */
};

#define LG_FLOWS_MAX 256
struct lg_flows {
	struct lg_head head;
	uint32_t n;
	uint32_t last;                         /* LG_RETIRED: of all that were asked for */
	struct nft_denied flows[LG_FLOWS_MAX]; /* only N are sent */
};
#define LG_FLOWS_SIZE(n) (offsetof(struct lg_flows, flows) + (n) * sizeof(struct nft_denied))

struct lg_who {
	struct lg_head head;
	uint64_t cookie;
	struct bh_addr source, destination;
	uint32_t ifindex, uid;
	uint16_t sport, dport;
	uint8_t proto, has_uid;
};

struct lg_process {
	struct lg_head head;
	uint64_t cookie;
	uint32_t pid; /* 0: not known */
	char comm[16], exe[RECORD_STR], unknown[128];
};

struct lg_stats {
	struct lg_head head;
	uint64_t records, lost_records;     /* written, and given up */
	uint64_t denied, recorded;          /* packets, of all namespaces that are attached */
	uint64_t allowed, allowed_recorded; /* connections, where that is logged */
	uint64_t log_lost;                  /* messages of the kernel */
	uint64_t signals;
};

struct lg_notice {
	struct lg_head head;
	char text[1024]; /* escaped by the logger, and again by the controller */
};

#define LG_BUILD "bulkhead " BULKHEAD_VERSION
#endif
