/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_DAEMONJSON_H
#define CLI_DAEMONJSON_H

#include <stdbool.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/base/err.h>

/* Docker's daemon.json: text in, text out. Errors are -EINVAL with a place where there is one. */

#define DAEMONJSON_RUNTIME "bulkhead"

struct daemonjson_runtime {
	const char *path;
	const char *const *args; /* NULL at the end */
	bool as_default;
};

/* TEXT, "" for none, with our runtime. One of that name that is not ours is an error. */
int daemonjson_install(struct bh_buf *text, const struct daemonjson_runtime *rt,
		       struct bh_err *err);

/*
 * TEXT without it. BEFORE is what the file was before the first install, NULL: there was none. When nothing
 * else was changed since, TEXT becomes BEFORE, byte for byte, or "" for none.
 */
int daemonjson_uninstall(struct bh_buf *text, const char *before, struct bh_err *err);

/* Is our runtime in it? */
bool daemonjson_has_ours(const char *text, size_t len);

#endif
