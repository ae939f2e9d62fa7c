/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a daemon takes over of the one before, and what is done when it cannot. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>
#include <bulkhead/sys/netns.h>

#include "../../../src/daemon/announced_private.h"

static char top[] = "/tmp/bh-restore-XXXXXX", path[64];
static struct daemon_options options;
static struct controller c;
static struct announced n;
static struct rlimit was;
static int fill[16];

static void put(const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static bool has(const char *text)
{
	bh_autofree char *all = NULL;
	size_t len;

	return bh_read_file(path, BH_ANNOUNCED_BYTES_MAX, &all, &len) >= 0 && strstr(all, text);
}

static int set_up(void **state)
{
	assert_non_null(mkdtemp(top));
	snprintf(path, sizeof(path), "%s/announced.json", top);
	options = (struct daemon_options) { .store = top, .netns_dir = top };
	c = (struct controller) { .o = &options };
	n = (struct announced) { .c = &c };
	bh_buf_init(&n.file, BH_ANNOUNCED_BYTES_MAX);
	assert_int_equal(sd_event_new(&c.event), 0);
	assert_true(netns_own_ino() != 0); /* that stays open */
	return 0;
}

static void forget_all(void)
{
	while (n.all)
		announced_forget(&n, n.all);
	n.lost = false;
}

static int tear_down(void **state)
{
	char kept[80];

	forget_all();
	sd_event_unref(c.event);
	bh_buf_done(&n.file);
	snprintf(kept, sizeof(kept), "%s.damaged", path);
	unlink(kept);
	unlink(path);
	if (rmdir(top) < 0)
		return -1;
	memcpy(strrchr(top, '-') + 1, "XXXXXX", 6);
	return 0;
}

/* So many more files can be opened at a time. */
static void restore_with(int files)
{
	struct rlimit few;

	forget_all();
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	for (int i = 0; i < 16; i++) /* those below are all in use */
		fill[i] = dup(0);
	few = (struct rlimit) { (rlim_t)(fill[15] + 1 + files), was.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	announced_restore(&n);
	setrlimit(RLIMIT_NOFILE, &was);
	for (int i = 0; i < 16; i++)
		close(fill[i]);
	announced_save(&n);
}

static void *wait_for(void *arg)
{
	char word;

	return read(*(int *)arg, &word, 1) == 1 ? NULL : arg;
}

/*
 * A list that is made of what was found, without all having been looked at, is none: the next one looks again. With
 * one file at a time /proc is read, and of a process with more threads not these.
 */
static void test_search_again(void **state)
{
	int pipes[2];
	pthread_t thread;

	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(pthread_create(&thread, NULL, wait_for, &pipes[0]), 0);
	put("nonsense");
	restore_with(1);
	assert_true(n.lost);
	assert_true(has("\"lost\":true"));
	restore_with(1);
	assert_true(n.lost);
	assert_true(has("\"lost\":true"));
	restore_with(20);
	assert_false(n.lost);
	assert_false(has("\"lost\":true"));
	assert_true(has("\"containers\":["));
	assert_int_equal(write(pipes[1], "x", 1), 1);
	pthread_join(thread, NULL);
	close(pipes[0]);
	close(pipes[1]);
}

/* A list that cannot be read, or not be told from that of another boot, is kept for who wants to know. */
static void test_unread(void **state)
{
	char kept[80];

	snprintf(kept, sizeof(kept), "%s.damaged", path);
	put("{\"boot\":\"\",\"containers\":[]}");
	restore_with(20);
	assert_false(n.lost);
	assert_int_equal(unlink(kept), 0);
	put("{\"boot\":\"\",\"containers\":[]}");
	restore_with(0);
	assert_true(n.lost);
	assert_int_equal(unlink(kept), 0);
	assert_true(has("\"lost\":true"));
	put("{\"boot\":\"of yesterday\",\"lost\":true,\"containers\":[]}");
	restore_with(20);
	assert_false(n.lost);
	assert_int_equal(access(kept, F_OK), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_search_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_unread, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
