/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "flows_fixture.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* What becomes of the history with time, without room, on a bad disk, and when its writer dies. */

/* --- helpers ---------------------------------------------------------------------------------- */

static struct flows_loss loss;
static uint64_t told_lost;

static void on_lost(const struct flow_record *r, void *arg)
{
	told_lost++;
}

static struct flows_state state_of(void)
{
	struct flows_reader *r = read_it();
	struct flows_state s;

	assert_int_equal(flows_summary(r, &s, NULL), 0);
	flows_reader_close(r);
	return s;
}

static struct flows_account kept_account;

/* ARG: how many there were, an int; may be NULL. */
static int keep_account(const struct flows_account *a, void *arg)
{
	kept_account = *a;
	if (arg)
		++*(int *)arg;
	return 0;
}

static void assert_trouble(struct flows *f, const char *part)
{
	assert_non_null(flows_trouble(f));
	if (!strstr(flows_trouble(f), part))
		fail_msg("the trouble does not say \"%s\": %s", part, flows_trouble(f));
}

static off_t size_of(const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, 0) == 0 ? st.st_size : 0;
}

/* Numbered: its texts say which it is, so that none of them can be another's. */
static struct flow_record numbered(unsigned i)
{
	struct flow_record r = plain(T0 + i * INT64_C(1000));

	snprintf(r.service, sizeof(r.service), "service-%u", i % 7);
	snprintf(r.reason, sizeof(r.reason), "reason %u", i / 3);
	snprintf(r.near_miss, sizeof(r.near_miss), "near %u", i % 1000);
	r.destination.port = (uint16_t)i;
	r.packets = i + 1;
	return r;
}

static uint64_t checked;

static int check_numbered(const struct flow_record *got_one, void *arg)
{
	struct flow_record r = numbered((unsigned)got_one->packets - 1);

	assert_string_equal(got_one->reason, r.reason);
	assert_string_equal(got_one->near_miss, r.near_miss);
	assert_string_equal(got_one->service, r.service);
	assert_string_equal(got_one->endpoint_id, r.endpoint_id);
	assert_int_equal(got_one->first_seen, r.first_seen);
	checked++;
	return 0;
}

static void check_all(void)
{
	const struct flows_filter all = { 0 };
	const struct flows_order order = { 0 };
	struct flows_reader *r = read_it();
	struct bh_err err = BH_ERR_INIT;

	checked = 0;
	if (flows_query(r, &all, &order, check_numbered, NULL, NULL, NULL, &err) < 0)
		fail_msg("%s", err.msg);
	flows_reader_close(r);
}

/* --- retention -------------------------------------------------------------------------------- */

static void by_age(void **state)
{
	const struct flows_options o = { .days = 2 };
	struct flow_record old = plain(T0), young = plain(T0 + 2 * DAY);
	struct flow_signal s = { .when = T0, .record = old };
	struct flows_account gone = { .endpoint = "gone", .when = T0 },
			     here = { .endpoint = "here", .when = T0 + 2 * DAY };
	struct flows *f = begin(&o, T0);
	struct flows_state kept;
	int n_accounts = 0, more;

	old.packets = 5;
	for (int i = 0; i < 5000; i++)
		if (flows_add(f, &old) == 1)
			commit(f, T0);
	flows_add_signal(f, &s);
	flows_put_account(f, &gone);
	flows_put_account(f, &here);
	add(f, &young);
	commit(f, T0);
	flows_tend(f, T0 + 2 * DAY - 1);
	assert_int_equal(state_of().records, 5001);
	/* A piece at a time: it says that there is more to do. */
	more = flows_tend(f, T0 + 2 * DAY + 1);
	assert_true(more > 0);
	assert_true(state_of().records > 1);
	for (int i = 0; i < 100 && more > 0; i++)
		more = flows_tend(f, T0 + 2 * DAY + 1);
	assert_int_equal(more, 0);
	kept = state_of();
	assert_int_equal(kept.records, 1);
	assert_int_equal(kept.packets, 1);
	assert_int_equal(kept.aged_records, 5000);
	assert_int_equal(kept.aged_packets, 25000);
	assert_int_equal(count_all(), 1);
	flows_close(f, T0);
	assert_string_equal(notices, "");
	f = begin(&o, T0);
	assert_int_equal(flows_accounts(f, keep_account, &n_accounts, NULL), 0);
	assert_int_equal(n_accounts, 1);
	assert_string_equal(kept_account.endpoint, "here");
	flows_close(f, T0);
}

