/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Authorisation of bus methods by polkit, without ever waiting for it.
 *
 * A method handler first unpacks and checks its arguments, then calls
 * polkit_guard. The act function is run later, from the event loop, once the
 * bus has said that the caller is root, or polkit that it may (it may ask the
 * user for a password, which takes as long as the user does). It gets the same
 * message, rewound, and replies to it. Without polkit only root is let in.
 * Actions: systemd/org.vfio.inputd1.policy.
 *
 * Callers that may not get AccessDenied, those that could after being asked
 * for a password but have not allowed that InteractiveAuthorizationRequired,
 * and LimitsExceeded when too many are being asked already. A caller that
 * leaves the bus in the meantime is forgotten, and act is not run. */

#include <systemd/sd-bus.h>

#include "common/mem.h"

struct polkit; /* pending questions of one daemon */

/* Runs the authorised method; returns like a sd-bus handler, replies itself
 * (a negative return is turned into an error reply from error or the errno). */
typedef int (*polkit_act_fn)(sd_bus_message *m, void *userdata, sd_bus_error *error);

struct polkit *polkit_new(void);
/* Drops pending questions; their callers get no reply from us. */
struct polkit *polkit_free(struct polkit *p);
DEFINE_CLEANUP(struct polkit *, polkit_free);

/* To be returned by the method handler. userdata must outlive the question;
 * action is copied. */
int polkit_guard(struct polkit *p, sd_bus_message *m, const char *action, polkit_act_fn act, void *userdata,
                 sd_bus_error *error);
