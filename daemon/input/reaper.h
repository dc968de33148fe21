/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Closes evdev and uinput descriptors on a thread of its own.
 *
 * Both wait for an RCU grace period in the kernel: closing or ungrabbing an
 * evdev node takes 16 to 32 ms, destroying a uinput device likewise. On the
 * input path that would overflow a fast mouse's ring (drivers/input/evdev.c,
 * evdev_ungrab and evdev_detach_client call synchronize_rcu). */

#include <libevdev/libevdev-uinput.h>

struct reaper;

int reaper_new(struct reaper **ret);
/* Waits until all that was handed over is closed. */
struct reaper *reaper_free(struct reaper *r);
/* Takes ownership of both; uidev may be NULL. Never waits. */
void reaper_close(struct reaper *r, int fd, struct libevdev_uinput *uidev);
