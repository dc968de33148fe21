/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The one object that owns everything in vfio-inputd. Objects below point back
 * to it; there are no globals. */

#include <stdbool.h>

#include "common/config.h"
#include "daemon/core/router.h"
#include "daemon/input/bus.h"
#include "daemon/input/device.h"
#include "daemon/input/hotplug.h"
#include "daemon/input/loop.h"
#include "daemon/input/pair.h"

struct manager {
        struct loop *loop;
        struct reaper *reaper;
        struct store *store;
        struct hotplug *hotplug;
        struct bus *bus;
        struct config *config;
        char *config_path;

        struct router router;
        struct target host;
        struct device *devices; /* owned */
        struct pair *pairs; /* owned */
        unsigned last_device_id;
        bool stopping;
        bool attention; /* some device wants device_attend or is gone */
};

/* config_path: copied. 0, or a negative errno that has been logged. */
int manager_new(struct manager **ret, const char *config_path);
struct manager *manager_free(struct manager *m);
int manager_run(struct manager *m);

/* Reads the configuration again. -EINVAL and a message, owned by the caller,
 * that names file and line; then nothing has changed. */
int manager_reload(struct manager *m, char **ret_error);

/* Lets every device go, or takes them back. Twice is no error. */
void manager_pause(struct manager *m, const char *reason);
void manager_resume(struct manager *m);

/* -EINVAL: no valid name; -ENOSPC: too many targets; else from uinput. */
int manager_add_guest(struct manager *m, const char *name);
/* -ENOENT; -EBUSY: it is in the configuration. */
int manager_remove_guest(struct manager *m, const char *name);
/* -ENOENT: no such guest. reason: made printable, and cut where it is too long. */
int manager_set_ready(struct manager *m, const char *name, bool ready, const char *reason);
/* The same as not ready; but what the guest holds is released when it goes on (pair.h). */
int manager_set_stopped(struct manager *m, const char *name, const char *reason);

/* Real keyboards show the LEDs of the active target. For the input path. */
void manager_show_leds(struct manager *m);

/* A node that is one of ours (phys) has been announced by udev. */
void manager_own_node(struct manager *m, const char *devnode);
