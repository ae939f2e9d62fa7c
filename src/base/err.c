/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/base/err.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int bh_err_set(struct bh_err *err, int r, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return r;
	va_start(ap, fmt);
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	return r;
}

int bh_err_errno(struct bh_err *err, int r, const char *fmt, ...)
{
	va_list ap;
	size_t len;

	if (!err)
		return r;
	va_start(ap, fmt);
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	len = strlen(err->msg);
	snprintf(err->msg + len, sizeof(err->msg) - len, ": %s", strerror(-r));
	return r;
}

int bh_err_prefix(struct bh_err *err, int r, const char *fmt, ...)
{
	char context[BH_ERR_MAX];
	size_t len, keep;
	va_list ap;

	if (!err)
		return r;
	va_start(ap, fmt);
	vsnprintf(context, sizeof(context), fmt, ap);
	va_end(ap);
	if (err->msg[0])
		strncat(context, ": ", sizeof(context) - strlen(context) - 1);
	len = strlen(context);
	keep = strlen(err->msg);
	if (keep > sizeof(err->msg) - 1 - len)
		keep = sizeof(err->msg) - 1 - len;
	memmove(err->msg + len, err->msg, keep);
	memcpy(err->msg, context, len);
	err->msg[len + keep] = '\0';
	return r;
}

int bh_err_oom(struct bh_err *err)
{
	return bh_err_set(err, -ENOMEM, "out of memory");
}
