/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef OUTPUTS_FORMATS_H
#define OUTPUTS_FORMATS_H

#include <bulkhead/outputs/format.h>

/* One line each; as output_format_record() and output_format_signal() return. */
int ocsf_record(const struct flow_record *r, struct bh_buf *out);
int ocsf_signal(const struct flow_signal *s, struct bh_buf *out);
int ecs_record(const struct flow_record *r, struct bh_buf *out);
int ecs_signal(const struct flow_signal *s, struct bh_buf *out);

#endif
