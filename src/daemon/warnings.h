/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_WARNINGS_H
#define DAEMON_WARNINGS_H

#include <stdbool.h>
#include <stddef.h>

#include <bulkhead/model/diag.h>

/*
 * What looks at the endpoints warn of: an address that two claim, a container that cannot be read. Each
 * is told when it begins, and status has it as long as it lasts. At most BH_WARNINGS_MAX; of more than
 * those it is known that there are more.
 */
struct warnings;

struct warnings *warnings_new(void); /* NULL: out of memory */
void warnings_free(struct warnings *w);

/*
 * A look has found DIAGS. WHOLE: at everything, so what it does not warn of is over; else only what
 * comes is of account. TELL gets each that is new.
 */
void warnings_take(struct warnings *w, const struct diag_list *diags, bool whole,
		   void (*tell)(const char *line, void *arg), void *arg);

/* All of them. */
void warnings_each(const struct warnings *w, void (*fn)(const char *line, void *arg), void *arg);

#endif
