/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>

#include "../../../src/daemon/metrics_textfile.h"

static char dir[64], path[96];
static sd_event *event;
static struct metrics *metrics;
static char heard[BH_ERR_MAX];
static unsigned notices;

static int set_up(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/bulkhead-metrics-XXXXXX");
	if (!mkdtemp(dir) || sd_event_new(&event) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/bulkhead.prom", dir);
	notices = 0;
	metrics = metrics_new();
	return metrics ? 0 : -1;
}

static int tear_down(void **state)
{
	metrics_free(metrics);
	sd_event_unref(event);
	unlink(path);
	return rmdir(dir); /* nothing was left beside */
}

static void on_notice(const char *text, void *arg)
{
	snprintf(heard, sizeof(heard), "%s", text);
	notices++;
}

static void assert_file_says(const char *line)
{
	struct stat st;
	char *data;
	size_t len;

	assert_int_equal(lstat(path, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0644);
	assert_int_equal(bh_read_file(path, BH_METRICS_BYTES_MAX, &data, &len), 0);
	assert_non_null(strstr(data, line));
	assert_int_equal(data[len - 1], '\n');
	free(data);
}

static void test_write(void **state)
{
	struct bh_err err = BH_ERR_INIT;
	mode_t mask = umask(0077); /* node_exporter is somebody else */

	assert_int_equal(metrics_textfile_write(metrics, path, &err), 0);
	assert_file_says("\nbulkhead_repairs_total 0\n");
	metrics_add_repairs(metrics, 1);
	assert_int_equal(metrics_textfile_write(metrics, path, &err), 0);
	assert_file_says("\nbulkhead_repairs_total 1\n");
	umask(mask);
}

static void assert_written_on(struct metrics_textfile *t)
{
	time_t end = time(NULL) + 20;

	metrics_add_repairs(metrics, 1);
	unlink(path);
	metrics_textfile_set_usec(t, 1000);
	while (access(path, F_OK) != 0) {
		assert_true(time(NULL) < end);
		assert_true(sd_event_run(event, 100000) >= 0);
	}
}

static void test_periodic(void **state)
{
	struct metrics_textfile *t;
	struct bh_err err = BH_ERR_INIT;

	assert_int_equal(metrics_textfile_new(event, path, metrics, on_notice, NULL, &t, &err), 0);
	assert_file_says("\nbulkhead_repairs_total 0\n");
	assert_written_on(t);
	assert_file_says("\nbulkhead_repairs_total 1\n");
	assert_written_on(t);
	assert_file_says("\nbulkhead_repairs_total 2\n");
	assert_int_equal(notices, 0);
	metrics_textfile_free(t);
	assert_file_says("\nbulkhead_repairs_total 2\n");
	metrics_textfile_free(NULL);
}

/* What fails is said once, and once again when it is over. */
static void test_failure(void **state)
{
	struct metrics_textfile *t;
	struct bh_err err = BH_ERR_INIT;

	assert_int_equal(rmdir(dir), 0);
	assert_int_equal(metrics_textfile_new(event, path, metrics, on_notice, NULL, &t, &err), 0);
	assert_int_equal(notices, 1);
	assert_non_null(strstr(heard, "cannot write "));
	assert_non_null(strstr(heard, path));
	metrics_textfile_set_usec(t, 1000);
	for (int i = 0; i < 5; i++)
		assert_true(sd_event_run(event, 20000) >= 0);
	assert_int_equal(notices, 1);
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_written_on(t);
	assert_int_equal(notices, 2);
	assert_string_equal(heard, "the metrics can be written again");
	metrics_textfile_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_write, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_periodic, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_failure, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
