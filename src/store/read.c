/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/store/audit.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>

#include "trail.h"

/* A look that raced with the writer's change of files is taken again. */
#define TRIES_MAX 8

/* --- the files, all of them held open before one is read: a later change moves none away --------- */

struct file {
	char name[TRAIL_NAME_MAX];
	int fd;
};

struct snapshot {
	struct bh_vec files; /* struct file */
};

static void snapshot_done(struct snapshot *s)
{
	struct file *f = s->files.data;

	for (size_t i = 0; i < s->files.n; i++)
		if (f[i].fd >= 0)
			close(f[i].fd);
	bh_vec_done(&s->files);
}

static int add_file(struct snapshot *s, const char *name, int fd)
{
	struct file *f = bh_vec_push(&s->files);

	if (!f) {
		close(fd);
		return s->files.n == s->files.max ? -E2BIG : -ENOMEM;
	}
	snprintf(f->name, sizeof(f->name), "%s", name);
	f->fd = fd;
	return 0;
}

static bool is_same(int a, int b)
{
	struct stat x, y;

	return a >= 0 && b >= 0 && fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev &&
	       x.st_ino == y.st_ino;
}

/* The older ones, up to the one that was the current one when this began. */
static int add_older(struct snapshot *s, int dir, int current, const struct bh_vec *numbers,
		     bool *ret_seen)
{
	const uint64_t *n = numbers->data;
	char name[TRAIL_NAME_MAX];
	int r = 0;

	for (size_t i = 0; r >= 0 && i < numbers->n && !*ret_seen; i++) {
		int fd = trail_open_file(dir, trail_name(name, n[i]));

		if (fd < 0)
			return fd == -ENOENT ? -EAGAIN : fd;
		*ret_seen = is_same(fd, current);
		r = add_file(s, name, fd);
	}
	return r;
}

static int fill(struct snapshot *s, int dir, int *current, const struct bh_vec *numbers)
{
	bool seen = false;
	int r = add_older(s, dir, *current, numbers, &seen);

	if (r >= 0 && *current >= 0 && !seen)
		r = add_file(s, TRAIL_CURRENT, BH_STEAL_FD(*current));
	return r;
}

/* The current file first: whatever is made an older one after that is seen as such. */
static int take_snapshot(struct snapshot *s, int dir)
{
	bh_autoclose int current = trail_open_file(dir, TRAIL_CURRENT);
	struct bh_vec numbers;
	int r;

	if (current < 0 && current != -ENOENT)
		return current;
	bh_vec_init(&s->files, sizeof(struct file), BH_AUDIT_LISTED_MAX + 1);
	bh_vec_init(&numbers, sizeof(uint64_t), BH_AUDIT_LISTED_MAX);
	r = trail_list(dir, &numbers);
	if (r >= 0)
		r = fill(s, dir, &current, &numbers);
	bh_vec_done(&numbers);
	if (r < 0)
		snapshot_done(s);
	return r;
}

/* --- the walk -------------------------------------------------------------------------------- */

struct walk {
	struct audit_item item;
	struct chain *chain;
	int (*fn)(const struct audit_item *item, void *arg); /* or NULL */
	void *arg;
};

static int on_line(const char *data, size_t len, void *arg)
{
	struct walk *w = arg;
	int r = 0;

	w->item.line++;
	w->item.entry = NULL;
	w->item.seq = 0;
	w->item.intact = false;
	chain_line(w->chain, &w->item, data, len);
	if (w->fn)
		r = w->fn(&w->item, w->arg);
	json_decref((json_t *)w->item.entry);
	return r;
}

static int count_line(const char *data, size_t len, void *arg)
{
	++*(uint64_t *)arg;
	return 0;
}

/*
 * Is the writer in the middle of that line? It holds a lock on the file while it writes one: when we
 * get it the line has its end, or never will.
 */
static int wait_for_writer(int fd, uint64_t seen, uint64_t *torn)
{
	uint64_t lines = 0, ignored;
	int r;

	if (flock(fd, LOCK_SH) < 0)
		return -errno;
	flock(fd, LOCK_UN);
	r = trail_lines(fd, count_line, &lines, &ignored);
	if (lines > seen)
		*torn = 0;
	return r;
}

static int walk_file(struct walk *w, const struct file *f, bool is_last)
{
	uint64_t torn = 0;
	int r;

	w->item = (struct audit_item) { .file = f->name };
	r = trail_lines(f->fd, on_line, w, &torn);
	if (r == 0 && torn && is_last)
		r = wait_for_writer(f->fd, w->item.line, &torn);
	if (r == 0 && torn) {
		w->item.line++;
		chain_torn(w->chain, &w->item, torn);
	}
	return r;
}

static int walk(struct walk *w, int dir, struct audit_verdict *verdict)
{
	struct snapshot s = { 0 };
	const struct file *f;
	int r = -EAGAIN;

	for (int i = 0; r == -EAGAIN && i < TRIES_MAX; i++)
		r = take_snapshot(&s, dir);
	if (r < 0)
		return r;
	f = s.files.data;
	for (size_t i = 0; r == 0 && i < s.files.n; i++)
		r = walk_file(w, &f[i], i + 1 == s.files.n);
	verdict->files = s.files.n;
	snapshot_done(&s);
	return r;
}

static int open_dir(const char *path, int *ret_fd, struct bh_err *err)
{
	char shown[BH_ERR_MAX / 2];
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return bh_err_errno(err, -errno, "cannot read the audit trail in %s",
				    bh_escape_str(shown, sizeof(shown), path));
	*ret_fd = fd;
	return 0;
}

static int done(int r, const char *path, struct bh_err *err)
{
	char shown[BH_ERR_MAX / 2];

	return r < 0 ? bh_err_errno(err, r, "cannot read the audit trail in %s",
				    bh_escape_str(shown, sizeof(shown), path))
		     : r;
}

int audit_read(const char *dir, int (*fn)(const struct audit_item *item, void *arg), void *arg,
	       struct bh_err *err)
{
	const char *path = dir ? dir : BH_STORE_DIR;
	bh_autoclose int fd = -1;
	struct chain chain;
	struct walk w = { .chain = &chain, .fn = fn, .arg = arg };
	int r = open_dir(path, &fd, err);

	if (r < 0)
		return r;
	chain_init(&chain, NULL, NULL);
	r = walk(&w, fd, &chain.verdict);
	if (r == 0 && chain.verdict.files == 0)
		r = -ENOENT;
	return done(r, path, err);
}

/* The head is read before and after: what is appended meanwhile is no contradiction. */
static int verify(struct chain *chain, int dir)
{
	struct walk w = { .chain = chain };
	struct audit_head after;
	int r;

	chain->ran = trail_knows_run(dir);
	r = trail_read_head(dir, &chain->head);
	if (r >= 0)
		r = walk(&w, dir, &chain->verdict);
	if (r >= 0)
		r = trail_read_head(dir, &after);
	if (r >= 0 && chain->verdict.files == 0 && !chain->head.seq && !chain->head.bad)
		r = -ENOENT;
	if (r >= 0)
		chain_end(chain, &after);
	return r;
}

int audit_verify(const char *dir, void (*fn)(const struct audit_finding *finding, void *arg),
		 void *arg, struct audit_verdict *ret, struct bh_err *err)
{
	const char *path = dir ? dir : BH_STORE_DIR;
	bh_autoclose int fd = -1;
	struct chain chain;
	int r = open_dir(path, &fd, err);

	if (r < 0)
		return r;
	chain_init(&chain, fn, arg);
	r = verify(&chain, fd);
	if (r >= 0)
		*ret = chain.verdict;
	return done(r, path, err);
}
