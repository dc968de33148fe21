/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "client/setup/root.h"

/* The unit of the daemon that runs QEMU here: the modular one if it is enabled, or else the monolithic one. */
const char *libvirt_daemon_unit(const struct root *r);
