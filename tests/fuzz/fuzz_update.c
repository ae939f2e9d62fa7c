/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>

#include "../unit/compile/differential.h"

/*
 * Bytes to a site and to what happens to its endpoints: compiled step by step it must be what it is
 * when it is compiled anew.
 */

#define STEPS_MAX 24

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pop_random random = { .bytes = data, .n_bytes = size };
	struct differential d;

	differential_init(&d, &random);
	for (unsigned i = 0; i < STEPS_MAX; i++)
		if (!differential_step(&d)) {
			fprintf(stderr, "step %u: %s\n", i, d.why);
			abort();
		}
	differential_done(&d);
	return 0;
}
