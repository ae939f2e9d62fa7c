/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fixture.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <bulkhead/store/audit.h>

#define NOON INT64_C(1800000000000000) /* 2027-01-15T08:00:00Z */
#define DAY  (INT64_C(86400) * 1000000)

static struct audit_options options(void)
{
	static char dir[IN_TOP_MAX];

	strcpy(dir, in_top("store"));
	notices[0] = '\0';
	return (struct audit_options) { .dir = dir, .notice = on_notice };
}

static struct audit *open_trail(const struct audit_options *o)
{
	struct bh_err err = BH_ERR_INIT;
	struct audit *a = NULL;

	if (audit_open(o, &a, &err) < 0)
		fail_msg("audit_open: %s", err.msg);
	return a;
}

static const char *const owners[] = { "payments", "cde" };

static struct audit_entry entry(const char *detail)
{
	return (struct audit_entry) {
		.when = NOON,
		.who = { 1000, 100, 4242, "alice", "operator" },
		.action = "apply",
		.objects = owners,
		.n_objects = 2,
		.diff = "-a\n+b\n",
		.diff_len = 6,
		.after = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		.outcome = AUDIT_DONE,
		.detail = detail,
	};
}

static void append(struct audit *a, const char *detail)
{
	struct audit_entry e = entry(detail);
	struct bh_err err = BH_ERR_INIT;

	if (audit_append(a, &e, &err) < 0)
		fail_msg("audit_append: %s", err.msg);
}

/* N entries, "entry 1" to "entry N". */
static void fill(unsigned n)
{
	struct audit_options o = options();
	struct audit *a = open_trail(&o);
	char detail[32];

	for (unsigned i = 1; i <= n; i++) {
		snprintf(detail, sizeof(detail), "entry %u", i);
		append(a, detail);
	}
	audit_close(a);
}

/* --- what is found, as text -------------------------------------------------------------------- */

static char found[4096];

static void on_finding(const struct audit_finding *f, void *arg)
{
	size_t n = strlen(found);

	snprintf(found + n, sizeof(found) - n, "%s %d-%d: %s\n", audit_fault_name(f->fault),
		 (int)f->first, (int)f->last, f->text);
}

static struct audit_verdict verify(void)
{
	struct bh_err err = BH_ERR_INIT;
	struct audit_verdict v = { 0 };

	found[0] = '\0';
	if (audit_verify(in_top("store"), on_finding, NULL, &v, &err) < 0)
		fail_msg("audit_verify: %s", err.msg);
	return v;
}

static void assert_whole(unsigned entries)
{
	struct audit_verdict v = verify();

	assert_string_equal(found, "");
	assert_int_equal(v.findings, 0);
	assert_int_equal(v.entries, entries);
	assert_int_equal(v.last, entries);
}

/* Exactly these findings, each a line that begins so. */
static void assert_found(const char *expect)
{
	const char *line = found;
	struct audit_verdict v = verify();
	size_t n = 0;

	while (*expect) {
		size_t len = strcspn(expect, "\n");

		if (strncmp(line, expect, len) != 0)
			fail_msg("\"%s\" where \"%.*s\" is expected", line, (int)len, expect);
		line += strcspn(line, "\n") + 1;
		expect += len + (expect[len] == '\n');
		n++;
	}
	if (v.findings != n)
		fail_msg("more was found: %s", found);
}

/* --- the file as lines, to be tampered with ----------------------------------------------------- */

#define LINES_MAX 64
static char *lines[LINES_MAX];
static unsigned n_lines;

