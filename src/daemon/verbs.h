/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_VERBS_H
#define DAEMON_VERBS_H

#include "controller.h"

/* Listen on the control sockets that the options name, or else the host file of C->site. */
int verbs_serve(struct controller *c, struct ctl_server **ret, struct bh_err *err);

#endif
