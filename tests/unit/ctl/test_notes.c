/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <bulkhead/base/limits.h>
#include <bulkhead/ctl/notes.h>

/* Requests that are left for a daemon that does not answer. */

static char top[] = "/tmp/bh-notes-XXXXXX", socket_path[64], dir[64];
static char got[4096];

static int setup(void **state)
{
	assert_non_null(mkdtemp(top));
	snprintf(socket_path, sizeof(socket_path), "%s/run/control.sock", top);
	snprintf(dir, sizeof(dir), "%s/run.starts", top);
	got[0] = '\0';
	return 0;
}

static int teardown(void **state)
{
	char command[96];
	const char *name;

	for (int i = 0; i < 4; i++) {
		name = (const char *[]) { "a", "b", "bad", "big" }[i];
		snprintf(command, sizeof(command), "%s/%s", dir, name);
		unlink(command);
	}
	rmdir(dir);
	rmdir(top);
	memcpy(strrchr(top, '-') + 1, "XXXXXX", 6);
	return 0;
}

static bool refuses, loses;

static bool on_note(json_t *request, void *arg)
{
	const char *id = json_string_value(json_object_get(request, "id"));

	assert_ptr_equal(arg, got);
	snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s ", id ? id : "?");
	return !refuses;
}

static bool on_kept(void *arg)
{
	assert_ptr_equal(arg, got);
	return !loses;
}

static const struct ctl_notes_taker taker = { on_note, on_kept, got };

static int leave(const char *name, const char *id, struct bh_err *err)
{
	json_t *o = json_pack("{s:s}", "id", id);
	int r = ctl_note_leave(socket_path, name, o, err);

	json_decref(o);
	return r;
}

static void put(const char *name, const char *text, size_t len)
{
	char path[96];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	fclose(f);
}

static void taken_once(void **state)
{
	struct bh_err err = BH_ERR_INIT;
	struct stat st;

	assert_int_equal(ctl_notes_take(socket_path, &taker, &err), 0);
	assert_string_equal(got, "");
	assert_int_equal(leave("a", "one", &err), 0);
	assert_int_equal(leave("a", "two", &err), 0);
	assert_int_equal(leave("b", "two", &err), 0);
	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(ctl_notes_take(socket_path, &taker, &err), 0);
	assert_string_equal(got, "two two ");
	assert_int_equal(ctl_notes_take(socket_path, &taker, &err), 0);
	assert_string_equal(got, "two two ");
}

/* Not before whoever takes it has it where he keeps it. */
static void stays_until_kept(void **state)
{
	struct bh_err err = BH_ERR_INIT;

	assert_int_equal(leave("a", "one", &err), 0);
	refuses = true;
	assert_int_equal(ctl_notes_take(socket_path, &taker, &err), 0);
	refuses = false;
	loses = true;
	assert_int_equal(ctl_notes_take(socket_path, &taker, &err), 0);
	loses = false;
	assert_string_equal(got, "one one ");
	assert_int_equal(ctl_notes_take(socket_path, &taker, &err), 0);
	assert_string_equal(got, "one one one ");
	assert_int_equal(rmdir(dir), 0);
}

static bool replace(void *arg)
{
	assert_int_equal(leave("a", "two", NULL), 0);
	return true;
}

/* What comes in the place of one that was taken is another. */
static void replaced_meanwhile(void **state)
{
	const struct ctl_notes_taker late = { on_note, replace, got };
	struct bh_err err = BH_ERR_INIT;

	assert_int_equal(leave("a", "one", &err), 0);
	assert_int_equal(ctl_notes_take(socket_path, &late, &err), 0);
	assert_int_equal(ctl_notes_take(socket_path, &taker, &err), 0);
	assert_string_equal(got, "one two ");
}

