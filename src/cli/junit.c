/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "junit.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/text.h>

#include "cli.h"

static void add_entity(struct bh_buf *out, char c)
{
	static const struct {
		char c;
		const char *entity;
	} entities[] = {
		{ '&', "&amp;" },  { '<', "&lt;" },    { '>', "&gt;" },
		{ '"', "&quot;" }, { '\'', "&apos;" },
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(entities); i++)
		if (entities[i].c == c) {
			bh_buf_addstr(out, entities[i].entity);
			return;
		}
	bh_buf_add(out, &c, 1);
}

void junit_attribute(struct bh_buf *out, const char *name, const char *text)
{
	struct bh_buf tame;

	bh_buf_init(&tame, 1 << 20);
	bh_tame(&tame, text, strlen(text));
	bh_buf_addf(out, " %s=\"", name);
	for (const char *p = bh_buf_str(&tame); *p; p++)
		add_entity(out, *p);
	bh_buf_addstr(out, "\"");
	if (bh_buf_error(&tame))
		out->error = bh_buf_error(&tame);
	bh_buf_done(&tame);
}

int junit_write(const struct bh_buf *xml, const char *path, const char *verb)
{
	bool to_stdout = strcmp(path, "-") == 0, bad;
	int r = bh_buf_error(xml);
	FILE *f = r ? NULL : to_stdout ? stdout : fopen(path, "we");

	if (!f)
		return cli_fail(CLI_FAILED, "%s: %s: %s", verb, path, strerror(r ? -r : errno));
	bad = fwrite(bh_buf_str(xml), 1, xml->len, f) != xml->len;
	if ((to_stdout ? fflush(f) : fclose(f)) != 0 || bad)
		return cli_fail(CLI_FAILED, "%s: %s: cannot write it", verb, path);
	return CLI_YES;
}
