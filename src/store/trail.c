/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trail.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>
#include <bulkhead/store/runs.h>
#include <bulkhead/sys/files.h>

#define BLOCK    (64u << 10)
#define HEAD_MAX 1024

/* --- names ----------------------------------------------------------------------------------- */

const char *trail_name(char out[TRAIL_NAME_MAX], uint64_t n)
{
	snprintf(out, TRAIL_NAME_MAX, "audit.%" PRIu64 ".jsonl", n);
	return out;
}

/* Only as we write it: no leading zeros, or one number would have two files. 0: it is none. */
static uint64_t number_of(const char *name)
{
	char digits[24], again[TRAIL_NAME_MAX];
	size_t n;
	uint64_t ret;

	if (strncmp(name, "audit.", 6) != 0)
		return 0;
	n = strspn(name + 6, "0123456789");
	if (n == 0 || n >= sizeof(digits))
		return 0;
	memcpy(digits, name + 6, n);
	digits[n] = '\0';
	if (bh_parse_u64(digits, 1, INT64_MAX, &ret) < 0 ||
	    strcmp(trail_name(again, ret), name) != 0)
		return 0;
	return ret;
}

static int number_cmp(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int add_number(struct bh_vec *v, uint64_t n)
{
	uint64_t *slot = bh_vec_push(v);

	if (!slot)
		return v->n == v->max ? -E2BIG : -ENOMEM;
	*slot = n;
	return 0;
}

int trail_list(int dir, struct bh_vec *ret)
{
	bh_autoclose int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	int r = 0;

	if (!d)
		return -errno;
	BH_STEAL_FD(fd);
	while (r >= 0 && (errno = 0, e = readdir(d)) != NULL)
		if (number_of(e->d_name))
			r = add_number(ret, number_of(e->d_name));
	if (r >= 0 && errno)
		r = -errno;
	closedir(d);
	if (r >= 0 && ret->n)
		qsort(ret->data, ret->n, sizeof(uint64_t), number_cmp);
	return r;
}

/* --- the head -------------------------------------------------------------------------------- */

static bool parse_head(const char *data, size_t len, struct audit_head *ret)
{
	json_t *o = json_loadb(data, len, JSON_REJECT_DUPLICATES, NULL);
	const char *hash;
	json_int_t seq;
	bool good = json_unpack(o, "{s:I, s:s!}", "seq", &seq, "hash", &hash) == 0 && seq > 0 &&
		    seq <= AUDIT_SEQ_MAX && is_digest(hash);

	if (good) {
		ret->seq = seq;
		memcpy(ret->hash, hash, sizeof(ret->hash));
	}
	json_decref(o);
	return good;
}

int trail_read_head(int dir, struct audit_head *ret)
{
	bh_autofree char *data = NULL;
	size_t len;
	int r = files_read(dir, TRAIL_HEAD, HEAD_MAX, &data, &len);

	*ret = (struct audit_head) { 0 };
	if (r == -ENOENT)
		return 0;
	if (r == -ENOMEM || r == -EACCES || r == -EIO)
		return r;
	ret->bad = r < 0 || !parse_head(data, len, ret);
	return 0;
}

int trail_write_head(int dir, const struct audit_head *head)
{
	char text[256];
	int n = snprintf(text, sizeof(text), "{\"hash\":\"%s\",\"seq\":%" PRId64 "}\n", head->hash,
			 head->seq);

	return files_write(dir, TRAIL_HEAD, text, (size_t)n, 0600);
}

bool trail_knows_run(int dir)
{
	return faccessat(dir, RUNS_FILE, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* --- reading --------------------------------------------------------------------------------- */

int trail_open_file(int dir, const char *name)
{
	bh_autoclose int fd =
		openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	return S_ISREG(st.st_mode) ? BH_STEAL_FD(fd) : -EINVAL;
}

static ssize_t read_some(int fd, void *data, size_t len, uint64_t offset)
{
	ssize_t n;

	do {
		n = pread(fd, data, len, (off_t)offset);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

int trail_line_start(int fd, uint64_t end, uint64_t *ret)
{
	char block[4096];

	while (end > 0) {
		size_t want = end < sizeof(block) ? (size_t)end : sizeof(block);
		ssize_t n = read_some(fd, block, want, end - want);
		const char *newline;

		if (n < 0)
			return (int)n;
		if ((size_t)n < want) /* it became shorter under our hands */
			return -EAGAIN;
		newline = memrchr(block, '\n', want);
		end -= want;
		if (newline) {
			*ret = end + (size_t)(newline - block) + 1;
			return 0;
		}
	}
	*ret = 0;
	return 0;
}

/* A line that may go on; no more of it is kept than what shows that it is too long. */
struct line {
	struct bh_buf b;
	uint64_t len;
	int (*fn)(const char *data, size_t len, void *arg);
	void *arg;
};

static int add(struct line *l, const char *data, size_t len)
{
	size_t room = BH_AUDIT_LINE_MAX + 1 - l->b.len;

	l->len += len;
	return bh_buf_add(&l->b, data, len < room ? len : room);
}

static int cut_lines(struct line *l, const char *data, size_t len)
{
	while (len) {
		const char *newline = memchr(data, '\n', len);
		size_t n = newline ? (size_t)(newline - data) : len;
		int r = add(l, data, n);

		if (r < 0 || !newline)
			return r;
		r = l->fn(bh_buf_str(&l->b), l->b.len, l->arg);
		if (r != 0)
			return r;
		bh_buf_reset(&l->b);
		l->len = 0;
		data += n + 1;
		len -= n + 1;
	}
	return 0;
}

int trail_lines(int fd, int (*fn)(const char *data, size_t len, void *arg), void *arg,
		uint64_t *ret_torn)
{
	bh_autofree char *block = malloc(BLOCK);
	struct line l = { .fn = fn, .arg = arg };
	uint64_t offset = 0;
	ssize_t n = 0;
	int r = block ? 0 : -ENOMEM;

	bh_buf_init(&l.b, BH_AUDIT_LINE_MAX + 1);
	while (r == 0 && (n = read_some(fd, block, BLOCK, offset)) > 0) {
		r = cut_lines(&l, block, (size_t)n);
		offset += (size_t)n;
	}
	*ret_torn = l.len;
	bh_buf_done(&l.b);
	return r != 0 ? r : (int)n;
}
