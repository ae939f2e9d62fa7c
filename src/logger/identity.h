/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef LOGGER_IDENTITY_H
#define LOGGER_IDENTITY_H

#include "space_private.h"

/* Whose the namespace is, as far as the roster says now. What it said before stays otherwise. */
void identity_take(struct space *s);
/* Fill in what the record means: flow_explain(). */
void identity_explain(const struct space *s, struct flow_record *rec);

#endif
