/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <bulkhead/sys/files.h>

/* A file for a name that must be free. */

static const struct files_access access_of_ours = { 0640, (uid_t)-1, (gid_t)-1 };
static char path[] = "/tmp/bulkhead-files-XXXXXX";
static int dir;

static int set_up(void **state)
{
	dir = mkdtemp(path) ? open(path, O_RDONLY | O_DIRECTORY) : -1;
	return dir < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	unlinkat(dir, "a", 0);
	close(dir);
	if (rmdir(path) < 0) /* nothing was left beside */
		return -1;
	memcpy(strrchr(path, '-') + 1, "XXXXXX", 6);
	return 0;
}

static int put(const char *text)
{
	return files_write_new(dir, "a", text, strlen(text), &access_of_ours);
}

static void assert_holds(const char *text)
{
	char *data;
	size_t len;

	assert_int_equal(files_read(dir, "a", 64, &data, &len), 0);
	assert_string_equal(data, text);
	free(data);
}

static void test_of_free(void **state)
{
	struct stat st;

	assert_int_equal(put("first"), 0);
	assert_holds("first");
	assert_int_equal(fstatat(dir, "a", &st, 0), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0640);
	assert_int_equal(st.st_nlink, 1);
}

static void test_of_taken(void **state)
{
	assert_int_equal(put("first"), 0);
	assert_int_equal(put("second"), -EEXIST);
	assert_holds("first");
	assert_int_equal(unlinkat(dir, "a", 0), 0);
	assert_int_equal(symlinkat("/nonexistent", dir, "a"), 0);
	assert_int_equal(put("third"), -EEXIST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_of_free, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_of_taken, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
