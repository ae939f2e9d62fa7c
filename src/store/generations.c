/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/store/generations.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>
#include <bulkhead/sys/files.h>

#include "entry.h"
#include "genfile.h"

#define DEFAULT_DIR BH_STORE_DIR "/generations"
/* Somebody else's files are looked at, up to here. */
#define LISTED_MAX (4 * BH_GENERATIONS_MAX)

struct teller {
	void (*fn)(const char *text, void *arg);
	void *arg;
};

__attribute__((format(printf, 2, 3))) static void tell(const struct teller *t, const char *fmt, ...)
{
	char text[BH_ERR_MAX];
	va_list ap;

	if (!t->fn)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	t->fn(text, t->arg);
}

int genfile_open_dir(const char *dir, bool make, int *ret_fd, struct bh_err *err)
{
	if (make && !dir) {
		bh_autoclose int parent = -1;
		int r = files_open_dir(BH_STORE_DIR, 0700, &parent, err);

		if (r < 0)
			return r;
	}
	return files_open_dir(dir ? dir : DEFAULT_DIR, make ? 0700 : 0, ret_fd, err);
}

/* --- listing --------------------------------------------------------------------------------- */

static int read_info(int dir, const char *name, char *line, struct generation_info *ret)
{
	bh_autoclose int fd =
		openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;
	char *newline;
	ssize_t n;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	n = S_ISREG(st.st_mode) ? pread(fd, line, BH_GENERATION_HEAD_MAX, 0) : 0;
	newline = n > 0 ? memchr(line, '\n', (size_t)n) : NULL;
	r = newline ? genfile_read_head(line, (size_t)(newline - line), ret) : -EBADMSG;
	if (r < 0)
		return r;
	memcpy(ret->id, name, strlen(name) + 1); /* genfile_is_id() */
	ret->bytes = (size_t)st.st_size;
	return strncmp(name, ret->digest, DIGEST_HEX - 1) == 0 ? 0 : -EBADMSG;
}

static int add_info(struct bh_vec *v, const struct generation_info *info)
{
	struct generation_info *slot = bh_vec_push(v);

	if (!slot)
		return v->n == v->max ? -E2BIG : -ENOMEM;
	*slot = *info;
	return 0;
}

static int info_cmp(const void *a, const void *b)
{
	const struct generation_info *x = a, *y = b;

	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	return strcmp(x->id, y->id);
}

static int list_entries(int dir, DIR *d, struct bh_vec *v, const struct teller *t)
{
	bh_autofree char *line = malloc(BH_GENERATION_HEAD_MAX);
	struct generation_info info = { 0 };
	struct dirent *e;
	int r = line ? 0 : -ENOMEM;

	while (r >= 0 && (errno = 0, e = readdir(d)) != NULL) {
		int bad;

		if (!genfile_is_id(e->d_name))
			continue;
		bad = read_info(dir, e->d_name, line, &info);
		if (bad == -ENOENT) /* removed meanwhile */
			continue;
		if (bad < 0)
			tell(t, "generation %s cannot be read: %s", e->d_name,
			     bad == -EBADMSG ? "it was altered" : strerrordesc_np(-bad));
		else
			r = add_info(v, &info);
	}
	return r < 0 ? r : -errno;
}

static int list(int dir, struct bh_vec *v, const struct teller *t)
{
	bh_autoclose int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	int r;

	bh_vec_init(v, sizeof(struct generation_info), LISTED_MAX);
	if (!d)
		return -errno;
	BH_STEAL_FD(fd);
	r = list_entries(dir, d, v, t);
	closedir(d);
	if (r < 0)
		bh_vec_done(v);
	else if (v->n)
		qsort(v->data, v->n, sizeof(struct generation_info), info_cmp);
	return r;
}

int generations_list(const char *dir, struct generation_info **ret, size_t *ret_n,
		     void (*notice)(const char *text, void *arg), void *arg, struct bh_err *err)
{
	const struct teller t = { notice, arg };
	bh_autoclose int fd = -1;
	struct bh_vec v = { 0 };
	int r = genfile_open_dir(dir, false, &fd, err);

	if (r == -ENOENT) {
		*err = (struct bh_err)BH_ERR_INIT;
	} else if (r >= 0) {
		r = list(fd, &v, &t);
		if (r < 0)
			bh_err_errno(err, r, "cannot list the generations");
	}
	if (r < 0 && r != -ENOENT)
		return r;
	*ret = v.data;
	*ret_n = v.n;
	return 0;
}

/* --- finding and loading --------------------------------------------------------------------- */

static int pick(const struct generation_info *g, size_t n, const char *name,
		struct generation_info *ret, struct bh_err *err)
{
	const struct generation_info *found = NULL;

	for (size_t i = 0; i < n; i++) {
		if (strncmp(g[i].id, name, strlen(name)) != 0)
			continue;
		if (found && strcmp(found->digest, g[i].digest) != 0)
			return bh_err_set(err, -ENOTUNIQ, "several generations begin with %s",
					  name);
		found = &g[i]; /* the newest is the last */
	}
	if (!found)
		return bh_err_set(err, -ENOENT, "no generation that is kept begins with %s", name);
	*ret = *found;
	return 0;
}

