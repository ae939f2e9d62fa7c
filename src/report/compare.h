/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef REPORT_COMPARE_H
#define REPORT_COMPARE_H

#include "facts.h"

/* Pieces of report_compare(). A part is {"title", "lines"}. */

/* LINES, taken over, as a part of PARTS, when there are any. */
void compare_add(json_t *parts, const char *title, json_t *lines);
/* What a flow is known by; a new reference. */
json_t *compare_flow_line(const json_t *flow);
/* Findings and reasons not to assess that came, went, or of which something else is said. */
void compare_judged(json_t *parts, const json_t *now, const json_t *before);
/* Flows of both of which something else is said. */
void compare_said(json_t *parts, const json_t *now, const json_t *before);

#endif
