/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* org.vfio.Inputd1 on the system bus. What it looks like: doc/dbus-api.rst.
 *
 * The daemon works without a bus: if there is none, or it goes away, we come
 * back to it every two seconds. Calls that announce something do nothing
 * meanwhile. */

#include "daemon/core/router.h"

struct bus;
struct device;
struct manager;

int bus_new(struct bus **ret, struct manager *m);
struct bus *bus_free(struct bus *b);
/* Connects, registers the objects, asks for the name, starts vfio-guestd. */
void bus_start(struct bus *b);

/* Has vfio-guestd detach all guests, whose nodes are about to go, and ends the
 * event loop when that is done, or cannot be. */
void bus_release_guests(struct bus *b);

void bus_device_added(struct bus *b, struct device *d);
void bus_device_removed(struct bus *b, struct device *d);
void bus_device_changed(struct bus *b, struct device *d);
void bus_target_added(struct bus *b, struct target *t);
void bus_target_removed(struct bus *b, struct target *t);
/* property: its name on the bus. */
void bus_target_changed(struct bus *b, struct target *t, const char *property);
void bus_manager_changed(struct bus *b, const char *property);
/* Property Paused has become true; who waits for a press is told. */
void bus_paused(struct bus *b);
/* The signal, or the reply, that belongs to a notice. */
void bus_notice(struct bus *b, const struct notice *n);
void bus_reloaded(struct bus *b);
