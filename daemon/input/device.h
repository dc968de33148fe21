/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A real input device: its evdev node, its grab, and its mirror on the host.
 *
 *             open            mirror settled, all keys up        unplugged
 *   released ------> settling ------------------------> grabbed ----------> (freed)
 *      ^               |   ^                               |
 *      |   keys down   v   |  last key up, or time is up   |  pause, panic
 *      |            waiting+-----------------------------> |
 *      +---------------------------------------------------+
 *   busy: somebody else has grabbed it; tried again every two seconds.
 *   failed: the kernel does not let us; tried again on the next resume or replug.
 *
 * The mirror exists before the grab, and the grab waits until udev has
 * announced the mirror, so that the desktop reads it when the first key comes.
 * The grab also waits until all keys are up: a key held across it would never
 * be released for those who read the device before. After grab-wait-ms the
 * releases are written to the node itself, which reach those readers, and the
 * device is grabbed in the same breath. */

#include <stdint.h>
#include <systemd/sd-event.h>

#include "common/mem.h"
#include "daemon/core/frame.h"
#include "daemon/core/router.h"
#include "daemon/input/loop.h"
#include "daemon/input/selection.h"
#include "daemon/input/uinput.h"

struct manager;

enum device_state {
        DEVICE_RELEASED,
        DEVICE_SETTLING,
        DEVICE_WAITING,
        DEVICE_GRABBED,
        DEVICE_BUSY,
        DEVICE_FAILED,
};

/* As on the bus; settling is shown as waiting. */
const char *device_state_to_string(enum device_state s);

struct device {
        struct source source; /* the router's view */
        struct loop_source loop_source;
        struct frame_reader reader;
        struct uinput_node mirror;
        enum device_state state;
        int fd; /* negative while released or failed */
        bool look; /* not grabbed, and its keys may have changed */
        bool gone; /* the kernel says that it was unplugged */

        struct manager *manager; /* not owned */
        struct device *next; /* the manager's list */
        struct libevdev *evdev; /* with fd */
        sd_event_source *timer; /* grab deadline, or the next try while busy */
        uint32_t leds; /* which LEDs it has, one bit a LED_* */

        unsigned id; /* number on the bus, never used twice */
        enum device_kind kind;
        uint16_t vendor, product;
        char *syspath;
        char *devnode;
        char *name, *phys; /* printable UTF-8, whatever the device says */
};

/* The device joins m->devices and is opened, unless the daemon is paused. */
struct device *device_new(struct manager *m, const struct node_info *info);
/* Releases it, destroys its mirror. */
struct device *device_free(struct device *d);
/* Frees it as part of the daemon's exit: the mirror stays in the store. */
struct device *device_leave(struct device *d);

void device_open(struct device *d);
/* Lets go of grab and node; what it held was released. */
void device_release(struct device *d);
/* udev has announced the mirror. */
void device_mirror_settled(struct device *d);
/* Off the input path: takes care of what the input path noticed (look). */
void device_attend(struct device *d);

/* Shows these LEDs, as far as the device has them. For the input path. */
void device_set_leds(struct device *d, uint32_t leds);

static inline struct device *device_of_source(struct source *s)
{
        return CONTAINER_OF(s, struct device, source);
}
