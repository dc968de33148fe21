/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A guest: one virtual machine that is to have its nodes while it runs. Knows
 * when; a route (route.h) knows how. */

#include <systemd/sd-event.h>

#include "common/config.h"
#include "daemon/guest/domains.h"
#include "daemon/guest/inputd-proxy.h"
#include "daemon/guest/route.h"

/* As on the bus, see doc/dbus-api.rst; what leads where: guest.c. */
enum guest_state {
        GUEST_ABSENT, /* no QEMU */
        GUEST_CONNECTING, /* something is there that does not talk to us (yet) */
        GUEST_WAITING, /* for vfio-inputd to have the nodes; "attaching" on the bus */
        GUEST_ATTACHING,
        GUEST_READY,
        GUEST_PAUSED, /* attached, its processors do not run */
        GUEST_HUNG, /* attached, QEMU does not answer */
        GUEST_DETACHING,
        GUEST_DETACHED, /* because somebody wanted it */
        GUEST_FAILED,
        GUEST_STATE_MAX_,
};

const char *guest_state_to_string(enum guest_state state);

struct guest;

/* What a guest tells its owner. Neither may free the guest. */
struct guest_handler {
        void (*changed)(struct guest *g, void *userdata);
        /* After guest_remove: nothing is attached any more, it may be freed soon. */
        void (*gone)(struct guest *g, void *userdata);
};

/* What guests are made with; all borrowed. */
struct guest_context {
        sd_event *event;
        struct inputd *inputd;
        struct domains *domains;
        const char *records; /* see grant.h */
        const struct guest_handler *handler;
        void *userdata;
};

/* configured: by the file, which vfio-inputd reads too; else it is told. */
struct guest *guest_new(const struct guest_context *context, const struct guest_config *config, bool configured);
struct guest *guest_free(struct guest *g);
DEFINE_CLEANUP(struct guest *, guest_free);
void guest_start(struct guest *g);

const char *guest_name(const struct guest *g);
enum guest_state guest_state(const struct guest *g);
const char *guest_reason(const struct guest *g);
void guest_describe(const struct guest *g, struct route_info *ret);
pid_t guest_pid(const struct guest *g);
/* Whether it has been adopted, by no section of the configuration, and is another domain. */
bool guest_is_adopted_of_another(const struct guest *g, const char *domain);

/* How a request went; reason is empty for GUEST_OK. */
enum guest_result {
        GUEST_OK,
        GUEST_NOT_READY, /* there is no QEMU to do it with */
        GUEST_BUSY, /* another request is under way */
        GUEST_TIMED_OUT,
        GUEST_REFUSED, /* tried, and failed */
};
/* Called once for each request, at once or later. */
typedef void (*guest_done_fn)(enum guest_result result, const char *reason, void *userdata);

void guest_attach(struct guest *g, guest_done_fn done, void *userdata);
void guest_detach(struct guest *g, guest_done_fn done, void *userdata);
/* vfio-inputd is about to go, and its nodes with it: detaches, until it is back. */
void guest_withhold(struct guest *g, const char *reason);
/* Whether its QEMU has, or may have, our nodes open. */
bool guest_holds_nodes(const struct guest *g);
/* Detaches for good, in limited time. Then comes gone. */
void guest_remove(struct guest *g, const char *reason);
/* Whether this configuration needs no new guest object; takes over what can change. */
bool guest_reconfigure(struct guest *g, const struct guest_config *config, bool configured);
/* Looks at its layers anew, and calls done, once. */
void guest_check(struct guest *g, void (*done)(void *userdata), void *userdata);
/* libvirt says something new of its domains. */
void guest_domains_changed(struct guest *g);
/* An input device of the host is gone. */
void guest_node_gone(struct guest *g);
/* vfio-inputd has changed in some way. */
void guest_inputd_changed(struct guest *g);
