/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Recognises hotkeys in the stream of presses of all devices together.
 *
 * A held chord is complete when the last of its keys goes down while the
 * others are down, in any order and over any number of devices; other keys do
 * not matter. A double tap is complete when its key goes down for the second
 * time within the limit and nothing else was pressed in between. */

#include <stdbool.h>
#include <stdint.h>

#include "common/hotkey.h"
#include "daemon/core/keyset.h"

struct chord {
        struct hotkey hotkey;
        uint64_t tap_usec; /* double tap: time of the first press; 0: none yet */
};

/* True if a press of key completes the chord. down: every key that is down on
 * any device, without this press. usec: CLOCK_MONOTONIC, microseconds.
 * limit_usec: double tap only. To be called for every press. */
bool chord_press(struct chord *c, const struct keyset *down, unsigned key, uint64_t usec, uint64_t limit_usec);
