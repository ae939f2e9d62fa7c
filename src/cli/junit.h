/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_JUNIT_H
#define CLI_JUNIT_H

#include <bulkhead/base/buf.h>

/* JUnit XML, as pipelines read it. */

/* ` NAME="TEXT"`: tamed first, since XML has no way to write most control characters. */
void junit_attribute(struct bh_buf *out, const char *name, const char *text);

/* Write it (- is stdout). CLI_YES, or the exit code after the reason was printed. */
int junit_write(const struct bh_buf *xml, const char *path, const char *verb);

#endif
