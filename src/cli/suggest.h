/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_SUGGEST_H
#define CLI_SUGGEST_H

#include <bulkhead/advise/advise.h>

/* Print what was found: the diff on stdout, everything else on stderr. An exit code. */
int suggest_print(const struct advice *a);
/* All of it as one JSON object on stdout. */
int suggest_print_json(const struct advice *a);

#endif
