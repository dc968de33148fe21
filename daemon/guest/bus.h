/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* org.vfio.Guestd1 on the bus, as documented in doc/dbus-api.rst. */

#include <systemd/sd-bus.h>

#include "daemon/guest/manager.h"

struct guest_bus;

/* Registers all objects. The manager must outlive it. */
int guest_bus_new(sd_bus *bus, struct manager *manager, struct guest_bus **ret);
struct guest_bus *guest_bus_free(struct guest_bus *b);
DEFINE_CLEANUP(struct guest_bus *, guest_bus_free);
