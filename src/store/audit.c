/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/store/audit.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>
#include <bulkhead/sys/files.h>

#include "trail.h"

#define USEC_PER_DAY (INT64_C(86400) * 1000000)
#define NOTICE_MAX   512
/* How often a reader's lock is waited for; it holds it for no time at all. */
#define LOCK_TRIES 100
/* Lines at the end that are no entries: further back nobody looks for one. */
#define STRANGERS_MAX 1000
/* Crashes in a row before the entry that tells of them. */
#define TORN_MAX 100

struct audit {
	struct audit_options o;
	int dir, lock, fd;
	uint64_t size; /* of the current file, when we last wrote to it */
	dev_t dev;
	ino_t ino;
	struct audit_head last; /* the last entry */
	char sum[DIGEST_HEX];   /* of its line */
	bool ready;             /* all of the above is known */
	struct bh_buf line;
};

__attribute__((format(printf, 2, 3))) static void notice(struct audit *a, const char *fmt, ...)
{
	char text[NOTICE_MAX];
	va_list ap;

	if (!a->o.notice)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	a->o.notice(text, a->o.arg);
}

static int64_t now_usec(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * INT64_C(1000000) + ts.tv_nsec / 1000;
}

/* --- one line onto the disk ------------------------------------------------------------------ */

/* For readers who see half a line: they wait until we let go of this. */
static void lock_file(int fd)
{
	for (int i = 0; i < LOCK_TRIES && flock(fd, LOCK_EX | LOCK_NB) < 0; i++)
		sched_yield();
}

/* What is not whole is taken back: nobody was told that it is there. */
static int write_line(struct audit *a)
{
	int r;

	lock_file(a->fd);
	r = files_append(a->fd, a->line.data, a->line.len);
	if (r < 0 && ftruncate(a->fd, (off_t)a->size) < 0)
		a->ready = false;
	flock(a->fd, LOCK_UN);
	if (r < 0)
		return r;
	if (fsync(a->fd) < 0) {
		/* Whether it is there nobody knows now; the next append looks. */
		r = -errno;
		if (ftruncate(a->fd, (off_t)a->size) < 0)
			notice(a, "an audit entry that failed cannot be taken back: %s",
			       strerrordesc_np(errno));
		a->ready = false;
		return r;
	}
	a->size += a->line.len;
	return 0;
}

/* The entry is there; the next one writes the head again. */
static void write_head(struct audit *a)
{
	int r = trail_write_head(a->dir, &a->last);

	if (r < 0)
		notice(a, "cannot write " TRAIL_HEAD " of the audit trail: %s",
		       strerrordesc_np(-r));
}

static int write_entry(struct audit *a, const struct audit_entry *e, json_t *extra,
		       struct bh_err *err)
{
	struct audit_head head = { .seq = a->last.seq + 1 };
	int r = entry_write(e, (uint64_t)head.seq, a->sum, extra, &a->line, head.hash, err);

	if (r < 0)
		return r;
	if (head.seq > AUDIT_SEQ_MAX)
		return bh_err_set(err, -EOVERFLOW, "the audit trail has no number left");
	if (a->line.len > BH_AUDIT_LINE_MAX)
		return bh_err_set(err, -EMSGSIZE, "an audit entry of %zu bytes", a->line.len);
	r = write_line(a);
	if (r < 0)
		return bh_err_errno(err, r, "cannot write the audit trail");
	digest_bytes(a->line.data, a->line.len - 1, a->sum);
	a->last = head;
	write_head(a);
	return 0;
}

/* An entry of the trail's own. EXTRA's reference is taken. */
static int write_own(struct audit *a, const char *action, const char *detail, int64_t when,
		     json_t *extra, struct bh_err *err)
{
	const struct audit_entry e = {
		.when = when ? when : now_usec(),
		.who = { geteuid(), getegid(), getpid(), "bulkhead", "store" },
		.action = action,
		.detail = detail,
	};
	int r = write_entry(a, &e, extra, err);

	json_decref(extra);
	if (r >= 0)
		notice(a, "audit trail: %s", detail);
	return r;
}

/* --- opening: what is there ------------------------------------------------------------------- */

/* What the end of the trail looks like. */
struct tail {
	uint64_t size;           /* up to the last newline */
	uint64_t torn;           /* bytes behind it */
	unsigned strangers;      /* last lines that are no entries */
	struct audit_head entry; /* the last that is one */
	char sum[DIGEST_HEX];    /* of the last line, an entry or not */
};

