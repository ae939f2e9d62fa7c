/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the keeper of a hold's descriptors is told. */
#include "hold.h"

void holds_set_keeper(struct holds *h, const struct holds_keeper *keeper)
{
	h->keeper = *keeper;
}

static struct held held_queue(const struct hold *h, const struct queues *q, size_t i)
{
	return (struct held) { h->ino, HELD_QUEUE, q->ifindex, (uint32_t)i };
}

static void keep_queues(struct hold *h, struct queues *q)
{
	const struct holds_keeper *k = &h->of->keeper;

	for (; k->keep && q->n_kept < q->n; q->n_kept++) {
		struct held what = held_queue(h, q, q->n_kept);

		k->keep(&what, q->fds[q->n_kept], k->arg);
	}
}

void hold_drop_queues(struct hold *h, struct queues *q)
{
	const struct holds_keeper *k = &h->of->keeper;

	while (k->drop && q->n_kept) {
		struct held what = held_queue(h, q, --q->n_kept);

		k->drop(&what, k->arg);
	}
}

void hold_keep(struct hold *h)
{
	const struct holds_keeper *k = &h->of->keeper;
	struct held what = { .netns_ino = h->ino, .kind = HELD_OWNER };

	if (k->keep && !h->kept)
		k->keep(&what, h->nl.fd, k->arg);
	h->kept = k->keep;
	for (size_t i = 0; i < h->n_queues; i++)
		keep_queues(h, h->queues[i]);
}

void hold_drop(struct hold *h)
{
	const struct holds_keeper *k = &h->of->keeper;
	struct held what = { .netns_ino = h->ino, .kind = HELD_OWNER };

	for (size_t i = 0; i < h->n_queues; i++)
		hold_drop_queues(h, h->queues[i]);
	if (k->drop && h->kept)
		k->drop(&what, k->arg);
	h->kept = false;
}

void holds_keep_again(struct holds *h)
{
	for (struct hold *each = h->all; each; each = each->hh.next) {
		if (!each->kept)
			continue; /* it is not to be kept yet */
		each->kept = false;
		for (size_t i = 0; i < each->n_queues; i++)
			each->queues[i]->n_kept = 0;
		hold_keep(each);
	}
}
