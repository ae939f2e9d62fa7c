/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hits.h"
#include "probing.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/store/rules.h>

#define LOOK_USEC (BH_RULES_LOOK_S * INT64_C(1000000))
#define BOOT_ID   "/proc/sys/kernel/random/boot_id"

bool hits_due(const struct space *s)
{
	/* nine tenths: turns are not that exact, and the next one is a second later, or ten */
	return flows_rules_known(s->l->flows) &&
	       (s->ending || !s->hits_at || probing_waits(s) ||
		logger_clock() - s->hits_at >= LOOK_USEC / 10 * 9);
}

static int on_rule(const char *name, const struct nft_rule_count *count, void *arg)
{
	struct space *s = arg;
	const struct flows_rule_reading r = {
		.netns = s->ino,
		.cookie = s->cookie,
		.rule = name,
		.packets = count->packets,
		.bytes = count->bytes,
		.probes_asked = s->probes_asked,
		.probes_born = probing_born(s),
	};

	(void)flows_put_rule(s->l->flows, &r, logger_now()); /* it says what it leaves out */
	return 0;
}

void hits_take(struct space *s)
{
	size_t left_out;

	flows_rules_probes(s->l->flows, s->l->probing.now);
	(void)nft_counts_each_rule(s->counts, on_rule, s, &left_out);
	if (left_out && !s->hits_left_out)
		space_notice(s,
			     "it has more counters than policy rules can have: what they count is "
			     "left out");
	s->hits_left_out |= left_out > 0;
	s->hits_at = logger_clock();
	s->hits_failed = false;
	s->probes = s->probes_asked;
	s->probes_read = true;
	probing_has(s);
}

/* The counters go on: what this look would have found the next one does, unless there is none. */
void hits_missed(struct space *s)
{
	s->hits_at = logger_clock();
	s->hits_failed = true;
	probing_has(s);
}

void hits_end(struct space *s)
{
	if (s->ending && (s->hits_failed || !flows_rules_known(s->l->flows)))
		space_notice(
			s, "it has ended, and its last counts of policy rules were not read: hits "
			   "of its last seconds are missing in bulkhead rules");
	if (s->ending && flows_rules_known(s->l->flows))
		flows_rules_forget(s->l->flows, s->ino, s->cookie);
}

void hits_tick(struct logger *l)
{
	int64_t now = logger_clock();

	if (l->flows)
		flows_rules_probes(l->flows, l->probing.now);
	if (l->flows && l->ticked)
		flows_rules_watched(l->flows, now - l->ticked);
	l->ticked = now;
}

int64_t hits_boot(void)
{
	bh_autoclose int fd = open(BOOT_ID, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
	char id[37];
	ssize_t n = fd < 0 ? -1 : read(fd, id, sizeof(id) - 1);

	if (n <= 0)
		return 0;
	for (ssize_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)id[i]) * UINT64_C(0x100000001b3);
	return (int64_t)(h >> 1) | 1;
}
