/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a starter says of a container: what is taken, and what is refused by which name. */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <bulkhead/base/limits.h>
#include <bulkhead/sys/netns.h>

#include "../../../src/daemon/announced_file.h"
#include "../../../src/daemon/announced_life.h"
#include "../../../src/daemon/announcement.h"

#define BASE "\"runtime\":\"oci\",\"id\":\"web\",\"netns\":\"/run/netns/x\""

static int parse(const char *members, struct announcement *ret, struct bh_err *err)
{
	char text[2048];
	json_t *o;
	int r;

	snprintf(text, sizeof(text), "{%s}", members);
	o = json_loads(text, 0, NULL);
	assert_non_null(o);
	r = announcement_parse(o, ret, err);
	json_decref(o);
	return r;
}

static void test_all(void **state)
{
	struct bh_err err = BH_ERR_INIT;
	struct announcement a;
	struct endpoint e;

	assert_int_equal(
		parse(BASE ",\"netns_ino\":4026533000,\"pid\":12,\"name\":\"w\","
			   "\"image\":\"i:1\",\"obstacle\":\"net-admin\",\"labels\":[\"app=web\","
			   "\"url=a=b\",\"empty=\",\"com.docker.compose.project=shop\"],"
			   "\"wait\":100",
		      &a, &err),
		0);
	announcement_endpoint(&a, &e);
	assert_int_equal(e.runtime, ENDPOINT_OCI);
	assert_string_equal(e.id, "web");
	assert_string_equal(e.name, "w");
	assert_string_equal(e.image, "i:1");
	assert_string_equal(e.netns, "/run/netns/x");
	assert_int_equal(e.netns_ino, 4026533000);
	assert_int_equal(e.pid, 12);
	assert_int_equal(e.obstacle, ENDPOINT_NET_ADMIN);
	assert_string_equal(endpoint_label(&e, "app", false), "web");
	assert_string_equal(endpoint_label(&e, "url", false), "a=b");
	assert_string_equal(endpoint_label(&e, "empty", false), "");
	assert_string_equal(e.compose_project, "shop");
	assert_int_equal(e.n_labels, 4);
	announcement_done(&a);
}

static void test_host_network(void **state)
{
	struct announcement a;

	assert_int_equal(parse("\"runtime\":\"oci\",\"id\":\"web\",\"pid\":1,"
			       "\"obstacle\":\"host-network\"",
			       &a, NULL),
			 0);
	assert_null(a.netns);
	announcement_done(&a);
}

static const struct {
	const char *members, *says;
} bad[] = {
	{ "\"runtime\":\"netns\",\"id\":\"a\",\"netns\":\"/x\"", "\"runtime\" takes docker" },
	{ "\"runtime\":\"unknown\",\"id\":\"a\",\"netns\":\"/x\"", "\"runtime\" takes docker" },
	{ "\"runtime\":7,\"id\":\"a\",\"netns\":\"/x\"", "\"runtime\" takes docker" },
	{ "\"runtime\":\"oci\",\"netns\":\"/x\"", "\"id\" is missing" },
	{ "\"runtime\":\"oci\",\"id\":\"\",\"netns\":\"/x\"", "\"id\" takes 1 to 255 bytes" },
	{ "\"runtime\":\"oci\",\"id\":\"a\"", "\"netns\" takes an absolute path" },
	{ "\"runtime\":\"oci\",\"id\":\"a\",\"netns\":\"x\"", "\"netns\" takes an absolute path" },
	{ "\"runtime\":\"oci\",\"id\":\"a\",\"obstacle\":\"host-network\"", "\"pid\" is missing" },
	{ BASE ",\"pid\":0", "\"pid\" takes a number from 1" },
	{ BASE ",\"pid\":-4", "\"pid\" takes a number from 1" },
	{ BASE ",\"netns_ino\":-4", "\"netns_ino\" takes a number from 1" },
	{ BASE ",\"obstacle\":\"\"", "\"obstacle\" is none that is known" },
	{ BASE ",\"obstacle\":\"lazy\"", "\"obstacle\" is none that is known" },
	{ BASE ",\"name\":\"\"", "\"name\" takes 1 to 4096 bytes" },
	{ BASE ",\"labels\":[\"app\"]", "\"labels\" takes KEY=VALUE" },
	{ BASE ",\"labels\":[\"=web\"]", "\"labels\" takes KEY=VALUE" },
	{ BASE ",\"labels\":[7]", "\"labels\" takes strings" },
};

