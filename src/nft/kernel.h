/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NFT_KERNEL_H
#define NFT_KERNEL_H

/* nf_tables' netlink interface, and what the headers of Debian 12 do not have yet of it. */

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#define BH_NFT_MSG_DESTROYSETELEM    30 /* include/uapi/linux/netfilter/nf_tables.h, since 6.3 */
#define BH_NFT_SET_CONCAT            0x80
#define BH_NFTA_SET_EXPRESSIONS      18
#define BH_NFTA_HOOK_DEVS            4 /* list of device names, since 5.5 */
#define BH_NFTA_TABLE_OWNER          7 /* since 5.12 */
#define BH_NFT_TABLE_F_OWNER         2 /* since 5.12 */
#define BH_NFT_TABLE_F_PERSIST       4 /* since 6.9 */
#define BH_NF_NETDEV_EGRESS          1 /* since 5.16 */
#define BH_NFTA_SET_ELEM_EXPRESSIONS 11

#define SECONDS_A_DAY 86400

#define NFT_BYTEORDER_BIG 2 /* nftables' enum byteorder, in a set's user data */

/* User data of nftables: type, length, value (libnftnl/udata.h). */
#define UDATA_COMMENT           0
#define UDATA_SET_KEY_BYTEORDER 0

#endif
