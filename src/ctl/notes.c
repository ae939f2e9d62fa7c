/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/ctl/notes.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>
#include <bulkhead/sys/files.h>

/* Not in the socket's own directory: a service manager may take that away with the daemon. */
int ctl_notes_path(const char *socket, char out[PATH_MAX], struct bh_err *err)
{
	const char *slash = strrchr(socket, '/');
	int n = slash ? (int)(slash - socket) : 0;

	out[0] = '\0';
	if (n < 1 || snprintf(out, PATH_MAX, "%.*s.starts", n, socket) >= PATH_MAX)
		return bh_err_set(err, -EINVAL, "the socket has no directory of its own");
	return 0;
}

static int open_notes(const char *socket, mode_t mode, int *ret_fd, struct bh_err *err)
{
	char path[PATH_MAX];
	int r = ctl_notes_path(socket, path, err);

	return r < 0 ? r : files_open_dir(path, mode, ret_fd, err);
}

int ctl_notes_open(const char *socket, int *ret_fd, struct bh_err *err)
{
	return open_notes(socket, 0, ret_fd, err);
}

int ctl_note_leave(const char *socket, const char *name, const json_t *request, struct bh_err *err)
{
	bh_autofree char *text = json_dumps(request, JSON_COMPACT);
	bh_autoclose int dir = -1;
	int r = text ? 0 : bh_err_oom(err);

	if (text &&
	    strlen(text) >
		    BH_CTL_FRAME_MAX) /* as large as what would be sent; take() reads no more */
		return bh_err_set(err, -EMSGSIZE, "the request has more than %u bytes",
				  BH_CTL_FRAME_MAX);
	if (r >= 0)
		r = open_notes(socket, 0700, &dir, err);
	if (r < 0)
		return r;
	r = files_write(dir, name, text, strlen(text), 0600);
	return r < 0 ? bh_err_errno(err, r, "no word can be left for the daemon") : 0;
}

/* --- taking ----------------------------------------------------------------------------------- */

/* A file that is done with, as it was then: another of its name that has come meanwhile is not. */
struct done {
	char *name;
	ino_t ino;
	struct timespec ctim;
};

struct taking {
	int dir;
	const struct ctl_notes_taker *taker;
	struct done *done;
	size_t n, cap;
	int unread; /* why the first of those that may be read later was not, or 0 */
};

static void forget(struct taking *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->done[i].name);
	free(t->done);
}

static int reserve(struct taking *t)
{
	size_t cap = t->cap ? 2 * t->cap : 16;
	struct done *all = t->n < t->cap ? t->done : realloc(t->done, cap * sizeof(*all));

	if (!all)
		return -ENOMEM;
	t->cap = t->n < t->cap ? t->cap : cap;
	t->done = all;
	return 0;
}

/* Out of memory, it stays, and is done with the next time. */
static void remember(struct taking *t, const char *name, const struct stat *st)
{
	char *copy = reserve(t) < 0 ? NULL : strdup(name);

	if (copy)
		t->done[t->n++] = (struct done) { copy, st->st_ino, st->st_ctim };
}

static bool is_the_same(const struct taking *t, const struct done *d)
{
	struct stat st;

	return fstatat(t->dir, d->name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_ino == d->ino &&
	       st.st_ctim.tv_sec == d->ctim.tv_sec && st.st_ctim.tv_nsec == d->ctim.tv_nsec;
}

/* Not before what it said is kept elsewhere. */
static void remove_done(const struct taking *t)
{
	if (t->n && t->taker->kept && !t->taker->kept(t->taker->arg))
		return;
	for (size_t i = 0; i < t->n; i++)
		if (is_the_same(t, &t->done[i]))
			unlinkat(t->dir, t->done[i].name, 0);
}

/* What fails for want of something of ours may be had the next time. */
static bool is_passing(int r)
{
	return r == -EMFILE || r == -ENFILE || r == -ENOMEM || r == -EIO;
}

/* *RET NULL: it is none. */
static int read_request(int dir, const char *name, json_t **ret)
{
	bh_autofree char *text = NULL;
	json_error_t why;
	size_t len;
	int r = files_read(dir, name, BH_CTL_FRAME_MAX, &text, &len);

	*ret = NULL;
	if (r < 0)
		return is_passing(r) ? r : 0;
	*ret = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);
	return !*ret && json_error_code(&why) == json_error_out_of_memory ? -ENOMEM : 0;
}

/* One that cannot be read at all goes, too: nobody will make it better. */
static void take(struct taking *t, const char *name)
{
	json_t *request = NULL;
	struct stat st;
	int r;

	if (fstatat(t->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	r = read_request(t->dir, name, &request);
	if (r < 0)
		t->unread = t->unread ? t->unread : r;
	else if (!json_is_object(request) || t->taker->take(request, t->taker->arg))
		remember(t, name, &st);
	json_decref(request);
}

static bool is_note(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

/* Those that are left lie there for the next daemon. */
static int take_all(struct taking *t, DIR *all, struct bh_err *err)
{
	const struct dirent *e;
	size_t n = 0;

	while ((e = readdir(all))) {
		if (!is_note(e))
			continue;
		if (n++ == BH_CTL_NOTES_MAX)
			return bh_err_set(
				err, -E2BIG,
				"more than %d starts were in quarantine while no daemon ran: "
				"the last ones are not known; start those containers again",
				BH_CTL_NOTES_MAX);
		take(t, e->d_name);
	}
	return t->unread ? bh_err_errno(err, t->unread, "word of a start that was quarantined") : 0;
}

int ctl_notes_take(const char *socket, const struct ctl_notes_taker *taker, struct bh_err *err)
{
	struct taking t = { .taker = taker };
	int fd = -1;
	DIR *all;
	int r = open_notes(socket, 0, &fd, NULL);

	if (r == -ENOENT || r == -EINVAL)
		return 0;
	if (r < 0)
		return open_notes(socket, 0, &fd, err);
	all = fdopendir(fd);
	if (!all) {
		close(fd);
		return bh_err_oom(err);
	}
	t.dir = dirfd(all);
	r = take_all(&t, all, err);
	remove_done(&t);
	forget(&t);
	closedir(all);
	return r;
}
