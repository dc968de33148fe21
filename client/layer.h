/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What one layer between a domain and its node said: an (sss) of the bus. */

#include <systemd/sd-bus.h>

#include "common/mem.h"

#define LAYERS_SIGNATURE "a(sss)"

struct layer {
        char *name; /* NULL ends a list */
        char *state, *text;
};

/* Reads an a(sss) at the message's position. The list, owned by the caller,
 * replaces the one that was there. */
int layers_read(sd_bus_message *m, struct layer **list);
struct layer *layers_free(struct layer *list);
DEFINE_CLEANUP(struct layer *, layers_free);

/* The first one that is shut, or NULL. list may be NULL. */
const struct layer *layers_shut(const struct layer *list);
