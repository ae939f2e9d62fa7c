/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef LOGGER_KNOWN_H
#define LOGGER_KNOWN_H

#include "logger.h"

/*
 * Who was denied whom before, kept from run to run in a file beside the history, so that "for the first
 * time" is said once. Opaque numbers, and the key that they were made with.
 */

/* Make L->signals of O, with the key and the pairs of the file; one that cannot be read is begun anew. */
int known_open(struct logger *l, struct signals_options *o, struct bh_err *err);
/* Write what is new, all in one. What fails is told once, and tried again. */
void known_save(struct logger *l);

#endif
