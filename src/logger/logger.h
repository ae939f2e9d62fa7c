/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef LOGGER_LOGGER_H
#define LOGGER_LOGGER_H

#include <systemd/sd-event.h>

#include <bulkhead/flow/account.h>
#include <bulkhead/flow/signals.h>
#include <bulkhead/logger/protocol.h>
#include <bulkhead/model/roster.h>
#include <bulkhead/outputs/outputs.h>
#include <bulkhead/store/flows.h>
#include <bulkhead/sys/channel.h>

struct space;
struct past;
struct inquiry;

/* Segmentation tests (probing.h), as flows_probes_mark() has them. */
struct probing {
	uint64_t now;         /* what counters are read by */
	uint64_t next;        /* as told last; NOW when all has been read */
	uint64_t ago, before; /* a while ago, and a while before that */
	bool has_ago, has_before;
	int64_t aged_at; /* logger_clock() */
	uint32_t serial; /* of what was told last */
	int64_t until;   /* logger_clock(): it is to be answered; 0: it was */
	int64_t settles; /* and not before this */
	size_t waiting;  /* namespaces that have to be read before */
};

/* The logger: one event loop. It holds no privilege, and everything it reads is hostile. */
struct logger {
	sd_event *event;
	struct channel line;
	sd_event_source *line_io;
	bool told_all; /* LG_GO has come */
	struct lg_hello hello;
	struct host_output outputs_wanted[BH_OUTPUTS_MAX];
	size_t n_outputs_wanted;
	int store_dir;
	struct flows *flows;
	struct outputs *outputs;
	int datagrams; /* the socket of the outputs, made while sockets may be made */
	struct signals *signals;
	uint8_t known_key[BH_SIGNAL_KEY_BYTES]; /* of the pairs, see known.h */
	uint64_t known_mark;                    /* up to which they are kept */
	int64_t known_saved;                    /* logger_clock() */
	bool known_failed;
	struct roster *roster;
	struct space *spaces; /* a hash, by inode */
	struct past *past;    /* what an earlier run has counted */
	struct inquiry *inquiry;
	struct probing probing;
	struct flow_budget budget;
	unsigned turn;  /* of the looks */
	int64_t ticked; /* logger_clock(), when hits_tick() was called last */
	char host[65];
	struct lg_stats stats;
};

/* Microseconds since the epoch, and since the machine was started. */
int64_t logger_now(void);
int64_t logger_clock(void);

/* A line for the controller's log. ARG is the logger. */
void logger_notice(const char *text, void *arg);

#endif
