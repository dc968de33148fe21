/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The bus methods about grants. userdata of all: struct guest_bus (bus.h). */

#include <systemd/sd-bus.h>

#include "daemon/guest/layers.h"

int bus_method_grant(sd_bus_message *m, void *userdata, sd_bus_error *error);
int bus_method_revoke(sd_bus_message *m, void *userdata, sd_bus_error *error);
int bus_method_list_grants(sd_bus_message *m, void *userdata, sd_bus_error *error);

/* Appends a(sss): name, state and text of each layer; none if l is NULL or
 * nothing is known. */
int bus_append_layers(sd_bus_message *m, const struct layers *l);
