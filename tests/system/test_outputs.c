/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>
#include <bulkhead/outputs/outputs.h>

/* Outputs on a file system that is full, and as a user who may nothing else. Root. */

#define UID  60999
#define SIZE "size=256k"

static char dir[64], path[128], filler[128];
static struct outputs *o;
static unsigned told;
static int64_t now = 1000000;

static int64_t clock_of_test(void)
{
	return now;
}

static void on_notice(const char *sentence, void *arg)
{
	told++;
}

/* A small file system of our own, in a mount namespace of our own. */
static int setup(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/bulkhead-outputs-XXXXXX");
	if (!mkdtemp(dir) || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", dir, "tmpfs", 0, SIZE ",mode=755") < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/log/denied.json", dir);
	snprintf(filler, sizeof(filler), "%s/filler", dir);
	return 0;
}

static int teardown(void **state)
{
	return umount(dir) < 0 || rmdir(dir) < 0 ? -1 : 0;
}

static void open_as(uid_t uid, uint32_t megabytes)
{
	const struct outputs_options opts = { .notice = on_notice, .now_usec = clock_of_test };
	const struct host_output out = {
		.kind = OUTPUT_FILE, .path = path, .rotate_megabytes = megabytes, .rotate_keep = 1
	};
	struct bh_err err = BH_ERR_INIT;

	if (outputs_prepare(&out, 1, uid, uid, &err) < 0)
		fail_msg("%s", err.msg);
	if (uid && (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 ||
		    setresuid(uid, uid, uid) < 0))
		fail_msg("dropping: %s", strerror(errno));
	assert_int_equal(outputs_open(&out, 1, &opts, &o, &err), 0);
}

static struct output_state state_now(void)
{
	struct output_state st;

	outputs_state(o, 0, &st);
	return st;
}

static void record(void)
{
	static const struct flow_record r = { .packets = 1, .reason = "because" };

	outputs_record(o, &r);
	now += 1000;
}

/* How many lines there are; each is one whole object. */
static uint64_t whole_lines(void)
{
	bh_autofree char *text = NULL;
	uint64_t n = 0;
	size_t len;

	assert_int_equal(bh_read_file(path, 64u << 20, &text, &len), 0);
	for (char *line = text, *end; *line; line = end + 1, n++) {
		json_t *v;

		end = strchr(line, '\n');
		assert_non_null(end);
		v = json_loadb(line, (size_t)(end - line), 0, NULL);
		assert_non_null(v);
		json_decref(v);
	}
	return n;
}

static void fill_up(void)
{
	bh_autoclose int fd = open(filler, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	char block[1000] = "";

	assert_true(fd >= 0);
	while (write(fd, block, sizeof(block)) > 0)
		;
	assert_int_equal(errno, ENOSPC);
}

static void full(void **state)
{
	struct output_state st;

	open_as(0, 0);
	for (int i = 0; i < 3000; i++)
		record();
	st = state_now();
	assert_true(st.failing && st.lost > 0);
	assert_string_equal(st.why, strerror(ENOSPC));
	assert_int_equal(st.written + st.lost, 3000);
	assert_int_equal(whole_lines(), st.written);
	assert_int_equal(told, 1);
	outputs_close(o);
	assert_int_equal(told, 2); /* how many were lost in the end */
	assert_int_equal(unlink(path), 0);
	told = 0;
}

/* Somebody else fills it, and makes room again. */
static void full_for_a_while(void **state)
{
	struct output_state st;
	uint64_t lost;

	open_as(0, 0);
	record();
	fill_up();
	for (int i = 0; i < 500; i++)
		record();
	lost = state_now().lost;
	assert_true(lost > 0);
	assert_int_equal(unlink(filler), 0);
	now += BH_OUTPUT_RETRY_MAX_MS * 1000LL;
	for (int i = 0; i < 10; i++) {
		record();
		now += BH_OUTPUT_STEADY_MS * 1000LL;
	}
	st = state_now();
	assert_false(st.failing);
	assert_int_equal(st.lost, lost);
	assert_int_equal(st.written + st.lost, 511);
	assert_int_equal(whole_lines(), st.written);
	assert_int_equal(told, 2);
	outputs_close(o);
	assert_int_equal(unlink(path), 0);
	told = 0;
}

/* In a process of its own, which cannot come back from it. */
static int as_nobody(void)
{
	struct stat st;
	char old[sizeof(path) + 2];

	open_as(UID, 1);
	record();
	snprintf(old, sizeof(old), "%s.1", path);
	/* a hole takes no room */
	if (state_now().written != 1 || truncate(path, 2 << 20) < 0)
		return 1;
	now += BH_OUTPUT_LOOK_MS * 1000LL;
	record();
	if (state_now().written != 2 || stat(old, &st) < 0 || st.st_uid != UID)
		return 2;
	outputs_reopen(o);
	record();
	if (state_now().written != 3 || told)
		return 3;
	/* beside it, it may nothing */
	return open(filler, O_WRONLY | O_CREAT | O_CLOEXEC, 0600) >= 0 ? 4 : 0;
}

static void another_user(void **state)
{
	struct stat st;
	int status;
	pid_t pid;

	assert_int_equal(rmdir(strcat(strcpy(filler, dir), "/log")), 0); /* of the tests before */
	snprintf(filler, sizeof(filler), "%s/filler", dir);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(as_nobody());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_uid, UID);
	assert_int_equal(st.st_mode & 0137, 0);
}

/* A directory that is somebody else's is not given away. */
static void not_ours(void **state)
{
	const struct host_output out = { .kind = OUTPUT_FILE, .path = path };
	struct bh_err err = BH_ERR_INIT;

	assert_int_equal(outputs_prepare(&out, 1, UID + 1, UID + 1, &err), -EPERM);
	assert_non_null(strstr(err.msg, "belongs to user 60999, not to 61000"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(full),
		cmocka_unit_test(full_for_a_while),
		cmocka_unit_test(another_user),
		cmocka_unit_test(not_ours),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
