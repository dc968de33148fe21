/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The bench's own input devices: a mouse and a keyboard made with uinput. */

#include <stddef.h>

enum node_kind {
        NODE_MOUSE, /* five buttons, two axes, both wheels and their hi-res */
        NODE_KEYBOARD, /* all keys of a keyboard, with scan codes */
};

struct node {
        int fd; /* uinput; negative: none */
        char path[64]; /* of its evdev node */
};

/* 0, or a negative errno. The evdev node exists when it returns; udev may not
 * be done with it. */
int node_create(enum node_kind kind, const char *name, const char *phys, struct node *ret);

/* Opens an evdev node and grabs it: no other reader is woken, and counted. The
 * descriptor, or a negative errno. */
int node_grab(const char *path, int flags);

/* The calling process under SCHED_RR with that priority. 0, or a negative errno. */
int set_realtime(int priority);

/* Says what has failed, and ends the process. */
void die(int error, const char *what) __attribute__((noreturn));
