/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Authorisation of bus methods by polkit, without ever waiting for it.
 *
 * A method handler first unpacks and checks its arguments, then calls
 * polkit_guard. The act function is run at once for root, or when polkit has
 * said yes (it may ask the user for a password, which takes as long as the
 * user does). It gets the same message, rewound, and replies to it. Without
 * polkit only root is let in. Actions: systemd/org.vfio.inputd1.policy. */

#include <systemd/sd-bus.h>

struct polkit; /* pending questions of one daemon */

/* Runs the authorised method; returns like a sd-bus handler, replies itself
 * (a negative return is turned into an error reply from error or the errno). */
typedef int (*polkit_act_fn)(sd_bus_message *m, void *userdata, sd_bus_error *error);

struct polkit *polkit_new(void);
/* Drops pending questions; their callers get no reply from us. */
struct polkit *polkit_free(struct polkit *p);

/* To be returned by the method handler. userdata must outlive the question. */
int polkit_guard(struct polkit *p, sd_bus_message *m, const char *action, polkit_act_fn act, void *userdata,
                 sd_bus_error *error);
