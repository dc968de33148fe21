/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* QEMU's input-linux objects, as we make them: one for each node of a guest. */

#include <json-c/json.h>

#include "common/config.h"
#include "daemon/guest/route.h"

/* node: an enum guest_node. The id of the object, below /objects in QEMU's object model. */
const char *input_linux_id(unsigned node);
/* The arguments of object-add for a QEMU of that major version (0: a current one); owned by the caller. */
struct json_object *input_linux_arguments(unsigned node, const char *path, enum grab_toggle toggle,
                                          int qemu_major);
