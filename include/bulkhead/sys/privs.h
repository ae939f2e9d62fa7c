/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_SYS_PRIVS_H
#define BULKHEAD_SYS_PRIVS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <bulkhead/base/err.h>

/*
 * Giving up, for good, what a process may do. Each step is proven by asking the kernel afterwards; a
 * failure says which proof failed, and the process must end then.
 */

/*
 * Become UID and GID alone: no other groups, no capability in any set (bounding and ambient included),
 * no_new_privs, not to be traced or dumped. Needs CAP_SETUID and CAP_SETGID unless it is all so
 * already. Proof: getresuid(), getresgid(), getgroups(), capget(), PR_CAPBSET_READ, and setuid(0)
 * must be refused. Sources: capabilities(7), prctl(2).
 */
int privs_drop(uid_t uid, gid_t gid, struct bh_err *err);
/* The proof alone. */
int privs_prove(uid_t uid, gid_t gid, struct bh_err *err);

/*
 * From now on only these system calls (seccomp(2), a filter of libseccomp): NAMES, and ioctl(2) for the
 * names of interfaces (SIOCGIFNAME) alone. Any other ends the process (SIGSYS), so that it is noticed.
 * socket(2), clone(2), execve(2), ptrace(2) and such must not be in NAMES: -EINVAL. A name that this
 * architecture does not have is passed over.
 */
int privs_filter(const char *const *names, size_t n, struct bh_err *err);

/* Of the account NAME; when there is none, UID and GID are both FALLBACK and false is returned. */
bool privs_account(const char *name, uid_t fallback, uid_t *ret_uid, gid_t *ret_gid);

#endif
