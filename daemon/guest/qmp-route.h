/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The route to a QEMU without libvirt: by the QMP socket in the configuration. */

#include <systemd/sd-event.h>

#include "common/config.h"
#include "daemon/guest/route.h"

/* The guest must have a qmp path; config is only read now. */
struct route *qmp_route_new(sd_event *event, const struct guest_config *config, const struct route_events *events,
                            void *userdata);
