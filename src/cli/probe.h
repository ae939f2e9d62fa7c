/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_PROBE_H
#define CLI_PROBE_H

#include <bulkhead/ctl/ctl.h>
#include <bulkhead/probe/probe.h>
#include <bulkhead/store/audit.h>

#include "cli.h"

#define PROBE_SCHEMA "bulkhead.probe/1"

/* What a run was told to leave out, for the summary. */
struct probe_report {
	const struct probe_run *run;
	const struct explainer *explainer;
	const struct cli_options *o;
};

/* Everything on stdout, as --json or for a person. */
void probe_print(const struct probe_report *rep);

/* What is known of one cell as a sentence of the policies. OUT has room for an explanation's. */
const char *probe_explain(const struct probe_report *rep, const struct probe_cell *c,
			  char out[512]);
/* "web -> db 5432/tcp (10.0.0.1 -> 10.0.0.2)"; of raw packets with their way. Returns OUT. */
#define PROBE_FLOW_STR 512
const char *probe_flow(const struct probe_run *run, const struct probe_cell *c,
		       char out[PROBE_FLOW_STR]);
/* The end that a finding is at. */
enum direction probe_end_of(const struct probe_cell *c);

/* The cells from *AT on that have the same ends; *AT is then behind them. Returns the first. */
struct probe_pair {
	const struct probe_cell *first;
	size_t n, agree, passed, findings, not_probed, reason[PROBE_REASONS];
};
bool probe_next_pair(const struct probe_run *run, size_t *at, struct probe_pair *ret);

void probe_junit(const struct probe_report *rep, struct bh_buf *out);

/* --- the audit trail ----------------------------------------------------------------------------- */

/* Where it is written down that packets of ours are no attack: by a daemon that runs, else by us. */
struct probe_trail {
	struct ctl_client *daemon;
	struct audit *audit;
	const struct site *site;
	const char *socket; /* by which a daemon would be asked */
	int lock;           /* it is known by that it runs; -1: not yet, or no more */
	uint16_t port;
};
/* CLI_YES; or the exit code after the reason was printed: then nothing is to be sent. */
int probe_trail_open(struct probe_trail *t, const struct site *s, const struct cli_options *o);
/* That it begins, or how it ended (RUN). -errno with the reason in ERR. */
int probe_trail_begin(struct probe_trail *t, uint16_t port, size_t packets, struct bh_err *err);
int probe_trail_end(struct probe_trail *t, const struct probe_run *run, struct bh_err *err);
void probe_trail_close(struct probe_trail *t);

#endif
