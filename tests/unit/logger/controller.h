/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_UNIT_LOGGER_CONTROLLER_H
#define TESTS_UNIT_LOGGER_CONTROLLER_H

/*
 * The controller's half, within the same thread: it starts the logger, answers it, and starts it again
 * when it has ended, as src/daemon/logger.c does. Only what the logger does is armed for faults.
 */

#include <bulkhead/model/roster.h>

#include "../../../src/logger/loop.h"
#include "kernel.h"

#define SPACES    2
#define HANG_USEC 10000000
#define STEP_USEC 50000

enum tap_state { TAP_NONE, TAP_ATTACHED, TAP_DETACHING, TAP_GONE };

static struct controller {
	struct kernel ns[SPACES];
	enum tap_state taps[SPACES];
	bool cut[SPACES]; /* the logger ended while it counted this one to its end */
	struct logger l;
	bool runs, ready;
	int line;
	unsigned starts;
	int64_t heard;
	char last[1024]; /* notice */
	bool set_aside;  /* a history: nothing here damages one */
	int store, syslog;
	char path[64], syslog_path[80], file_path[80];
	unsigned turns;
	struct lg_who who;       /* it asked last */
	uint64_t probes;         /* segmentation tests, as a logger is told that begins */
	uint32_t told, answered; /* of them since, and what it has said to that */
	bool deaf;               /* the kernel does not say what rules have let pass */
} c;

static inline struct kernel *space_of(uint64_t ino)
{
	return ino == 1 || ino == 2 ? &c.ns[ino - 1] : NULL;
}

static void say(const void *m, size_t len, const int *fds, size_t n)
{
	(void)channel_send(c.line, m, len, fds, n);
}

/* --- the process ------------------------------------------------------------------------------- */

static void tell_settings(void)
{
	struct lg_hello hello = {
		.head.type = LG_HELLO,
		.build = LG_BUILD,
		.flows = 4096,
		.records_per_second = 4,
		.probes = c.probes,
	};
	struct lg_output file = { .head.type = LG_OUTPUT, .kind = OUTPUT_FILE },
			 syslog = { .head.type = LG_OUTPUT, .kind = OUTPUT_SYSLOG };
	const struct lg_head go = { .type = LG_GO };

	snprintf(file.path, sizeof(file.path), "%s", c.file_path);
	snprintf(syslog.path, sizeof(syslog.path), "%s", c.syslog_path);
	say(&hello, sizeof(hello), &c.store, 1);
	say(&file, sizeof(file), NULL, 0);
	say(&syslog, sizeof(syslog), NULL, 0);
	say(&go, sizeof(go), NULL, 0);
}

static void logger_ended(void)
{
	faults.armed = true;
	loop_close(&c.l);
	faults.armed = false;
	close(c.line);
	c.runs = c.ready = false;
	for (int i = 0; i < SPACES; i++) {
		kernel_drain(&c.ns[i]);
		if (c.taps[i] == TAP_DETACHING) {
			c.cut[i] = true;
			c.taps[i] = TAP_GONE;
		}
		if (c.taps[i] != TAP_GONE)
			c.taps[i] = TAP_NONE;
	}
}

static void logger_start(void)
{
	struct bh_err err = BH_ERR_INIT;
	int fds[2], r;

	assert_int_equal(channel_pair(fds, NULL), 0);
	c.line = fds[0];
	c.l = (struct logger)LOGGER_INIT;
	c.runs = true;
	c.starts++;
	c.heard = faults.clock;
	faults.armed = true;
	r = loop_open(&c.l, fds[1], &err);
	faults.armed = false;
	if (r < 0)
		logger_ended();
	else
		tell_settings();
}

static bool logger_runs_once(void)
{
	int r;

	if (!c.runs)
		return false;
	faults.armed = true;
	r = sd_event_run(c.l.event, 0);
	faults.armed = false;
	if (r < 0 || sd_event_get_state(c.l.event) == SD_EVENT_FINISHED)
		logger_ended();
	return r != 0;
}

/* --- what it asks ------------------------------------------------------------------------------ */

/* Who is in the namespaces. */
static const char *ids[SPACES] = { "shop/one", "shop/two" };
static enum endpoint_runtime runtimes[SPACES] = { ENDPOINT_INVENTORY, ENDPOINT_INVENTORY };