static int keep_newest(const struct flows_account *a, void *arg)
{
	if (a->when > kept_account.when)
		kept_account = *a;
	return 0;
}

static int count_account(const struct flows_account *a, void *arg)
{
	++*(size_t *)arg;
	return 0;
}

/* Containers that came and went leave sums, which take no more than a part of the room. */
static void sums_are_bounded(void **state)
{
	const struct flows_options o = { .megabytes = 1 };
	struct flow_record r = plain(T0);
	struct flows *f = begin(&o, T0);
	size_t n = 0, in_file = 0;

	for (int i = 0; i < 8000; i++) {
		struct flows_account a = { .netns = 4026532000,
					   .when = T0 + i,
					   .service = "build" };

		snprintf(a.endpoint, sizeof(a.endpoint), "%064d", i);
		assert_int_equal(flows_put_account(f, &a), 0);
		if (i % 100 == 99) {
			add(f, &r);
			commit(f, T0 + i);
		}
	}
	assert_null(strstr(notices, "cannot be written"));
	assert_non_null(strstr(notices, "sums"));
	assert_int_equal(flows_accounts(f, count_account, &n, NULL), 0);
	assert_true(n > 100 && n < 1000);
	flows_close(f, T0);
	f = begin(&o, T0);
	assert_int_equal(flows_accounts(f, count_account, &in_file, NULL), 0);
	assert_int_equal(in_file, n);
	kept_account.when = 0;
	assert_int_equal(flows_accounts(f, keep_newest, NULL, NULL), 0);
	assert_int_equal(kept_account.when, T0 + 7999);
	flows_close(f, T0);
}

/*
 * More than there is room for, all of it different: the newest stay, whole; the file is never larger, nor
 * the log; nothing of it is counted as lost.
 */
static void by_size(void **state)
{
	enum { MANY = 60000 };
	const struct flows_options o = { .megabytes = 1 };
	struct flows *f = begin(&o, T0);
	struct flows_state kept;
	uint64_t packets = 0;
	off_t most = 0;

	for (unsigned i = 0; i < MANY; i++) {
		struct flow_record r = numbered(i);

		packets += r.packets;
		if (flows_add(f, &r) == 1 || i % 512 == 511) {
			off_t size;

			commit(f, T0 + i);
			if (i % 5 == 0)
				flows_tend(f, T0 + i);
			size = size_of(FLOWS_FILE) + size_of(FLOWS_WAL);
			most = size > most ? size : most;
		}
		if (i % 16384 == 16383)
			check_all();
	}
	flows_close(f, T0);
	assert_string_equal(notices, "");
	if (most > 1 << 20)
		fail_msg("%ld bytes", (long)most);
	check_all();
	kept = state_of();
	assert_true(checked > 300); /* and not nothing: a good part of a megabyte */
	assert_int_equal(kept.records, checked);
	assert_int_equal(kept.records + kept.aged_records, MANY);
	assert_int_equal(kept.packets + kept.aged_packets, packets);
}

/* One and the same all the time: what it refers to is older than everything, and stays. */
static void what_recurs_stays(void **state)
{
	const struct flows_options o = { .megabytes = 1 };
	struct flows *f = begin(&o, T0);

	for (unsigned i = 0; i < 100000; i++) {
		struct flow_record r = numbered(i);

		snprintf(r.reason, sizeof(r.reason), "%s", numbered(0).reason);
		snprintf(r.near_miss, sizeof(r.near_miss), "%s", numbered(0).near_miss);
		snprintf(r.service, sizeof(r.service), "%s", numbered(0).service);
		r.destination.port = 0;
		r.first_seen = r.last_seen = T0;
		r.packets = 1;
		if (flows_add(f, &r) == 1) {
			commit(f, T0);
			flows_tend(f, T0);
		}
	}
	flows_close(f, T0);
	check_all();
	assert_true(checked > 5000);
	assert_string_equal(notices, "");
}

