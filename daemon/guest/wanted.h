/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Which guests there are to be: those of the configuration, whether their QEMU
 * or domain is there or not, and the domains that are adopted. */

#include "daemon/guest/adoption.h"
#include "daemon/guest/domains.h"

struct wanted_guest {
        struct guest_config config; /* owned */
        bool configured; /* the configuration has a section for it */
        char *note; /* owned; what of the domain's metadata does not count, or NULL */
};

struct wanted {
        struct wanted_guest *guests; /* owned */
        unsigned n_guests;
};

/* held: whether a guest that exists, and is not the one for this domain, has the name. */
typedef bool (*wanted_held_fn)(const char *name, const char *domain, void *userdata);
struct wanted *wanted_new(const struct config *c, const struct domains *domains, wanted_held_fn held, void *userdata);
struct wanted *wanted_free(struct wanted *w);
DEFINE_CLEANUP(struct wanted *, wanted_free);
/* The guest of that name, or NULL. */
const struct wanted_guest *wanted_find(const struct wanted *w, const char *name);
