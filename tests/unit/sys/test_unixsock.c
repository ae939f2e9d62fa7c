/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/sys/unixsock.h>

static char dir[48], path[100], other[100], lock[120];
static struct unixsock sock;

static int setup(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/bulkhead-unixsock-XXXXXX");
	snprintf(path, sizeof(path), "%s", "");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/sock", dir);
	snprintf(other, sizeof(other), "%s/other", dir);
	snprintf(lock, sizeof(lock), "%s.lock", path);
	sock = (struct unixsock) { .fd = -1 };
	return 0;
}

static int teardown(void **state)
{
	unixsock_done(&sock);
	unlink(path);
	unlink(other);
	unlink(lock);
	return rmdir(dir);
}

static int make(mode_t mode, struct bh_err *err)
{
	return unixsock_listen(&sock, path, SOCK_SEQPACKET, mode, (gid_t)-1, 4, err);
}

static void assert_refused(int r, const char *why)
{
	struct bh_err err = BH_ERR_INIT;

	assert_int_equal(make(0600, &err), r);
	assert_int_equal(sock.fd, -1);
	if (!strstr(err.msg, why))
		fail_msg("'%s' is not in '%s'", why, err.msg);
}

static void assert_answers(void)
{
	struct bh_err err = BH_ERR_INIT;
	bh_autoclose int fd = -1;

	if (unixsock_connect(path, SOCK_SEQPACKET, 1000, &fd, &err) < 0)
		fail_msg("%s", err.msg);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
}

/* A socket file that was bound; the descriptor that listens there if TYPE is one, else -1. */
static int bind_at(const char *where, int type, bool listens)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", where);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	if (listens)
		assert_int_equal(listen(fd, 0), 0);
	return fd;
}

static void mode_whatever_the_umask(void **state)
{
	const mode_t masks[] = { 0, 022, 077, 0777 }, modes[] = { 0666, 0660, 0600 };
	struct stat st;

	for (size_t i = 0; i < BH_ARRAY_SIZE(masks); i++) {
		for (size_t k = 0; k < BH_ARRAY_SIZE(modes); k++) {
			mode_t old = umask(masks[i]);
			int r = make(modes[k], NULL);

			unlink(lock); /* the umask is on it, too */
			umask(old);
			assert_int_equal(r, 0);
			assert_int_equal(lstat(path, &st), 0);
			assert_int_equal(st.st_mode, S_IFSOCK | modes[k]);
			assert_answers();
			unixsock_done(&sock);
			assert_int_equal(lstat(path, &st), -1);
		}
	}
}

static void group(void **state)
{
	gid_t groups[64];
	int n = getgroups(64, groups);
	gid_t wanted = n > 0 ? groups[n - 1] : getegid();
	struct stat st;

	assert_int_equal(unixsock_listen(&sock, path, SOCK_SEQPACKET, 0660, wanted, 4, NULL), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_gid, wanted);
	assert_int_equal(st.st_mode, S_IFSOCK | 0660);
}

