/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The nodes that vfio-guestd has granted to domains. */

#include "client/bus.h"
#include "client/layer.h"

struct grant {
        char *domain, *node, *path;
        uint32_t pid;
        struct layer *layers;
};

struct grant_list {
        struct grant *grants; /* owned */
        unsigned n_grants;
};

/* Asks vfio-guestd. Negative errno with error set. */
int grant_list_read(struct client *c, struct grant_list **ret, sd_bus_error *error);
struct grant_list *grant_list_free(struct grant_list *l);
DEFINE_CLEANUP(struct grant_list *, grant_list_free);
