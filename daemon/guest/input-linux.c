/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/guest/input-linux.h"

const char *input_linux_id(unsigned node)
{
        return node == GUEST_KEYBOARD ? "vfio-inputd-keyboard" : "vfio-inputd-pointer";
}

struct json_object *input_linux_arguments(unsigned node, const char *path, enum grab_toggle toggle,
                                          int qemu_major)
{
        struct json_object *arguments = json_object_new_object(), *properties = arguments;

        json_object_object_add(arguments, "qom-type", json_object_new_string("input-linux"));
        json_object_object_add(arguments, "id", json_object_new_string(input_linux_id(node)));
        if (qemu_major > 0 && qemu_major < 6) {
                properties = json_object_new_object();
                json_object_object_add(arguments, "props", properties);
        }
        json_object_object_add(properties, "evdev", json_object_new_string(path));
        json_object_object_add(properties, "repeat", json_object_new_boolean(true));
        json_object_object_add(properties, "grab-toggle", json_object_new_string(grab_toggle_to_string(toggle)));
        return arguments;
}