/* Without a descriptor it is not read, and not lost either. */
static void no_descriptors(void **state)
{
	struct rlimit was, few;
	struct bh_err err = BH_ERR_INIT;
	int r, next = dup(0);

	close(next);
	assert_int_equal(leave("a", "one", &err), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	few = (struct rlimit) { (rlim_t)next + 1, was.rlim_max }; /* the directory, and no more */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	r = ctl_notes_take(socket_path, &taker, &err);
	setrlimit(RLIMIT_NOFILE, &was);
	assert_int_equal(r, -EMFILE);
	assert_string_equal(got, "");
	assert_int_equal(ctl_notes_take(socket_path, &taker, &err), 0);
	assert_string_equal(got, "one ");
}

/* It goes as well: nobody is to stumble over it each time. */
static void garbage(void **state)
{
	static char big[BH_CTL_FRAME_MAX + 1];
	struct bh_err err = BH_ERR_INIT;

	assert_int_equal(leave("a", "one", &err), 0);
	memset(big, ' ', sizeof(big));
	put("bad", "[1]", 3);
	put("big", big, sizeof(big));
	assert_int_equal(ctl_notes_take(socket_path, &taker, &err), 0);
	assert_string_equal(got, "one ");
	assert_int_equal(rmdir(dir), 0); /* it is empty */
}

/* What the daemon would not read, nobody relies on. */
static void too_large(void **state)
{
	static char id[BH_CTL_FRAME_MAX];
	struct bh_err err = BH_ERR_INIT;

	memset(id, 'x', sizeof(id) - 1);
	assert_int_equal(leave("big", id, &err), -EMSGSIZE);
	assert_non_null(strstr(err.msg, "65536 bytes"));
	id[BH_CTL_FRAME_MAX - 64] = '\0';
	assert_int_equal(leave("big", id, &err), 0);
	assert_int_equal(ctl_notes_take(socket_path, &taker, &err), 0);
	assert_true(got[0] == 'x');
}

/* More than are taken at once: that is said, and the next time brings the rest. */
static void too_many(void **state)
{
	struct bh_err err = BH_ERR_INIT;
	char name[16];

	assert_int_equal(leave("a", "one", &err), 0);
	for (int i = 0; i < BH_CTL_NOTES_MAX; i++) {
		snprintf(name, sizeof(name), "%d", i);
		put(name, "0", 1);
	}
	assert_int_equal(ctl_notes_take(socket_path, &taker, &err), -E2BIG);
	assert_non_null(strstr(err.msg, "16384"));
	assert_int_equal(ctl_notes_take(socket_path, &taker, &err), 0);
	assert_string_equal(got, "one ");
	assert_int_equal(rmdir(dir), 0);
}

static void only_ours(void **state)
{
	struct bh_err err = BH_ERR_INIT;

	assert_int_equal(leave("a", "one", &err), 0);
	assert_int_equal(chmod(dir, 0777), 0);
	assert_int_equal(ctl_notes_take(socket_path, &taker, &err), -EPERM);
	assert_string_equal(got, "");
	assert_true(err.msg[0]);
	assert_int_equal(leave("b", "two", &err), -EPERM);
	assert_int_equal(chmod(dir, 0700), 0);
}

static void needs_a_directory(void **state)
{
	struct bh_err err = BH_ERR_INIT;
	json_t *o = json_object();

	assert_int_equal(ctl_note_leave("/control.sock", "a", o, &err), -EINVAL);
	assert_int_equal(ctl_note_leave("control.sock", "a", o, &err), -EINVAL);
	assert_int_equal(ctl_notes_take("control.sock", &taker, &err), 0);
	json_decref(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(taken_once, setup, teardown),
		cmocka_unit_test_setup_teardown(stays_until_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(replaced_meanwhile, setup, teardown),
		cmocka_unit_test_setup_teardown(no_descriptors, setup, teardown),
		cmocka_unit_test_setup_teardown(garbage, setup, teardown),
		cmocka_unit_test_setup_teardown(too_large, setup, teardown),
		cmocka_unit_test_setup_teardown(too_many, setup, teardown),
		cmocka_unit_test_setup_teardown(only_ours, setup, teardown),
		cmocka_unit_test_setup_teardown(needs_a_directory, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