int generations_find(const char *dir, const char *name, struct generation_info *ret,
		     struct bh_err *err)
{
	bh_autofree struct generation_info *g = NULL;
	size_t len = strlen(name), n;
	int r;

	if (len < GENERATION_PREFIX_MIN || len >= GENERATION_ID_MAX ||
	    strspn(name, "0123456789abcdef-") != len)
		return bh_err_set(err, -EINVAL,
				  "a generation is named by the first 8 or more hex digits of it");
	r = generations_list(dir, &g, &n, NULL, NULL, err);
	return r < 0 ? r : pick(g, n, name, ret, err);
}

static int load(int dir, const char *id, struct generation **ret)
{
	bh_autofree char *data = NULL;
	struct generation *g;
	size_t len;
	int r = files_read(dir, id, BH_GENERATION_BYTES_MAX, &data, &len);

	if (r >= 0)
		r = genfile_read(data, len, &g);
	if (r < 0)
		return r == -EFBIG ? -EBADMSG : r;
	BH_STEAL_PTR(data);
	if (strcmp(g->info.id, id) != 0) {
		generation_free(g);
		return -EBADMSG;
	}
	*ret = g;
	return 0;
}

int generations_load(const char *dir, const char *id, struct generation **ret, struct bh_err *err)
{
	bh_autoclose int fd = -1;
	int r;

	if (!genfile_is_id(id))
		return bh_err_set(err, -EINVAL, "that is not the id of a generation");
	r = genfile_open_dir(dir, false, &fd, err);
	if (r < 0)
		return r;
	r = load(fd, id, ret);
	if (r == -EBADMSG)
		return bh_err_set(err, r,
				  "generation %.12s was altered: its bytes are not those of its "
				  "digest",
				  id);
	return r < 0 ? bh_err_errno(err, r, "cannot read generation %.12s", id) : 0;
}

/* --- keeping --------------------------------------------------------------------------------- */

static int remove_oldest(int dir, const struct generation_info *g, const struct teller *t)
{
	char when[BH_TIME_STR];

	if (unlinkat(dir, g->id, 0) < 0 && errno != ENOENT)
		return -errno;
	tell(t, "generation %.12s of %s is not kept any longer: there are newer ones enough", g->id,
	     bh_format_time(when, g->when));
	return 0;
}

/* V is what was there before ID was written. */
static int make_room(int dir, const struct bh_vec *v, const char *id, size_t bytes,
		     const struct generation_keeper *k, const struct teller *t)
{
	size_t n = 1, total = bytes, removed = 0, max = k->keep ? k->keep : BH_GENERATIONS_DEFAULT;
	const struct generation_info *g = v->data;
	int r = 0;

	for (size_t i = v->n; r >= 0 && i-- > 0;) {
		if (strcmp(g[i].id, id) == 0)
			continue;
		total += g[i].bytes;
		if ((++n <= max && total <= BH_GENERATIONS_BYTES_MAX) ||
		    (k->spare && strcmp(g[i].id, k->spare) == 0))
			continue;
		r = remove_oldest(dir, &g[i], t);
		total -= g[i].bytes;
		n--;
		removed++;
	}
	return r >= 0 && removed ? files_sync(dir) : r;
}

static bool is_newest(const struct bh_vec *v, const char *id)
{
	const struct generation_info *g = v->data;

	return v->n && strcmp(g[v->n - 1].id, id) == 0;
}

static uint64_t next_number(const struct bh_vec *v)
{
	const struct generation_info *g = v->data;

	return v->n ? g[v->n - 1].number + 1 : 1;
}

static int64_t now_usec(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * INT64_C(1000000) + ts.tv_nsec / 1000;
}

static int keep(int dir, const struct policy_source *files, size_t n,
		const struct policy_source *host, const struct generation_keeper *k,
		struct generation_info *info, const struct teller *t)
{
	struct bh_vec v;
	struct bh_buf b;
	int r = list(dir, &v, t);

	if (r < 0)
		return r;
	info->number = next_number(&v);
	bh_buf_init(&b, BH_GENERATION_BYTES_MAX);
	r = genfile_write(files, n, host, info, &b);
	if (r >= 0 && !(k->once && is_newest(&v, info->id)))
		r = files_write(dir, info->id, b.data, b.len, 0600);
	if (r >= 0)
		r = make_room(dir, &v, info->id, b.len, k, t);
	bh_buf_done(&b);
	bh_vec_done(&v);
	return r;
}

int generations_keep(const char *dir, const struct policy_source *files, size_t n,
		     const struct policy_source *host, const struct generation_keeper *keeper,
		     void (*notice)(const char *text, void *arg), void *arg,
		     char ret_id[GENERATION_ID_MAX], struct bh_err *err)
{
	const struct teller t = { notice, arg };
	struct generation_info info = { .when = keeper->when ? keeper->when : now_usec(),
					.uid = keeper->uid };
	bh_autoclose int fd = -1;
	int r;

	store_tame(info.name, sizeof(info.name), keeper->name);
	r = genfile_open_dir(dir, true, &fd, err);
	if (r < 0)
		return r;
	r = keep(fd, files, n, host, keeper, &info, &t);
	if (r < 0)
		return bh_err_errno(err, r, "cannot keep the generation");
	if (ret_id)
		memcpy(ret_id, info.id, GENERATION_ID_MAX);
	return 0;
}
