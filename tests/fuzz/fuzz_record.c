/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/model/record.h>

/*
 * One line of JSON that says to be a record. Beyond not crashing: what is accepted is written and read
 * again as the same, and what is refused is refused with a reason.
 */

static void must(int true_for_all_input)
{
	if (!true_for_all_input)
		abort();
}

static void write_line(const struct flow_record *r, struct bh_buf *out)
{
	bh_buf_reset(out);
	must(flow_record_json(r, out) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bh_autofree struct flow_record *one = calloc(1, sizeof(*one));
	bh_autofree struct flow_record *two = calloc(1, sizeof(*two));
	struct bh_err err = BH_ERR_INIT;
	struct bh_buf first, second;
	int r;

	if (!one || !two)
		return 0;
	r = flow_record_read((const char *)data, size, one, &err);
	must(r == 0 || ((r == -EINVAL || r == -ENOMSG) && err.msg[0]));
	if (r < 0)
		return 0;
	bh_buf_init(&first, 1 << 20);
	bh_buf_init(&second, 1 << 20);
	write_line(one, &first);
	must(flow_record_read(first.data, first.len, two, &err) == 0);
	write_line(two, &second);
	must(first.len == second.len && memcmp(first.data, second.data, first.len) == 0);
	bh_buf_reset(&first);
	must(flow_record_text(two, &first, false) == 0);
	must(!memchr(first.data, '\033', first.len));
	bh_buf_done(&first);
	bh_buf_done(&second);
	return 0;
}
