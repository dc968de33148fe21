/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What vfio-inputd and vfio-guestd say at the moment. Asks only, starts nothing,
 * and waits no longer than some seconds for each. */

#include "client/bus.h"
#include "client/state.h"

struct doctor_bus {
        struct state *inputd, *guestd; /* NULL: no answer */
        char *inputd_error, *guestd_error; /* why not */
        bool inputd_absent, guestd_absent; /* not running, and nothing worse */
        char *error; /* there is no bus at all */
};

struct doctor_bus *doctor_bus_load(void);
struct doctor_bus *doctor_bus_free(struct doctor_bus *b);
