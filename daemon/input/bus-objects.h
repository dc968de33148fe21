/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The device and target objects of org.vfio.Inputd1: properties only. */

#include <systemd/sd-bus.h>

#include "common/hotkey.h"

struct device;
struct manager;
struct target;

/* …/device/N and …/target/NAME for as long as the bus lives. */
int bus_objects_register(sd_bus *bus, struct manager *m);

void bus_device_path(const struct device *d, char ret[64]);
char *bus_target_path(const struct target *t); /* owned by the caller */

/* The keys as an array of strings; a double tap has its key twice. */
int bus_append_hotkey(sd_bus_message *reply, const struct hotkey *h);
