/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_PROBE_PROBE_H
#define BULKHEAD_PROBE_PROBE_H

#include <bulkhead/base/buf.h>
#include <bulkhead/base/err.h>
#include <bulkhead/compile/compile.h>
#include <bulkhead/enforce/site.h>

/*
 * Real packets from every namespace to every other, and what became of each by the kernel's word:
 * whether it left, came, was let in, and which of our counters has it. docs/probe.md.
 */

/* How a packet is sent. */
enum probe_way {
	PROBE_STACK, /* IP_HDRINCL with a source of the namespace's own: judged as any program's */
	PROBE_FRAME, /* a frame on a packet socket, behind the hooks of IP */
	PROBE_SPOOF, /* IP_HDRINCL in another's name */
};
const char *probe_way_name(enum probe_way w); /* "stack", "frame", "spoof" */

enum probe_outcome { PROBE_AGREES, PROBE_FINDING, PROBE_NOT_PROBED };

/* Which way it differs from the policies, and where. */
enum probe_fault {
	PROBE_NO_FAULT,
	PROBE_LEFT,         /* the source's policy denies it, and it left */
	PROBE_LET_IN,       /* the destination's policy denies it, and it was let in */
	PROBE_HELD_BACK,    /* the source's policy allows it, and it was refused there */
	PROBE_KEPT_OUT,     /* the destination's policy allows it, and our table refused it there */
	PROBE_FOREIGN_DROP, /* it came, our table did not refuse it, and it was not let in */
};
#define PROBE_FAULTS (PROBE_FOREIGN_DROP + 1)
const char *probe_fault_name(enum probe_fault f); /* "left", "let-in", ... */
const char *probe_fault_text(enum probe_fault f); /* a sentence without a subject */

/* Why nothing can be said of a packet. */
enum probe_reason {
	PROBE_NO_REASON,
	PROBE_NO_NETNS,      /* no namespace on this host, or none that was found */
	PROBE_HOST_NETWORK,  /* in the host's own: never entered */
	PROBE_UNREACHABLE,   /* it cannot be opened */
	PROBE_NOT_PROTECTED, /* no policy holds either end */
	PROBE_VANISHED,      /* one end ended, or was replaced, meanwhile */
	PROBE_NO_ROUTE,      /* the policies allow it, and the source has no way to that address */
	PROBE_NO_WAY,        /* the same, and the policies deny it: nothing is amiss */
	PROBE_OTHER_WAY,    /* it did not get to that address, and did to another of the same end */
	PROBE_LOST,         /* it left, and did not come */
	PROBE_UNCOUNTED,    /* refused, and not by a counter of ours */
	PROBE_LISTENING,    /* somebody listens there, and he is not to be touched */
	PROBE_NOT_SENT,     /* the kernel would not send it */
	PROBE_TOO_MANY,     /* more ports or networks than are asked */
	PROBE_SPECIAL,      /* of no packet: see probe_next_uncovered() */
	PROBE_FROM_OUTSIDE, /* the same */
};
#define PROBE_REASONS (PROBE_FROM_OUTSIDE + 1)
const char *probe_reason_name(enum probe_reason r);
const char *probe_reason_text(enum probe_reason r);

enum probe_party_kind { PROBE_ENDPOINT, PROBE_HOST, PROBE_OUTSIDE };

struct station;

/* An end of packets: a namespace (by its first endpoint), the host, or an address of nobody here. */
struct probe_party {
	enum probe_party_kind kind;
	size_t endpoint; /* index; of PROBE_ENDPOINT */
	const struct bh_addr *addrs;
	size_t n_addrs;
	struct bh_addr addr;           /* of PROBE_OUTSIDE */
	const struct ruleset *ruleset; /* what is wanted there; NULL: no policy holds it */
	struct station *station;       /* private; NULL: it was not entered */
	enum probe_reason reason;      /* why not */
	size_t beyond;        /* networks outside that it names, and there is no room for */
	size_t special;       /* and those of multicast and such, which are never asked */
	size_t from_outside;  /* rules that let in who is outside, or the host */
	bool for_some;        /* of PROBE_OUTSIDE: only those ask whose policies name it */
	bool wanted;          /* of PROBE_HOST_NETWORK: a policy would have it held */
	bool asked;           /* packets were planned from it, if there can be any */
	bool aimed_at;        /* and to it, from whoever may be asked */
	char why[BH_ERR_MAX]; /* the same in words, or "" */
	uint64_t netns_ino, netns_cookie; /* where packets were sent; 0: not entered, not known */
	bool checked, table_bad;    /* its tables were compared; they are not what is wanted */
	char table_why[BH_ERR_MAX]; /* what differs first, escaped */
};

/* FROM asks for TO, which not everybody does. */
struct probe_asker {
	uint32_t to, from;
};

