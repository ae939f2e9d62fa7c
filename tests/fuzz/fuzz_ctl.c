/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/limits.h>

#include "../../src/ctl/frame.h"

/*
 * One message, read as a request and as an answer. Beyond not crashing: what is refused has a
 * reason; what is accepted is an object that, written again, is accepted again; an error sentence
 * harms no terminal.
 */

static const struct ctl_arg args[] = {
	{ "paths", CTL_TYPE_STRINGS, true },
	{ "confirm", CTL_TYPE_INTEGER, false },
	{ "owner", CTL_TYPE_STRING, false },
	{ "dry", CTL_TYPE_BOOLEAN, false },
	{ NULL },
};

static char out[BH_CTL_FRAME_MAX];

static void must(int true_for_all_input)
{
	if (!true_for_all_input)
		abort();
}

static void must_be_tame(const char *s)
{
	char tame[BH_ERR_MAX];

	must(strcmp(ctl_tame(tame, s), s) == 0);
}

static void write_again(struct ctl_request *req)
{
	ssize_t n = ctl_request_write(out, json_string_value(req->verb), json_incref(req->args));
	struct ctl_request again;

	/* It may not fit: numbers are written in a form of their own. */
	must(n > 0 || n == -EMSGSIZE);
	if (n < 0)
		return;
	must(ctl_request_parse(out, (size_t)n, &again, NULL) == 0);
	must(json_equal(req->verb, again.verb) && json_equal(req->args, again.args));
	ctl_request_done(&again);
}

static void as_request(const char *data, size_t size)
{
	struct bh_err err = BH_ERR_INIT;
	struct ctl_request req;
	int r = ctl_request_parse(data, size, &req, &err);

	must(r == 0 || r == -EINVAL || r == -EPROTONOSUPPORT);
	must((r == 0) == !err.msg[0]);
	must_be_tame(err.msg);
	if (r < 0)
		return;
	must(json_is_object(req.args) && json_is_string(req.verb));
	r = ctl_args_check(req.args, args, &err);
	must(r == 0 || (r == -EINVAL && err.msg[0]));
	must(r < 0 || json_is_array(json_object_get(req.args, "paths")));
	must_be_tame(err.msg);
	write_again(&req);
	ctl_request_done(&req);
}

static void as_answer(const char *data, size_t size)
{
	struct bh_err err = BH_ERR_INIT;
	struct ctl_end end = { .exit = -1 };
	json_t *item = NULL;
	int r = ctl_answer_parse(data, size, &item, &end, &err);

	must(r == 0 || r == 1 || r == -EBADMSG);
	must((r == 1) == (item != NULL));
	must((r < 0) == (err.msg[0] != '\0'));
	if (r == 1)
		must(json_is_object(item));
	if (r == 0) {
		must(end.exit >= 0 && end.exit <= 255);
		must_be_tame(end.error);
		must(ctl_end_write(out, end.exit, end.error) > 0);
	}
	json_decref(item);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	as_request((const char *)data, size);
	as_answer((const char *)data, size);
	return 0;
}
