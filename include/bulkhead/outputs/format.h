/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_OUTPUTS_FORMAT_H
#define BULKHEAD_OUTPUTS_FORMAT_H

#include <bulkhead/base/buf.h>
#include <bulkhead/model/host.h>
#include <bulkhead/model/record.h>
#include <bulkhead/model/signal.h>

/*
 * One line each, newline included; 0, -ENOMEM, or -EFBIG over OUT's maximum. Hostile text is escaped where
 * it is no UTF-8, in `text` for a terminal as well. Fields and their sources: docs/outputs.md.
 *   json  bulkhead.flow/1 and bulkhead.signal/1
 *   ocsf  OCSF Network Activity (4001), signals as Detection Finding (2004)
 *   ecs   Elastic Common Schema
 *   text  what `bulkhead denied` shows
 */
int output_format_record(enum output_format f, const struct flow_record *r, struct bh_buf *out);
int output_format_signal(enum output_format f, const struct flow_signal *s, struct bh_buf *out);

const char *output_format_name(enum output_format f);
/* -EINVAL: NAME is none of json, ocsf, ecs, text. */
int output_format_parse(const char *name, enum output_format *ret);

#endif
