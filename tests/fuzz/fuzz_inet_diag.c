/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "../../src/runtime/proc.h"
#include "../../src/runtime/socket_diag.h"

/* An answer of NETLINK_SOCK_DIAG, and the same bytes as a link of procfs. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int true_for_all_input)
{
	if (!true_for_all_input)
		abort();
}

static bool is_addr(const struct bh_addr *a)
{
	return !a->family || a->family == AF_INET || a->family == AF_INET6;
}

static void as_answer(const uint8_t *data, size_t size)
{
	struct process_question q = { .proto = IPPROTO_TCP };
	struct socket_found s;

	if (socket_parse(data, size, &s) < 0)
		return;
	must(is_addr(&s.local) && is_addr(&s.remote));
	q.source = s.local;
	q.destination = s.remote;
	q.sport = s.lport;
	q.dport = s.rport;
	q.has_uid = true;
	q.uid = s.uid;
	must(socket_fits(&s, &q)); /* whoever asks for just this one gets it */
	q.proto = IPPROTO_UDP;
	must(socket_fits(&s, &q));
	q.sport++;
	must(!socket_fits(&s, &q));
	q.sport--;
	q.uid++;
	must(!socket_fits(&s, &q));
}

static void as_link(const uint8_t *data, size_t size)
{
	static const char *const kinds[] = { "socket", "net" };
	uint64_t v[2] = { 0 };
	bool is[2];

	for (int i = 0; i < 2; i++) {
		is[i] = proc_link_inode((const char *)data, size, kinds[i], &v[i]);
		must(is[i] == (v[i] != 0));
	}
	must(!is[0] || !is[1]);
	must((!is[0] && !is[1]) || (size <= 32 && data[size - 1] == ']'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1); /* its end is watched */

	if (!copy)
		return 0;
	memcpy(copy, data, size);
	as_answer(copy, size);
	as_link(copy, size);
	free(copy);
	return 0;
}
