/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Follows udev, and tells which devices come and go. What is plugged in at the
 * start takes the same path as what comes later. */

#include "daemon/input/selection.h"
#include "daemon/input/loop.h"

struct manager;
struct hotplug;

/* Listens; nothing is reported before hotplug_start. */
int hotplug_new(struct hotplug **ret, struct manager *m);
struct hotplug *hotplug_free(struct hotplug *h);

/* Reports all that is there now. */
int hotplug_start(struct hotplug *h);
/* The configuration has changed: reports the difference. */
void hotplug_select_again(struct hotplug *h);
/* Reports the own node (manager_own_node) if udev has already announced it. */
void hotplug_find_own(struct hotplug *h, const char *devnode);