static int read_line(int fd, uint64_t start, uint64_t end, struct bh_buf *ret)
{
	size_t len = end - start > BH_AUDIT_LINE_MAX + 1 ? BH_AUDIT_LINE_MAX + 1 : end - start;
	bh_autofree char *data = malloc(len + 1);
	ssize_t n;

	if (!data)
		return -ENOMEM;
	n = pread(fd, data, len, (off_t)start);
	if (n != (ssize_t)len)
		return n < 0 ? -errno : -EIO;
	bh_buf_reset(ret);
	return bh_buf_add(ret, data, len);
}

/* Backwards from the end to the last entry. */
static int find_entry(int fd, struct tail *t, struct bh_buf *b)
{
	uint64_t end = t->size, start;
	bool first = true;

	while (end > 0 && t->strangers < STRANGERS_MAX) {
		struct entry_line l;
		int r = trail_line_start(fd, end - 1, &start);

		if (r >= 0)
			r = read_line(fd, start, end - 1, b);
		if (r < 0)
			return r;
		if (first)
			digest_bytes(bh_buf_str(b), b->len, t->sum);
		first = false;
		if (entry_read(bh_buf_str(b), b->len, &l) == 0) {
			t->entry.seq = l.seq;
			memcpy(t->entry.hash, l.hash, sizeof(t->entry.hash));
			t->entry.bad = !l.intact;
			json_decref(l.json);
			return 0;
		}
		t->strangers++;
		end = start;
	}
	return 0;
}

static int read_tail(int fd, struct tail *ret)
{
	struct bh_buf b;
	struct stat st;
	int r;

	*ret = (struct tail) { .sum = ZERO_DIGEST };
	if (fstat(fd, &st) < 0)
		return -errno;
	r = trail_line_start(fd, (uint64_t)st.st_size, &ret->size);
	if (r < 0)
		return r;
	ret->torn = (uint64_t)st.st_size - ret->size;
	bh_buf_init(&b, 2 * BH_AUDIT_LINE_MAX);
	r = find_entry(fd, ret, &b);
	bh_buf_done(&b);
	return r;
}

/* The newest of the older files, when the current one says nothing. */
static int read_older_tail(struct audit *a, struct tail *ret)
{
	bh_autoclose int fd = -1;
	char name[TRAIL_NAME_MAX];
	struct bh_vec numbers;
	uint64_t newest = 0;
	int r;

	*ret = (struct tail) { .sum = ZERO_DIGEST };
	bh_vec_init(&numbers, sizeof(uint64_t), BH_AUDIT_LISTED_MAX);
	r = trail_list(a->dir, &numbers);
	if (r >= 0 && numbers.n)
		newest = ((uint64_t *)numbers.data)[numbers.n - 1];
	bh_vec_done(&numbers);
	if (r < 0 || !newest)
		return r;
	fd = trail_open_file(a->dir, trail_name(name, newest));
	return fd < 0 ? fd : read_tail(fd, ret);
}

/* --- opening: what was left there ------------------------------------------------------------- */

static void torn_name(char out[TRAIL_NAME_MAX], int64_t seq, int i)
{
	int n = snprintf(out, TRAIL_NAME_MAX, "audit.torn-%" PRId64, seq);

	if (i)
		snprintf(out + n, (size_t)(TRAIL_NAME_MAX - n), ".%d", i);
}

static int copy(int from, uint64_t offset, uint64_t len, int to)
{
	char block[4096];

	while (len) {
		size_t want = len < sizeof(block) ? (size_t)len : sizeof(block);
		ssize_t n = pread(from, block, want, (off_t)offset);
		int r;

		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		r = files_append(to, block, (size_t)n);
		if (r < 0)
			return r;
		offset += (uint64_t)n;
		len -= (uint64_t)n;
	}
	return fsync(to) < 0 ? -errno : 0;
}

/* Named by the entry that will say so; .1, .2, ... when a crash came before it could. */
static int make_torn_file(struct audit *a, char name[TRAIL_NAME_MAX])
{
	int fd = -1;

	for (int i = 0; fd < 0 && i < TORN_MAX; i++) {
		torn_name(name, a->last.seq + 1, i);
		fd = openat(a->dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			    0600);
		if (fd < 0 && errno != EEXIST)
			break;
	}
	return fd < 0 ? -errno : fd;
}

