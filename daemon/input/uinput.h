/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One virtual input device of ours: /dev/uinput on our side, /dev/input/eventN
 * on the other. tests/bus/inputd-fake/uinput.c implements the same without a kernel. */

#include <libevdev/libevdev-uinput.h>
#include <linux/input.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/input/loop.h"

struct reaper;

struct uinput_node {
        int fd; /* negative: there is no node */
        struct libevdev_uinput *uidev; /* NULL if the descriptor came from the store */
        char devnode[32]; /* "/dev/input/event7" */
        bool settled; /* udev has applied its rules to it */
        uint32_t leds; /* what its readers have set, one bit a LED_* */

        struct loop_source led_source;
        void (*leds_changed)(struct uinput_node *n); /* may be NULL */
};

#define UINPUT_NODE_NONE ((struct uinput_node) { .fd = -EBADF })

/* Creates a device with the properties of template and the given phys. Its
 * autorepeat is the kernel's default until uinput_set_repeat. Takes some
 * milliseconds: not for the input path. n is untouched on failure. */
int uinput_create(const struct libevdev *template, const char *phys, struct uinput_node *n);
/* Takes over a descriptor from the store and lets go of every key that its last
 * owner may have left down. fd is consumed, also on failure. */
int uinput_adopt(int fd, const struct libevdev *template, struct uinput_node *n);
/* Destroys the device on the reaper's thread. */
void uinput_destroy(struct uinput_node *n, struct reaper *reaper);

/* Lets go of the device without destroying it: the store still holds it. */
void uinput_leave(struct uinput_node *n, struct reaper *reaper);

/* Writes whole frames with one write(2). Negative errno if the kernel refused. */
int uinput_write(struct uinput_node *n, const struct input_event *events, unsigned n_events);
/* Delay before and period between repeats, milliseconds. */
void uinput_set_repeat(struct uinput_node *n, int delay_ms, int period_ms);

/* Makes the node's LED changes known through leds_changed. */
int uinput_watch_leds(struct uinput_node *n, struct loop *loop, void (*changed)(struct uinput_node *n));
void uinput_unwatch(struct uinput_node *n, struct loop *loop);
