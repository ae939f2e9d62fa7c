/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef STORE_FLOWS_ACCOUNT_H
#define STORE_FLOWS_ACCOUNT_H

#include <sqlite3.h>

#include <bulkhead/store/flows.h>

/* Rows of the table `account`. */
#define FLOWS_ACCOUNT_COLUMNS                                                                      \
	"endpoint, netns, direction, name, service, denied, recorded, not_recorded, counter, time"
void flows_account_read(sqlite3_stmt *s, struct flows_account *ret);

#endif
