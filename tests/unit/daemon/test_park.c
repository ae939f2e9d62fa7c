/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is said to systemd of descriptors that come and go, and what fits its store. What is handed in
 * again: tests/system/park.bats. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include <bulkhead/base/limits.h>

#include "../../../src/daemon/park.h"
#include "../../../src/enforce/hold.h"

#define INO 0xf0000123u

static int manager, thing;
static struct holds holds;
static struct park *park;
static char heard[256];

static int listen_as_manager(void **state)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int len = snprintf(at.sun_path + 1, sizeof(at.sun_path) - 1, "bulkhead-test-%d", getpid());
	char name[64];

	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(
		bind(manager, (struct sockaddr *)&at,
		     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len)),
		0);
	snprintf(name, sizeof(name), "@bulkhead-test-%d", getpid());
	setenv("NOTIFY_SOCKET", name, 1);
	unsetenv("FDSTORE");
	unsetenv("LISTEN_PID");
	thing = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return 0;
}

static int stop_listening(void **state)
{
	park_free(park);
	park = NULL;
	close(manager);
	close(thing);
	return 0;
}

/* The next message; FD, if one came with it, is the very thing. NULL: there is none. */
static const char *hear(bool *ret_thing)
{
	union {
		struct cmsghdr c;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { heard, sizeof(heard) - 1 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(manager, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *c = n >= 0 ? CMSG_FIRSTHDR(&msg) : NULL;
	struct stat a, b;
	int fd;

	if (n < 0)
		return NULL;
	heard[n] = '\0';
	*ret_thing = false;
	if (c && c->cmsg_type == SCM_RIGHTS) {
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
		*ret_thing = fstat(fd, &a) == 0 && fstat(thing, &b) == 0 && a.st_ino == b.st_ino;
		close(fd);
	}
	return heard;
}

static void assert_hears(const char *want, bool with_thing)
{
	bool came = false;
	const char *got = hear(&came);

	assert_non_null(got);
	assert_string_equal(got, want);
	assert_int_equal(came, with_thing);
}

static void assert_silence(void)
{
	bool came;

	assert_null(hear(&came));
}

static void begin(size_t cap)
{
	assert_int_equal(park_new(cap, &park, NULL), 0);
	holds = (struct holds) { 0 };
	park_restore(park, &holds);
}

static void keep(enum held_kind kind, uint64_t ino, uint32_t ifindex, uint32_t queue)
{
	struct held what = { ino, kind, ifindex, queue };

	holds.keeper.keep(&what, thing, holds.keeper.arg);
}

static void drop(enum held_kind kind, uint64_t ino, uint32_t ifindex, uint32_t queue)
{
	struct held what = { ino, kind, ifindex, queue };

	holds.keeper.drop(&what, holds.keeper.arg);
}

static void test_come_and_go(void **state)
{
	begin(10);
	keep(HELD_OWNER, INO, 0, 0);
	assert_hears("FDSTORE=1\nFDNAME=nl-f0000123\nFDPOLL=0", true);
	keep(HELD_QUEUE, INO, 2, 1);
	assert_hears("FDSTORE=1\nFDNAME=xsk-f0000123-2-1\nFDPOLL=0", true);
	keep(HELD_OWNER, INO, 0, 0);     /* it has that */
	drop(HELD_OWNER, INO + 1, 0, 0); /* it never had that */
	drop(HELD_QUEUE, INO, 2, 0);
	assert_silence();
	drop(HELD_OWNER, INO, 0, 0);
	assert_hears("FDSTOREREMOVE=1\nFDNAME=nl-f0000123", false);
	drop(HELD_QUEUE, INO, 2, 1);
	assert_hears("FDSTOREREMOVE=1\nFDNAME=xsk-f0000123-2-1", false);
	drop(HELD_QUEUE, INO, 2, 1);
	assert_silence();
}

/* The end of the process is no release. */
static void test_end(void **state)
{
	begin(10);
	keep(HELD_OWNER, INO, 0, 0);
	assert_hears("FDSTORE=1\nFDNAME=nl-f0000123\nFDPOLL=0", true);
	park_free(park);
	park = NULL;
	assert_silence();
}

static void test_owners_come_first(void **state)
{
	begin(2);
	keep(HELD_QUEUE, INO, 2, 0);
	assert_hears("FDSTORE=1\nFDNAME=xsk-f0000123-2-0\nFDPOLL=0", true);
	keep(HELD_OWNER, INO, 0, 0);
	assert_hears("FDSTORE=1\nFDNAME=nl-f0000123\nFDPOLL=0", true);
	keep(HELD_QUEUE, INO, 3, 0);
	assert_silence();
	assert_int_equal(park_refused(park), 1);
	keep(HELD_OWNER, INO + 1, 0, 0); /* room is made first, or systemd would have none */
	assert_hears("FDSTOREREMOVE=1\nFDNAME=xsk-f0000123-2-0", false);
	assert_hears("FDSTORE=1\nFDNAME=nl-f0000124\nFDPOLL=0", true);
	keep(HELD_OWNER, INO + 2, 0, 0);
	assert_silence();
	assert_int_equal(park_refused(park), 3);
	park_look(park, &holds); /* nothing has changed */
	assert_int_equal(park_refused(park), 3);
	drop(HELD_QUEUE, INO, 2, 0);
	assert_silence();
	drop(HELD_OWNER, INO, 0, 0);
	assert_hears("FDSTOREREMOVE=1\nFDNAME=nl-f0000123", false);
	park_look(park, &holds); /* there are no holds here to be asked */
	assert_int_equal(park_refused(park), 0);
}

/* The next process gets all names in LISTEN_FDNAMES: one word of 128 KiB at most, or it is no process. */
static void test_names_fit_the_environment(void **state)
{
	size_t bytes = strlen("LISTEN_FDNAMES=") + 1, n = 0;
	bool came;

	begin(BH_PARKED_MAX);
	for (uint32_t i = 0; i < BH_PARKED_MAX; i++) {
		keep(HELD_QUEUE, UINT32_MAX - i, UINT32_MAX, BH_DEVICE_QUEUES_MAX - 1);
		if (hear(&came)) {
			bytes += strcspn(strstr(heard, "FDNAME=") + 7, "\n") + 1;
			n++;
		}
	}
	assert_true(n > 3000);
	assert_true(bytes < 131072);
	assert_int_equal(park_refused(park), BH_PARKED_MAX - n);
}

static void test_a_manager_that_is_gone(void **state)
{
	begin(10);
	close(manager);
	keep(HELD_OWNER, INO, 0, 0);
	assert_int_equal(park_refused(park), 1);
	assert_int_equal(listen_as_manager(NULL), 0);
	keep(HELD_OWNER, INO, 0, 0);
	assert_hears("FDSTORE=1\nFDNAME=nl-f0000123\nFDPOLL=0", true);
}

static void test_cap(void **state)
{
	assert_int_equal(park_cap(), BH_PARKED_MAX); /* before 254 it does not say */
	setenv("FDSTORE", "17", 1);
	assert_int_equal(park_cap(), 17);
	setenv("FDSTORE", "4294967295", 1);
	assert_int_equal(park_cap(), BH_PARKED_MAX);
	setenv("FDSTORE", "many", 1);
	assert_int_equal(park_cap(), BH_PARKED_MAX);
	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(park_cap(), 0);
}

static void test_nobody_keeps(void **state)
{
	begin(0);
	assert_null(holds.keeper.keep);
	assert_null(holds.keeper.drop);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, listen_as_manager, stop_listening)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_come_and_go),
		CASE(test_end),
		CASE(test_owners_come_first),
		CASE(test_names_fit_the_environment),
		CASE(test_a_manager_that_is_gone),
		CASE(test_cap),
		CASE(test_nobody_keeps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