static void read_lines(void)
{
	char *data = slurp(in_top("store/audit.jsonl")), *save = NULL;

	n_lines = 0;
	for (char *l = strtok_r(data, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
		lines[n_lines++] = strdup(l);
	free(data);
}

static void write_lines(void)
{
	FILE *f = fopen(in_top("store/audit.jsonl"), "w");

	for (unsigned i = 0; i < LINES_MAX; i++) {
		if (lines[i] && i < n_lines)
			fprintf(f, "%s\n", lines[i]);
		free(lines[i]);
		lines[i] = NULL;
	}
	assert_int_equal(fclose(f), 0);
}

static void replace_in(unsigned i, const char *old, const char *new)
{
	char *at = strstr(lines[i], old), *line = NULL;

	assert_non_null(at);
	assert_true(asprintf(&line, "%.*s%s%s", (int)(at - lines[i]), lines[i], new,
			     at + strlen(old)) > 0);
	free(lines[i]);
	lines[i] = line;
}

/* What somebody does who knows how the hash is made. */
static void rehash(unsigned i)
{
	json_t *o = json_loads(lines[i], 0, NULL);
	char hash[DIGEST_HEX], *bare;

	json_object_del(o, "hash");
	bare = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);
	digest_bytes(bare, strlen(bare), hash);
	free(bare);
	json_object_set_new(o, "hash", json_string(hash));
	free(lines[i]);
	lines[i] = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(o);
}

/* --- writing --------------------------------------------------------------------------------- */

static void test_entry(void **state)
{
	struct audit_options o = options();
	struct audit *a = open_trail(&o);
	char sum[DIGEST_HEX], hash[DIGEST_HEX];
	struct stat st;
	json_t *j;

	append(a, "hello");
	append(a, "again");
	assert_int_equal(audit_last(a, hash), 2);
	audit_close(a);
	assert_int_equal(stat(in_top("store"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(stat(in_top("store/audit.jsonl"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(stat(in_top("store/audit.head"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	read_lines();
	assert_int_equal(n_lines, 2);
	digest_bytes(lines[0], strlen(lines[0]), sum);
	j = json_loads(lines[1], 0, NULL);
	assert_string_equal(json_string_value(json_object_get(j, "prev")), sum);
	assert_string_equal(json_string_value(json_object_get(j, "hash")), hash);
	assert_string_equal(json_string_value(json_object_get(j, "when")),
			    "2027-01-15T08:00:00.000000Z");
	assert_string_equal(json_string_value(json_object_get(j, "outcome")), "done");
	assert_string_equal(json_string_value(json_object_get(j, "diff")), "-a\n+b\n");
	assert_int_equal(json_array_size(json_object_get(j, "objects")), 2);
	json_decref(j);
	write_lines();
	assert_whole(2);
	assert_string_equal(notices, "");
}

/* A terminal escape in every text; bytes that are no text; a name that was escaped before. */
static void test_hostile_texts(void **state)
{
	struct audit_options o = options();
	struct audit *a = open_trail(&o);
	const char *const objects[] = { "\x1b[2Jx", "\xff\xfe" };
	struct audit_entry e = entry("line\nline\x1b[31m \xe2\x80\xae");
	struct bh_err err = BH_ERR_INIT;
	char *data;

	e.who.name = "already\\x1b";
	e.who.role = "\x07";
	e.objects = objects;
	e.diff = "+a\x1b]0;t\x07\tb\n+\xff\n";
	e.diff_len = strlen(e.diff);
	assert_int_equal(audit_append(a, &e, &err), 0);
	audit_close(a);
	data = slurp(in_top("store/audit.jsonl"));
	for (const char *p = data; *p; p++)
		assert_true(*p == '\n' || (*p >= 0x20 && *p < 0x7f));
	assert_non_null(strstr(data, "\"already\\\\x1b\""));
	assert_non_null(strstr(data, "+a\\\\x1b]0;t\\\\x07\\tb\\n+\\\\xff\\n"));
	free(data);
	assert_whole(1);
}

static void test_caps(void **state)
{
	struct audit_options o = options();
	struct audit *a = open_trail(&o);
	struct audit_entry e = entry(NULL);
	struct bh_err err = BH_ERR_INIT;
	const char *objects[100];
	char *diff = malloc(1 << 20), *detail = malloc(5000), sum[DIGEST_HEX];
	size_t kept;
	json_t *j, *cut;

	for (size_t i = 0; i < 1 << 20; i++)
		diff[i] = i % 64 == 63 ? '\n' : "\"\\\x1b"[i % 3];
	memset(detail, '\x1b', 4999);
	detail[4999] = '\0';
	for (size_t i = 0; i < 100; i++)
		objects[i] = detail;
	e.diff = diff;
	e.diff_len = 1 << 20;
	e.detail = e.who.name = detail;
	e.objects = objects;
	e.n_objects = 100;
	if (audit_append(a, &e, &err) < 0)
		fail_msg("%s", err.msg);
	audit_close(a);
	read_lines();
	j = json_loads(lines[0], 0, NULL);
	cut = json_object_get(j, "cut");
	kept = (1 << 20) - (size_t)json_integer_value(json_object_get(cut, "bytes"));
	assert_true(kept > 20000 && kept % 64 == 0);
	digest_bytes(diff + kept, (1 << 20) - kept, sum);
	assert_string_equal(json_string_value(json_object_get(cut, "sha256")), sum);
	assert_int_equal(json_integer_value(json_object_get(j, "more_objects")), 36);
	assert_true(json_string_length(json_object_get(j, "detail")) <= BH_AUDIT_DETAIL_MAX);
	json_decref(j);
	write_lines();
	free(diff);
	free(detail);
	assert_whole(1);
}

static void test_refused_entries(void **state)
{
	static const char *const actions[] = {
		NULL, "", "Apply", "a b", "damage", "prune", "torn"
	};
	struct audit_options o = options();
	struct audit *a = open_trail(&o);
	struct bh_err err = BH_ERR_INIT;
	struct audit_entry e = entry("x");

	for (size_t i = 0; i < BH_ARRAY_SIZE(actions); i++) {
		e.action = actions[i];
		assert_int_equal(audit_append(a, &e, &err), -EINVAL);
	}
	e = entry("x");
	e.before = "abc";
	assert_int_equal(audit_append(a, &e, &err), -EINVAL);
	append(a, "good");
	audit_close(a);
	assert_whole(1);
}

static void test_one_writer(void **state)
{
	struct audit_options o = options();
	struct audit *a = open_trail(&o), *b = NULL;
	struct bh_err err = BH_ERR_INIT;

	assert_int_equal(audit_open(&o, &b, &err), -EBUSY);
	assert_null(b);
	audit_close(a);
	a = open_trail(&o);
	audit_close(a);
}

/* Where others may write, and where a link leads elsewhere, nothing is written. */
static void test_bad_places(void **state)
{
	struct audit_options o = options();
	struct bh_err err = BH_ERR_INIT;
	struct audit *a = NULL;

	assert_int_equal(mkdir(o.dir, 0700), 0);
	assert_int_equal(chmod(o.dir, 0777), 0);
	assert_int_equal(audit_open(&o, &a, &err), -EPERM);
	assert_int_equal(chmod(o.dir, 0700), 0);
	put(in_top("elsewhere"), "");
	assert_int_equal(symlink(in_top("elsewhere"), in_top("store/audit.jsonl")), 0);
	assert_int_equal(audit_open(&o, &a, &err), -ELOOP);
	assert_int_equal(unlink(in_top("store/audit.jsonl")), 0);
	assert_int_equal(link(in_top("elsewhere"), in_top("store/audit.jsonl")), 0);
	assert_int_equal(audit_open(&o, &a, &err), -EPERM);
	assert_int_equal(unlink(in_top("store/audit.jsonl")), 0);
	assert_int_equal(mkfifo(in_top("store/audit.jsonl"), 0600), 0);
	assert_int_equal(audit_open(&o, &a, &err), -EPERM);
	assert_null(a);
}

/* --- tampering ------------------------------------------------------------------------------- */

static void test_changed(void **state)
{
	fill(5);
	assert_whole(5);
	read_lines();
	replace_in(2, "entry 3", "entry X");
	write_lines();
	assert_found("changed 3-3: entry 3 was changed: its hash is not its own");
}

/* A single bit, anywhere in the file, is found. */
static void test_every_byte(void **state)
{
	char *data;
	size_t len;

	fill(3);
	data = slurp(in_top("store/audit.jsonl"));
	len = strlen(data);
	for (size_t i = 0; i < len; i++) {
		data[i] ^= 1;
		spill(in_top("store/audit.jsonl"), data, len);
		if (verify().findings == 0)
			fail_msg("byte %zu was changed and nothing was found", i);
		data[i] ^= 1;
	}
	spill(in_top("store/audit.jsonl"), data, len);
	free(data);
	assert_whole(3);
}

static void test_changed_with_its_hash(void **state)
{
	fill(5);
	read_lines();
	replace_in(2, "entry 3", "entry X");
	rehash(2);
	write_lines();
	assert_found("changed 3-3: entry 3 is not the one that entry 4 was written behind");
}

/* Nothing stands behind the last: the head file knows it. */
static void test_last_changed_with_its_hash(void **state)
{
	fill(3);
	read_lines();
	replace_in(2, "entry 3", "entry X");
	rehash(2);
	write_lines();
	assert_found("changed 3-3: entry 3 is not the one that the head file knows");
}

static void test_missing(void **state)
{
	fill(6);
	read_lines();
	free(lines[2]);
	free(lines[3]);
	lines[2] = lines[3] = NULL;
	write_lines();
	assert_found("missing 3-4: entries 3 to 4 are missing");
}

static void test_missing_at_the_beginning(void **state)
{
	fill(4);
	read_lines();
	free(lines[0]);
	lines[0] = NULL;
	write_lines();
	assert_found("missing 1-1: entry 1 is missing at the beginning");
}

static void test_cut_off(void **state)
{
	fill(5);
	read_lines();
	n_lines = 3;
	write_lines();
	assert_found("cut-off 4-5: entries 4 to 5 are missing at the end");
	assert_int_equal(truncate(in_top("store/audit.jsonl"), 0), 0);
	assert_found("cut-off 1-5: entries 1 to 5");
	assert_int_equal(unlink(in_top("store/audit.jsonl")), 0);
	assert_found("cut-off 1-5: entries 1 to 5");
}

static void test_inserted(void **state)
{
	fill(4);
	read_lines();
	lines[n_lines++] = lines[3];
	lines[3] = lines[2];
	lines[2] = strdup(lines[1]);
	replace_in(2, "entry 2", "never was");
	rehash(2);
	write_lines();
	assert_found("unexpected 2-2: entry 2 stands behind entry 2: it was moved or put in");
}

static void test_inserted_junk(void **state)
{
	fill(3);
	read_lines();
	lines[3] = lines[2];
	lines[2] = strdup("{}");
	n_lines = 4;
	write_lines();
	assert_found("changed 3-3: where entry 3 belongs is a line that is no entry");
}

static void test_reordered(void **state)
{
	char *moved;

	fill(5);
	read_lines();
	moved = lines[1];
	lines[1] = lines[2];
	lines[2] = moved;
	write_lines();
	assert_found("missing 2-2: entry 2 is missing\n"
		     "unexpected 2-2: entry 2 stands behind entry 3: it was moved or put in");
}

static void test_junk_for_an_entry(void **state)
{
	fill(4);
	read_lines();
	free(lines[1]);
	lines[1] = malloc(BH_AUDIT_LINE_MAX + 1000);
	memset(lines[1], 'x', BH_AUDIT_LINE_MAX + 999);
	lines[1][BH_AUDIT_LINE_MAX + 999] = '\0';
	write_lines();
	assert_found("changed 2-2: where entry 2 belongs is a line that is no entry");
}

static void test_head(void **state)
{
	char *head;

	fill(2);
	head = slurp(in_top("store/audit.head"));
	fill(3);
	put(in_top("store/audit.head"), head);
	free(head);
	assert_found("head 2-2: the head file ends with entry 2, the trail with 5");
	put(in_top("store/audit.head"), "{\"seq\": 5}");
	assert_found("head 0-0: the head file is not one that was written here");
	assert_int_equal(unlink(in_top("store/audit.head")), 0);
	assert_found("head 0-0: the head file is missing");
}

/* The writer tells of what it finds, and does not give the numbers of lost entries again. */
static void test_writer_goes_on(void **state)
{
	fill(5);
	read_lines();
	n_lines = 3;
	write_lines();
	fill(1);
	assert_noticed("entries 4 to 5 are missing at the end");
	assert_found("missing 4-5: entries 4 to 5 are missing\n"
		     "said 6-6: entry 6 says: entries 4 to 5 are missing at the end");
}

static void test_writer_without_head(void **state)
{
	fill(2);
	assert_int_equal(unlink(in_top("store/audit.head")), 0);
	fill(1);
	assert_noticed("the head file is missing");
	assert_found("said 3-3: entry 3 says: the head file is missing");
}

/* A crash may leave a single entry without a head; where a daemon has run, somebody took it away. */
static void test_first_without_head(void **state)
{
	fill(1);
	assert_int_equal(unlink(in_top("store/audit.head")), 0);
	assert_found("");
	put(in_top("store/running"), "{}");
	assert_found("head 0-0: the head file is missing");
	fill(1);
	assert_noticed("the head file is missing");
	assert_found("said 2-2: entry 2 says: the head file is missing");
}

/* A trail that is exchanged under the writer's hands. */
static void test_replaced_while_open(void **state)
{
	struct audit_options o = options();
	struct audit *a = open_trail(&o);

	append(a, "one");
	append(a, "two");
	read_lines();
	n_lines = 1;
	write_lines();
	append(a, "three");
	audit_close(a);
	assert_noticed("entries 2 to 2 are missing at the end");
	assert_found("missing 2-2: entry 2 is missing\nsaid 3-3:");
}

/* --- crashes --------------------------------------------------------------------------------- */

/* Half a line at the end of a whole trail: kept beside, told, and the chain goes on. */
static void test_torn_line_is_kept(void **state)
{
	static const char half[] = "{\"action\":\"apply\",\"aft";
	FILE *f;
	char *kept;

	fill(3);
	f = fopen(in_top("store/audit.jsonl"), "a");
	fputs(half, f);
	fclose(f);
	assert_found("torn 0-0: the last line has no end (22 bytes)");
	fill(1);
	assert_noticed("a line without its end was kept in audit.torn-4");
	kept = slurp(in_top("store/audit.torn-4"));
	assert_string_equal(kept, half);
	free(kept);
	assert_whole(5);
}

/* A crash after the line was kept and before the entry that says so. */
static void test_torn_is_told_later(void **state)
{
	fill(3);
	put(in_top("store/audit.torn-4"), "half");
	fill(0);
	assert_noticed("a line without its end was kept in audit.torn-4");
	assert_whole(4);
	fill(0);
	assert_string_equal(notices, "");
	assert_whole(4);
}

/* A crash after the line and before the head. */
static void test_head_one_behind(void **state)
{
	char *head;

	fill(2);
	head = slurp(in_top("store/audit.head"));
	fill(1);
	put(in_top("store/audit.head"), head);
	free(head);
	assert_whole(3);
	fill(1);
	assert_string_equal(notices, "");
	assert_whole(4);
}

/* The disk is full in the middle of a line: nothing of it stays, and the next one works. */
static void test_full_disk(void **state)
{
	struct audit_options o = options();
	struct audit *a = open_trail(&o);
	struct rlimit old, limit;
	struct audit_entry e = entry("does not fit");
	struct bh_err err = BH_ERR_INIT;
	struct stat st, after;

	append(a, "one");
	assert_int_equal(stat(in_top("store/audit.jsonl"), &st), 0);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	limit = old;
	limit.rlim_cur = (rlim_t)st.st_size + 50;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(audit_append(a, &e, &err), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_non_null(strstr(err.msg, "cannot write the audit trail"));
	assert_int_equal(stat(in_top("store/audit.jsonl"), &after), 0);
	assert_int_equal(after.st_size, st.st_size);
	append(a, "two");
	audit_close(a);
	assert_whole(2);
}

/* kill -9 at any point of a hundred appends: a whole trail, but for a last line without its end. */
static void test_killed(void **state)
{
	for (unsigned round = 0; round < 20; round++) {
		struct audit_options o = options();
		int ready[2], status;
		pid_t pid;
		char c;

		assert_int_equal(pipe(ready), 0);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			struct audit *a;
			struct bh_err err;
			struct audit_entry e = entry("x");

			if (audit_open(&o, &a, &err) < 0 || write(ready[1], "x", 1) != 1)
				_exit(1);
			for (;;)
				audit_append(a, &e, NULL);
		}
		assert_int_equal(read(ready[0], &c, 1), 1);
		usleep(round * 700); /* not a wait: where in its work it is hit */
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		close(ready[0]);
		close(ready[1]);
		audit_close(open_trail(&o));
		verify();
		assert_string_equal(found, "");
	}
}

/* --- files ----------------------------------------------------------------------------------- */

static void test_rotation(void **state)
{
	struct audit_options o = options();
	struct audit *a;

	o.file_bytes = 1500; /* some entries each */
	o.files = 20;
	a = open_trail(&o);
	for (int i = 0; i < 20; i++)
		append(a, "x");
	audit_close(a);
	assert_true(exists(in_top("store/audit.1.jsonl")));
	assert_true(exists(in_top("store/audit.2.jsonl")));
	assert_whole(20);
	assert_true(verify().files > 3);
	a = open_trail(&o); /* the numbers and the chain go on */
	append(a, "y");
	audit_close(a);
	assert_whole(21);
	assert_int_equal(unlink(in_top("store/audit.2.jsonl")), 0);
	assert_int_equal(verify().findings, 1);
	assert_int_equal(strncmp(found, "missing ", 8), 0);
}

/* The oldest file is removed when it is old enough, and an entry says what went. */
static void test_pruned(void **state)
{
	struct audit_options o = options();
	struct audit_entry e = entry("x");
	struct bh_err err = BH_ERR_INIT;
	struct audit_verdict v;
	struct audit *a;

	o.file_bytes = 1500;
	o.files = 3;
	o.retention_days = 10;
	a = open_trail(&o);
	for (int i = 0; i < 40; i++) {
		e.when = NOON + i * 5 * DAY;
		if (audit_append(a, &e, &err) < 0)
			fail_msg("%d: %s", i, err.msg);
	}
	audit_close(a);
	assert_noticed("audit.1.jsonl, entries 1 to ");
	assert_false(exists(in_top("store/audit.1.jsonl")));
	v = verify();
	assert_string_equal(found, "");
	assert_true(v.first > 1 && v.files <= 3);
}

static int append_until_full(struct audit *a, struct bh_err *err)
{
	struct audit_entry e = entry("x");
	int r = 0;

	for (int i = 0; r >= 0 && i < 100; i++)
		r = audit_append(a, &e, err);
	return r;
}

/* What is young is never removed: whoever floods the trail cannot push out what he did. */
static void test_full_trail(void **state)
{
	struct audit_options o = options();
	struct bh_err err = BH_ERR_INIT;
	struct audit_verdict v;
	struct audit *a;

	o.file_bytes = 1500;
	o.files = 4;
	a = open_trail(&o);
	assert_int_equal(append_until_full(a, &err), -ENOSPC);
	assert_non_null(strstr(err.msg, "the audit trail is full"));
	assert_noticed("the audit trail has 4 of at most 4 files");
	assert_int_equal(append_until_full(a, &err), -ENOSPC);
	audit_close(a);
	v = verify();
	assert_string_equal(found, "");
	assert_int_equal(v.first, 1);
}

/* --- reading --------------------------------------------------------------------------------- */

static int count(const struct audit_item *item, void *arg)
{
	unsigned *n = arg;

	++*n;
	assert_true(item->intact);
	assert_int_equal(item->seq, *n);
	return 0;
}

static int stop(const struct audit_item *item, void *arg)
{
	return 77;
}

static void test_read(void **state)
{
	struct bh_err err = BH_ERR_INIT;
	unsigned n = 0;

	assert_int_equal(audit_read(in_top("store"), count, &n, &err), -ENOENT);
	assert_int_equal(mkdir(in_top("store"), 0700), 0);
	assert_int_equal(audit_read(in_top("store"), count, &n, &err), -ENOENT);
	fill(4);
	assert_int_equal(audit_read(in_top("store"), count, &n, &err), 0);
	assert_int_equal(n, 4);
	assert_int_equal(audit_read(in_top("store"), stop, &n, &err), 77);
}

/* While a writer appends and changes files as fast as it can, a reader never sees a damage. */
static void test_readers(void **state)
{
	struct audit_options o = options();
	int ready[2], status;
	unsigned rounds = 0;
	pid_t pid;
	char c;

	o.file_bytes = 1; /* each entry begins a file: the race is as likely as it can be */
	o.files = 1000;
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct audit_entry e = entry("x");
		struct audit *a;
		struct bh_err err;

		o.notice = NULL;
		if (audit_open(&o, &a, &err) < 0 || write(ready[1], "x", 1) != 1)
			_exit(1);
		for (int i = 0; i < 900; i++)
			if (audit_append(a, &e, &err) < 0)
				_exit(2);
		_exit(0);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	while (waitpid(pid, &status, WNOHANG) == 0) {
		verify();
		assert_string_equal(found, "");
		rounds++;
	}
	assert_int_equal(status, 0);
	assert_true(rounds > 2);
	assert_whole(900);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_top(test_entry),
		with_top(test_hostile_texts),
		with_top(test_caps),
		with_top(test_refused_entries),
		with_top(test_one_writer),
		with_top(test_bad_places),
		with_top(test_changed),
		with_top(test_every_byte),
		with_top(test_changed_with_its_hash),
		with_top(test_last_changed_with_its_hash),
		with_top(test_missing),
		with_top(test_missing_at_the_beginning),
		with_top(test_cut_off),
		with_top(test_inserted),
		with_top(test_inserted_junk),
		with_top(test_reordered),
		with_top(test_junk_for_an_entry),
		with_top(test_head),
		with_top(test_writer_goes_on),
		with_top(test_writer_without_head),
		with_top(test_first_without_head),
		with_top(test_replaced_while_open),
		with_top(test_torn_line_is_kept),
		with_top(test_torn_is_told_later),
		with_top(test_head_one_behind),
		with_top(test_full_disk),
		with_top(test_killed),
		with_top(test_rotation),
		with_top(test_pruned),
		with_top(test_full_trail),
		with_top(test_read),
		with_top(test_readers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
