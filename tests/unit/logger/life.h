/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_UNIT_LOGGER_LIFE_H
#define TESTS_UNIT_LOGGER_LIFE_H

/* A place for what the logger writes, its beginning and its end, and what is left of it. */

#include <dirent.h>
#include <sys/un.h>

#include <bulkhead/store/rules.h>

#include "controller.h"

#define SECOND 1000000

static void remove_files(void)
{
	DIR *d = opendir(c.path);
	const struct dirent *e;

	assert_non_null(d);
	while ((e = readdir(d)) != NULL)
		if (e->d_name[0] != '.' && strcmp(e->d_name, "syslog") != 0)
			unlinkat(c.store, e->d_name, 0);
	closedir(d);
}

/* Both namespaces are new, and nobody listens. */
static void life_begin(void)
{
	memset(c.taps, 0, sizeof(c.taps));
	memset(c.cut, 0, sizeof(c.cut));
	c.starts = c.turns = 0;
	c.probes = c.told = c.answered = 0;
	c.deaf = false;
	c.set_aside = false;
	c.last[0] = '\0';
	for (int i = 0; i < SPACES; i++)
		kernel_up(&c.ns[i], (uint64_t)i + 1);
	faults.clock = INT64_C(1800000000) * SECOND;
}

static void life_end(void)
{
	for (int i = 0; i < SPACES; i++)
		kernel_down(&c.ns[i]);
	remove_files();
}

static void stop(void)
{
	const struct lg_head m = { .type = LG_STOP };

	if (!c.runs)
		return;
	say(&m, sizeof(m), NULL, 0);
	for (int i = 0; c.runs; i++) {
		logger_runs_once();
		controller_turn();
		assert_true(i < 1000);
	}
}

/* --- what is left of it ------------------------------------------------------------------------ */

struct sums {
	uint64_t denied, recorded, not_recorded, records;
};

static int on_account(const struct flows_account *a, void *arg)
{
	struct sums *s = (struct sums *)arg + (a->netns - 1);

	s->denied += a->denied;
	s->recorded += a->recorded;
	s->not_recorded += a->not_recorded;
	return 0;
}

static int on_record(const struct flow_record *rec, void *arg)
{
	((struct sums *)arg)[strcmp(rec->endpoint_id, "shop/two") == 0].records += rec->packets;
	return 0;
}

static int on_rule(const struct flows_rule *rule, void *arg)
{
	assert_string_equal(rule->name, KERNEL_RULE);
	*(struct flows_rule *)arg = *rule;
	return 0;
}

static struct flows_rule read_rule(void)
{
	struct bh_err err = BH_ERR_INIT;
	struct flows_reader *r;
	struct flows_rule rule = { 0 };

	if (flows_reader_open(c.store, &r, &err) < 0)
		return rule;
	(void)flows_rules(r, on_rule, &rule, &err);
	flows_reader_close(r);
	return rule;
}

/* What the policy rule has let pass, of all namespaces. */
static uint64_t read_hits(void)
{
	return read_rule().packets;
}

static void read_sums(struct sums s[SPACES])
{
	struct bh_err err = BH_ERR_INIT;
	struct flows_reader *r;

	memset(s, 0, SPACES * sizeof(*s));
	if (flows_reader_open(c.store, &r, &err) < 0)
		return;
	(void)flows_sums(r, on_account, s, &err);
	(void)flows_query(r, &(struct flows_filter) { 0 }, &(struct flows_order) { 0 }, on_record,
			  s, NULL, NULL, &err);
	flows_reader_close(r);
}

/* --- the frame ----------------------------------------------------------------------------------- */

static int bind_syslog(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	memcpy(a.sun_path, c.syslog_path, sizeof(c.syslog_path));
	c.syslog = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return c.syslog < 0 ? -1 : bind(c.syslog, (const struct sockaddr *)&a, sizeof(a));
}

static int life_set_up(void)
{
	snprintf(c.path, sizeof(c.path), "/tmp/bulkhead-logger-XXXXXX");
	if (!mkdtemp(c.path))
		return -1;
	snprintf(c.syslog_path, sizeof(c.syslog_path), "%s/syslog", c.path);
	snprintf(c.file_path, sizeof(c.file_path), "%s/out.json", c.path);
	c.store = open(c.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return c.store < 0 ? -1 : bind_syslog();
}

static int life_tear_down(void)
{
	unlinkat(c.store, "syslog", 0);
	close(c.syslog);
	close(c.store);
	return rmdir(c.path);
}

#endif
