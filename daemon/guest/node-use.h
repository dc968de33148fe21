/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/guest/input-node.h"

/* What the host needs the device for, a sentence; NULL if a guest can have it
 * without anybody missing it (a gamepad). By what udev has found out about it. */
const char *node_use(const struct input_node *node);
