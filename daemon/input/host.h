/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The host as a target: the frames of each device go, as they are, to that
 * device's mirror. */

#include "daemon/core/target.h"

struct manager;

/* Fills in m->host. */
void host_init(struct manager *m);
