/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_MODEL_DEVICE_H
#define BULKHEAD_MODEL_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <bulkhead/base/limits.h>

/* The network devices of a namespace, loopback left out. Names are hostile where root is inside. */
struct net_device {
	uint32_t index; /* 1 or more */
	char name[16];  /* NUL-terminated */
	bool ethernet;  /* it has a header of Ethernet, and `mac` is its address */
	uint8_t mac[6];
	bool permanent4; /* it has an IPv4 address that no lease ends */
};

struct net_devices {
	struct net_device d[BH_DEVICES_MAX];
	size_t n;
	bool more; /* there are more than BH_DEVICES_MAX */
};

#endif
