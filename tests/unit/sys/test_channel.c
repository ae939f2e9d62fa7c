/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include <bulkhead/base/limits.h>
#include <bulkhead/sys/channel.h>

static int ends[2];

static int setup(void **state)
{
	return channel_pair(ends, NULL);
}

static int teardown(void **state)
{
	close(ends[0]);
	close(ends[1]);
	return 0;
}

static bool same_file(int a, int b)
{
	return lseek(a, 7, SEEK_SET) == 7 && lseek(b, 0, SEEK_CUR) == 7;
}

static void test_messages(void **state)
{
	int file = memfd_create("x", MFD_CLOEXEC), got[CHANNEL_FDS_MAX];
	char buf[16];
	size_t n;

	assert_int_equal(channel_receive(ends[1], buf, sizeof(buf), got, &n), -EAGAIN);
	assert_int_equal(channel_send(ends[0], "one", 3, NULL, 0), 0);
	assert_int_equal(channel_send(ends[0], "two", 3, &file, 1), 0);
	assert_int_equal(channel_receive(ends[1], buf, sizeof(buf), got, &n), 3);
	assert_memory_equal(buf, "one", 3);
	assert_int_equal(n, 0);
	assert_int_equal(channel_receive(ends[1], buf, sizeof(buf), got, &n), 3);
	assert_memory_equal(buf, "two", 3);
	assert_int_equal(n, 1);
	assert_true(same_file(file, got[0]));
	assert_true(fcntl(got[0], F_GETFD) & FD_CLOEXEC);
	close(got[0]);
	close(file);
}

/* One that is too long is gone, and so are its descriptors. */
static void test_too_long(void **state)
{
	int pipefd[2], got[CHANNEL_FDS_MAX];
	char buf[4];
	size_t n;

	assert_int_equal(pipe(pipefd), 0);
	assert_int_equal(channel_send(ends[0], "too long", 8, &pipefd[1], 1), 0);
	close(pipefd[1]);
	assert_int_equal(channel_receive(ends[1], buf, sizeof(buf), got, &n), -EMSGSIZE);
	assert_int_equal(n, 0);
	assert_int_equal(read(pipefd[0], buf, 1), 0); /* nobody has the other end */
	close(pipefd[0]);
}

static void test_end(void **state)
{
	int got[CHANNEL_FDS_MAX];
	char buf[4];
	size_t n;

	close(ends[0]);
	assert_int_equal(channel_receive(ends[1], buf, sizeof(buf), got, &n), 0);
	assert_int_equal(channel_send(ends[1], "x", 1, NULL, 0), -EPIPE);
	ends[0] = dup(ends[1]);
}

/* What there is no room for comes later, in order, with its descriptors; more than a number does not. */
static void test_waiting(void **state)
{
	struct channel c;
	char big[32 << 10], buf[sizeof(big)];
	int file = memfd_create("x", MFD_CLOEXEC), got[CHANNEL_FDS_MAX], i, sent = 0, r;
	size_t n;

	memset(big, 0, sizeof(big));
	channel_init(&c, dup(ends[0]));
	while (!c.n) {
		big[0] = (char)sent++;
		assert_int_equal(channel_put(&c, big, sizeof(big), NULL, 0), 0);
	}
	big[0] = (char)sent++;
	assert_int_equal(channel_put(&c, big, sizeof(big), &file, 1), 0);
	assert_int_equal(channel_flush(&c), -EAGAIN);
	for (i = 0; i < sent; i++) {
		assert_int_equal(channel_receive(ends[1], buf, sizeof(buf), got, &n), sizeof(big));
		assert_int_equal(buf[0], (char)i);
		assert_int_equal(n, i == sent - 1);
		r = channel_flush(&c);
		assert_true(r == 0 || r == -EAGAIN);
	}
	assert_true(same_file(file, got[0]));
	close(got[0]);
	assert_int_equal(c.n, 0);
	while ((r = channel_put(&c, big, 1, NULL, 0)) == 0)
		assert_true(c.n <= BH_CHANNEL_QUEUE_MAX);
	assert_int_equal(r, -ENOBUFS);
	channel_done(&c);
	close(file);
}

static void test_blob(void **state)
{
	const void *data;
	size_t len;
	int fd, open_one = memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_int_equal(channel_blob("bytes", 5, &fd), 0);
	assert_int_equal(channel_blob_map(fd, 4, &data, &len), -EFBIG);
	assert_int_equal(channel_blob_map(fd, 5, &data, &len), 0);
	assert_int_equal(len, 5);
	assert_memory_equal(data, "bytes", 5);
	channel_blob_unmap(data, len);
	assert_true(pwrite(fd, "x", 1, 0) < 0);
	assert_true(ftruncate(fd, 0) < 0);
	assert_int_equal(channel_blob_map(open_one, 5, &data, &len), -EPERM);
	assert_true(channel_blob_map(ends[0], 5, &data, &len) < 0);
	close(open_one);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_messages, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_long, setup, teardown),
		cmocka_unit_test_setup_teardown(test_end, setup, teardown),
		cmocka_unit_test_setup_teardown(test_waiting, setup, teardown),
		cmocka_unit_test_setup_teardown(test_blob, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