static void test_bad(void **state)
{
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct bh_err err = BH_ERR_INIT;
		struct announcement a;

		assert_int_equal(parse(bad[i].members, &a, &err), -EINVAL);
		if (!strstr(err.msg, bad[i].says))
			fail_msg("%s: \"%s\" and not \"%s\"", bad[i].members, err.msg, bad[i].says);
	}
}

static void assert_labels_refused(json_t *labels, const char *says)
{
	json_t *o = json_pack("{s:s, s:s, s:s, s:o}", "runtime", "cni", "id", "a", "netns", "/x",
			      "labels", labels);
	struct bh_err err = BH_ERR_INIT;
	struct announcement a;

	assert_int_equal(announcement_parse(o, &a, &err), -EINVAL);
	assert_non_null(strstr(err.msg, says));
	json_decref(o);
}

static void test_labels_bounds(void **state)
{
	char large[BH_RUNTIME_LABEL_BYTES_MAX + 16] = "k=";
	json_t *many = json_array();

	memset(large + 2, 'x', BH_RUNTIME_LABEL_BYTES_MAX + 1);
	assert_labels_refused(json_pack("[s]", large), "\"labels\": one has more than 4096 bytes");
	for (int i = 0; i <= BH_LABELS_MAX; i++)
		json_array_append_new(many, json_string("k=v"));
	assert_labels_refused(many, "\"labels\": more than 256");
}

/* --- how long it lasts ------------------------------------------------------------------------ */

static struct announcement with(const char *netns, int pid, uint64_t ino)
{
	return (struct announcement) {
		.said = json_object(), .netns = netns, .pid = pid, .netns_ino = ino
	};
}

static int begin(const char *netns, int pid, uint64_t ino, const char *says)
{
	struct announcement a = with(netns, pid, ino);
	struct bh_err err = BH_ERR_INIT;
	int r = announced_life_begin(&a, &err);

	if (!strstr(err.msg, says))
		fail_msg("\"%s\" and not \"%s\"", err.msg, says);
	announcement_done(&a);
	return r;
}

static void test_beginning(void **state)
{
	assert_int_equal(begin("/nonexistent", 0, 0, "\"netns\""), -ENOENT);
	assert_int_equal(begin("/proc/self/ns/mnt", 0, 0, "\"netns\""), -EINVAL);
	assert_int_equal(begin("/etc/passwd", 0, 0, "\"netns\""), -EINVAL);
	assert_int_equal(begin("/proc/self/ns/net", 0, 0, "host's own network namespace"), -EINVAL);
	assert_int_equal(begin(NULL, INT32_MAX, 0, "\"pid\": there is no process"), -ESRCH);
}

/* A process is what it was, by its number and by when it was started. */
static void test_life(void **state)
{
	struct announcement a = with(NULL, getpid(), 0);

	assert_int_equal(announced_life_begin(&a, NULL), 0);
	assert_true(announced_life_lasts(&a));
	json_object_set_new(a.said, "started", json_string("1"));
	assert_false(announced_life_lasts(&a));
	announcement_done(&a);

	a = with("/proc/self/ns/net", 0, netns_own_ino());
	assert_true(announced_life_lasts(&a));
	a.netns_ino++;
	assert_false(announced_life_lasts(&a));
	a.netns = "/nonexistent";
	assert_false(announced_life_lasts(&a));
	announcement_done(&a);
}

/* A process that lasts: its namespace may be another by now. It is over as soon as it has ended, not only when waited for. */
static void test_leaving(void **state)
{
	struct announcement a = with(NULL, 0, 0);
	int pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pause();
		_exit(0);
	}
	a.pid = pid;
	assert_int_equal(announced_life_begin(&a, NULL), 0);
	a.netns = "/nonexistent";
	a.netns_ino = netns_own_ino() + 1;
	assert_true(announced_life_lasts(&a));
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &(siginfo_t) { 0 }, WEXITED | WNOWAIT), 0);
	assert_false(announced_life_lasts(&a));
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_false(announced_life_lasts(&a));
	announcement_done(&a);
}