/* What is known of a packet. */
enum probe_fact {
	PROBE_SENT = 1,          /* the kernel took it: no hook of IP refused it */
	PROBE_SEEN = 2,          /* it came in at the destination's device */
	PROBE_IN = 4,            /* and passed all hooks there */
	PROBE_COUNTED_OUT = 8,   /* a counter of ours says that it was denied at the source */
	PROBE_COUNTED_IN = 16,   /* and at the destination */
	PROBE_OUT = 32,          /* it went out by the source's device */
	PROBE_TRIED = 64,        /* SENT or ERROR is known */
	PROBE_OUT_ALLOWED = 128, /* what the policies say: at the source */
	PROBE_IN_ALLOWED = 256,  /* at the destination; also when nobody holds it */
};

struct probe_cell {
	uint32_t from, to;       /* parties */
	struct bh_addr src, dst; /* family 0: none was found */
	uint8_t way, outcome, fault, reason;
	uint16_t proto, port; /* destination port, or the ICMP type */
	uint16_t facts;       /* enum probe_fact */
	int error;            /* errno of a packet that was not taken */
	uint32_t device;      /* of a frame: the interface */
};

struct probe_totals {
	size_t packets; /* = agree + findings + not_probed */
	size_t agree, findings, not_probed;
	size_t passed, denied;     /* of those that agree */
	size_t sent;               /* packets that were really sent, repetitions included */
	size_t tables, tables_bad; /* compared with what is wanted */
	size_t fault[PROBE_FAULTS], reason[PROBE_REASONS];
};

struct probe_options {
	const struct explain_party *from, *to; /* NULL: all */
	const struct port_spec *port;          /* NULL: named ones and a sample */
	bool listen_only;                      /* never touch a port that somebody listens on */
	unsigned rate;                         /* packets a second */
	/* Before the first packet is sent; negative: do not begin, and probe_run() returns it. */
	int (*begin)(uint16_t source_port, size_t packets, void *arg, struct bh_err *err);
	void (*progress)(size_t done, size_t all, void *arg); /* may be NULL */
	void *arg;
};

struct probe_run {
	struct site *site; /* borrowed */
	struct probe_party *parties;
	size_t n_parties;
	struct bh_vec askers; /* private: struct probe_asker, by TO */
	struct probe_cell *cells;
	size_t n_cells;
	uint32_t *order; /* private: cells that are sent, as they are looked for */
	size_t n_order;
	uint16_t source_port; /* of every packet of PROBE_STACK; of the others the next one */
	int64_t start, end;   /* microseconds since the epoch, by the clock that can be set */
	int64_t took;         /* microseconds, by the one that cannot */
	int64_t jump; /* by how much the first moved against the second; 0: not noticeably */
	struct probe_totals totals;
};

/*
 * Probe the site, which is compiled with all subjects, from every namespace that can be entered.
 * Needs CAP_SYS_ADMIN, CAP_NET_ADMIN and CAP_NET_RAW. 0 also with findings. -EPERM; -E2BIG: more
 * than BH_PROBE_CELLS_MAX packets; -ENOENT: nothing to probe. RET is to be given to probe_done()
 * in any case.
 */
int probe_run(struct site *s, const struct probe_options *o, struct probe_run *ret,
	      struct bh_err *err);
void probe_done(struct probe_run *run);

/* Is everything as the policies say, and was everything asked that could pass? */
bool probe_is_clean(const struct probe_run *run);

/* Does it keep a run from being clean? */
bool probe_reason_matters(enum probe_reason r);
/* As the policies say, and both ends allow it; else, if it agrees, it was denied. */
bool probe_has_passed(const struct probe_cell *c);

/*
 * What no packet is planned for, of a party: PROBE_HOST_NETWORK: none is sent from it; PROBE_SPECIAL: its
 * policies name that many networks which are never asked; PROBE_FROM_OUTSIDE: that many of its rules let in
 * who is outside or the host, and none is sent from there. It does not keep a run from being clean, and counts
 * as nothing else either.
 */
struct probe_gap {
	uint32_t party;
	enum probe_reason reason;
	size_t n; /* of PROBE_HOST_NETWORK 0 */
};
/* *AT begins with 0. False: there is no further one. */
bool probe_next_uncovered(const struct probe_run *run, size_t *at, struct probe_gap *ret);

/* The rule that decides at one end, as FILE:LINE; NULL: nothing holds it. */
const char *probe_where(const struct probe_run *run, const struct probe_cell *c, enum direction d);
/* A party by its id, for programs, and as a person calls it; both escaped. Return OUT. */
const char *probe_party_id(const struct probe_run *run, uint32_t party, char *out, size_t cap);
const char *probe_party_name(const struct probe_run *run, uint32_t party, char *out, size_t cap);

#endif
