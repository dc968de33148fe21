/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* All guests: which there are, by the configuration, and their beginning and end. */

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "daemon/guest/grants.h"
#include "daemon/guest/guest.h"

struct manager;

/* What the manager tells the bus. */
struct manager_handler {
        void (*added)(struct guest *g, void *userdata);
        void (*changed)(struct guest *g, void *userdata);
        void (*removed)(struct guest *g, void *userdata); /* it is still there, for the last time */
        void (*grants_changed)(void *userdata);
        void (*libvirt_changed)(void *userdata);
};

/* config_path and state_directory must stay valid. */
int manager_new(sd_event *event, sd_bus *bus, const char *config_path, const char *state_directory,
                struct manager **ret);
struct manager *manager_free(struct manager *m);
DEFINE_CLEANUP(struct manager *, manager_free);
void manager_set_handler(struct manager *m, const struct manager_handler *handler, void *userdata);

/* Reads the configuration for the first time and begins; with a mistake in it,
 * which is logged, without guests. */
int manager_start(struct manager *m);
/* Reads it again. The running one stays if there is a mistake, which is logged. */
void manager_reload(struct manager *m);
/* Detaches all guests until vfio-inputd is back, then calls done. -EBUSY if that
 * is under way already; -EPERM if sender, a connection to the bus, is not its. */
int manager_release(struct manager *m, const char *sender, void (*done)(void *userdata), void *userdata);
/* Detaches all guests in limited time, then ends the event loop. */
void manager_stop(struct manager *m);

unsigned manager_n_guests(const struct manager *m);
struct guest *manager_guest(const struct manager *m, unsigned i);
/* The guest of that name, or NULL. */
struct guest *manager_find(const struct manager *m, const char *name);
/* Borrowed; valid from manager_start on. */
struct domains *manager_domains(const struct manager *m);
struct grants *manager_grants(const struct manager *m);
