/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef LOGGER_CALLS_H
#define LOGGER_CALLS_H

#include <bulkhead/base/err.h>

/* From here on only the system calls that the logger makes: privs_filter(). */
int calls_filter(struct bh_err *err);

#endif
