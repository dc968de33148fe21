/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A guest's pair of nodes: one keyboard, one pointer, with every key, button
 * and wheel, for the frames of all devices. They are made for QEMU's
 * input-linux and virtio-input-host:
 *
 * - scan codes (MSC_SCAN) and absolute axes are left out;
 * - input-linux makes one click of a wheel step, whatever its value, so a step
 *   of more than one is sent as several frames (ui/input-linux.c,
 *   input_linux_handle_mouse). */

#include <stdbool.h>

#include "common/mem.h"
#include "daemon/core/frame.h"
#include "daemon/core/target.h"
#include "daemon/input/uinput.h"

struct manager;

struct pair {
        struct target target;
        struct uinput_node keyboard, pointer;
        bool configured; /* stands in the configuration */
        bool grab_toggle_told; /* over the bus: goes before the configuration */
        bool announced; /* its nodes have been published on the bus */
        bool stopped; /* its QEMU stands still and drops what it reads */
        struct keyset owed; /* released meanwhile, still down at the nodes */
        struct manager *manager; /* not owned */
        struct pair *next; /* the manager's list */
};

/* Takes the nodes from the store or creates them; joins m->pairs and the
 * router, not ready. -EEXIST, -ENOSPC or from uinput. */
int pair_new(struct manager *m, const char *name);
/* Destroys the nodes: only when nobody has them open. */
struct pair *pair_free(struct pair *p);
/* Frees it as part of the daemon's exit: the nodes stay in the store. */
struct pair *pair_leave(struct pair *p);

/* A guest that stands still (paused, being saved) would never hear of a release:
 * QEMU reads its input and drops it (ui/input.c, qemu_input_event_send). So what
 * is released from now on stays down at the nodes until pair_go_on(). */
void pair_stop(struct pair *p);
/* The guest runs again, or nobody reads the nodes any more. No effect unless stopped. */
void pair_go_on(struct pair *p);

/* Both nodes have their permissions. */
bool pair_is_settled(const struct pair *p);

/* Hotkey and guard from the configuration, or the defaults if it is not there. A
 * guest that was not there before either keeps its own (guest-hotkey.h). */
void pair_configure(struct pair *p);

static inline struct pair *pair_of_target(struct target *t)
{
        return CONTAINER_OF(t, struct pair, target);
}

/* Splits a frame into what goes to the keyboard and what goes to the pointer,
 * each with its own SYN_REPORT, or empty. Both arrays hold PAIR_EVENTS_MAX.
 * Exposed for its test. */
#define PAIR_WHEEL_CLICKS_MAX 16
#define PAIR_EVENTS_MAX (FRAME_EVENTS_MAX + 4 * PAIR_WHEEL_CLICKS_MAX)
void pair_split(const struct input_event *events, unsigned n, struct input_event *keyboard, unsigned *ret_keyboard,
                struct input_event *pointer, unsigned *ret_pointer);
