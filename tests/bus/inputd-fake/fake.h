/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The kernel and udev as vfio-inputd sees them, played by a test.
 *
 * vfio-inputd-fake is the daemon but for three files: uinput.c and hotplug.c
 * here stand in for those of daemon/input, and evdev.c answers the system calls
 * on /dev/input/eventN. The test owns a folder, $VFIO_FAKE_DIR, with
 *
 *   control       its seqpacket socket; hotplug.c connects, says "start", and
 *                 obeys one command a packet, each answered with "ok":
 *                   plug EVENT KIND VENDOR PRODUCT NAME
 *                   unplug EVENT
 *                   settle DEVNODE            udev has announced this own node
 *                   go                        that was all there is at the start
 *   uinput        its seqpacket socket; each virtual device connects, says
 *                 "DEVNODE\nPHYS\nNAME", then sends what is written to it, one
 *                 packet a write; "adopted" if it came out of the store. What the
 *                 test sends back are LEDs.
 *   EVENT         its stream socket: an evdev node, the test is the hardware
 *   EVENT.down    if it is there: the keys down on the node (codes, one a line)
 *   EVENT.busy    if it is there: somebody else has grabbed the node
 *   uinput-errno  if it is there: no virtual device can be made, and why
 *   slow-udev     if it is there: own nodes are only announced by "settle" */

#include <stdbool.h>
#include <stddef.h>

#include "daemon/input/selection.h"

#define FAKE_PATH_SIZE 256

struct fake_device {
        char event[32]; /* "event3" */
        char name[128], phys[64], syspath[64], devnode[64];
        int vendor, product;
        enum device_kind kind;
        bool taken; /* the manager has a device for it */
        struct fake_device *next;
};

/* Path in the test's folder. */
const char *fake_path(char ret[FAKE_PATH_SIZE], const char *name, const char *suffix);
bool fake_exists(const char *name, const char *suffix);
/* A socket connected to the test's one of that name, or a negative errno. */
int fake_connect(int type, const char *name, const char *own_name);

/* The plugged device behind "event3", or NULL. */
const struct fake_device *fake_device_find(const char *event);