/* A limit that was made narrower: the file shrinks, in pieces, and what stays is whole. */
static void a_narrower_limit(void **state)
{
	struct flows_options o = { .megabytes = 64 };
	struct flows *f = begin(&o, T0);
	int pieces = 0;

	for (unsigned i = 0; i < 40000; i++) {
		struct flow_record r = numbered(i);

		if (flows_add(f, &r) == 1)
			commit(f, T0);
	}
	flows_close(f, T0);
	assert_true(size_of(FLOWS_FILE) > 4 << 20);
	o.megabytes = 2;
	f = begin(&o, T0);
	while (flows_tend(f, T0) > 0)
		assert_true(++pieces < 2000);
	for (unsigned i = 40000; i < 44000; i++) {
		struct flow_record r = numbered(i);

		if (flows_add(f, &r) == 1) {
			commit(f, T0);
			while (flows_tend(f, T0) > 0)
				assert_true(++pieces < 4000);
		}
	}
	flows_close(f, T0);
	assert_true(size_of(FLOWS_FILE) <= 2 << 20);
	check_all();
	assert_true(checked > 1000);
}

/* --- no room ---------------------------------------------------------------------------------- */

static void limit_files(rlim_t bytes)
{
	struct rlimit l;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &l), 0);
	l.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &l), 0);
}

