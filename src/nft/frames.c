/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rules.h"

#include <stdio.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/text.h>
#include <bulkhead/model/device.h>
#include <bulkhead/nft/nft.h>

/*
 * What may leave as a frame. The hooks of the table inet see what the stack sends; a packet socket
 * hands its frames to the device behind them. At the egress hook of the device they differ in one
 * thing that cannot be forged: what the stack sends has a route, so `meta rtclassid` can be loaded.
 * Own addresses are asked of the routing table (fib), so those that come and go, as IPv6's temporary
 * ones do, need no change of the table.
 */

/* meta protocol ip ip saddr != 127.0.0.0/8 fib saddr type local meta rtclassid >= 0 accept */
static void lower_own(struct nft_program *p)
{
	for (unsigned f = 0; f < FAMILIES; f++)
		RULE(p, CHAIN_FRAMES, f ? NULL : "from the stack, with an address of our own",
		     OP2(OP_PROTOCOL, f ? PROTOCOL_IP6 : PROTOCOL_IP), OP2(OP_NOT_LOOPBACK, f),
		     OP1(OP_OWN_SOURCE), OP1(OP_STACK), OP1(OP_ACCEPT));
	for (unsigned f = 0; f < FAMILIES; f++)
		RULE(p, CHAIN_FRAMES, f ? NULL : "with none yet",
		     OP2(OP_PROTOCOL, f ? PROTOCOL_IP6 : PROTOCOL_IP), OP2(OP_UNSPECIFIED, f),
		     OP1(OP_STACK), OP1(OP_ACCEPT));
}

/* The kernel's own questions and answers belong to no socket; one that does was made by hand. */
static void lower_arp(struct nft_program *p)
{
	RULE(p, CHAIN_FRAMES, NULL, OP2(OP_PROTOCOL, PROTOCOL_ARP), OP1(OP_SOCKET),
	     OP2(OP_GOTO, CHAIN_RAW));
	RULE(p, CHAIN_FRAMES, "the kernel's own", OP2(OP_PROTOCOL, PROTOCOL_ARP), OP1(OP_ACCEPT));
}

/*
 * A client without an address cannot go through the stack. The whole header is held: who listens
 * for anything else than DHCP is not reached, and no other host is pretended to be.
 */
static void lower_client(struct nft_program *p, const uint8_t m[6])
{
	struct nft_op hi = { OP_MAC_HI, m[0], m[1], m[2] }, lo = { OP_MAC_LO, m[3], m[4], m[5] };
	char comment[64];

	snprintf(comment, sizeof(comment), DHCP_COMMENT "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1],
		 m[2], m[3], m[4], m[5]);
	/* The protocol stands where nft(8) puts it when it loads what it has listed. */
	RULE(p, CHAIN_DHCP, comment, hi, lo, OP1(OP_CHADDR), OP2(OP_PROTOCOL, PROTOCOL_IP),
	     OP2(OP_UNSPECIFIED, FAMILY4), OP1(OP_DHCP_LIMIT), OP1(OP_ACCEPT));
	RULE(p, CHAIN_DHCP, NULL, hi, lo, OP1(OP_CHADDR), OP2(OP_PROTOCOL, PROTOCOL_IP),
	     OP1(OP_OWN_SOURCE), OP1(OP_DHCP_LIMIT), OP1(OP_ACCEPT));
}

static void lower_dhcp(struct nft_program *p)
{
	if (p->frames->n_dhcp == 0)
		return;
	for (size_t i = 0; i < p->frames->n_dhcp; i++)
		lower_client(p, p->frames->dhcp[i]);
	RULE(p, CHAIN_DHCP, NULL, OP2(OP_GOTO, CHAIN_RAW));
}

/* In audit mode packets may be routed through, and those have no socket. */
static void lower_routed(struct nft_program *p)
{
	RULE(p, CHAIN_FRAMES, NULL, OP1(OP_STACK), OP1(OP_SOCKET), OP2(OP_GOTO, CHAIN_RAW));
	RULE(p, CHAIN_FRAMES, "routed through", OP1(OP_STACK), OP1(OP_ACCEPT));
}

/*
 * Only guardrails hold it: all that the stack sends has passed them. What was made by hand has not,
 * and if it is IP, or may hold IP in a VLAN, they might have denied it. The frame's own type counts,
 * not the one that its sender told the kernel.
 */
static void lower_open(struct nft_program *p)
{
#define IS_NOT(type) OP3(OP_NOT_ETHERTYPE, (type) >> 8, (type)&0xff)
	RULE(p, CHAIN_FRAMES, "from the stack", OP1(OP_STACK), OP1(OP_ACCEPT));
	RULE(p, CHAIN_FRAMES, "no IP, no VLAN", IS_NOT(0x0800), IS_NOT(0x86dd), IS_NOT(0x8100),
	     IS_NOT(0x88a8), OP1(OP_ACCEPT));
#undef IS_NOT
}

static void lower_raw(struct nft_program *p)
{
	const struct ruleset *r = p->ruleset;
	bool passes = r->mode == MODE_AUDIT && !r->open && !program_has_guards(p);

	if (r->log_denied || r->open)
		RULE(p, CHAIN_RAW, NULL, OP2(OP_LIMIT, BH_RAW_LOG_PER_S),
		     OP2(OP_LOG, passes ? NFT_LOG_RAW_AUDIT : NFT_LOG_RAW));
	RULE(p, CHAIN_RAW, "made by hand, bridged, or with a source that is not our own",
	     OP2(OP_COUNTER, COUNTER_RAW), OP1(passes ? OP_ACCEPT : OP_DROP));
}

