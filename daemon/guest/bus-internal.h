/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the files of the bus side share. */

#include <systemd/sd-bus.h>

#include "common/polkit.h"
#include "daemon/guest/manager.h"

struct guest_bus {
        sd_bus *bus; /* referenced */
        struct manager *manager; /* borrowed */
        struct polkit *polkit; /* owned */
        sd_bus_slot *object_manager, *manager_object, *guest_objects, *guest_list; /* owned */
};
