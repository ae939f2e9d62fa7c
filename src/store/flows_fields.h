/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef STORE_FLOWS_FIELDS_H
#define STORE_FLOWS_FIELDS_H

#include "flows_match.h"

/* What can be grouped by: the value of a flow as a few bytes that are the same when it is the same. */

struct flows_token {
	uint64_t kind, a, b;
};

uint64_t flows_field_columns(enum flows_field f);
void flows_field_token(enum flows_field f, const struct flows_row *row, struct flows_texts *texts,
		       struct flows_token *ret);

/* The token as text, in OUT or where TEXTS have it. */
#define FLOWS_VALUE_STR 64
const char *flows_token_text(char out[FLOWS_VALUE_STR], const struct flows_token *t,
			     struct flows_texts *texts);

#endif
