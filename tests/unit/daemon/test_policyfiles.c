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
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../../src/daemon/policyfiles.h"

/* /tmp/X/p/{a,b}.yaml and /tmp/X/host.conf; relative, as the directory is gone to. */
static const char *const paths[] = { "p" };
static const struct policyfiles files = { paths, 1, "host.conf" };
static char dir[64];
static int inotify = -1;
static struct policyfiles_watches watches;

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void link_to(const char *target, const char *path)
{
	assert_int_equal(symlink(target, path), 0);
}

static int set_up(void **state)
{
	strcpy(dir, "/tmp/bulkhead-files-XXXXXX");
	if (!mkdtemp(dir) || chdir(dir) < 0 || mkdir("p", 0755) < 0)
		return -1;
	put("p/a.yaml", "a");
	put("p/b.yaml", "b");
	put("host.conf", "h");
	inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	watches = (struct policyfiles_watches) { 0 };
	return inotify < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	char command[128];

	close(inotify);
	snprintf(command, sizeof(command), "rm -rf -- '%s'", dir);
	return chdir("/") < 0 ? -1 : system(command);
}

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static struct policyfiles_signature signature(void)
{
	struct policyfiles_signature s;

	assert_int_equal(policyfiles_sign(&files, now(), &s, NULL), 0);
	return s;
}

static char before[DIGEST_HEX];

static void take(void)
{
	strcpy(before, signature().digest);
}

static void assert_changed(void)
{
	assert_string_not_equal(signature().digest, before);
	take();
}

/* --- the signature --------------------------------------------------------------------------- */

static void set_times(const char *path, time_t when)
{
	const struct timespec t[2] = { { .tv_sec = when }, { .tv_sec = when } };

	assert_int_equal(utimensat(AT_FDCWD, path, t, 0), 0);
}

static void test_every_change_shows(void **state)
{
	take();
	assert_string_equal(signature().digest, before);
	put("p/a.yaml", "longer");
	assert_changed();
	put("p/new", "b"); /* not read */
	assert_string_equal(signature().digest, before);
	rename("p/new", "p/b.yaml"); /* the same size */
	assert_changed();
	put("p/c.yaml", "c");
	assert_changed();
	unlink("p/c.yaml");
	assert_changed();
	set_times("p/a.yaml", 1000);
	assert_changed();
	put("host.conf", "hh");
	assert_changed();
	unlink("host.conf");
	assert_changed();
	rename("p", "q");
	assert_changed();
	mkdir("p", 0755);
	assert_changed();
}

static void test_links(void **state)
{
	mkdir("v1", 0755);
	mkdir("v2", 0755);
	put("v1/l", "x");
	put("v2/l", "x");
	link_to("v1", "data");
	link_to("../data/l", "p/l.yaml");
	take();
	unlink("data");
	link_to("v2", "data");
	assert_changed();
	unlink("v2/l"); /* leads nowhere */
	assert_changed();
}

/* Two changes within what a filesystem's clock can tell apart look like one. */
static void test_fresh(void **state)
{
	struct policyfiles_signature s;

	assert_true(signature().fresh);
	assert_int_equal(policyfiles_sign(&files, now() + 10000000, &s, NULL), 0);
	assert_false(s.fresh);
	assert_string_equal(s.digest, signature().digest);
	set_times("p/a.yaml", 1000); /* who sets the time does not set the time of that */
	assert_true(signature().fresh);
}

/* --- events ---------------------------------------------------------------------------------- */

/* Does what was heard since the last call concern them? */
static bool heard(void)
{
	char buf[16384] __attribute__((aligned(__alignof__(struct inotify_event))));
	const struct inotify_event *e;
	bool any = false;
	ssize_t n;

	while ((n = read(inotify, buf, sizeof(buf))) > 0)
		for (char *at = buf; at < buf + n; at += sizeof(*e) + e->len) {
			e = (const struct inotify_event *)at;
			any |= policyfiles_concern(&files, e->mask, e->len ? e->name : "");
		}
	return any;
}

static void watch(void)
{
	policyfiles_watch(&files, inotify, &watches);
	assert_int_equal(watches.error, 0);
	heard();
}

static void test_heard(void **state)
{
	watch();
	put("p/a.yaml", "longer");
	assert_true(heard());
	put("host.conf", "hh"); /* no name of a policy, but the host file's */
	assert_true(heard());
	put("p/x.tmp", "x");
	assert_true(heard()); /* it came: it might be a link */
	put("p/x.tmp", "xx");
	assert_false(heard());
	rename("p/x.tmp", "p/b.yaml");
	assert_true(heard());
	unlink("p/b.yaml");
	assert_true(heard());
	watch(); /* the same again: nothing new */
	put("p/a.yaml", "longer still");
	assert_true(heard());
}

static void test_a_directory_that_goes_and_comes(void **state)
{
	watch();
	rename("p", "q");
	assert_true(heard());
	watch();
	put("q/a.yaml", "x"); /* no more of ours */
	assert_false(heard());
	mkdir("p", 0755);
	assert_true(heard());
	watch();
	put("p/a.yaml", "x");
	assert_true(heard());
}

static void test_what_is_not_there_is_waited_for(void **state)
{
	static const char *const deep[] = { "none/of/these" };
	static const struct policyfiles f = { deep, 1, "host.conf" };

	policyfiles_watch(&f, inotify, &watches);
	assert_int_equal(watches.error, 0);
	mkdir("none", 0755);
	assert_true(heard());
	policyfiles_watch(&f, inotify, &watches);
	mkdir("none/of", 0755);
	assert_true(heard());
	policyfiles_watch(&f, inotify, &watches);
	put("none/of/these", "x");
	assert_true(heard());
}

static void test_where_links_lead(void **state)
{
	mkdir("v1", 0755);
	put("v1/l.yaml", "x");
	link_to("../v1/l.yaml", "p/l.yaml");
	watch();
	put("v1/l.yaml", "longer");
	assert_true(heard());
	unlink("p/l.yaml");
	watch();
	put("v1/l.yaml", "longer still");
	assert_false(heard());
}

static void test_no_more(void **state)
{
	watch();
	assert_int_equal(watches.n, 2);
	policyfiles_unwatch(inotify, &watches);
	assert_int_equal(watches.n, 0);
	assert_false(heard()); /* that they end is no news */
	put("p/a.yaml", "longer");
	assert_false(heard());
}

/* Too many: some are left out, and it is said. */
static void test_cap(void **state)
{
	char name[64], link[64];

	for (unsigned i = 0; i < BH_POLICY_WATCHES_MAX; i++) {
		snprintf(name, sizeof(name), "d%u", i);
		mkdir(name, 0755);
		snprintf(name, sizeof(name), "d%u/f", i);
		put(name, "x");
		snprintf(name, sizeof(name), "../d%u/f", i);
		snprintf(link, sizeof(link), "p/l%u.yaml", i);
		link_to(name, link);
	}
	policyfiles_watch(&files, inotify, &watches);
	assert_int_equal(watches.error, -E2BIG);
	assert_int_equal(watches.n, BH_POLICY_WATCHES_MAX);
	put("p/a.yaml", "longer");
	assert_true(heard());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_every_change_shows, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_links, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_fresh, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_heard, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_directory_that_goes_and_comes, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_what_is_not_there_is_waited_for, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_where_links_lead, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_more, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_cap, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
