/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The daemon's event loop: an epoll of its own for the input path, with the
 * whole of sd-event as one of its descriptors.
 *
 * Everything but input (bus, udev, timers, signals, watchdog) lives on
 * sd-event, whose turn costs several system calls and clock readings. A frame
 * must not pay for those, so devices are watched here directly: one
 * epoll_wait, then the device's own read and write. sd-event gets one dispatch
 * a turn, after the input, when its descriptor says that it has something.
 * One thread does both, so nothing here needs a lock, and the watchdog that
 * sd-event feeds stops with the input path. Source: sd_event_get_fd(3). */

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

struct loop;

/* Embedded in what is watched. dispatch runs on the input path: no waiting, no
 * allocation, no log. It is told of a descriptor once each time that something
 * new has come (EPOLLET: a level would be asked for again before every wait), so
 * it must read until it gets less than it had room for. */
struct loop_source {
        void (*dispatch)(struct loop_source *s);
};

/* after: called, with userdata, when a turn's input has been dispatched and
 * before sd-event's part; here the slow consequences of input are handled.
 * Returns true if it may have touched anything that lives on sd-event. */
int loop_new(struct loop **ret, bool (*after)(void *userdata), void *userdata);
struct loop *loop_free(struct loop *l);
sd_event *loop_event(struct loop *l); /* borrowed */

/* Watches fd for input. Neither is owned; the source must be removed before it goes. */
int loop_add(struct loop *l, int fd, struct loop_source *s);
void loop_remove(struct loop *l, int fd, struct loop_source *s);

/* Runs until sd_event_exit; returns its code, or a negative errno. */
int loop_run(struct loop *l);
