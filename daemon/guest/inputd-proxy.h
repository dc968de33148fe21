/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What we know of vfio-inputd, and what we ask of it. It may come and go; it is
 * never started by us, and never waited for. */

#include <systemd/sd-bus.h>

#include "common/config.h"
#include "common/mem.h"
#include "daemon/guest/route.h"

struct inputd;

struct inputd_handler {
        /* Anything below may be different: presence, active target, targets. */
        void (*changed)(void *userdata);
        /* It uses a new configuration. */
        void (*reloaded)(void *userdata);
};

/* A guest as vfio-inputd has it. */
struct inputd_target {
        unsigned serial; /* another one whenever it, or vfio-inputd, started anew */
        bool has_nodes;
        struct route_nodes nodes; /* if it has them */
};

int inputd_new(sd_bus *bus, const struct inputd_handler *handler, void *userdata, struct inputd **ret);
struct inputd *inputd_free(struct inputd *p);
DEFINE_CLEANUP(struct inputd *, inputd_free);

/* Whether it runs and has told us what it has. */
bool inputd_is_present(const struct inputd *p);
/* Whether that is its connection to the bus. */
bool inputd_is(const struct inputd *p, const char *unique_name);
/* Whether the guest has the input now. */
bool inputd_is_active(const struct inputd *p, const char *guest);
/* The guest's target, or NULL. Valid until the next turn of the event loop. */
const struct inputd_target *inputd_find(const struct inputd *p, const char *guest);

/* A call on its way; its function is called once, with 0 or a negative errno,
 * unless the call is forgotten before. */
struct inputd_call;
typedef void (*inputd_call_fn)(int error, void *userdata);
struct inputd_call *inputd_call_forget(struct inputd_call *c);

enum inputd_readiness {
        INPUTD_NOT_READY,
        INPUTD_STOPPED, /* has its nodes, stands still, and drops what it reads until it goes on */
        INPUTD_READY,
};

int inputd_set_readiness(struct inputd *p, const char *guest, enum inputd_readiness readiness, const char *reason,
                         inputd_call_fn fn, void *userdata, struct inputd_call **ret);
/* These log how they went; a target that comes or goes shows in inputd_find. */
void inputd_add_guest(struct inputd *p, const char *guest);
void inputd_switch(struct inputd *p, const char *guest);
/* The guest's own hotkey. */
void inputd_set_toggle(struct inputd *p, const char *guest, const struct hotkey *toggle);
/* The pair of keys that its QEMU takes for its own hotkey. */
void inputd_set_grab_toggle(struct inputd *p, const char *guest, enum grab_toggle pair);
void inputd_remove_guest(struct inputd *p, const char *guest);
