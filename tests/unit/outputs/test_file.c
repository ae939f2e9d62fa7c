/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fixture.h"

#include <signal.h>
#include <sys/resource.h>

/* Files of lines: rotation, others who move them away, disks that are full. */

static char path[128];

static struct host_output file_output(uint32_t megabytes, uint32_t keep)
{
	snprintf(path, sizeof(path), "%s/denied.json", place.dir);
	return (struct host_output) { .kind = OUTPUT_FILE,
				      .path = path,
				      .format = OUTPUT_JSON,
				      .rotate_megabytes = megabytes,
				      .rotate_keep = keep };
}

static void open_file(uint32_t megabytes, uint32_t keep)
{
	const struct host_output out = file_output(megabytes, keep);

	open_outputs(&out, 1);
}

static void record(void)
{
	outputs_record(place.o, &sample);
}

static void append(const char *to, const char *text)
{
	FILE *f = fopen(to, "a");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* Grown by a hole: what is in it is of no interest. */
static void grow(const char *to, off_t size)
{
	assert_int_equal(truncate(to, size), 0);
}

static off_t size_of(const char *of)
{
	struct stat st;

	return stat(of, &st) < 0 ? -1 : st.st_size;
}

/* --- writing ---------------------------------------------------------------------------------- */

static void test_lines(void **state)
{
	struct flow_signal sig = signal_sample();
	bh_autofree char *text = NULL;
	struct stat st;

	open_file(0, 0);
	assert_int_equal(lines_in(path), 0); /* made at once */
	record();
	record();
	outputs_signal(place.o, &sig);
	assert_int_equal(lines_in(path), 3);
	text = read_all(path);
	assert_true(strstr(text, "bulkhead.flow/1") && strstr(text, "bulkhead.signal/1"));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07137, 0); /* 0640, or what the umask leaves of it */
	assert_int_equal(state_of(0).written, 3);
	assert_int_equal(state_of(0).lost, 0);
	assert_false(state_of(0).failing);
	assert_int_equal(place.n_told, 0);
}

static void test_what(void **state)
{
	struct flow_signal sig = signal_sample();
	struct host_output list[3];
	char paths[3][128];

	for (int i = 0; i < 3; i++) {
		list[i] = file_output(0, 0);
		snprintf(paths[i], sizeof(paths[i]), "%s/%d", place.dir, i);
		list[i].path = paths[i];
		list[i].what = (enum output_what)i;
		list[i].format = i == 2 ? OUTPUT_OCSF : OUTPUT_TEXT;
	}
	open_outputs(list, 3);
	record();
	record();
	outputs_signal(place.o, &sig);
	assert_int_equal(lines_in(paths[OUTPUT_BOTH]), 3);
	assert_int_equal(lines_in(paths[OUTPUT_RECORDS]), 2);
	assert_int_equal(lines_in(paths[OUTPUT_SIGNALS]), 1);
	assert_int_equal(outputs_count(place.o), 3);
}

/* What was there stays; a line that was cut off is ended first. */
static void test_torn(void **state)
{
	bh_autofree char *text = NULL;

	file_output(0, 0);
	append(path, "{\"whole\": 1}\n{\"torn");
	open_file(0, 0);
	record();
	record();
	text = read_all(path);
	assert_int_equal(strncmp(text, "{\"whole\": 1}\n{\"torn\n{\"schema\":", 30), 0);
	assert_int_equal(lines_in(path), 4);
}

/* --- rotation ----------------------------------------------------------------------------------- */

static void test_rotation(void **state)
{
	open_file(1, 2);
	for (int i = 1; i <= 4; i++) {
		record();
		grow(path, (1 << 20) + i); /* the size tells which is which */
		wait_ms(BH_OUTPUT_LOOK_MS);
	}
	record();
	assert_int_equal(lines_in(path), 1);
	assert_int_equal(size_of(in_place("denied.json.1")), (1 << 20) + 4);
	assert_int_equal(size_of(in_place("denied.json.2")), (1 << 20) + 3);
	assert_int_equal(size_of(in_place("denied.json.3")), -1);
	assert_int_equal(state_of(0).written, 5);
	assert_int_equal(state_of(0).lost, 0);
}

