/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The domains of libvirt, as they are now, and the connection that tells it.
 *
 * A thread of its own holds the connection and runs libvirt's event loop, since
 * every call to libvirt may wait: for a libvirtd that hangs, until its keepalive
 * says so. What it learns arrives here as a whole new struct domain each time.
 * libvirtd may come and go: the thread connects again, at once when a socket
 * of its appears, else after 1 to 30 seconds. */

#include <libvirt/libvirt.h>
#include <systemd/sd-event.h>

#include "daemon/guest/domain-xml.h"

enum domain_state {
        DOMAIN_OFF,
        DOMAIN_RUNNING,
        DOMAIN_STOPPED, /* there is a QEMU, whose processors do not run */
};

/* Never changes; replaced by another one. */
struct domain {
        struct domain_xml *xml; /* of the running domain, if it runs */
        enum domain_state state;
        const char *reason; /* why it does not run, a sentence; "" while it does */
        int id; /* libvirt's, another one for each start; -1: it is off */
        unsigned generation; /* of the connection that told it */
        virDomainPtr handle; /* may be used, with a reference, on other threads */
};

struct domains;

struct domains_handler {
        /* Something of what the functions below return is different. Never for a
         * part of the domains, while a new connection lists them. */
        void (*changed)(void *userdata);
};

/* Only one in a process. uri: of libvirt. */
int domains_new(sd_event *event, const char *uri, const struct domains_handler *handler, void *userdata,
                struct domains **ret);
/* Does not wait for the thread, which may outlive it. */
struct domains *domains_free(struct domains *d);
DEFINE_CLEANUP(struct domains *, domains_free);
/* Another libvirt. Nothing happens if it is the same. */
void domains_set_uri(struct domains *d, const char *uri);

enum domains_link {
        DOMAINS_UNKNOWN, /* not tried yet */
        DOMAINS_ABSENT, /* no libvirt here */
        DOMAINS_FAILED, /* see the reason */
        DOMAINS_CONNECTED,
};

enum domains_link domains_link(const struct domains *d);
/* What is wrong with the connection, a sentence; "" while it is up. */
const char *domains_reason(const struct domains *d);

/* While there is no connection these are the domains as they were last. */
unsigned domains_count(const struct domains *d);
const struct domain *domains_at(const struct domains *d, unsigned i);
/* By name, or by UUID. */
const struct domain *domains_find(const struct domains *d, const char *name_or_uuid);
