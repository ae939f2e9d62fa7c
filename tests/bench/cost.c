/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a command costs, from its start to its end, with all children it waited for.
 * usage: cost FILE COMMAND [ARGUMENT...]
 * A line "cpu wall memory" is added to FILE: microseconds, of which cpu is user and system time, and the
 * most KiB that were resident. Ends as COMMAND ends.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double used_us(const struct rusage *u)
{
	return (double)(u->ru_utime.tv_sec + u->ru_stime.tv_sec) * 1e6 +
	       (double)(u->ru_utime.tv_usec + u->ru_stime.tv_usec);
}

static int write_down(const char *path, double cpu, double wall, long memory)
{
	FILE *f = fopen(path, "a");

	if (!f)
		return -1;
	fprintf(f, "%.0f %.0f %ld\n", cpu, wall, memory);
	return fclose(f);
}

int main(int argc, char **argv)
{
	struct rusage u;
	double start, end;
	int status;
	pid_t pid;

	if (argc < 3) {
		fputs("usage: cost FILE COMMAND [ARGUMENT...]\n", stderr);
		return 2;
	}
	start = now_us();
	pid = vfork();
	if (pid == 0) {
		execvp(argv[2], &argv[2]);
		_exit(127);
	}
	if (pid < 0 || wait4(pid, &status, 0, &u) < 0) {
		perror("cost");
		return 125;
	}
	end = now_us();
	if (write_down(argv[1], used_us(&u), end - start, u.ru_maxrss) < 0) {
		perror(argv[1]);
		return 125;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
