/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A target: where frames go. The host is one, each guest is one. */

#include <linux/input.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/names.h"
#include "daemon/core/chord.h"

struct source;
struct target;

/* What a kind of target can do. Called on the input path: nothing here may
 * wait, allocate or log. All members are required. */
struct target_ops {
        /* A frame of source, already filtered, n >= 2 events with the SYN_REPORT.
         * s is NULL if a merged target gets a frame of no source in particular.
         * The buffer may be changed by the target. */
        void (*frame)(struct target *t, struct source *s, struct input_event *events, unsigned n);
        /* The target becomes active, or is no longer. It holds no key at either moment. */
        void (*enter)(struct target *t);
        void (*leave)(struct target *t);
};

struct target {
        const struct target_ops *ops;
        char name[TARGET_NAME_MAX + 1];
        bool ready;
        char reason[128]; /* why it is not ready, or how it became so; never empty if not ready */
        struct chord chord; /* its own hotkey */

        /* True if the frames of all sources end in the same nodes, so that a
         * key held on two keyboards is one press (a guest); false if each
         * source has nodes of its own (host mirrors). */
        bool merged;
        /* Two keys that must never be down together here (QEMU's own hotkey);
         * 0, 0: none. The press that would complete the pair is dropped. */
        uint16_t guard[2];

        uint64_t switches; /* how often it became active */
};