static void tell_site(void)
{
	const struct lg_head m = { .type = LG_SITE };
	const struct ruleset rules = {
		.endpoint = "shop/one",
		.services = "shop",
		.generation = "0123456789abcdef",
		.deny_where = { "shop.yaml:1", NULL },
		.mode = MODE_ENFORCE,
		.log_denied = true,
	};
	struct bh_buf b;
	int fd;

	bh_buf_init(&b, 65536);
	roster_put_members(&b);
	for (int i = 0; i < SPACES; i++) {
		struct bh_addr a;
		struct roster_member who = {
			.endpoint = { .id = ids[i],
				      .name = i ? "two" : "one",
				      .netns = i ? "/run/netns/two" : "/run/netns/one",
				      .netns_ino = c.ns[i].ino,
				      .runtime = runtimes[i],
				      .addrs = &a,
				      .n_addrs = 1 },
			.services = "shop",
			.scope = "",
		};

		bh_addr_from_bytes(&a, (const uint8_t[]) { 10, 77, 0, (uint8_t)(i + 1) }, 4);
		roster_put_member(&b, &who);
		roster_put_ruleset(&b, c.ns[i].ino, &rules);
	}
	assert_int_equal(channel_blob(b.data, b.len, &fd), 0);
	bh_buf_done(&b);
	say(&m, sizeof(m), &fd, 1);
	close(fd);
}

static inline void tell_probes(uint64_t mark, bool waits)
{
	const struct lg_probes m = {
		.head.type = LG_PROBES,
		.serial = ++c.told,
		.waits = waits,
		.mark = mark,
	};

	c.probes = mark;
	say(&m, sizeof(m), NULL, 0);
}

static void attach_all(void)
{
	for (int i = 0; c.ready && i < SPACES; i++) {
		const struct lg_head m = { .type = LG_ATTACH, .netns = c.ns[i].ino };
		const int fds[] = { c.ns[i].log[0], c.ns[i].counts[0] };

		if (c.taps[i] != TAP_NONE)
			continue;
		c.taps[i] = TAP_ATTACHED;
		say(&m, sizeof(m), fds, 2);
	}
}

static void detach(int i)
{
	const struct lg_head m = { .type = LG_DETACH, .netns = c.ns[i].ino };

	if (c.taps[i] != TAP_ATTACHED) { /* it never heard of it: let go of at once */
		c.taps[i] = TAP_GONE;
		c.cut[i] = true;
		return;
	}
	c.taps[i] = TAP_DETACHING;
	say(&m, sizeof(m), NULL, 0);
}

static void on_detached(uint64_t ino)
{
	enum tap_state *t = &c.taps[ino - 1];

	*t = *t == TAP_DETACHING || *t == TAP_GONE ? TAP_GONE : TAP_NONE;
}

static void on_retire(const struct lg_flows *q)
{
	struct lg_flows out = { .head = { .type = LG_RETIRED, .netns = q->head.netns },
				.last = q->last };

	for (uint32_t i = 0; i < q->n; i++) {
		struct nft_denied d = q->flows[i];

		if (kernel_retire(space_of(q->head.netns), &d))
			out.flows[out.n++] = d;
	}
	say(&out, LG_FLOWS_SIZE(out.n), NULL, 0);
}

static void on_who(const struct lg_who *w)
{
	const struct lg_process m = { .head = { .type = LG_PROCESS, .netns = w->head.netns },
				      .cookie = w->cookie,
				      .pid = 4711,
				      .comm = "probe",
				      .exe = "/usr/bin/probe" };

	c.who = *w;
	say(&m, sizeof(m), NULL, 0);
}

static void serve(const void *m)
{
	const struct lg_head *head = m;
	const struct lg_ask *ask = m;
	const struct lg_notice *notice = m;

	c.heard = faults.clock;
	switch (head->type) {
	case LG_READY:
		c.ready = true;
		tell_site();
		break;
	case LG_ASK:
		if (!c.deaf || ask->question != NFT_ASK_RULES)
			kernel_answer(space_of(head->netns), ask->question, ask->seq);
		break;
	case LG_PROBED:
		c.answered = ((const struct lg_probes *)m)->serial;
		break;
	case LG_RETIRE:
		on_retire(m);
		break;
	case LG_WHO:
		on_who(m);
		break;
	case LG_DETACHED:
		on_detached(head->netns);
		break;
	case LG_NOTICE:
		snprintf(c.last, sizeof(c.last), "%s", notice->text);
		c.set_aside |= strstr(notice->text, "damaged") != NULL;
		break;
	default:
		break;
	}
}

static bool controller_turn(void)
{
	static char m[BH_LOGGER_MESSAGE] __attribute__((aligned(16)));
	int fds[CHANNEL_FDS_MAX];
	size_t n;
	bool did = false;

	while (c.runs && channel_receive(c.line, m, sizeof(m), fds, &n) > 0) {
		serve(m);
		did = true;
	}
	while (recv(c.syslog, m, sizeof(m), MSG_DONTWAIT) >= 0)
		;
	return did;
}

/* Time goes on when nobody has anything to do. */
static void run_for(int64_t usec)
{
	int64_t until = faults.clock + usec;

	for (; faults.clock < until; faults.clock += STEP_USEC) {
		if (!c.runs)
			logger_start();
		attach_all();
		for (bool busy = true; busy;) {
			busy = logger_runs_once();
			busy |= controller_turn();
			assert_true(++c.turns < 200000); /* it turns without an end */
		}
		if (c.runs && faults.clock - c.heard > HANG_USEC)
			fail_msg("it hangs");
	}
}

#endif
