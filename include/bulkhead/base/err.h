/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_BASE_ERR_H
#define BULKHEAD_BASE_ERR_H

/*
 * The error object: the last argument of every function that can fail for a reason a person
 * must read. Functions return 0 or -errno; the sentence travels here. The caller owns it,
 * initialises it with BH_ERR_INIT and may pass NULL when the sentence is of no use.
 */

#define BH_ERR_MAX 512

struct bh_err {
	char msg[BH_ERR_MAX]; /* NUL-terminated sentence without a final full stop; "" = none */
};

/* clang-format off */
#define BH_ERR_INIT { { 0 } }
/* clang-format on */

/* Set the sentence (truncated to BH_ERR_MAX - 1 bytes) and return R, a negative errno. */
int bh_err_set(struct bh_err *err, int r, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* As bh_err_set(), with ": " and strerror(-R) behind the sentence. */
int bh_err_errno(struct bh_err *err, int r, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Put "context: " before the sentence on the way up (who and where), and return R. */
int bh_err_prefix(struct bh_err *err, int r, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Out of memory, in one word: sets the sentence and returns -ENOMEM. */
int bh_err_oom(struct bh_err *err);

#endif
