/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/sys/privs.h>

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <seccomp.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bulkhead/base/cleanup.h>

/* --- dropping --------------------------------------------------------------------------------- */

static int drop_bounding(void)
{
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1 &&
		    prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return -errno;
	return 0;
}

static int drop_sets(void)
{
	cap_t none = cap_init();
	int r = 0;

	if (!none)
		return -ENOMEM;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 || cap_set_proc(none) < 0)
		r = -errno;
	cap_free(none);
	return r;
}

static int become(uid_t uid, gid_t gid)
{
	if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		return -errno;
	return 0;
}

int privs_drop(uid_t uid, gid_t gid, struct bh_err *err)
{
	int r = 0;

	if (geteuid() == 0) { /* bounding first: it needs a capability */
		r = drop_bounding();
		if (r >= 0)
			r = become(uid, gid);
	}
	if (r >= 0)
		r = drop_sets();
	if (r >= 0 &&
	    (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0))
		r = -errno;
	if (r < 0)
		return bh_err_errno(err, r, "giving up privileges");
	return privs_prove(uid, gid, err);
}

/* --- proving ---------------------------------------------------------------------------------- */

static bool is_user(uid_t uid, gid_t gid)
{
	uid_t u[3];
	gid_t g[3];

	if (getresuid(&u[0], &u[1], &u[2]) < 0 || getresgid(&g[0], &g[1], &g[2]) < 0)
		return false;
	for (int i = 0; i < 3; i++)
		if (u[i] != uid || g[i] != gid)
			return false;
	return getgroups(0, NULL) == 0;
}

static bool has_no_capability(void)
{
	cap_t now = cap_get_proc(), none = cap_init();
	bool same = now && none && cap_compare(now, none) == 0;

	cap_free(now);
	cap_free(none);
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) != 0 ||
		    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, cap, 0, 0) != 0)
			return false;
	return same;
}

static bool cannot_go_back(uid_t uid)
{
	return uid != 0 && setuid(0) < 0 && geteuid() == uid;
}

int privs_prove(uid_t uid, gid_t gid, struct bh_err *err)
{
	if (!is_user(uid, gid))
		return bh_err_set(err, -EPERM, "it is not user %u and group %u alone", uid, gid);
	if (!has_no_capability())
		return bh_err_set(err, -EPERM, "it has capabilities left");
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return bh_err_set(err, -EPERM, "no_new_privs is not set");
	if (!cannot_go_back(uid))
		return bh_err_set(err, -EPERM, "it can become root again");
	return 0;
}

/* --- system calls ----------------------------------------------------------------------------- */

static bool is_forbidden(const char *name)
{
	static const char *const never[] = {
		"socket",      "ioctl",      "clone",       "clone3",         "fork",
		"vfork",       "execve",     "execveat",    "ptrace",         "setns",
		"unshare",     "mount",      "bpf",         "io_uring_setup", "process_vm_writev",
		"userfaultfd", "kexec_load", "init_module",
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(never); i++)
		if (strcmp(name, never[i]) == 0)
			return true;
	return false;
}

static int allow(scmp_filter_ctx ctx, const char *const *names, size_t n)
{
	int r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
				 SCMP_A1(SCMP_CMP_EQ, SIOCGIFNAME));

	for (size_t i = 0; i < n && r >= 0; i++) {
		int call = seccomp_syscall_resolve_name(names[i]);

		if (is_forbidden(names[i]))
			return -EINVAL;
		if (call != __NR_SCMP_ERROR)
			r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, call, 0);
	}
	return r;
}

int privs_filter(const char *const *names, size_t n, struct bh_err *err)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int r = ctx ? allow(ctx, names, n) : -ENOMEM;

	if (r >= 0)
		r = seccomp_load(ctx);
	if (ctx)
		seccomp_release(ctx);
	return r < 0 ? bh_err_errno(err, r, "the filter of system calls") : 0;
}

bool privs_account(const char *name, uid_t fallback, uid_t *ret_uid, gid_t *ret_gid)
{
	char buf[4096];
	struct passwd pw, *found = NULL;

	*ret_uid = fallback;
	*ret_gid = fallback;
	if (getpwnam_r(name, &pw, buf, sizeof(buf), &found) != 0 || !found || found->pw_uid == 0)
		return false;
	*ret_uid = found->pw_uid;
	*ret_gid = found->pw_gid;
	return true;
}