/* A line that fits exactly does not rotate; one that does not is not split. */
static void test_rotation_bound(void **state)
{
	off_t len;

	open_file(1, 1);
	record();
	len = size_of(path);
	grow(path, (1 << 20) - len);
	wait_ms(BH_OUTPUT_LOOK_MS);
	record();
	assert_int_equal(size_of(path), 1 << 20);
	record();
	assert_int_equal(size_of(path), len);
	assert_int_equal(size_of(in_place("denied.json.1")), 1 << 20);
}

/* Nothing is moved beyond a gap. */
static void test_rotation_gap(void **state)
{
	file_output(1, 5);
	append(in_place("denied.json.1"), "one\n");
	append(in_place("denied.json.3"), "three\n");
	open_file(1, 5);
	record();
	grow(path, 2 << 20);
	wait_ms(BH_OUTPUT_LOOK_MS);
	record();
	assert_int_equal(size_of(in_place("denied.json.1")), 2 << 20);
	assert_int_equal(size_of(in_place("denied.json.2")), 4);
	assert_int_equal(size_of(in_place("denied.json.3")), 6);
}

/* --- others ---------------------------------------------------------------------------------------- */

/* As logrotate does it: moved away, and the next line is in a new one within a moment. */
static void test_moved(void **state)
{
	open_file(0, 0);
	record();
	assert_int_equal(rename(path, in_place("old")), 0);
	wait_ms(BH_OUTPUT_LOOK_MS);
	record();
	assert_int_equal(lines_in(in_place("old")), 1);
	assert_int_equal(lines_in(path), 1);
	/* moved, and one made in its place */
	assert_int_equal(rename(path, in_place("older")), 0);
	append(path, "");
	wait_ms(BH_OUTPUT_LOOK_MS);
	record();
	assert_int_equal(lines_in(path), 1);
	/* taken away */
	assert_int_equal(unlink(path), 0);
	wait_ms(BH_OUTPUT_LOOK_MS);
	record();
	assert_int_equal(lines_in(path), 1);
	assert_int_equal(outputs_lost(place.o), 0);
}

static void test_reopen(void **state)
{
	open_file(0, 0);
	record();
	assert_int_equal(rename(path, in_place("old")), 0);
	outputs_reopen(place.o);
	record(); /* no time has passed */
	assert_int_equal(lines_in(in_place("old")), 1);
	assert_int_equal(lines_in(path), 1);
}

static void test_tick(void **state)
{
	open_file(0, 0);
	assert_int_equal(rename(path, in_place("old")), 0);
	outputs_tick(place.o);
	assert_int_equal(size_of(path), 0); /* it is there again, though nothing was denied */
}

/* copytruncate: what comes then is at the beginning, not behind a hole. */
static void test_truncated(void **state)
{
	bh_autofree char *text = NULL;

	open_file(1, 1);
	record();
	grow(path, 0);
	wait_ms(BH_OUTPUT_LOOK_MS);
	record();
	text = read_all(path);
	assert_int_equal(text[0], '{');
	assert_int_equal(lines_in(path), 1);
	assert_int_equal(size_of(in_place("denied.json.1")), -1);
}

/* --- failing ---------------------------------------------------------------------------------------- */

static void limit_files(rlim_t bytes)
{
	struct rlimit lim;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &lim), 0);
	lim.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &lim), 0);
}

/*
 * A file that may not grow stands for a full disk: the kernel writes what still fits, and then nothing.
 * Of a line that was begun nothing stays, what is lost is counted, its begin and end are told once.
 */
