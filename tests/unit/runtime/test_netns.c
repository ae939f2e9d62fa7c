/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <bulkhead/base/limits.h>
#include <bulkhead/runtime/runtime.h>
#include <bulkhead/sys/netns.h>

/*
 * A directory of named namespaces, with junk in it. Entering a namespace needs root; what is told
 * to others is tested without.
 */

static char dir[40], path[300];
static struct endpoint_set *set;
static char *said;
static struct bh_err err;

static int setup(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/bulkhead-netns-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	char command[100];

	endpoint_set_free(set);
	set = NULL;
	free(said);
	said = NULL;
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

static const char *in_dir(const char *name)
{
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

/* What was said is in SAID, line by line in order; the endpoints are in SET. */
static int list(const char *where)
{
	struct endpoint_builder *b = endpoint_builder_new();
	struct diag_list diags;
	size_t size;
	FILE *f;
	int r;

	assert_non_null(b);
	diag_list_init(&diags);
	err.msg[0] = '\0';
	r = runtime_netns_list(where, b, &diags, &err);
	diag_list_sort(&diags);
	free(said);
	f = open_memstream(&said, &size);
	assert_non_null(f);
	diag_list_print(&diags, f, false);
	fclose(f);
	assert_int_equal(diags.errors, 0);
	if (r >= 0)
		r = endpoint_builder_finish(b, &set, &err);
	diag_list_done(&diags);
	endpoint_builder_free(b);
	return r;
}

static void touch(const char *name)
{
	int fd = open(in_dir(name), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	close(fd);
}

static void test_empty(void **state)
{
	assert_int_equal(list(dir), 0);
	assert_int_equal(set->n, 0);
	assert_string_equal(said, "");
}

/* A directory that somebody asked for must be there. */
static void test_absent(void **state)
{
	assert_int_equal(list(in_dir("gone")), -ENOENT);
	assert_non_null(strstr(err.msg, "gone: No such file or directory"));
}

static void test_no_directory(void **state)
{
	touch("file");
	assert_int_equal(list(path), -ENOTDIR);
	assert_non_null(strstr(err.msg, "file: Not a directory"));
}

/* Everything that is no namespace is left out, and said. */
static void test_junk(void **state)
{
	char expect[1000];

	touch("a-file");
	touch("b\033[31m\n");
	assert_int_equal(mkdir(in_dir("c-dir"), 0700), 0);
	assert_int_equal(mkfifo(in_dir("d-fifo"), 0600), 0);
	assert_int_equal(symlink("/nonexistent", in_dir("e-link")), 0);
	assert_int_equal(symlink("/proc/self/ns/mnt", in_dir("f-mnt")), 0);
	touch(".hidden");
	alarm(10); /* the FIFO must not hold us up */
	assert_int_equal(list(dir), 0);
	alarm(0);
	assert_int_equal(set->n, 0);
#define NONE "is not a network namespace; it is left out [no-namespace]\n"
	snprintf(expect, sizeof(expect),
		 "warning: %s/a-file " NONE "warning: %s/b\\x1b[31m\\x0a " NONE
		 "warning: %s/c-dir " NONE "warning: %s/d-fifo " NONE "warning: %s/f-mnt " NONE
		 "warning: network namespace %s/e-link: No such file or directory; it is left "
		 "out [no-namespace]\n",
		 dir, dir, dir, dir, dir, dir);
	assert_string_equal(said, expect);
}

/* --- a real one ------------------------------------------------------------------------------ */

/* Who may not enter is told so, by name; a list with holes would be worse than none. */
static void try_without_rights(void)
{
	if (geteuid() == 0 && (chmod(dir, 0755) < 0 || setresuid(65534, 65534, 65534) < 0))
		_exit(2);
	if (list(dir) != -EPERM)
		_exit(3);
	_exit(strstr(err.msg, "network namespace own\\x0a: entering the network namespace: "
			      "Operation not permitted")
		      ? 0
		      : 4);
}

static void test_without_rights(void **state)
{
	int status = -1;
	pid_t child;

	assert_int_equal(symlink("/proc/self/ns/net", in_dir("own\n")), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		try_without_rights();
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* Needs root, as the system tests do: a namespace of its own with N addresses. */
static void list_with_addresses(int n)
{
	char line[64], link[64];
	FILE *ip;

	if (unshare(CLONE_NEWNET) < 0)
		_exit(77);
	ip = popen("ip -batch -", "w");
	if (!ip)
		_exit(2);
	fprintf(ip, "link set lo up\n");
	for (int i = 0; i < n; i++) {
		snprintf(line, sizeof(line), "addr add 10.9.%d.%d/32 dev lo\n", i / 250,
			 i % 250 + 1);
		fputs(line, ip);
	}
	if (pclose(ip) != 0)
		_exit(3);
	snprintf(link, sizeof(link), "/proc/%d/ns/net", getpid());
	if (symlink(link, in_dir("full")) < 0)
		_exit(4);
	if (list(dir) != 0 || set->n != 1)
		_exit(5);
	if (n <= BH_ENDPOINT_ADDRS_MAX)
		_exit(set->endpoints[0].n_addrs == (size_t)n && !said[0] ? 0 : 6);
	_exit(set->endpoints[0].n_addrs == 0 &&
			      strcmp(said,
				     "warning: network namespace full has more than 256 "
				     "addresses: none of them count [too-many-addresses]\n") == 0
		      ? 0
		      : 7);
}

static void holds_addresses(int n)
{
	int status = -1;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0)
		list_with_addresses(n);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_addresses(void **state)
{
	holds_addresses(BH_ENDPOINT_ADDRS_MAX);
}

/* Whoever is root inside adds them: no reason to end the run. */
static void test_too_many_addresses(void **state)
{
	holds_addresses(BH_ENDPOINT_ADDRS_MAX + 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_empty),
		CASE(test_absent),
		CASE(test_no_directory),
		CASE(test_junk),
		CASE(test_without_rights),
		CASE(test_addresses),
		CASE(test_too_many_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
