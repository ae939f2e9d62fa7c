/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a daemon takes until it is ready.  usage: start COMMAND [ARGUMENT...]
 * From before its exec until it tells READY=1 as systemd asks for it. In this moment it is stopped
 * (SIGSTOP), so that what it has done by then can be looked at, and a line "PID WALL CPU" is printed,
 * times in microseconds; whoever has looked sends SIGCONT. Ends as COMMAND ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "measure.h"

#define READY_TIMEOUT_MS 120000

static int open_notify(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t len;

	/* An abstract name: nothing is left behind. */
	len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
			  (size_t)snprintf(addr.sun_path + 1, sizeof(addr.sun_path) - 1,
					   "bulkhead-bench-%d", (int)getpid()));
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, len) < 0)
		return -1;
	addr.sun_path[0] = '@';
	return setenv("NOTIFY_SOCKET", addr.sun_path, 1) < 0 ? -1 : fd;
}

static bool is_ready(const char *message)
{
	return strncmp(message, "READY=1", 7) == 0 || strstr(message, "\nREADY=1");
}

/*
 * The next message, without the descriptors that come with it; "" when the process has ended, or says
 * nothing for TIMEOUT milliseconds (-1: for ever). A message that nobody reads keeps the sender waiting.
 */
static const char *next_message(int notify, int process, int timeout)
{
	struct pollfd p[] = { { .fd = notify, .events = POLLIN },
			      { .fd = process, .events = POLLIN } };
	static char message[4096];
	ssize_t n = 0;

	if (poll(p, 2, timeout) > 0 && p[0].revents)
		n = recv(notify, message, sizeof(message) - 1, 0);
	message[n > 0 ? n : 0] = '\0';
	return message;
}

/* 0 when it is ready; -1 when it ended or took too long. */
static int await_ready(int notify, int process)
{
	const char *message;

	do {
		message = next_message(notify, process, READY_TIMEOUT_MS);
	} while (*message && !is_ready(message));
	return *message ? 0 : -1;
}

/* It does not outlive this process. */
static pid_t run(char **command, int *ret_pidfd)
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execvp(command[0], command);
		_exit(127);
	}
	*ret_pidfd = pid > 0 ? pidfd_open(pid, 0) : -1;
	return pid;
}

int main(int argc, char **argv)
{
	int notify = open_notify(), process, status;
	double start, end;
	pid_t pid;

	if (argc < 2 || notify < 0) {
		fputs("usage: start COMMAND [ARGUMENT...]\n", stderr);
		return 2;
	}
	start = now_ns();
	pid = run(&argv[1], &process);
	if (pid < 0 || process < 0) {
		perror("start");
		return 125;
	}
	if (await_ready(notify, process) == 0) {
		end = now_ns();
		kill(pid, SIGSTOP);
		printf("%d %.0f %.0f\n", (int)pid, (end - start) / 1e3, cpu_us_of(pid));
		fflush(stdout);
	} else {
		fprintf(stderr, "start: %s did not get ready\n", argv[1]);
		kill(pid, SIGKILL);
	}
	while (*next_message(notify, process, -1))
		;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
