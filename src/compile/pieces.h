/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_SRC_COMPILE_PIECES_H
#define BULKHEAD_SRC_COMPILE_PIECES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bh_buf;

/* Protocols and ports on one line: (protocol << 16) + port, or type of ICMP. */
#define PIECE_LAST ((UINT32_C(255) << 16) + 65535)

struct piece_of_ports {
	uint32_t lo, hi;
	const char
		*places[2];   /* [direction]: FILE:LINE of the rule that allows it there, or NULL */
	const char *names[2]; /* and what counts it: several rules may stand on one line */
	int64_t expires;      /* 0 = never */
};

/* Sorted, disjoint. All zero is empty. */
struct pieces {
	struct piece_of_ports *p;
	size_t n, cap;
};

/* Functions that make something return 0, -ENOMEM or -E2BIG. */
void pieces_done(struct pieces *s);
/* What of P is not there yet: whoever comes first has it. */
int pieces_add(struct pieces *s, const struct piece_of_ports *p);
int pieces_cut(struct pieces *s, uint32_t lo, uint32_t hi);
/* What is in both; a place comes from whoever has one, the end is the earlier one. */
int pieces_meet(const struct pieces *a, const struct pieces *b, struct pieces *ret);
/* Neighbours that differ in nothing else become one. */
void pieces_join(struct pieces *s);
/* In everything, or in what they cover. */
bool pieces_equal(const struct pieces *a, const struct pieces *b);
bool pieces_cover_the_same(const struct pieces *a, const struct pieces *b);

/*
 * Go through both at once: each stretch on which neither changes, with the piece of either that is
 * there. < 0 of FN ends it.
 */
int pieces_walk(const struct pieces *a, const struct pieces *b,
		int (*fn)(uint32_t lo, uint32_t hi, const struct piece_of_ports *a,
			  const struct piece_of_ports *b, void *arg),
		void *arg);

/* "443/tcp, 8000-8080/tcp, icmp", "any", "any but 22/tcp". */
void pieces_format(const struct pieces *s, struct bh_buf *out);

#endif
