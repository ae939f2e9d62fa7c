/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_POLICY_FORMAT_H
#define BULKHEAD_POLICY_FORMAT_H

#include <bulkhead/base/buf.h>
#include <bulkhead/base/err.h>
#include <bulkhead/model/diag.h>
#include <bulkhead/model/source.h>

/*
 * The canonical form of one policy file into OUT: keys in the order of the docs, ports and prefixes in
 * their one spelling, one indentation. Every comment stays at what it is about. The policies need not be
 * valid, but YAML without what policy_parse() refuses of it.
 *
 * What was written is read again before it is handed out: the same documents with the same meaning
 * (struct meaning), the same comments, and formatting it changes nothing. 0; -EINVAL: reported in DIAGS
 * with its place, and OUT is of no use; -ENOMEM, -EFBIG as OUT says.
 */
int policy_format(const struct policy_source *src, struct bh_buf *out, struct diag_list *diags,
		  struct bh_err *err);

#endif
