/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Which input devices are ours to grab.
 *
 * A keyboard or a mouse is often several event nodes: media keys and wheel
 * knobs sit on companions. So nodes are grouped by the physical device (the USB
 * device, the serio port, the Bluetooth device), and a companion is taken if
 * its group has a keyboard or a mouse. A power button has no such group; lids,
 * tablets, touchpads, touchscreens and gamepads are left alone wherever they are,
 * and so are our own nodes and other seats' devices. */

#include <libudev.h>
#include <stdbool.h>

#include "common/config.h"

enum device_kind {
        DEVICE_NONE, /* not for us */
        DEVICE_KEYBOARD,
        DEVICE_MOUSE,
        DEVICE_KEYS, /* a companion: only together with one of the above */
};

const char *device_kind_to_string(enum device_kind k);

/* What the selection looks at. Strings are borrowed from the udev_device. */
struct node_info {
        const char *syspath; /* of the event node: names the node for good */
        const char *devnode;
        const char *name, *phys;
        int vendor, product; /* of the input device */
        const char *physical; /* syspath of the physical device: the group */
        enum device_kind kind;
        bool own; /* one of our uinput nodes */
};

/* False if it is no event node at all. */
bool node_info_read(struct udev_device *d, struct node_info *ret);
/* Whether the configuration admits the node. */
bool node_info_admitted(const struct node_info *i, const struct config *c);
