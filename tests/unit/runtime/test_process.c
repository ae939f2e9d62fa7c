/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/limits.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

#include "../../../src/runtime/proc.h"
#include "../../../src/runtime/socket_diag.h"

/* --- answers of the kernel ------------------------------------------------------------------ */

static const struct bh_addr here = { AF_INET, { 10, 0, 0, 1 } };
static const struct bh_addr there = { AF_INET, { 10, 0, 0, 2 } };
static const struct bh_addr here6 = { AF_INET6, { 0xfd, [15] = 1 } };

static struct inet_diag_msg answer(uint8_t family, uint16_t sport, uint16_t dport)
{
	struct inet_diag_msg m = {
		.idiag_family = family,
		.id.idiag_sport = htons(sport),
		.id.idiag_dport = htons(dport),
		.idiag_inode = 4711,
		.idiag_uid = 1000,
	};

	return m;
}

static void answers_are_read(void **state)
{
	struct inet_diag_msg m = answer(AF_INET, 40000, 443);
	struct socket_found s;

	memcpy(m.id.idiag_src, here.b, 4);
	memcpy(m.id.idiag_dst, there.b, 4);
	assert_int_equal(socket_parse(&m, sizeof(m), &s), 0);
	assert_int_equal(s.lport, 40000);
	assert_int_equal(s.rport, 443);
	assert_int_equal(s.inode, 4711);
	assert_int_equal(s.uid, 1000);
	assert_int_equal(bh_addr_cmp(&s.local, &here), 0);
	assert_int_equal(bh_addr_cmp(&s.remote, &there), 0);
	m.idiag_family = AF_INET6;
	memset(m.id.idiag_dst, 0, sizeof(m.id.idiag_dst));
	memcpy(m.id.idiag_src, here6.b, 16);
	assert_int_equal(socket_parse(&m, sizeof(m), &s), 0);
	assert_int_equal(bh_addr_cmp(&s.local, &here6), 0);
	assert_int_equal(s.remote.family, 0);
	/* IPv4 on a socket of IPv6 */
	memcpy(m.id.idiag_src, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\1", 16);
	assert_int_equal(socket_parse(&m, sizeof(m), &s), 0);
	assert_int_equal(bh_addr_cmp(&s.local, &here), 0);
}

static void other_answers_are_refused(void **state)
{
	struct inet_diag_msg m = answer(AF_UNIX, 1, 2);
	struct socket_found s;

	assert_int_equal(socket_parse(&m, sizeof(m), &s), -EBADMSG);
	m.idiag_family = AF_INET;
	assert_int_equal(socket_parse(&m, sizeof(m) - 1, &s), -EBADMSG);
	assert_int_equal(socket_parse(&m, 0, &s), -EBADMSG);
}

static void only_the_sender_fits(void **state)
{
	struct process_question q = { .proto = IPPROTO_TCP,
				      .source = here,
				      .destination = there,
				      .sport = 40000,
				      .dport = 443 };
	struct socket_found s = { here, there, 40000, 443, 4711, 1000 };

	assert_true(socket_fits(&s, &q));
	q.has_uid = true;
	assert_false(socket_fits(&s, &q)); /* somebody else's by now */
	q.uid = 1000;
	assert_true(socket_fits(&s, &q));
	s.rport = 444;
	assert_false(socket_fits(&s, &q));
	s.rport = 0;
	s.remote.family = 0;
	assert_false(socket_fits(&s, &q)); /* a listener */
	q.proto = IPPROTO_UDP;
	assert_true(socket_fits(&s, &q)); /* not connected */
	s.remote = here;
	s.rport = 53;
	assert_true(socket_fits(&s, &q)); /* or to somebody else */
	s.local.family = 0;
	assert_true(socket_fits(&s, &q)); /* bound to no address */
	s.local = there;
	assert_false(socket_fits(&s, &q));
	s.local = here;
	s.lport = 40001;
	assert_false(socket_fits(&s, &q));
}

/* --- links of procfs ------------------------------------------------------------------------ */

static void links_are_numbers_or_nothing(void **state)
{
	static const char *const bad[] = {
		"",
		"socket",
		"socket:",
		"socket:[",
		"socket:[]",
		"socket:[0]",
		"socket:[-1]",
		"socket:[12",
		"socket:[12]x",
		"xsocket:[12]",
		"socket:[1 2]",
		"socket:[0x1]",
		"socket:[99999999999999999999]",
		"socket:[999999999999999999999999999999999]",
		"net:[12]",
		"/socket:[12]",
		"pipe:[12]",
		"socket(12)",
	};
	uint64_t v = 7;

	for (size_t i = 0; i < BH_ARRAY_SIZE(bad); i++)
		assert_false(proc_link_inode(bad[i], strlen(bad[i]), "socket", &v));
	assert_false(proc_link_inode("socket:[1\0]", 11, "socket", &v));
	assert_int_equal(v, 7);
	assert_true(proc_link_inode("socket:[12]....", 11, "socket", &v));
	assert_int_equal(v, 12);
	assert_true(proc_link_inode("net:[4026531840]", 16, "net", &v));
	assert_int_equal(v, 4026531840);
	assert_true(proc_link_inode("socket:[18446744073709551615]", 29, "socket", &v));
	assert_true(v == UINT64_MAX);
}

/* --- a /proc of our own --------------------------------------------------------------------- */

struct fake {
	char dir[64];
	int fd;
};

/* Good until the next one at the same place. */
#define NAME(...)                                                                                  \
	({                                                                                         \
		static char name_[64];                                                             \
		snprintf(name_, sizeof(name_), __VA_ARGS__);                                       \
		name_;                                                                             \
	})

static void remove_tree(const char *dir, const char *name)
{
	char command[256];

	snprintf(command, sizeof(command), "rm -rf '%s/%s'", dir, name);
	assert_int_equal(system(command), 0);
}

static int make_fake(void **state)
{
	struct fake *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	strcpy(f->dir, "/tmp/bulkhead-proc-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	f->fd = open(f->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(f->fd >= 0);
	*state = f;
	return 0;
}

static int remove_fake(void **state)
{
	struct fake *f = *state;

	close(f->fd);
	remove_tree(f->dir, "");
	free(f);
	return 0;
}

static void link_to(const struct fake *f, const char *to, const char *name)
{
	char path[200];

	snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	assert_int_equal(symlink(to, path), 0);
}

static void make_dir(const struct fake *f, const char *name)
{
	char path[200];

	snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	assert_int_equal(mkdir(path, 0700), 0);
}

static void make_process(const struct fake *f, unsigned pid, const char *net, const char *comm)
{
	char path[200];
	int fd;

	make_dir(f, NAME("%u", pid));
	make_dir(f, NAME("%u/ns", pid));
	make_dir(f, NAME("%u/fd", pid));
	link_to(f, net, NAME("%u/ns/net", pid));
	link_to(f, "/usr/bin/thing\033 (deleted)", NAME("%u/exe", pid));
	snprintf(path, sizeof(path), "%s/%u/comm", f->dir, pid);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0 && write(fd, comm, strlen(comm)) >= 0);
	close(fd);
}

static int find(const struct fake *f, uint64_t netns, uint64_t socket, uint32_t first,
		struct proc_search *ret, struct proc_place *place, struct record_process *p)
{
	*ret = (struct proc_search) { .proc_fd = f->fd, .netns = netns, .socket = socket };
	return proc_find(ret, first, place, p);
}

static void holder_is_found_in_its_namespace_only(void **state)
{
	const struct fake *f = *state;
	struct proc_search s;
	struct proc_place at;
	struct record_process p;

	make_process(f, 10, "net:[1]", "elsewhere\n");
	link_to(f, "socket:[77]", "10/fd/3");
	make_process(f, 20, "net:[2]", "an evil\n name\n");
	link_to(f, "/dev/null", "20/fd/0");
	link_to(f, "/tmp/socket:[77]", "20/fd/1");
	link_to(f, "socket:[77]", "20/fd/5");
	make_dir(f, "30"); /* ended while it was looked at */
	make_dir(f, "self");
	assert_int_equal(find(f, 2, 77, 0, &s, &at, &p), 0);
	assert_int_equal(at.pid, 20);
	assert_int_equal(at.fd, 5);
	assert_int_equal(p.pid, 20);
	assert_string_equal(p.comm, "an evil\n name");
	assert_string_equal(p.exe, "/usr/bin/thing\033 (deleted)");
	assert_true(proc_holds(&s, &at));
	s.socket = 78;
	assert_false(proc_holds(&s, &at));
	s.socket = 77;
	s.netns = 1;
	assert_false(proc_holds(&s, &at));
	assert_int_equal(find(f, 2, 78, 0, &s, &at, &p), -ENOENT);
	assert_int_equal(find(f, 3, 77, 0, &s, &at, &p), -ENOENT);
	/* who was found last is looked at first, and is no one without the socket */
	assert_int_equal(find(f, 2, 77, 20, &s, &at, &p), 0);
	assert_int_equal(s.pids, 0);
	assert_int_equal(find(f, 2, 77, 10, &s, &at, &p), 0);
	assert_int_equal(p.pid, 20);
	assert_int_equal(find(f, 2, 77, 4000, &s, &at, &p), 0);
}

static void names_of_any_length_fit(void **state)
{
	const struct fake *f = *state;
	struct proc_search s;
	struct proc_place at;
	struct record_process p;
	char path[200], exe[PATH_MAX - 1];

	make_process(f, 5, "net:[2]", "0123456789abcdef0123456789\n");
	link_to(f, "socket:[1]", "5/fd/3");
	snprintf(path, sizeof(path), "%s/5/exe", f->dir);
	assert_int_equal(unlink(path), 0);
	memset(exe, 'x', sizeof(exe) - 1);
	exe[sizeof(exe) - 1] = '\0';
	assert_int_equal(symlink(exe, path), 0);
	assert_int_equal(find(f, 2, 1, 0, &s, &at, &p), 0);
	assert_string_equal(p.comm, "0123456789abcde");
	assert_int_equal(strlen(p.exe), sizeof(p.exe) - 1);
}

static void work_is_bounded(void **state)
{
	const struct fake *f = *state;
	struct proc_search s;
	struct proc_place at;
	struct record_process p;

	make_process(f, 5, "net:[2]", "many\n");
	for (unsigned i = 0; i <= BH_PROCESS_FDS_MAX; i++)
		link_to(f, "socket:[9]", NAME("5/fd/%u", i));
	assert_int_equal(find(f, 2, 1, 0, &s, &at, &p), -EMFILE);
	remove_tree(f->dir, "5");
	for (unsigned i = 0; i <= BH_PROCESS_PIDS_MAX; i++)
		make_dir(f, NAME("%u", 100 + i));
	assert_int_equal(find(f, 2, 1, 0, &s, &at, &p), -E2BIG);
	assert_int_equal(s.pids, BH_PROCESS_PIDS_MAX + 1);
}

/* --- the finder ----------------------------------------------------------------------------- */

static void unknown_is_said_why(void **state)
{
	struct process_question q = { .netns_fd = -1, .netns_ino = 5, .proto = IPPROTO_ICMP };
	struct process_finder *f;
	struct record_process p;
	int64_t now = 1000000;

	assert_int_equal(process_finder_new("/nonexistent", &f, NULL), -ENOENT);
	assert_int_equal(process_finder_new(NULL, &f, NULL), 0);
	process_of_socket(f, &q, now, &p);
	assert_string_equal(p.unknown, "only sockets of TCP and UDP are looked for");
	q.proto = IPPROTO_UDP;
	for (q.sport = 1; q.sport <= BH_PROCESS_PER_S; q.sport++) {
		process_of_socket(f, &q, now, &p);
		assert_string_equal(p.unknown, "the kernel was asked in vain");
		assert_int_equal(p.pid, 0);
	}
	process_of_socket(f, &q, now, &p);
	assert_string_equal(p.unknown, "too many at once");
	q.sport = 1; /* what is known needs no look */
	process_of_socket(f, &q, now + 999999, &p);
	assert_string_equal(p.unknown, "the kernel was asked in vain");
	q.sport = 5000;
	process_of_socket(f, &q, now + 1000000, &p);
	assert_string_equal(p.unknown, "the kernel was asked in vain");
	process_finder_free(f);
	process_finder_free(NULL);
}

static void one_namespace_leaves_looks_to_others(void **state)
{
	struct process_question q = { .netns_fd = -1, .proto = IPPROTO_UDP };
	struct process_finder *f;
	struct record_process p;
	unsigned looked = 0;

	assert_int_equal(process_finder_new(NULL, &f, NULL), 0);
	for (q.netns_ino = 1; q.netns_ino <= 2 * BH_PROCESS_SPACES_MAX; q.netns_ino++)
		for (q.sport = 1; q.sport <= 20; q.sport++) {
			process_of_socket(f, &q, (int64_t)q.netns_ino * 500000, &p);
			looked += strcmp(p.unknown, "too many at once") != 0;
		}
	/* two namespaces a second, ten looks each */
	assert_int_equal(looked, 2 * BH_PROCESS_SPACES_MAX * BH_PROCESS_PER_S);
	looked = 0;
	for (q.netns_ino = 1; q.netns_ino <= 100; q.netns_ino++) {
		process_of_socket(f, &q, INT64_C(10000000000), &p);
		looked += strcmp(p.unknown, "too many at once") != 0;
	}
	assert_int_equal(looked, BH_PROCESS_TOTAL_PER_S);
	process_finder_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_are_read),
		cmocka_unit_test(other_answers_are_refused),
		cmocka_unit_test(only_the_sender_fits),
		cmocka_unit_test(links_are_numbers_or_nothing),
		cmocka_unit_test_setup_teardown(holder_is_found_in_its_namespace_only, make_fake,
						remove_fake),
		cmocka_unit_test_setup_teardown(names_of_any_length_fit, make_fake, remove_fake),
		cmocka_unit_test_setup_teardown(work_is_bounded, make_fake, remove_fake),
		cmocka_unit_test(unknown_is_said_why),
		cmocka_unit_test(one_namespace_leaves_looks_to_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