/*
 * What has neither a route nor a socket was bridged through. That is no more allowed than to be
 * routed through, but where all else passes it does, too.
 */
static void lower_rest(struct nft_program *p)
{
	if (p->ruleset->open || p->ruleset->mode == MODE_AUDIT) {
		RULE(p, CHAIN_FRAMES, NULL, OP1(OP_SOCKET), OP2(OP_GOTO, CHAIN_RAW));
		RULE(p, CHAIN_FRAMES, "bridged through", OP1(OP_ACCEPT));
	} else {
		RULE(p, CHAIN_FRAMES, NULL, OP2(OP_GOTO, CHAIN_RAW));
	}
}

void lower_frames(struct nft_program *p)
{
	RULE(p, CHAIN_EGRESS, NULL, OP2(OP_GOTO, CHAIN_FRAMES));
	RULE(p, CHAIN_EGRESS, NULL, OP1(OP_DROP));
	if (p->ruleset->open)
		lower_open(p);
	else
		lower_own(p);
	RULE(p, CHAIN_FRAMES, NULL, OP2(OP_LOOPBACK, DIRECTION_EGRESS), OP1(OP_ACCEPT));
	if (!p->ruleset->open) {
		if (p->ruleset->mode == MODE_AUDIT)
			lower_routed(p);
		lower_arp(p);
	}
	if (p->frames->n_dhcp)
		RULE(p, CHAIN_FRAMES, "DHCP, where an address is leased", OP1(OP_BROADCAST),
		     OP2(OP_PROTOCOL, PROTOCOL_IP), OP1(OP_DHCP), OP2(OP_GOTO, CHAIN_DHCP));
	lower_rest(p);
	lower_dhcp(p);
	lower_raw(p);
}

/* --- comparing ------------------------------------------------------------------------------- */

static bool has_device(const struct nft_frames *f, const char *name)
{
	for (size_t i = 0; i < f->n_devices; i++)
		if (strcmp(f->devices[i], name) == 0)
			return true;
	return false;
}

static bool has_client(const struct nft_frames *f, const uint8_t mac[6])
{
	for (size_t i = 0; i < f->n_dhcp; i++)
		if (memcmp(f->dhcp[i], mac, sizeof(f->dhcp[i])) == 0)
			return true;
	return false;
}

/* Who may rename a device may put anything but space, slash and colon into its name. */
static bool say(char *out, size_t cap, const char *what, const char *name)
{
	char text[128];

	snprintf(text, sizeof(text), "%s%s", what, name);
	if (out)
		bh_escape_str(out, cap, text);
	return false;
}

void nft_frames_add_late(struct nft_frames *f)
{
	static char names[BH_LATE_DEVICES][sizeof(f->devices[0])]; /* made once */

	for (unsigned i = 0; i < BH_LATE_DEVICES; i++) {
		if (!names[i][0])
			snprintf(names[i], sizeof(names[i]), "eth%u", i);
		if (!has_device(f, names[i]) && f->n_devices < BH_ARRAY_SIZE(f->devices))
			memcpy(f->devices[f->n_devices++], names[i], sizeof(names[i]));
	}
}

/* A device of WANT that HAVE does not hook, or NULL. */
static const char *unhooked(const struct nft_frames *want, const struct nft_frames *have)
{
	for (size_t i = 0; i < want->n_devices; i++)
		if (!has_device(have, want->devices[i]))
			return want->devices[i];
	return NULL;
}

bool nft_frames_covers(const struct nft_frames *want, const struct nft_frames *have)
{
	return !unhooked(want, have);
}

bool nft_frames_equal(const struct nft_frames *want, const struct nft_frames *have, char *out,
		      size_t cap)
{
	const char *device;

	if (!want || !have)
		return want == have || say(out, cap, "the table netdev bulkhead is ",
					   want ? "missing" : "there and should not be");
	device = unhooked(want, have);
	if (device)
		return say(out, cap, "frames are not held on device ", device);
	if (want->n_dhcp != have->n_dhcp)
		return say(out, cap, "other devices than those with leased addresses may use DHCP",
			   "");
	for (size_t i = 0; i < want->n_dhcp; i++)
		if (!has_client(have, want->dhcp[i]))
			return say(out, cap,
				   "other devices than those with leased addresses may use DHCP",
				   "");
	return true;
}

/* Who has no IPv4 address of its own for good asks for one by DHCP. */
static void take_device(struct nft_frames *f, const struct net_device *d)
{
	memcpy(f->devices[f->n_devices++], d->name, sizeof(d->name));
	if (d->ethernet && !d->permanent4)
		memcpy(f->dhcp[f->n_dhcp++], d->mac, sizeof(d->mac));
}

void nft_frames_of(const struct net_devices *devices, struct nft_frames *ret)
{
	*ret = (struct nft_frames) { .more = devices->more };
	for (size_t i = 0; i < devices->n; i++)
		take_device(ret, &devices->d[i]);
}
