/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/sys/child.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

static int set_files(posix_spawn_file_actions_t *files, int channel)
{
	int r = posix_spawn_file_actions_addopen(files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);

	if (r == 0)
		r = posix_spawn_file_actions_addopen(files, STDOUT_FILENO, "/dev/null", O_WRONLY,
						     0);
	if (r ==
	    0) /* also when it is 3 already: dup2() would leave close-on-exec as it is, this not */
		r = posix_spawn_file_actions_adddup2(files, channel, CHILD_CHANNEL_FD);
	if (r ==
	    0) /* what it got from whoever started this process, and at once all that is ours */
		r = posix_spawn_file_actions_addclosefrom_np(files, CHILD_CHANNEL_FD + 1);
	return -r;
}

static int set_signals(posix_spawnattr_t *attr)
{
	static const struct sched_param ordinary;
	sigset_t none, all;
	int r;

	sigemptyset(&none);
	sigfillset(&all);
	r = posix_spawnattr_setsigmask(attr, &none);
	if (r == 0)
		r = posix_spawnattr_setsigdefault(attr, &all);
	if (r == 0)
		r = posix_spawnattr_setschedpolicy(attr, SCHED_OTHER);
	if (r == 0)
		r = posix_spawnattr_setschedparam(attr, &ordinary);
	if (r == 0)
		r = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
							   POSIX_SPAWN_SETSID |
							   POSIX_SPAWN_SETSCHEDULER);
	return -r;
}

static int spawn(const char *path, char *const argv[], int channel, pid_t *ret_pid)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	char *const environment[] = { NULL };
	int r;

	if (posix_spawn_file_actions_init(&files) != 0)
		return -ENOMEM;
	if (posix_spawnattr_init(&attr) != 0) {
		posix_spawn_file_actions_destroy(&files);
		return -ENOMEM;
	}
	r = set_files(&files, channel);
	if (r == 0)
		r = set_signals(&attr);
	if (r == 0)
		r = -posix_spawn(ret_pid, path, &files, &attr, argv, environment);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	return r;
}

int child_start(const char *path, char *const argv[], int channel, pid_t *ret_pid, int *ret_pidfd,
		struct bh_err *err)
{
	int r = spawn(path, argv, channel, ret_pid);

	if (r < 0)
		return bh_err_errno(err, r, "starting %s", path);
	*ret_pidfd = pidfd_open(*ret_pid, 0);
	if (*ret_pidfd >= 0)
		return 0;
	r = -errno;
	kill(*ret_pid, SIGKILL);
	waitpid(*ret_pid, NULL, 0);
	return bh_err_errno(err, r, "watching %s", path);
}

const char *child_reap(pid_t pid, char out[CHILD_END_STR])
{
	int status = 0;
	pid_t got;

	do
		got = waitpid(pid, &status, 0);
	while (got < 0 && errno == EINTR);
	if (got != pid)
		snprintf(out, CHILD_END_STR, "unknown");
	else if (WIFSIGNALED(status))
		snprintf(out, CHILD_END_STR, "signal %d", WTERMSIG(status));
	else
		snprintf(out, CHILD_END_STR, "exit code %d", WEXITSTATUS(status));
	return out;
}

int child_beside(const char *name, char *out, size_t cap)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;
	int len;

	if (n < 0)
		return -errno;
	self[n] = '\0';
	slash = strrchr(self, '/');
	if (!slash)
		return -ENOENT;
	*slash = '\0';
	len = snprintf(out, cap, "%s/%s", self, name);
	return len < 0 || (size_t)len >= cap ? -ENAMETOOLONG : 0;
}
