/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/outputs/format.h>

#include <errno.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>

#include "formats.h"

static int text_record(const struct flow_record *r, struct bh_buf *out)
{
	return flow_record_text(r, out, false);
}

static int text_signal(const struct flow_signal *s, struct bh_buf *out)
{
	return flow_signal_text(s, out, false);
}

static const struct {
	const char *name;
	int (*record)(const struct flow_record *r, struct bh_buf *out);
	int (*signal)(const struct flow_signal *s, struct bh_buf *out);
} formats[] = {
	[OUTPUT_JSON] = { "json", flow_record_json, flow_signal_json },
	[OUTPUT_OCSF] = { "ocsf", ocsf_record, ocsf_signal },
	[OUTPUT_ECS] = { "ecs", ecs_record, ecs_signal },
	[OUTPUT_TEXT] = { "text", text_record, text_signal },
};

int output_format_record(enum output_format f, const struct flow_record *r, struct bh_buf *out)
{
	return formats[f].record(r, out);
}

int output_format_signal(enum output_format f, const struct flow_signal *s, struct bh_buf *out)
{
	return formats[f].signal(s, out);
}

const char *output_format_name(enum output_format f)
{
	return formats[f].name;
}

int output_format_parse(const char *name, enum output_format *ret)
{
	for (size_t i = 0; i < BH_ARRAY_SIZE(formats); i++) {
		if (strcmp(formats[i].name, name) != 0)
			continue;
		*ret = (enum output_format)i;
		return 0;
	}
	return -EINVAL;
}
