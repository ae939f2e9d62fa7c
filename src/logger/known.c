/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "known.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/base/cleanup.h>
#include <bulkhead/sys/files.h>

#define NAME      "known-pairs"
#define MAGIC     "bulkhead pairs 1"
#define FILE_MODE 0640

struct header {
	char magic[16];
	uint8_t key[BH_SIGNAL_KEY_BYTES];
};

#define BYTES_MAX (sizeof(struct header) + BH_SIGNAL_PAIRS_MAX * sizeof(struct signals_known))

/* --- reading ----------------------------------------------------------------------------------- */

static int read_file(const struct logger *l, char **ret, size_t *ret_len)
{
	int r = files_read(l->store_dir, NAME, BYTES_MAX, ret, ret_len);

	if (r < 0)
		return r;
	if (*ret_len >= sizeof(struct header) && memcmp(*ret, MAGIC, strlen(MAGIC)) == 0 &&
	    (*ret_len - sizeof(struct header)) % sizeof(struct signals_known) == 0)
		return 0;
	free(*ret);
	*ret = NULL;
	return -EBADMSG;
}

static void tell_unread(struct logger *l, int r)
{
	char line[128];

	snprintf(line, sizeof(line),
		 "who was denied before is not known, and begun anew: " NAME ": %s", strerror(-r));
	logger_notice(line, l);
}

static int add_all(struct logger *l, const char *data, size_t len)
{
	for (size_t at = sizeof(struct header); at < len; at += sizeof(struct signals_known)) {
		struct signals_known k;
		int r;

		memcpy(&k, data + at, sizeof(k));
		r = signals_known_add(l->signals, &k);
		if (r < 0)
			return r;
	}
	return 0;
}

static int count(const struct signals_known *k, void *arg)
{
	++*(size_t *)arg;
	return 0;
}

int known_open(struct logger *l, struct signals_options *o, struct bh_err *err)
{
	bh_autofree char *data = NULL;
	size_t len = 0;
	int r = read_file(l, &data, &len);

	if (r < 0 && r != -ENOENT)
		tell_unread(l, r);
	if (data)
		memcpy(o->key, data + offsetof(struct header, key), sizeof(o->key));
	else if (getentropy(o->key, sizeof(o->key)) < 0)
		return bh_err_errno(err, -errno, "random numbers");
	memcpy(l->known_key, o->key, sizeof(l->known_key));
	o->kept = true;
	r = signals_new(o, &l->signals, err);
	if (r >= 0 && data && add_all(l, data, len) < 0)
		r = bh_err_oom(err);
	if (r >= 0) /* those are no news */
		signals_known_each(l->signals, &l->known_mark, count, &len);
	return r;
}

/* --- writing ----------------------------------------------------------------------------------- */

static int put(const struct signals_known *k, void *arg)
{
	return bh_buf_add(arg, k, sizeof(*k));
}

static int write_all(struct logger *l)
{
	struct header h = { .magic = MAGIC };
	uint64_t from_the_first = 0;
	struct bh_buf b;
	int r;

	memcpy(h.key, l->known_key, sizeof(h.key));
	bh_buf_init(&b, BYTES_MAX);
	r = bh_buf_add(&b, &h, sizeof(h));
	if (r >= 0)
		r = signals_known_each(l->signals, &from_the_first, put, &b);
	if (r >= 0)
		r = files_write(l->store_dir, NAME, b.data, b.len, FILE_MODE);
	bh_buf_done(&b);
	return r;
}

void known_save(struct logger *l)
{
	uint64_t mark = l->known_mark;
	char line[128];
	size_t n = 0;
	int r;

	if (!l->signals)
		return;
	signals_known_each(l->signals, &mark, count, &n);
	if (n == 0)
		return;
	r = write_all(l);
	if (r >= 0)
		l->known_mark = mark;
	if (r < 0 && !l->known_failed) {
		snprintf(line, sizeof(line), "who was denied before cannot be kept: " NAME ": %s",
			 strerror(-r));
		logger_notice(line, l);
	}
	l->known_failed = r < 0;
}
