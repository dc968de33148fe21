/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The methods by which vfio-guestd manages guests. Each has been authorised. */

#include <systemd/sd-bus.h>

/* userdata: the manager. */
int bus_act_add_guest(sd_bus_message *m, void *userdata, sd_bus_error *error);
int bus_act_remove_guest(sd_bus_message *m, void *userdata, sd_bus_error *error);
int bus_act_set_ready(sd_bus_message *m, void *userdata, sd_bus_error *error);
int bus_act_set_stopped(sd_bus_message *m, void *userdata, sd_bus_error *error);
int bus_act_set_toggle(sd_bus_message *m, void *userdata, sd_bus_error *error);
int bus_act_set_grab_toggle(sd_bus_message *m, void *userdata, sd_bus_error *error);
