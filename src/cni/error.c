/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/cni/cni.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include <bulkhead/model/json.h>

int cni_fail(struct cni_error *err, enum cni_code code, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return -EBADMSG;
	err->code = code;
	va_start(ap, fmt);
	vsnprintf(err->err.msg, sizeof(err->err.msg), fmt, ap);
	va_end(ap);
	return -EBADMSG;
}

int cni_error_write(const struct cni_error *err, const char *version, struct bh_buf *out)
{
	json_t *o = json_pack("{s:s, s:i, s:o*}", "cniVersion", version ? version : CNI_NEWEST,
			      "code", (int)err->code, "msg", json_hostile(err->err.msg));

	return json_take_line(o, out);
}
