/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_SUPERVISOR_H
#define DAEMON_SUPERVISOR_H

#include "controller.h"

/* What the service manager is told of how we are (sd_notify(3)); nothing when there is none. */

void supervisor_ready(struct controller *c); /* also after a reload */
void supervisor_reloading(void);
void supervisor_stopping(void);

/* One line of `systemctl status`; sent when it is another than the last. */
void supervisor_status(struct controller *c);

#endif