static void test_full(void **state)
{
	off_t len;

	signal(SIGXFSZ, SIG_IGN);
	open_file(0, 0);
	record();
	len = size_of(path);
	limit_files((rlim_t)len + 10);
	for (int i = 0; i < 100; i++) {
		record();
		wait_ms(20);
	}
	assert_int_equal(size_of(path), len);
	assert_int_equal(state_of(0).lost, 100);
	assert_true(state_of(0).failing);
	assert_string_equal(state_of(0).why, strerror(ENOSPC));
	assert_int_equal(place.n_told, 1);
	assert_non_null(strstr(place.told[0], "denied.json fails: No space left on device"));

	limit_files(RLIM_INFINITY);
	wait_ms(BH_OUTPUT_RETRY_MAX_MS);
	record();
	assert_int_equal(lines_in(path), 2);
	assert_int_equal(place.n_told, 1); /* not yet: it may fail again at once */
	wait_ms(BH_OUTPUT_STEADY_MS);
	outputs_tick(place.o);
	assert_int_equal(place.n_told, 2);
	assert_non_null(strstr(place.told[1], "works again after"));
	assert_non_null(strstr(place.told[1], "100 lines were not written to it"));
	assert_false(state_of(0).failing);
	assert_string_equal(state_of(0).why, "");
	assert_int_equal(state_of(0).lost, 100);
	assert_int_equal(state_of(0).written, 2);
}

/* It is tried again later and later: an output that fails costs next to nothing. */
static void test_backoff(void **state)
{
	const struct host_output out = file_output(0, 0);
	int64_t last = now, gaps[10];
	int n = 0;

	assert_int_equal(mkdir(path, 0700), 0); /* a directory stands in its place */
	open_outputs(&out, 1);
	/* A try is seen by what it meets: a directory, or in turn a symbolic link. */
	for (int64_t lost = 1; n < 10; lost++) {
		bool was_dir = n % 2 == 0;

		assert_int_equal(was_dir ? rmdir(path) : unlink(path), 0);
		assert_int_equal(was_dir ? symlink("x", path) : mkdir(path, 0700), 0);
		record();
		assert_int_equal(state_of(0).lost, lost);
		if (strcmp(state_of(0).why, strerror(was_dir ? ELOOP : EISDIR)) == 0) {
			gaps[n++] = now - last;
			last = now;
		} else {
			assert_int_equal(was_dir ? unlink(path) : rmdir(path), 0);
			assert_int_equal(was_dir ? mkdir(path, 0700) : symlink("x", path), 0);
		}
		wait_ms(10);
	}
	assert_in_range(gaps[0], BH_OUTPUT_RETRY_MIN_MS * 1000, BH_OUTPUT_RETRY_MIN_MS * 1100);
	for (int i = 1; i < 8; i++)
		assert_in_range(gaps[i], 2 * gaps[i - 1] - 20000, 2 * gaps[i - 1] + 20000);
	assert_in_range(gaps[9], BH_OUTPUT_RETRY_MAX_MS * 1000, BH_OUTPUT_RETRY_MAX_MS * 1010);
	assert_int_equal(place.n_told, 1);
}

/* Nothing that somebody else may have put there is followed or written to. */
static void test_no_file(void **state)
{
	const struct host_output out = file_output(0, 0);
	char target[128];

	snprintf(target, sizeof(target), "%s/target", place.dir);
	append(target, "");
	assert_int_equal(symlink(target, path), 0);
	open_outputs(&out, 1);
	record();
	assert_int_equal(size_of(target), 0);
	assert_true(state_of(0).failing);
	assert_string_equal(state_of(0).why, strerror(ELOOP));
	outputs_close(place.o);
	place.o = NULL;
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	open_outputs(&out, 1); /* and it does not wait for a reader */
	record();
	assert_int_equal(outputs_lost(place.o), 1);
}