static size_t lines_of(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

/* A disk that is full: it waits in memory, what is beyond is counted, and nothing is torn. */
static void a_full_disk(void **state)
{
	const struct flows_options o = { .lost = on_lost };
	struct flows *f = begin(&o, T0);
	struct flow_record r = numbered(0);
	int64_t now = T0;
	unsigned i = 0;

	signal(SIGXFSZ, SIG_IGN);
	told_lost = 0;
	for (; i < 1000; i++) {
		r = numbered(i);
		add(f, &r);
	}
	commit(f, now);
	limit_files(4096);
	for (; i < 1000 + BH_FLOWS_HELD_MAX + 500; i++) {
		r = numbered(i);
		flows_add(f, &r);
		if (i % 200 == 0)
			flows_commit(f, now += SECOND);
	}
	assert_int_equal(flows_commit(f, now += 100 * SECOND), -EAGAIN);
	assert_trouble(f, FLOWS_FILE);
	assert_int_equal(lines_of(notices), 1); /* once, however often it was tried */
	flows_lost(f, &loss);
	assert_true(loss.records > 0);
	assert_int_equal(loss.records, told_lost);
	limit_files(RLIM_INFINITY);
	assert_int_equal(flows_commit(f, now + 1), -EAGAIN); /* not before its time */
	commit(f, now += 100 * SECOND);
	assert_int_equal(lines_of(notices), 1); /* it might not last */
	commit(f, now += 5 * SECOND);
	assert_null(flows_trouble(f));
	assert_int_equal(lines_of(notices), 2);
	assert_noticed("written again");
	flows_close(f, now);
	check_all();
	assert_int_equal(checked + loss.records, i);
	assert_int_equal(state_of().lost_records, loss.records);
	assert_int_equal(state_of().lost_packets, loss.packets);
}

static void nothing_comes_back(void **state)
{
	const struct flows_options o = { .lost = on_lost };
	struct flow_record r = numbered(1);
	struct flows *f;

	told_lost = 0;
	signal(SIGXFSZ, SIG_IGN);
	limit_files(0);
	f = begin(&o, T0);
	flows_add(f, &r);
	flows_close(f, T0); /* to the end: then it is given up, and told */
	limit_files(RLIM_INFINITY);
	assert_int_equal(told_lost, 1);
}

/* --- a disk that cannot be written ------------------------------------------------------------ */

/* Root may write anywhere: be somebody else for as long as that takes. */
static void as_nobody(bool yes)
{
	if (getuid() == 0)
		assert_int_equal(seteuid(yes ? 65534 : 0), 0);
}

static void a_read_only_directory(void **state)
{
	struct flow_record r = numbered(0);
	struct flows *f;

	assert_int_equal(fchmod(dir, 0500), 0);
	if (getuid() == 0)
		assert_int_equal(fchown(dir, 65534, 65534), 0);
	as_nobody(true);
	f = begin(NULL, T0);
	assert_non_null(flows_trouble(f));
	add(f, &r);
	assert_int_equal(flows_commit(f, T0 + 10 * SECOND), -EAGAIN);
	assert_int_equal(lines_of(notices), 1);
	assert_int_equal(fchmod(dir, 0700), 0);
	commit(f, T0 + 100 * SECOND);
	commit(f, T0 + 105 * SECOND);
	assert_int_equal(lines_of(notices), 2);
	flows_close(f, T0);
	check_all();
	as_nobody(false);
	assert_int_equal(checked, 1);
}

static void one_writer(void **state)
{
	struct flow_record r = numbered(0);
	struct flows *a = begin(NULL, T0), *b = begin(NULL, T0);

	assert_trouble(b, "another logger");
	add(b, &r);
	assert_int_equal(flows_commit(b, T0 + 10 * SECOND), -EAGAIN);
	flows_close(a, T0);
	commit(b, T0 + 20 * SECOND);
	flows_close(b, T0);
	check_all();
	assert_int_equal(checked, 1);
}

/* --- damage ----------------------------------------------------------------------------------- */

static void fill(unsigned n)
{
	struct flows *f = begin(NULL, T0);

	for (unsigned i = 0; i < n; i++) {
		struct flow_record r = numbered(i);

		if (flows_add(f, &r) == 1)
			commit(f, T0);
	}
	flows_close(f, T0);
}

static void scribble(off_t at, size_t len)
{
	int fd = openat(dir, FLOWS_FILE, O_WRONLY | O_CLOEXEC);
	char junk[4096];

	memset(junk, 0x5a, sizeof(junk));
	assert_true(fd >= 0);
	for (; len; len -= len < sizeof(junk) ? len : sizeof(junk), at += sizeof(junk))
		assert_true(pwrite(fd, junk, len < sizeof(junk) ? len : sizeof(junk), at) > 0);
	close(fd);
}

static size_t count_aside(void)
{
	DIR *d = opendir(top);
	const struct dirent *e;
	size_t n = 0;

	assert_non_null(d);
	while ((e = readdir(d)) != NULL)
		n += strncmp(e->d_name, FLOWS_ASIDE, strlen(FLOWS_ASIDE)) == 0 &&
		     strcmp(e->d_name + strlen(e->d_name) - 3, ".db") == 0;
	closedir(d);
	return n;
}

/* Wherever it is damaged: what was there is set aside, what comes is kept. */
static void a_damaged_file(void **state)
{
	static const struct {
		off_t at;
		size_t len;
	} places[] = { { 0, 100 }, { 100, 4096 }, { 4096, 1 << 20 }, { 40, 8 } };

	for (size_t i = 0; i < BH_ARRAY_SIZE(places); i++) {
		struct flow_record r = numbered(7);
		struct flows *f;

		fill(5000);
		scribble(places[i].at, places[i].len);
		notices[0] = '\0';
		f = begin(NULL, T0 + (int64_t)i * SECOND);
		add(f, &r);
		commit(f, T0 + (int64_t)i * SECOND);
		assert_noticed("set aside as " FLOWS_ASIDE);
		assert_int_equal(lines_of(notices), 1);
		flows_close(f, T0);
		check_all();
		assert_int_equal(checked, 1);
		assert_true(count_aside() <= BH_FLOWS_ASIDE_MAX);
		unlinkat(dir, FLOWS_FILE, 0);
	}
	assert_int_equal(count_aside(), BH_FLOWS_ASIDE_MAX);
}

/* Under the hands of the writer: the batch that found out is in the new file. */
static void damaged_meanwhile(void **state)
{
	struct flows_account a = { .endpoint = "c0ffee", .denied = 3, .recorded = 3, .when = T0 };
	struct flows *f = begin(NULL, T0);
	struct flow_record r;
	unsigned i = 0;

	flows_put_account(f, &a);
	for (; i < 5000; i++) {
		r = numbered(i);
		if (flows_add(f, &r) == 1)
			commit(f, T0);
	}
	commit(f, T0);
	flows_close(f, T0);
	f = begin(NULL, T0);
	scribble(4096, 1 << 20);
	for (; i < 6000; i++) {
		r = numbered(i);
		if (flows_add(f, &r) == 1)
			commit(f, T0);
	}
	commit(f, T0);
	assert_noticed("set aside");
	flows_close(f, T0);
	check_all();
	assert_true(checked >= 1000);
	/* The sums are in the new one, too. */
	f = begin(NULL, T0);
	kept_account.denied = 0;
	assert_int_equal(flows_accounts(f, keep_account, NULL, NULL), 0);
	assert_int_equal(kept_account.denied, 3);
	flows_close(f, T0);
	assert_int_equal(count_aside(), 1);
}

/* Not one of ours, though a good database: a table more, or other code for an index. */
static void another_database(void **state)
{
	static const char *const changes[] = {
		"CREATE TABLE other(a)",
		"CREATE VIEW v AS SELECT * FROM record",
		"DROP INDEX record_time",
		"CREATE TRIGGER t AFTER INSERT ON record BEGIN DELETE FROM record; END",
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(changes); i++) {
		struct bh_err err = BH_ERR_INIT;
		struct flows_reader *r = NULL;
		sqlite3 *db;

		fill(10);
		assert_int_equal(sqlite3_open(in_top(FLOWS_FILE), &db), SQLITE_OK);
		assert_int_equal(sqlite3_exec(db, changes[i], NULL, NULL, NULL), SQLITE_OK);
		sqlite3_close(db);
		assert_int_equal(flows_reader_open(dir, &r, &err), -EBADMSG);
		assert_non_null(strstr(err.msg, "damaged, or no history"));
		unlinkat(dir, FLOWS_FILE, 0);
	}
}

/* --- versions --------------------------------------------------------------------------------- */

static void a_newer_version(void **state)
{
	struct flow_record r = numbered(0);
	struct bh_err err = BH_ERR_INIT;
	struct flows_reader *reader = NULL;
	char *before, *after;
	struct flows *f;
	sqlite3 *db;
	off_t size;

	fill(100);
	assert_int_equal(sqlite3_open(in_top(FLOWS_FILE), &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 99; CREATE TABLE later(x)", NULL,
				      NULL, NULL),
			 SQLITE_OK);
	sqlite3_close(db);
	before = slurp(in_top(FLOWS_FILE));
	size = size_of(FLOWS_FILE);

	f = begin(NULL, T0);
	assert_trouble(f, "version 99");
	add(f, &r);
	assert_int_equal(flows_commit(f, T0 + 60 * SECOND), -EAGAIN);
	flows_close(f, T0);
	assert_int_equal(flows_reader_open(dir, &reader, &err), -EPROTO);
	assert_int_equal(count_aside(), 0);
	after = slurp(in_top(FLOWS_FILE));
	assert_int_equal(size_of(FLOWS_FILE), size);
	assert_memory_equal(before, after, (size_t)size);
	free(before);
	free(after);
}

/* --- death ------------------------------------------------------------------------------------ */

#define BATCH 64

static void write_until_killed(int ready)
{
	struct flows_account a = { .endpoint = "c0ffee", .when = T0 };
	struct flows *f = begin(NULL, T0);
	struct flow_record r;

	for (unsigned i = 0;; i++) {
		r = numbered(i);
		flows_add(f, &r);
		if (i % BATCH != BATCH - 1)
			continue;
		a.denied = a.recorded = i + 1;
		flows_put_account(f, &a);
		flows_commit(f, T0);
		if (i % 4096 == 4095)
			flows_tend(f, T0);
		if (i / BATCH == 3 && write(ready, "x", 1) < 0)
			_exit(1);
	}
}

/* kill -9 anywhere: whole batches, and the sums that were put with them. */
static void a_killed_writer(void **state)
{
	for (int round = 0; round < 10; round++) {
		int fds[2], status;
		struct flows *f;
		char c;
		pid_t pid;

		assert_int_equal(pipe(fds), 0);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			write_until_killed(fds[1]);
			_exit(0);
		}
		assert_int_equal(read(fds[0], &c, 1), 1);
		for (volatile int spin = 0; spin < round * 1000000; spin++)
			;
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		close(fds[0]);
		close(fds[1]);

		check_all(); /* as it was left, with its log */
		assert_true(checked >= 4 * BATCH);
		assert_int_equal(checked % BATCH, 0);
		f = begin(NULL, T0);
		assert_int_equal(flows_accounts(f, keep_account, NULL, NULL), 0);
		assert_int_equal(kept_account.recorded, checked);
		flows_close(f, T0);
		assert_string_equal(notices, "");
		unlinkat(dir, FLOWS_FILE, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HISTORY(by_age),
		HISTORY(sums_are_bounded),
		HISTORY(by_size),
		HISTORY(what_recurs_stays),
		HISTORY(a_narrower_limit),
		HISTORY(a_full_disk),
		HISTORY(nothing_comes_back),
		HISTORY(a_read_only_directory),
		HISTORY(one_writer),
		HISTORY(a_damaged_file),
		HISTORY(damaged_meanwhile),
		HISTORY(another_database),
		HISTORY(a_newer_version),
		HISTORY(a_killed_writer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
