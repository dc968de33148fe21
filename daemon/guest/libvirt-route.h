/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The route to a guest that is a domain of libvirt: watches the domain and its
 * QEMU live and die, and has an attachment (attachment.h) made and unmade on a
 * worker of its own.
 *
 * That QEMU hangs is found out by asking libvirt for the domain's IO threads,
 * which libvirt asks QEMU's main loop for (query-iothreads) without tainting the
 * domain; only while the guest has the input. */

#include <systemd/sd-event.h>

#include "common/config.h"
#include "daemon/guest/domains.h"
#include "daemon/guest/route.h"

/* The guest's domain is config->domain, or the one of its name. domains is
 * borrowed, records is the directory of grant.h and borrowed too. */
struct route *libvirt_route_new(sd_event *event, const struct guest_config *config, struct domains *domains,
                                const char *records, const struct route_events *events, void *userdata);
