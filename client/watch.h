/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One service as "vfioctl monitor" sees it: whether it runs, what it last said,
 * and an event printed for each change.
 *
 *   absent ──name has an owner──> loading ──both replies──> known
 *      ^                             │                        │
 *      └────────────name has no owner┴────────────────────────┘
 *
 * A service sends signals and replies in one order, so a signal that comes while
 * loading is part of the replies that follow it. What has a signal of its own
 * (Switched…) is printed at once; differences only when known. */

#include "client/bus.h"

/* Called with a negative errno when an event cannot be printed. */
typedef void (*watch_failed_fn)(void *userdata, int error);

struct watch;

/* Subscribes to the service, then looks whether it runs, and prints that.
 * Negative errno with error set. */
int watch_new(struct client *c, const struct service *s, watch_failed_fn failed, void *userdata, struct watch **ret,
              sd_bus_error *error);
struct watch *watch_free(struct watch *w);
DEFINE_CLEANUP(struct watch *, watch_free);
