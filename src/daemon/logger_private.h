/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_LOGGER_PRIVATE_H
#define DAEMON_LOGGER_PRIVATE_H

#include <uthash.h>

#include <bulkhead/ctl/probing.h>
#include <bulkhead/flow/flow.h>
#include <bulkhead/logger/protocol.h>
#include <bulkhead/outputs/outputs.h>
#include <bulkhead/runtime/process.h>
#include <bulkhead/store/flows.h>
#include <bulkhead/sys/channel.h>

#include "logger.h"

/* One namespace: what the logger reads, opened here once, and kept when the logger dies. */
struct tap {
	uint64_t ino;
	struct flow_log *log;
	struct nlsock counts; /* questions go out here, answers are the logger's to read */
	bool attached, detaching;
	bool owed; /* the last logger died before it had read the last counts */
	int64_t detached_at;
	int64_t second; /* in which ASKS were sent */
	unsigned asks;
	bool wanted;
	const struct ruleset *told; /* as the logger knows it; kept by SHARE */
	struct ruleset_share *share;
	UT_hash_handle hh;
};

/* What the logger was told of segmentation tests (logger_probes.c). */
struct probes_waiter;
struct probes_told {
	uint64_t told;             /* flows_probes_mark() */
	uint32_t serial, answered; /* of the words, and of the answers */
	char why[BH_ERR_MAX];      /* it is not known whether one runs */
	struct probes_waiter *waiters;
};

/* What the trail is to say of times in which not all was recorded. */
struct logger_note {
	bool is_deaf;  /* as it was told last */
	bool written;  /* the last entry says that it is */
	int64_t deaf;  /* since when, which is not written yet; 0: nothing is to be */
	int64_t again; /* the same of the end */
	int64_t at;    /* monotonic: of the last entry; 0: there was none */
	char why[BH_ERR_MAX];
};

struct logger_link {
	struct controller *c;
	int store_dir;
	uid_t uid;
	gid_t gid;
	char program[4096];
	struct process_finder *finder;

	pid_t pid; /* 0: it does not run */
	struct channel line;
	sd_event_source *end, *line_io, *timer, *sync_timer, *site_timer;
	bool ready;      /* it has said so */
	bool given_up;   /* it was killed, and its end is not seen yet */
	bool silent;     /* it has closed its line, and so may live on */
	int64_t started; /* microseconds, monotonic */
	int64_t heard;   /* the same: of its last word */
	int64_t pause;   /* before it is started again */
	struct tap *taps;
	size_t unheard;
	struct probes_told probes;
	/* What was there when it was looked last, to see that it is another now; and what is to be done. */
	uint64_t site, holds;
	bool tap, tell_members, tell_rulesets;
	/* Of the questions whether it knows all: the last one, the last answered, the last of runs before. */
	uint64_t sync_asked, sync_answered, sync_void;
	bool again;      /* taps are to be looked at, at the next turn */
	int64_t stuffed; /* since when something waits for it to read; 0: nothing does */
	int64_t second;  /* since when RETIRES and NOTICES are counted */
	unsigned retires, notices;
	int64_t deaf_since; /* monotonic: since when it has not run, or not heard all; 0: it does */
	char why[BH_ERR_MAX];      /* as it failed last */
	char deaf_why[BH_ERR_MAX]; /* as a namespace's log could not be opened last */
	struct logger_state state;
	struct lg_stats last; /* of this run */
	struct logger_note note;
};

/* The line is of no use any more: it is ended, and started again. */
void logger_fail(struct logger_link *k, const char *why);
/* Read what it says, and do it; false: it will say nothing more. */
bool logger_hear(struct logger_link *k);
/* One that does not do what it is for is ended. */
void logger_judge(struct logger_link *k);
/* At each turn, and with LAST before the daemon ends: what is new of that goes to the trail. */
void logger_note(struct logger_link *k, bool last);
/* Whether anything is known to have changed or not. */
void logger_sync_all(struct logger_link *k);
/* 0, or it was ended. */
int logger_send(struct logger_link *k, const void *m, size_t len, const int *fds, size_t n);

/* --- logger_taps.c ----------------------------------------------------------------------------- */

/* Open and take back what is to be; false: some is left for the next time, which is soon. */
bool taps_sync(struct logger_link *k);
/* Hand over what is open: after the logger was told whose they are. False: it has to read first. */
bool taps_attach(struct logger_link *k);
/* It does not let go of a namespace that has ended. */
bool taps_are_stuck(const struct logger_link *k);
struct tap *taps_find(struct logger_link *k, uint64_t ino);
void taps_detached(struct logger_link *k, uint64_t ino);
void taps_logger_gone(struct logger_link *k); /* the next one gets them anew */
void taps_free(struct logger_link *k);

/* --- logger_site.c ----------------------------------------------------------------------------- */

/* Tell who is who (MEMBERS), and what stands in the namespaces that it listens to. */
void logger_tell_site(struct logger_link *k, bool members);

/* --- logger_probes.c --------------------------------------------------------------------------- */

/* For a logger that begins. */
uint64_t logger_probes_now(struct logger_link *k);
/* Each second: one that nobody told of; who has waited for too long. */
void logger_probes_tick(struct logger_link *k);
void logger_probes_answered(struct logger_link *k, uint32_t serial);
void logger_probes_logger_gone(struct logger_link *k);

/* --- logger_serve.c ---------------------------------------------------------------------------- */

/* One message of the logger, hostile. */
void logger_serve(struct logger_link *k, const void *m, size_t len);

#endif
