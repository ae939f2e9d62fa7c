/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef OUTPUTS_PARAMS_H
#define OUTPUTS_PARAMS_H

#include "facts.h"

/* The names and values that journald and syslog get: of each fact one flat word. */

/* NAME is of [a-z_], 32 at most; VALUE is raw text, NUL-terminated. A negative return ends it. */
typedef int param_fn(const char *name, const char *value, size_t len, void *arg);
int params_each(const struct facts *f, param_fn *fn, void *arg);

/* RFC 5424's severities, which are journald's priorities. */
int params_severity(const struct facts *f);

#endif
