/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_UNIT_CTL_FIXTURE_H
#define TESTS_UNIT_CTL_FIXTURE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <bulkhead/base/cleanup.h>

#include "../../../src/ctl/server.h"

/*
 * A real server on real sockets in a directory of its own, its clients in the same process. Who they
 * are is what FAKE says, so that nothing here depends on who runs it.
 */

#define STEP_USEC 5000
#define PATIENCE  2000 /* steps */

static char dir[64], full_path[96];
static char restricted_path[96] __attribute__((unused));
static sd_event *event;
static struct ctl_server *server;
static struct ctl_creds fake;
static char last_notice[BH_ERR_MAX];
static unsigned notices;

static inline int fake_creds(int fd, struct ctl_creds *ret)
{
	*ret = fake;
	ret->pid = getpid();
	ret->groups = NULL;
	if (fake.n_groups) {
		ret->groups = calloc(fake.n_groups, sizeof(gid_t));
		assert_non_null(ret->groups);
		memcpy(ret->groups, fake.groups, fake.n_groups * sizeof(gid_t));
	}
	return 0;
}

static inline void on_notice(const char *text, void *arg)
{
	snprintf(last_notice, sizeof(last_notice), "%s", text);
	notices++;
}

static inline void start_server(const struct ctl_verb *verbs, size_t n)
{
	struct bh_err err = BH_ERR_INIT;

	fake = (struct ctl_creds) { 0 }; /* root, unless a test says otherwise */
	notices = 0;
	last_notice[0] = '\0';
	snprintf(dir, sizeof(dir), "/tmp/bulkhead-ctl-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(full_path, sizeof(full_path), "%s/full", dir);
	snprintf(restricted_path, sizeof(restricted_path), "%s/restricted", dir);
	assert_int_equal(sd_event_new(&event), 0);
	assert_int_equal(ctl_server_new(event, verbs, n, NULL, on_notice, &server, &err), 0);
	assert_int_equal(ctl_server_listen(server, full_path, (gid_t)-1, &err), 0);
	assert_int_equal(ctl_server_listen_restricted(server, restricted_path, &err), 0);
	server->creds_read = fake_creds;
}

static inline void stop_server(void)
{
	char lock[128];

	ctl_server_free(server);
	server = NULL;
	event = sd_event_unref(event);
	snprintf(lock, sizeof(lock), "%s.lock", full_path);
	unlink(lock);
	snprintf(lock, sizeof(lock), "%s.lock", restricted_path);
	unlink(lock);
	assert_int_equal(rmdir(dir), 0); /* the sockets are gone */
}

static inline void step(void)
{
	assert_true(sd_event_run(event, STEP_USEC) >= 0);
}

/* All that can be done without waiting. */
static inline void settle(void)
{
	while (sd_event_run(event, 0) > 0)
		;
}

static inline void step_until(bool (*done)(void))
{
	for (int i = 0; i < PATIENCE && !done(); i++)
		step();
	assert_true(done());
}

static inline size_t connections(void)
{
	size_t n = 0;

	for (size_t i = 0; i < BH_CTL_CLIENTS_MAX; i++)
		n += server->conns[i] != NULL;
	return n;
}

static inline bool nobody_there(void)
{
	return connections() == 0;
}

static inline int connect_to(const char *path)
{
	struct bh_err err = BH_ERR_INIT;
	int fd = -1;

	if (unixsock_connect(path, SOCK_SEQPACKET, 1000, &fd, &err) < 0)
		fail_msg("%s", err.msg);
	settle();
	return fd;
}

static inline void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* The next message; "" when the server has closed. It has to come. */
static inline const char *hear(int fd)
{
	static char text[BH_CTL_FRAME_MAX + 1];
	ssize_t n;

	for (int i = 0; i < PATIENCE; i++) {
		n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);
		if (n >= 0) {
			text[n] = '\0';
			return text;
		}
		if (errno != ECONNRESET) /* that what we sent was not read; the rest comes next */
			assert_int_equal(errno, EAGAIN);
		step();
	}
	fail_msg("nothing came");
	return NULL;
}

static inline void assert_hears(int fd, const char *part)
{
	const char *text = hear(fd);

	if (!strstr(text, part))
		fail_msg("'%s' is not in '%s'", part, text);
}

static inline void assert_ask(int fd, const char *request, const char *part)
{
	say(fd, request);
	assert_hears(fd, part);
}

static inline void assert_closed(int fd)
{
	assert_string_equal(hear(fd), "");
}

#endif