/* Who is left in there shows the way to it. */
static void test_reach(void **state)
{
	struct announcement a = with("/nonexistent", 0, 0);
	char path[64], word;
	int pipes[2], pid;
	struct stat st;

	assert_int_equal(pipe(pipes), 0);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		word = unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0 ? 'n' : 'y';
		(void)!write(pipes[1], &word, 1);
		pause();
		_exit(0);
	}
	assert_int_equal(read(pipes[0], &word, 1), 1);
	assert_int_equal(word, 'y');
	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	assert_int_equal(stat(path, &st), 0);
	a.netns_ino = st.st_ino;
	assert_int_equal(announced_life_reach(&a), 2);
	assert_int_equal(announced_life_reach(&a), 1);
	assert_string_equal(a.netns, path);
	assert_string_equal(json_string_value(json_object_get(a.said, "netns")), path);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(announced_life_reach(&a), 0);
	announcement_done(&a);
	close(pipes[0]);
	close(pipes[1]);
}

/* --- the file --------------------------------------------------------------------------------- */

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void test_file(void **state)
{
	char dir[] = "/tmp/bulkhead-announced-XXXXXX", path[64];
	json_t *list = json_pack("[{s:s}, {s:s}]", "id", "web", "id", "db"), *got;
	struct bh_err err = BH_ERR_INIT;
	struct bh_buf out;
	bool lost = true;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/announced.json", dir);
	assert_int_equal(announced_file_read(dir, &got, &lost, &err), 0);
	assert_null(got);
	bh_buf_init(&out, 256);
	for (int i = 0; i < 2; i++) { /* the second time it is begun anew */
		assert_int_equal(announced_file_begin(&out, i, &err), 0);
		announced_file_add(&out, "{\"id\":\"web\"}");
		announced_file_add(&out, "{\"id\":\"db\"}");
		assert_int_equal(announced_file_end(dir, &out, &err), 0);
	}
	assert_int_equal(announced_file_begin(&out, false, &err), 0);
	for (int i = 0; i < 20; i++)
		announced_file_add(&out, "{\"id\":\"too many\"}");
	assert_int_equal(announced_file_end(dir, &out, &err), -EFBIG);
	bh_buf_done(&out);
	assert_int_equal(announced_file_read(dir, &got, &lost, &err), 0);
	assert_true(json_equal(list, got));
	assert_true(lost); /* the second time, that was said, too */
	json_decref(got);
	json_decref(list);

	put(path, "{\"boot\":\"of yesterday\",\"containers\":[{}]}");
	assert_int_equal(announced_file_read(dir, &got, &lost, &err), 0);
	assert_null(got);
	assert_false(lost);
	put(path, "{\"boot\":\"\",\"containers\":[{}]}"); /* which one? */
	assert_int_equal(announced_file_read(dir, &got, &lost, &err), -EBADMSG);
	put(path, "{\"boot\":\"x\"}");
	assert_int_equal(announced_file_read(dir, &got, &lost, &err), -EBADMSG);
	assert_int_equal(truncate(path, (off_t)BH_ANNOUNCED_BYTES_MAX + 1), 0);
	assert_int_equal(announced_file_read(dir, &got, &lost, &err), -EFBIG);
	put(path, "nonsense");
	assert_int_equal(announced_file_read(dir, &got, &lost, &err), -EBADMSG);
	assert_non_null(strstr(err.msg, "is damaged"));
	for (int i = 0; i < 2; i++) /* the last one is kept, and the file stays in its place */
		assert_int_equal(announced_file_keep(dir, &err), 0);
	assert_int_equal(unlink(path), 0);
	strcat(path, ".damaged");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(announced_file_keep(dir, &err), -ENOENT);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all),       cmocka_unit_test(test_host_network),
		cmocka_unit_test(test_bad),       cmocka_unit_test(test_labels_bounds),
		cmocka_unit_test(test_beginning), cmocka_unit_test(test_life),
		cmocka_unit_test(test_leaving),   cmocka_unit_test(test_reach),
		cmocka_unit_test(test_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
