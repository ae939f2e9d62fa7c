/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>
#include <bulkhead/sys/privs.h>

#include "denied.h"

static int open_dir(const struct cli_options *o, struct denied_store *s)
{
	char path[4096];
	int n = snprintf(path, sizeof(path), "%s/%s", o->store ? o->store : BH_STORE_DIR,
			 FLOWS_DIR);

	*s = (struct denied_store) { .dir = -1 };
	if (n >= (int)sizeof(path))
		return -ENAMETOOLONG;
	bh_escape_str(s->path, sizeof(s->path), path);
	s->dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return s->dir < 0 ? -errno : 0;
}

bool denied_has_history(const struct cli_options *o)
{
	struct denied_store s;
	bool kept = o->store != NULL;

	if (kept || cli_names_its_own(o))
		return kept;
	if (open_dir(o, &s) >= 0)
		kept = flows_is_kept(s.dir);
	denied_close(&s);
	return kept;
}

int denied_failed(const struct denied_store *s, const struct bh_err *err)
{
	return cli_fail(CLI_FAILED, "denied: %s: %s", s->path, err->msg);
}

static int no_directory(const struct denied_store *s, int r)
{
	if (r == -ENOENT)
		return cli_fail(
			CLI_FAILED,
			"denied: %s: there is no history; bulkheadd keeps one, and --follow "
			"prints what is denied from now on",
			s->path);
	return cli_fail(CLI_FAILED, "denied: %s: %s", s->path, strerrordesc_np(-r));
}

/*
 * What the logger wrote is read with the logger's rights: if it was taken over, what it wrote may have
 * been made to break its readers.
 */
static int leave_root(const struct denied_store *s, struct bh_err *err)
{
	struct stat st;

	if (fstat(s->dir, &st) < 0)
		return bh_err_errno(err, -errno, "cannot be looked at");
	if (geteuid() != 0 || st.st_uid == 0)
		return 0;
	return privs_drop(st.st_uid, st.st_gid, err);
}

int denied_open(const struct cli_options *o, struct denied_store *ret)
{
	struct bh_err err = BH_ERR_INIT;
	int r = open_dir(o, ret);

	if (r < 0)
		return no_directory(ret, r);
	if (leave_root(ret, &err) < 0 || flows_reader_open(ret->dir, &ret->reader, &err) < 0)
		return denied_failed(ret, &err);
	return CLI_YES;
}

int denied_open_quietly(const struct cli_options *o, struct denied_store *ret, struct bh_err *err)
{
	int r = open_dir(o, ret);

	if (r < 0)
		return bh_err_errno(err, r, "%s", ret->path);
	r = leave_root(ret, err);
	return r < 0 ? r : flows_reader_open(ret->dir, &ret->reader, err);
}

void denied_close(struct denied_store *s)
{
	flows_reader_close(s->reader);
	if (s->dir >= 0)
		close(s->dir);
	s->reader = NULL;
	s->dir = -1;
}
