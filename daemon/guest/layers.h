/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What stands between a QEMU that libvirt confines and an input node, layer by
 * layer: each must let it through. A report says of each how it is and why, in
 * a sentence for the user. */

#include <stddef.h>

#include "common/mem.h"

enum layer {
        LAYER_NAMESPACE, /* the node exists in QEMU's own /dev */
        LAYER_DAC, /* QEMU's user owns it */
        LAYER_APPARMOR, /* QEMU's profile allows its path */
        LAYER_CGROUP, /* QEMU's device control group allows its number */
        LAYER_MAX_,
};

enum layer_state {
        LAYER_UNKNOWN, /* not looked at */
        LAYER_OPEN,
        LAYER_ABSENT, /* there is no such layer here: nothing to open */
        LAYER_SHUT,
};

#define LAYER_TEXT_MAX 191

struct layers {
        struct {
                enum layer_state state;
                char text[LAYER_TEXT_MAX + 1]; /* printable; "" only for LAYER_UNKNOWN */
        } at[LAYER_MAX_];
};

/* "namespace", "dac", "apparmor", "cgroup"; as on the bus. */
const char *layer_to_string(enum layer layer);
/* "unknown", "open", "absent", "shut"; as on the bus. */
const char *layer_state_to_string(enum layer_state state);

void layers_set(struct layers *l, enum layer layer, enum layer_state state, const char *format, ...)
        _printf_(4, 5);
/* The first layer that is shut as "LAYER: TEXT", owned by the caller; NULL if none is. */
char *layers_blocking(const struct layers *l);