/* Nothing is taken out of the trail before it is safe beside it. */
static int set_aside(struct audit *a, const struct tail *t)
{
	char name[TRAIL_NAME_MAX];
	bh_autoclose int fd = make_torn_file(a, name);
	int r;

	if (fd < 0)
		return fd;
	r = copy(a->fd, t->size, t->torn, fd);
	if (r >= 0)
		r = files_sync(a->dir);
	if (r < 0) {
		unlinkat(a->dir, name, 0);
		return r;
	}
	if (ftruncate(a->fd, (off_t)t->size) < 0 || fsync(a->fd) < 0)
		return -errno;
	a->size = t->size;
	return 0;
}

/* Also when a crash came between the file and the entry. */
static int record_torn(struct audit *a, struct bh_err *err)
{
	char name[TRAIL_NAME_MAX], text[NOTICE_MAX];
	struct stat st;
	int n = 0;

	for (;; n++) {
		torn_name(name, a->last.seq + 1, n);
		if (n == TORN_MAX || fstatat(a->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			break;
	}
	if (n == 0)
		return 0;
	torn_name(name, a->last.seq + 1, n - 1);
	snprintf(text, sizeof(text), "a line without its end was kept in %s%s", name,
		 n > 1 ? ", and those that were before it in the files without its last number"
		       : "");
	return write_own(a, "torn", text, 0, NULL, err);
}

/* A sentence on what is not as we left it; "" when all is. */
static void judge(const struct tail *t, const struct audit_head *head, bool ran, struct bh_buf *b)
{
	const int64_t last = t->entry.seq;

	if (t->strangers)
		bh_buf_addf(b, "; the last %u lines are no entries", t->strangers);
	if (t->entry.bad)
		bh_buf_addf(b, "; entry %" PRId64 " was changed", last);
	if (head->bad)
		bh_buf_addstr(b, "; the head file is not one that was written here");
	else if (!head->seq && last > !ran)
		bh_buf_addf(b,
			    "; the head file is missing: whether entries behind %" PRId64
			    " were cut off cannot be said",
			    last);
	else if (head->seq > last)
		bh_buf_addf(b, "; entries %" PRId64 " to %" PRId64 " are missing at the end",
			    last + 1, head->seq);
	else if (head->seq == last && strcmp(head->hash, t->entry.hash) != 0)
		bh_buf_addf(b, "; entry %" PRId64 " is not the one that the head file knows", last);
	else if (head->seq < last - 1)
		bh_buf_addf(b,
			    "; the head file ends with entry %" PRId64 ", the trail with %" PRId64,
			    head->seq, last);
}

/* --- opening --------------------------------------------------------------------------------- */

static int open_current(struct audit *a)
{
	struct stat st;

	if (a->fd >= 0)
		close(a->fd);
	a->fd = openat(a->dir, TRAIL_CURRENT,
		       O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
		       0600);
	if (a->fd < 0 || fstat(a->fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_nlink != 1)
		return -EPERM;
	if ((st.st_mode & 077) && fchmod(a->fd, 0600) < 0)
		return -errno;
	a->dev = st.st_dev;
	a->ino = st.st_ino;
	a->size = (uint64_t)st.st_size;
	return files_sync(a->dir);
}

static int look(struct audit *a, struct tail *t, struct audit_head *head)
{
	struct tail older;
	int r = open_current(a);

	if (r >= 0)
		r = read_tail(a->fd, t);
	if (r >= 0)
		r = trail_read_head(a->dir, head);
	if (r < 0 || t->entry.seq)
		return r;
	r = read_older_tail(a, &older);
	if (r < 0)
		return r;
	t->entry = older.entry;
	t->strangers += older.strangers;
	if (t->size == 0)
		memcpy(t->sum, older.sum, sizeof(t->sum));
	return 0;
}

/* Say it in the trail. The numbers of what is missing are never given again. */
static int record(struct audit *a, const struct tail *t, const struct audit_head *head,
		  struct bh_err *err)
{
	struct bh_buf b;
	int r = record_torn(a, err);

	bh_buf_init(&b, NOTICE_MAX);
	judge(t, head, trail_knows_run(a->dir), &b);
	if (r >= 0 && b.len)
		r = write_own(a, "damage", b.data + 2, 0, NULL, err);
	bh_buf_done(&b);
	return r;
}

/* From the files alone: at the start, and when somebody else had them under his hands. */
static int recover(struct audit *a, struct bh_err *err)
{
	struct audit_head head;
	struct tail t;
	int r;

	a->ready = false; /* also when it was, for what stood there before */
	r = look(a, &t, &head);
	if (r >= 0) {
		a->last = head.seq > t.entry.seq ? head : t.entry;
		memcpy(a->sum, t.sum, sizeof(a->sum));
		if (t.torn)
			r = set_aside(a, &t);
	}
	if (r < 0)
		return bh_err_errno(err, r, "cannot open the audit trail");
	a->ready = true;
	r = record(a, &t, &head, err);
	if (r < 0)
		a->ready = false;
	else if (a->last.seq && a->last.seq != head.seq)
		/* A crash left it one behind; with the next crash it would be two. */
		write_head(a);
	return r;
}

static int take_lock(struct audit *a, struct bh_err *err)
{
	a->lock = openat(a->dir, TRAIL_LOCK,
			 O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
	if (a->lock < 0)
		return bh_err_errno(err, -errno, "cannot open " TRAIL_LOCK " of the audit trail");
	if (flock(a->lock, LOCK_EX | LOCK_NB) < 0)
		return bh_err_set(err, errno == EWOULDBLOCK ? -EBUSY : -errno,
				  "another process writes to the audit trail");
	return 0;
}

static void take_options(struct audit *a, const struct audit_options *o)
{
	a->o = *o;
	if (!a->o.dir)
		a->o.dir = BH_STORE_DIR;
	if (!a->o.file_bytes)
		a->o.file_bytes = BH_AUDIT_FILE_BYTES_MAX;
	if (!a->o.files)
		a->o.files = BH_AUDIT_FILES_DEFAULT;
	if (!a->o.retention_days)
		a->o.retention_days = BH_AUDIT_RETENTION_DAYS;
}

int audit_open(const struct audit_options *o, struct audit **ret, struct bh_err *err)
{
	struct audit *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return bh_err_oom(err);
	a->dir = a->lock = a->fd = -1;
	bh_buf_init(&a->line, 2 * BH_AUDIT_LINE_MAX);
	take_options(a, o);
	r = files_open_dir(a->o.dir, 0700, &a->dir, err);
	if (r >= 0)
		r = take_lock(a, err);
	if (r >= 0)
		r = recover(a, err);
	if (r < 0)
		audit_close(a);
	else
		*ret = a;
	return r;
}

void audit_close(struct audit *a)
{
	if (!a)
		return;
	if (a->fd >= 0)
		close(a->fd);
	if (a->lock >= 0)
		close(a->lock);
	if (a->dir >= 0)
		close(a->dir);
	bh_buf_done(&a->line);
	free(a);
}

uint64_t audit_last(const struct audit *a, char ret_hash[DIGEST_HEX])
{
	memcpy(ret_hash, a->last.seq ? a->last.hash : ZERO_DIGEST, DIGEST_HEX);
	return (uint64_t)a->last.seq;
}

/* --- the next file --------------------------------------------------------------------------- */

struct range {
	int64_t first, last, when; /* when: seconds since the epoch, of the last */
	char sum[DIGEST_HEX];      /* of the last line */
};

static int add_to_range(const char *data, size_t len, void *arg)
{
	struct range *range = arg;
	struct entry_line l;

	digest_bytes(data, len, range->sum);
	if (entry_read(data, len, &l) < 0)
		return 0;
	if (!range->first)
		range->first = l.seq;
	range->last = l.seq > range->last ? l.seq : range->last;
	bh_parse_time(json_string_value(json_object_get(l.json, "when")), &range->when);
	json_decref(l.json);
	return 0;
}

/* Of an older file: its first and last entry, and when the last was written. */
static int look_into(struct audit *a, uint64_t number, struct audit_pruned *ret,
		     char sum[DIGEST_HEX], int64_t *ret_when)
{
	char name[TRAIL_NAME_MAX];
	bh_autoclose int fd = trail_open_file(a->dir, trail_name(name, number));
	struct range range = { 0 };
	uint64_t torn;
	int r = fd < 0 ? fd : trail_lines(fd, add_to_range, &range, &torn);

	if (r < 0)
		return r;
	*ret = (struct audit_pruned) { range.first, range.last, sum };
	memcpy(sum, range.sum, DIGEST_HEX);
	*ret_when = range.when;
	return 0;
}

/* Say that the oldest file goes, then take it away: a crash between the two loses nothing. */
static int prune(struct audit *a, uint64_t number, int64_t now, struct bh_err *err)
{
	char name[TRAIL_NAME_MAX], text[NOTICE_MAX], sum[DIGEST_HEX];
	struct audit_pruned p;
	int64_t when;
	int r = look_into(a, number, &p, sum, &when);

	trail_name(name, number);
	if (r < 0)
		return bh_err_errno(err, r, "cannot read %s of the audit trail", name);
	if (!p.first || when * 1000000 > now - a->o.retention_days * USEC_PER_DAY)
		return bh_err_set(
			err, -ENOSPC,
			"the audit trail is full: it has %u files, and %s is not %u days old; "
			"move the store away whole and begin a new one",
			a->o.files, name, a->o.retention_days);
	snprintf(text, sizeof(text),
		 "%s, entries %" PRId64 " to %" PRId64 ", is removed: %u files are kept", name,
		 p.first, p.last, a->o.files);
	r = write_own(a, "prune", text, now,
		      json_pack("{s:{s:I, s:I, s:s}}", "pruned", "first", (json_int_t)p.first,
				"last", (json_int_t)p.last, "sum", p.sum),
		      err);
	if (r < 0)
		return r;
	return unlinkat(a->dir, name, 0) < 0 ? bh_err_errno(err, -errno, "cannot remove %s", name)
					     : 0;
}

static int make_room(struct audit *a, const struct bh_vec *numbers, int64_t now, struct bh_err *err)
{
	const uint64_t *n = numbers->data;
	size_t files = numbers->n + 2; /* with the current one and the next */
	int r = 0;

	for (size_t i = 0; r >= 0 && i < numbers->n && files > a->o.files; i++, files--)
		r = prune(a, n[i], now, err);
	if (r >= 0 && (files >= BH_AUDIT_FILES_WARN || files >= a->o.files))
		notice(a, "the audit trail has %zu of at most %u files", files, a->o.files);
	return r;
}

static int next_file(struct audit *a, int64_t now, struct bh_err *err)
{
	char name[TRAIL_NAME_MAX];
	struct bh_vec numbers;
	uint64_t next = 1;
	int r;

	bh_vec_init(&numbers, sizeof(uint64_t), BH_AUDIT_LISTED_MAX);
	r = trail_list(a->dir, &numbers);
	if (r < 0)
		bh_err_errno(err, r, "cannot list the files of the audit trail");
	else
		r = make_room(a, &numbers, now, err);
	if (r >= 0 && numbers.n)
		next = ((uint64_t *)numbers.data)[numbers.n - 1] + 1;
	bh_vec_done(&numbers);
	if (r < 0)
		return r;
	r = files_rename(a->dir, TRAIL_CURRENT, trail_name(name, next));
	if (r >= 0)
		r = open_current(a);
	if (r < 0)
		a->ready = false;
	return r < 0 ? bh_err_errno(err, r, "cannot begin the next file of the audit trail") : 0;
}

/* --- appending ------------------------------------------------------------------------------- */

/* Is the file still the one that we left? */
static bool is_ours(const struct audit *a)
{
	struct stat st;

	return a->ready && fstatat(a->dir, TRAIL_CURRENT, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       st.st_dev == a->dev && st.st_ino == a->ino && (uint64_t)st.st_size == a->size;
}

static bool is_own_action(const char *action)
{
	return action && (strcmp(action, "damage") == 0 || strcmp(action, "prune") == 0 ||
			  strcmp(action, "torn") == 0);
}

static int make_ready(struct audit *a, int64_t now, struct bh_err *err)
{
	int r = is_ours(a) ? 0 : recover(a, err);

	return r >= 0 && a->size >= a->o.file_bytes ? next_file(a, now, err) : r;
}

int audit_ready(struct audit *a, struct bh_err *err)
{
	return make_ready(a, now_usec(), err);
}

int audit_append(struct audit *a, const struct audit_entry *e, struct bh_err *err)
{
	struct audit_entry dated = *e;
	int r;

	if (is_own_action(e->action))
		return bh_err_set(err, -EINVAL, "the action %s is the audit trail's own",
				  e->action);
	if (!dated.when)
		dated.when = now_usec();
	r = make_ready(a, dated.when, err);
	return r < 0 ? r : write_entry(a, &dated, NULL, err);
}
