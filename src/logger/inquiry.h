/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef LOGGER_INQUIRY_H
#define LOGGER_INQUIRY_H

#include "space_private.h"

/*
 * Which process sent it? Only the controller may look, and while it looks the record waits: a fifth of a
 * second at most, a bounded number of them, and a few a second of one namespace.
 */

int inquiry_open(struct logger *l, struct bh_err *err);
void inquiry_close(struct logger *l);

/* True: REC waits, and write_telling() gets it later. False: it is not asked for; REC may say why. */
bool inquiry_takes(struct space *s, struct flow_record *rec);
void inquiry_answer(struct logger *l, const struct lg_process *m);
/* Those of S are written now, as they are. */
void inquiry_end(struct space *s);

#endif
