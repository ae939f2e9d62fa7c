/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
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

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/text.h>

/* --- a directory of its own ----------------------------------------------------------------- */

static char dir[] = "/tmp/bulkhead-test-file.XXXXXX";
static char path[sizeof(dir) + 16];

static int make_dir(void **state)
{
	if (!mkdtemp(dir) || chmod(dir, 0755) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/file", dir);
	return 0;
}

static int remove_dir(void **state)
{
	return rmdir(dir);
}

static int remove_file(void **state)
{
	return unlink(path) < 0 && rmdir(path) < 0 ? -1 : 0;
}

static void write_file(const char *data, size_t len)
{
	bh_autoclose int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
}

/* Nothing is handed back by a reading that failed. */
static void assert_refused(const char *file, size_t max, int expect)
{
	char *data = (void *)0x1;
	size_t len = 77;

	assert_int_equal(bh_read_file(file, max, &data, &len), expect);
	assert_ptr_equal(data, (void *)0x1);
	assert_int_equal(len, 77);
}

static void assert_reads(size_t max, const char *expect, size_t expect_len)
{
	bh_autofree char *data = NULL;
	size_t len = 77;

	assert_int_equal(bh_read_file(path, max, &data, &len), 0);
	assert_int_equal(len, expect_len);
	assert_memory_equal(data, expect, len);
	assert_int_equal(data[len], '\0');
}

/* --- what is read --------------------------------------------------------------------------- */

static void test_read(void **state)
{
	static const char text[] = "service: web\n", binary[] = "a\0b\xff\n\0";

	write_file(text, sizeof(text) - 1);
	assert_reads(1000, text, sizeof(text) - 1);
	write_file(binary, sizeof(binary) - 1);
	assert_reads(1000, binary, sizeof(binary) - 1);
	write_file("", 0);
	assert_reads(1000, "", 0);
	assert_reads(0, "", 0);
}

static void test_cap(void **state)
{
	write_file("12345678", 8);
	assert_reads(9, "12345678", 8);
	assert_reads(8, "12345678", 8);
	assert_refused(path, 7, -EFBIG);
	assert_refused(path, 0, -EFBIG);
}

/* Far larger than the cap, and larger than memory: told from its size alone. */
static void test_huge(void **state)
{
	write_file("x", 1);
	assert_int_equal(truncate(path, INT64_C(1) << 40), 0);
	assert_refused(path, 1u << 20, -EFBIG);
}

static void test_many_pages(void **state)
{
	size_t size = (3u << 20) + 17;
	bh_autofree char *data = malloc(size);

	for (size_t i = 0; i < size; i++)
		data[i] = (char)(i * 31 + i / 4096);
	write_file(data, size);
	assert_reads(size, data, size);
	assert_refused(path, size - 1, -EFBIG);
}

/* Files of /proc say that they are empty: the whole of them is read, and the cap holds. */
static void test_size_unknown(void **state)
{
	bh_autofree char *data = NULL;
	struct stat st;
	size_t len;

	assert_int_equal(stat("/proc/self/smaps", &st), 0);
	assert_int_equal(st.st_size, 0);
	assert_int_equal(bh_read_file("/proc/self/smaps", 64u << 20, &data, &len), 0);
	assert_true(len > 4096);
	assert_int_equal(strlen(data), len);
	assert_non_null(strstr(data, "VmFlags:"));
	assert_int_equal(data[len - 1], '\n');
	assert_refused("/proc/self/smaps", 100, -EFBIG);
}

/* --- what is not a file ---------------------------------------------------------------------- */

static void test_missing(void **state)
{
	char below[sizeof(path) + 8];

	assert_refused(path, 100, -ENOENT);
	assert_refused("", 100, -ENOENT);
	write_file("x", 1);
	snprintf(below, sizeof(below), "%s/x", path);
	assert_refused(below, 100, -ENOTDIR);
	unlink(path);
}

static void test_directory(void **state)
{
	assert_int_equal(mkdir(path, 0755), 0);
	assert_refused(path, 100, -EISDIR);
}

/* Nobody writes into it: it must not wait for one. alarm() would end the program. */
static void test_fifo(void **state)
{
	assert_int_equal(mkfifo(path, 0644), 0);
	alarm(10);
	assert_refused(path, 100, -EINVAL);
	alarm(0);
}

static void test_devices(void **state)
{
	assert_refused("/dev/null", 100, -EINVAL);
	assert_refused("/dev/zero", 100, -EINVAL);
}

static void test_socket(void **state)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	bh_autoclose int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(sa.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_refused(path, 100, -ENXIO);
}

static void test_links(void **state)
{
	char target[sizeof(path) + 8];

	snprintf(target, sizeof(target), "%s.txt", path);
	assert_int_equal(symlink(target, path), 0);
	assert_refused(path, 100, -ENOENT);
	assert_int_equal(rename(path, target), 0); /* now it points to itself */
	assert_refused(target, 100, -ELOOP);
	assert_int_equal(unlink(target), 0);
	write_file("behind", 6);
	assert_int_equal(rename(path, target), 0);
	assert_int_equal(symlink(target, path), 0);
	assert_reads(100, "behind", 6);
	assert_int_equal(unlink(target), 0);
}

/* As root one may read everything, so it is asked as somebody else. */
static void test_unreadable(void **state)
{
	bool root = geteuid() == 0;

	write_file("secret", 6);
	assert_int_equal(chmod(path, 0), 0);
	if (root)
		assert_int_equal(seteuid(65534), 0);
	assert_refused(path, 100, -EACCES);
	if (root)
		assert_int_equal(seteuid(0), 0);
}

/* No descriptor stays open, whether it went well or not. */
static void test_descriptors(void **state)
{
	int before = dup(0), after;
	bh_autofree char *data = NULL;
	size_t len;

	assert_true(before >= 0);
	close(before);
	write_file("x", 1);
	assert_int_equal(bh_read_file(path, 10, &data, &len), 0);
	assert_refused(path, 0, -EFBIG);
	assert_refused("/dev/null", 10, -EINVAL);
	assert_refused(dir, 10, -EISDIR);
	after = dup(0);
	close(after);
	assert_int_equal(after, before);
}

#define with_file(f) cmocka_unit_test_teardown(f, remove_file)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_file(test_read),
		with_file(test_cap),
		with_file(test_huge),
		with_file(test_many_pages),
		cmocka_unit_test(test_size_unknown),
		cmocka_unit_test(test_missing),
		with_file(test_directory),
		with_file(test_fifo),
		cmocka_unit_test(test_devices),
		with_file(test_socket),
		with_file(test_links),
		with_file(test_unreadable),
		with_file(test_descriptors),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
