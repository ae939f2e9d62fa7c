/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/sys/files.h>

/* A file of lines: S->fd is open for appending, S->dir is the directory that it is in. */

static const char *name_of(const struct sink *s)
{
	return strrchr(s->path, '/') + 1;
}

/* --- opening ---------------------------------------------------------------------------------- */

static int open_dir(struct sink *s)
{
	size_t len = (size_t)(name_of(s) - s->path);
	bh_autofree char *dir = strndup(s->path, len > 1 ? len - 1 : len);

	if (!dir)
		return -ENOMEM;
	return s->dir >= 0 ? 0 : files_open_dir(dir, 0, &s->dir, NULL);
}

static bool ends_in_a_line(int fd, uint64_t size)
{
	char last;

	return size == 0 || pread(fd, &last, 1, (off_t)size - 1) != 1 || last == '\n';
}

static int open_file(struct sink *s)
{
	bh_autoclose int fd = -1;
	struct stat st;
	int r = open_dir(s);

	if (r < 0)
		return r;
	fd = openat(s->dir, name_of(s),
		    O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
		    0640);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	s->size = (uint64_t)st.st_size;
	s->torn = !ends_in_a_line(fd, s->size);
	s->fd = BH_STEAL_FD(fd);
	return 0;
}

static void close_file(struct sink *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

static void file_close(struct sink *s)
{
	close_file(s);
	if (s->dir >= 0)
		close(s->dir);
	s->dir = -1;
}

/* Is what stands there by the name the file that is open? Somebody may have made it shorter, too. */
static bool still_there(struct sink *s)
{
	struct stat st;

	if (fstatat(s->dir, name_of(s), &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_dev != s->dev ||
	    st.st_ino != s->ino)
		return false;
	s->size = (uint64_t)st.st_size;
	return true;
}

/* Once in a while: logrotate moves files away and cuts them off, and tells nobody. */
static int file_look(struct sink *s, bool force)
{
	int64_t now = sink_now(s);

	if (s->fd >= 0 && !force && now - s->looked < BH_OUTPUT_LOOK_MS * 1000LL)
		return 0;
	s->looked = now;
	if (s->fd >= 0 && still_there(s))
		return 0;
	close_file(s);
	return open_file(s);
}

/* --- rotation ----------------------------------------------------------------------------------- */

static int numbered(const struct sink *s, char out[NAME_MAX + 1], unsigned n)
{
	int len = n ? snprintf(out, NAME_MAX + 1, "%s.%u", name_of(s), n)
		    : snprintf(out, NAME_MAX + 1, "%s", name_of(s));

	return len > NAME_MAX ? -ENAMETOOLONG : 0;
}

static bool is_free(const struct sink *s, unsigned n)
{
	char name[NAME_MAX + 1];
	struct stat st;

	return numbered(s, name, n) >= 0 && fstatat(s->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 &&
	       errno == ENOENT;
}

/* NAME.n-1 to NAME.n; 0 is NAME itself. */
static int shift(struct sink *s, unsigned n)
{
	char from[NAME_MAX + 1], to[NAME_MAX + 1];
	int r = numbered(s, from, n - 1);

	if (r >= 0)
		r = numbered(s, to, n);
	return r < 0 ? r : files_rename(s->dir, from, to);
}

/* All move up by one, from the first free number on; when there is none, the oldest goes. */
static int rotate(struct sink *s)
{
	unsigned n = 1;
	int r = 0;

	while (n < s->cfg.rotate_keep && !is_free(s, n))
		n++;
	for (; r >= 0 && n > 0; n--)
		r = shift(s, n);
	if (r < 0)
		return r;
	close_file(s);
	return open_file(s);
}

static bool is_full(const struct sink *s, size_t len)
{
	return s->cfg.rotate_megabytes && s->size &&
	       s->size + len > (uint64_t)s->cfg.rotate_megabytes << 20;
}

static int make_room(struct sink *s, size_t len)
{
	int r;

	if (!is_full(s, len))
		return 0;
	/* Somebody else may just have done it. */
	r = file_look(s, true);
	return r < 0 || !is_full(s, len) ? r : rotate(s);
}

/* --- writing ------------------------------------------------------------------------------------- */

/* A beginning of a line was written: take it back. What cannot be taken back is ended by a newline. */
static int take_back(struct sink *s, size_t written)
{
	struct stat st;

	if (fstat(s->fd, &st) < 0 || (size_t)st.st_size < written ||
	    ftruncate(s->fd, st.st_size - (off_t)written) < 0)
		s->torn = true;
	return -ENOSPC;
}

/* As one write(2): whole, or not there. */
static int write_whole(struct sink *s, const char *data, size_t len)
{
	ssize_t n;

	do {
		n = write(s->fd, data, len);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if ((size_t)n < len)
		return take_back(s, (size_t)n);
	s->size += len;
	return 0;
}

static int end_torn_line(struct sink *s)
{
	int r = s->torn ? write_whole(s, "\n", 1) : 0;

	if (r >= 0)
		s->torn = false;
	return r;
}

static int file_put(struct sink *s, const struct message *m)
{
	int r = file_look(s, false);

	if (r >= 0)
		r = make_room(s, m->len);
	if (r >= 0)
		r = end_torn_line(s);
	return r < 0 ? r : write_whole(s, m->line, m->len);
}

const struct sink_ops file_ops = { .put = file_put, .look = file_look, .close = file_close };
