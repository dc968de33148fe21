/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/guest/node-use.h"

#include <libudev.h>
#include <stddef.h>

#include "common/mem.h"

/* ID_INPUT_*: systemd, src/udev/udev-builtin-input_id.c. */
static const struct {
        const char *property, *text;
} uses[] = {
        { "ID_INPUT_KEYBOARD", "it is a keyboard" },
        { "ID_INPUT_MOUSE", "it is a mouse" },
        { "ID_INPUT_TOUCHPAD", "it is a touchpad" },
        { "ID_INPUT_TOUCHSCREEN", "it is a touch screen" },
        { "ID_INPUT_POINTINGSTICK", "it is a pointing stick" },
        { "ID_INPUT_TRACKBALL", "it is a trackball" },
        { "ID_INPUT_TABLET", "it is a tablet" },
        { "ID_INPUT_SWITCH", "it is a switch (of a lid, say)" },
        { "ID_INPUT_KEY", "it has keys (of power or volume, say)" },
};

static const char *device_use(struct udev_device *device)
{
        if (udev_device_get_property_value(device, "ID_INPUT_JOYSTICK"))
                return NULL;
        for (size_t i = 0; i < ARRAY_SIZE(uses); i++)
                if (streq_null(udev_device_get_property_value(device, uses[i].property), "1"))
                        return uses[i].text;
        return NULL;
}

const char *node_use(const struct input_node *node)
{
        struct udev *udev = udev_new();
        struct udev_device *device = udev ? udev_device_new_from_devnum(udev, 'c', node->device) : NULL;
        const char *use = device ? device_use(device) : "nobody can tell what it is";

        udev_device_unref(device);
        udev_unref(udev);
        return use;
}
