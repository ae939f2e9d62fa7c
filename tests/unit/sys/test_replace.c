/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <signal.h>
#include <unistd.h>

#include <cmocka.h>

#include <bulkhead/base/text.h>
#include <bulkhead/sys/replace.h>

static char dir[64];

static const char *in_dir(const char *name)
{
	static char path[4][400];
	static unsigned turn;
	char *out = path[turn++ % 4];

	snprintf(out, sizeof(path[0]), "%s/%s", dir, name);
	return out;
}

static int set_up(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/bulkhead-replace-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
	unlink(in_dir("a"));
	unlink(in_dir("victim"));
	return rmdir(dir); /* nothing was left beside */
}

static int put(const char *name, const char *text)
{
	struct bh_err err = BH_ERR_INIT;
	int r = replace_file(in_dir(name), 0640, text, strlen(text), &err);

	assert_true(r >= 0 || strstr(err.msg, name) || strlen(name) > 200);
	return r;
}

static void assert_holds(const char *name, const char *text)
{
	char *data;
	size_t len;

	assert_int_equal(bh_read_file(in_dir(name), 1 << 20, &data, &len), 0);
	assert_string_equal(data, text);
	free(data);
}

static void test_replace(void **state)
{
	mode_t mask = umask(0077);
	struct stat old, st;

	assert_int_equal(put("a", "first, and longer"), 0);
	assert_int_equal(lstat(in_dir("a"), &old), 0);
	assert_int_equal(old.st_mode, S_IFREG | 0640);
	assert_holds("a", "first, and longer");
	assert_int_equal(put("a", "second"), 0);
	assert_holds("a", "second");
	assert_int_equal(lstat(in_dir("a"), &st), 0);
	assert_true(st.st_ino != old.st_ino); /* whoever reads the old one goes on reading it */
	assert_int_equal(put("a", ""), 0);
	assert_holds("a", "");
	umask(mask);
}

/* What an interrupted write left, and links that somebody laid, in either place. */
static void test_links(void **state)
{
	assert_int_equal(put("victim", "untouched"), 0);
	assert_int_equal(symlink("victim", in_dir("a")), 0);
	assert_int_equal(symlink("victim", in_dir(".a.new")), 0);
	assert_int_equal(put("a", "new"), 0);
	assert_holds("a", "new");
	assert_holds("victim", "untouched");
	assert_int_equal(link(in_dir("victim"), in_dir(".a.new")), 0);
	assert_int_equal(put("a", "newer"), 0);
	assert_holds("victim", "untouched");
}

/* A disk that is full: the old one stays whole. */
static void test_short(void **state)
{
	struct rlimit old, tiny;
	char big[8192];

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	assert_int_equal(put("a", "old"), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	tiny = (struct rlimit) { 4096, old.rlim_max };
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &tiny), 0);
	assert_int_equal(put("a", big), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_holds("a", "old");
}

static void test_failures(void **state)
{
	char name[300];

	memset(name, 'n', 299);
	name[299] = '\0';
	assert_int_equal(put(name, ""), -ENAMETOOLONG);
	assert_int_equal(put("no/a", ""), -ENOENT);
	assert_int_equal(put("", ""), -EISDIR);
	assert_int_equal(mkdir(in_dir("d"), 0700), 0);
	assert_int_equal(put("d", ""), -EISDIR);
	assert_int_equal(rmdir(in_dir("d")), 0);
}

/* A reader is there, so that nothing waits; it gets all of it, and the FIFO is still one. */
static void test_fifo(void **state)
{
	struct bh_err err = BH_ERR_INIT;
	char got[16] = "";
	struct stat st;
	int fd;

	assert_int_equal(mkfifo(in_dir("a"), 0600), 0);
	fd = open(in_dir("a"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(put_file(in_dir("a"), 0600, "text", 4, &err), 0);
	assert_int_equal(read(fd, got, sizeof(got)), 4);
	assert_string_equal(got, "text");
	assert_int_equal(symlink("a", in_dir("victim")), 0);
	assert_int_equal(put_file(in_dir("victim"), 0600, "more", 4, &err), 0);
	assert_int_equal(read(fd, got, sizeof(got)), 4);
	assert_string_equal(got, "more");
	close(fd);
	assert_int_equal(put("a", "a file"), -EINVAL); /* nor does the other one replace it */
	assert_int_equal(lstat(in_dir("a"), &st), 0);
	assert_true(S_ISFIFO(st.st_mode));
	assert_int_equal(lstat(in_dir("victim"), &st), 0);
	assert_true(S_ISLNK(st.st_mode));
}

/* Standard output as a regular file, by a link, as /dev/stdout is; any other link is replaced. */
static void test_stdout(void **state)
{
	int old = dup(STDOUT_FILENO), fd, r, s;
	struct bh_err err = BH_ERR_INIT;
	struct stat st;

	assert_int_equal(put("victim", ""), 0);
	assert_int_equal(symlink("victim", in_dir("a")), 0);
	fd = open(in_dir("victim"), O_WRONLY | O_CLOEXEC);
	fflush(stdout);
	assert_int_equal(dup2(fd, STDOUT_FILENO), STDOUT_FILENO);
	r = put_file(in_dir("a"), 0600, "one ", 4, &err);
	s = put_file(in_dir("a"), 0600, "two", 3, &err);
	assert_int_equal(dup2(old, STDOUT_FILENO), STDOUT_FILENO);
	close(old);
	close(fd);
	assert_int_equal(r, 0);
	assert_int_equal(s, 0);
	assert_holds("victim", "one two");
	assert_int_equal(lstat(in_dir("a"), &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(put_file(in_dir("a"), 0600, "a file", 6, &err), 0);
	assert_holds("a", "a file");
	assert_holds("victim", "one two");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_replace, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_links, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_short, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_failures, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_fifo, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stdout, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