static void a_missing_parent_is_made(void **state)
{
	mode_t old = umask(077);
	struct stat st;
	int r;

	snprintf(path, sizeof(path), "%s/run/sock", dir);
	r = make(0666, NULL);
	umask(old);
	assert_int_equal(r, 0);
	assert_answers();
	snprintf(other, sizeof(other), "%s/run", dir);
	assert_int_equal(stat(other, &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0755);
	unixsock_done(&sock);
	snprintf(lock, sizeof(lock), "%s/run/sock.lock", dir);
	unlink(lock);
	assert_int_equal(rmdir(other), 0);
	snprintf(path, sizeof(path), "%s/no/parent/sock", dir);
	assert_refused(-ENOENT, "No such file");
}

static void one_that_was_left_behind(void **state)
{
	close(bind_at(path, SOCK_SEQPACKET, true));
	assert_int_equal(make(0600, NULL), 0);
	assert_answers();
}

static void one_that_answers(void **state)
{
	const int types[] = { SOCK_SEQPACKET, SOCK_STREAM };

	for (size_t i = 0; i < BH_ARRAY_SIZE(types); i++) {
		bh_autoclose int live = bind_at(path, types[i], true);

		for (int n = 0; n < 4; n++) /* with its backlog full, too */
			assert_refused(-EADDRINUSE, "in use");
		assert_int_equal(access(path, F_OK), 0);
		unlink(path);
	}
}

static void what_is_no_socket(void **state)
{
	bh_autoclose int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	struct stat st;

	assert_true(fd >= 0);
	assert_refused(-EEXIST, "is no socket");
	assert_int_equal(stat(path, &st), 0);
	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_refused(-EEXIST, "is no socket");
	assert_int_equal(rmdir(path), 0);
}

/* Neither the link nor what it points to is touched, be there a socket behind it or nothing. */
static void a_link_is_not_followed(void **state)
{
	struct stat st;

	assert_int_equal(symlink(other, path), 0);
	assert_refused(-EEXIST, "is no socket");
	assert_int_equal(lstat(other, &st), -1);
	close(bind_at(other, SOCK_SEQPACKET, true));
	assert_refused(-EEXIST, "is no socket");
	assert_int_equal(lstat(other, &st), 0);
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
}

static void a_lock_that_is_a_link(void **state)
{
	assert_int_equal(symlink(other, lock), 0);
	assert_refused(-ELOOP, "sock");
	assert_int_equal(access(other, F_OK), -1);
}

/* Bound but not listening yet, as another starter's: not to be mistaken for a leftover. */
static void two_starters(void **state)
{
	bh_autoclose int fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	bh_autoclose int theirs = bind_at(path, SOCK_SEQPACKET, false);

	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_refused(-EBUSY, "busy");
	assert_int_equal(access(path, F_OK), 0);
}

static void another_one_s_file_stays(void **state)
{
	struct stat st;

	assert_int_equal(make(0600, NULL), 0);
	assert_int_equal(rename(path, other), 0); /* so that the inode is not given out again */
	close(bind_at(path, SOCK_SEQPACKET, true));
	unixsock_done(&sock);
	assert_int_equal(lstat(path, &st), 0);
}

static void names_of_wrong_length(void **state)
{
	struct bh_err err = BH_ERR_INIT;
	char name[200];
	int fd = -7;

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(unixsock_connect(name, SOCK_SEQPACKET, 10, &fd, &err), -ENAMETOOLONG);
	assert_int_equal(unixsock_connect("", SOCK_SEQPACKET, 10, &fd, &err), -ENAMETOOLONG);
	assert_int_equal(unixsock_listen(&sock, "", SOCK_SEQPACKET, 0600, (gid_t)-1, 1, &err),
			 -ENAMETOOLONG);
	assert_int_equal(fd, -7);
}

static void nobody_answers(void **state)
{
	struct bh_err err = BH_ERR_INIT;
	int fd = -7;

	assert_int_equal(unixsock_connect(path, SOCK_SEQPACKET, 10, &fd, &err), -ENOENT);
	close(bind_at(path, SOCK_SEQPACKET, true));
	assert_int_equal(unixsock_connect(path, SOCK_SEQPACKET, 10, &fd, &err), -ECONNREFUSED);
	assert_int_equal(fd, -7);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

static void datagrams(void **state)
{
	bh_autoclose int reader = -1, stream = -1, fd = -1;
	struct bh_err err = BH_ERR_INIT;
	char got[8] = "";
	int r = 0, sent = 0;

	assert_int_equal(unixsock_datagram(&fd, &err), 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(unixsock_send_to(fd, path, "abc", 3), -ENOENT);
	assert_int_equal(unixsock_send_to(fd, "", "abc", 3), -ENAMETOOLONG);
	reader = bind_at(path, SOCK_DGRAM, false);
	assert_int_equal(unixsock_send_to(fd, path, "abc", 3), 0);
	assert_int_equal(recv(reader, got, sizeof(got), MSG_DONTWAIT), 3);
	assert_string_equal(got, "abc");
	/* one that does not read holds nobody up */
	while ((r = unixsock_send_to(fd, path, "abc", 3)) == 0)
		assert_true(++sent < 100000);
	assert_int_equal(r, -EAGAIN);
	/* one that has gone, and another in its place */
	close(BH_STEAL_FD(reader));
	assert_int_equal(unixsock_send_to(fd, path, "abc", 3), -ECONNREFUSED);
	unlink(path);
	reader = bind_at(path, SOCK_DGRAM, false);
	assert_int_equal(unixsock_send_to(fd, path, "abc", 3), 0);
	stream = bind_at(other, SOCK_STREAM, true);
	assert_int_equal(unixsock_send_to(fd, other, "abc", 3), -EPROTOTYPE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(mode_whatever_the_umask),
		T(group),
		T(a_missing_parent_is_made),
		T(one_that_was_left_behind),
		T(one_that_answers),
		T(what_is_no_socket),
		T(a_link_is_not_followed),
		T(a_lock_that_is_a_link),
		T(two_starters),
		T(another_one_s_file_stays),
		T(names_of_wrong_length),
		T(nobody_answers),
		T(datagrams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
