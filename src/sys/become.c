/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/sys/become.h>

#include <errno.h>
#include <grp.h>
#include <sys/prctl.h>
#include <unistd.h>

/* Leaving user 0 takes the capabilities with it; SECBIT_KEEP_CAPS would keep them. */
static int drop(uid_t uid, gid_t gid)
{
	if (prctl(PR_SET_KEEPCAPS, 0) < 0 || setgroups(0, NULL) < 0 ||
	    setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		return -errno;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0 ? -errno
											   : 0;
}

int become_user(uid_t uid, gid_t gid, struct bh_err *err)
{
	int r = drop(uid, gid);

	if (r < 0)
		return bh_err_errno(err, r, "cannot become user %u", uid);
	if (uid != 0 && (setresuid(0, 0, 0) == 0 || geteuid() != uid || getegid() != gid))
		return bh_err_set(err, -EPERM, "cannot leave root's rights");
	return 0;
}