/* A directory where others may put files is none for this one. */
static void test_open_directory(void **state)
{
	assert_int_equal(chmod(place.dir, 0777), 0);
	open_file(0, 0);
	record();
	assert_int_equal(size_of(path), -1);
	assert_string_equal(state_of(0).why, strerror(EPERM));
	/* put right */
	assert_int_equal(chmod(place.dir, 0700), 0);
	outputs_reopen(place.o);
	record();
	assert_int_equal(lines_in(path), 1);
	assert_int_equal(outputs_lost(place.o), 1);
}

/* A rotation that fails must not let the file grow without bound. */
static void test_rotation_fails(void **state)
{
	open_file(1, 1);
	record();
	grow(path, 2 << 20);
	assert_int_equal(mkdir(in_place("denied.json.1"), 0700), 0);
	wait_ms(BH_OUTPUT_LOOK_MS);
	record();
	assert_int_equal(size_of(path), 2 << 20);
	assert_int_equal(outputs_lost(place.o), 1);
	assert_true(state_of(0).failing);
}

static void test_close_tells(void **state)
{
	assert_int_equal(chmod(place.dir, 0777), 0);
	open_file(0, 0);
	record();
	outputs_close(place.o);
	place.o = NULL;
	assert_int_equal(place.n_told, 2);
	assert_non_null(strstr(place.told[1], "1 of its lines were not written"));
	assert_int_equal(chmod(place.dir, 0700), 0);
}

/* --- before privileges are dropped ------------------------------------------------------------------- */

static int prepare(const char *file, struct bh_err *err)
{
	const struct host_output out = { .kind = OUTPUT_FILE, .path = file };

	*err = (struct bh_err)BH_ERR_INIT;
	return outputs_prepare(&out, 1, geteuid(), getegid(), err);
}

static void test_prepare(void **state)
{
	const struct host_output others[] = {
		{ .kind = OUTPUT_JOURNAL },
		{ .kind = OUTPUT_SYSLOG, .path = "/nowhere/log" },
	};
	struct bh_err err;
	struct stat st;
	mode_t mask = umask(0077);

	assert_int_equal(prepare(in_place("log/denied.json"), &err), 0);
	umask(mask);
	assert_int_equal(stat(in_place("log"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0750);
	assert_int_equal(size_of(in_place("log/denied.json")), -1);      /* that is the logger's */
	assert_int_equal(prepare(in_place("log/denied.json"), &err), 0); /* again */
	assert_int_equal(outputs_prepare(others, 2, 1, 1, &err), 0);
}

static void test_prepare_refuses(void **state)
{
	struct bh_err err;

	assert_int_equal(prepare(in_place("a/b/denied.json"), &err), -ENOENT);
	assert_non_null(strstr(err.msg, "cannot make"));
	assert_int_equal(mkdir(in_place("open"), 0700), 0);
	assert_int_equal(chmod(in_place("open"), 0770), 0);
	assert_int_equal(prepare(in_place("open/denied.json"), &err), -EPERM);
	assert_non_null(strstr(err.msg, "others may write to"));
	assert_int_equal(symlink("open", in_place("link")), 0);
	assert_true(prepare(in_place("link/denied.json"), &err) < 0);
	/* where anybody may write, what we make could be changed for something else */
	assert_int_equal(chmod(in_place("open"), 0777), 0);
	assert_int_equal(prepare(in_place("open/log/denied.json"), &err), -EPERM);
	assert_int_equal(size_of(in_place("open/log")), -1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, place_open, place_close)
	const struct CMUnitTest tests[] = {
		TEST(test_lines),       TEST(test_what),           TEST(test_torn),
		TEST(test_rotation),    TEST(test_rotation_bound), TEST(test_rotation_gap),
		TEST(test_moved),       TEST(test_reopen),         TEST(test_tick),
		TEST(test_truncated),   TEST(test_full),           TEST(test_backoff),
		TEST(test_no_file),     TEST(test_open_directory), TEST(test_rotation_fails),
		TEST(test_close_tells), TEST(test_prepare),        TEST(test_prepare_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
