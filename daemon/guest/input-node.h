/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* An evdev node of the host, as something to hand to a guest. It is never
 * opened: nothing here can read an event. */

#include <stdbool.h>
#include <sys/types.h>

#include "common/names.h"

#define INPUT_NODE_PATH_MAX 63

struct input_node {
        char path[INPUT_NODE_PATH_MAX + 1]; /* /dev/input/eventN, links resolved */
        dev_t device;
        /* The N of inputN in sysfs. The kernel counts these up and uses none twice
         * in one boot (drivers/input/input.c, input_no), unlike event numbers. */
        unsigned long input;
        char guest[TARGET_NAME_MAX + 1]; /* whose node of ours it is; "" if of nobody's */
        bool is_mirror; /* of ours for the host */
};

/* Looks a node up by any path to it (links are followed, as the host's /dev is
 * trusted). -ENOENT; -ENODEV: that is no evdev node. */
int input_node_resolve(const char *path, struct input_node *ret);
/* Whether the device with this number still is that one. */
bool input_node_is_current(const struct input_node *n);
