/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/input/selection.h"

#include <fnmatch.h>
#include <linux/input.h>
#include <stdint.h>

#include "common/mem.h"

static const char *const kind_names[] = {
        [DEVICE_NONE] = "none",
        [DEVICE_KEYBOARD] = "keyboard",
        [DEVICE_MOUSE] = "mouse",
        [DEVICE_KEYS] = "keys",
};

const char *device_kind_to_string(enum device_kind k)
{
        return kind_names[k];
}

static bool has_property(struct udev_device *d, const char *key)
{
        const char *value = udev_device_get_property_value(d, key);

        return value && streq(value, "1");
}

static const char *sysattr(struct udev_device *d, const char *name)
{
        const char *value = udev_device_get_sysattr_value(d, name);

        return value ? value : "";
}

/* One bit of a capability bitmap as sysfs prints it: hexadecimal longs,
 * highest first. Source: drivers/input/input.c, input_print_bitmap. */
static bool has_capability(struct udev_device *input, const char *attribute, unsigned bit)
{
        const char *bitmap = sysattr(input, attribute);
        unsigned words = 1;

        for (const char *p = bitmap; *p; p++)
                words += *p == ' ';
        if (bit / (8 * sizeof(long)) >= words)
                return false;
        for (unsigned skip = words - 1 - bit / (unsigned) (8 * sizeof(long)); skip > 0; skip--)
                bitmap = strchr(bitmap, ' ') + 1;
        return strtoul(bitmap, NULL, 16) >> (bit % (8 * sizeof(long))) & 1;
}

static bool has_any_capability(struct udev_device *input, const char *attribute)
{
        return strspn(sysattr(input, attribute), "0 ") < strlen(sysattr(input, attribute));
}

/* Media-key nodes of HID devices often have a volume axis; anything else
 * absolute is not for a relative pointer's path. */
static bool has_position_axes(struct udev_device *input)
{
        for (unsigned axis = 0; axis < ABS_CNT; axis++)
                if (axis != ABS_VOLUME && axis != ABS_MISC && has_capability(input, "capabilities/abs", axis))
                        return true;
        return false;
}

static enum device_kind classify(struct udev_device *d, struct udev_device *input)
{
        static const char *const not_ours[] = {
                "ID_INPUT_TOUCHPAD", "ID_INPUT_TOUCHSCREEN", "ID_INPUT_TABLET",        "ID_INPUT_TABLET_PAD",
                "ID_INPUT_JOYSTICK", "ID_INPUT_SWITCH",      "ID_INPUT_ACCELEROMETER",
        };

        for (size_t i = 0; i < ARRAY_SIZE(not_ours); i++)
                if (has_property(d, not_ours[i]))
                        return DEVICE_NONE;
        if (has_position_axes(input))
                return DEVICE_NONE;

        if (has_property(d, "ID_INPUT_KEYBOARD"))
                return DEVICE_KEYBOARD;
        if (has_property(d, "ID_INPUT_MOUSE") && has_capability(input, "capabilities/rel", REL_X))
                return DEVICE_MOUSE;
        if (has_property(d, "ID_INPUT_KEY") || has_any_capability(input, "capabilities/rel"))
                return DEVICE_KEYS;
        return DEVICE_NONE;
}

static const char *physical_device(struct udev_device *input)
{
        struct udev_device *p;

        p = udev_device_get_parent_with_subsystem_devtype(input, "usb", "usb_device");
        if (!p)
                p = udev_device_get_parent_with_subsystem_devtype(input, "hid", NULL);
        if (!p)
                p = udev_device_get_parent_with_subsystem_devtype(input, "serio", NULL);
        return udev_device_get_syspath(p ? p : input);
}

static bool on_first_seat(struct udev_device *d)
{
        const char *seat = udev_device_get_property_value(d, "ID_SEAT");

        return !seat || streq(seat, "seat0");
}

static int hex_id(struct udev_device *input, const char *attribute)
{
        return (int) (strtoul(sysattr(input, attribute), NULL, 16) & UINT16_MAX);
}

bool node_info_read(struct udev_device *d, struct node_info *ret)
{
        const char *sysname = udev_device_get_sysname(d);
        struct udev_device *input;

        if (!sysname || !startswith(sysname, "event") || !udev_device_get_devnode(d))
                return false;
        input = udev_device_get_parent_with_subsystem_devtype(d, "input", NULL);
        if (!input)
                return false;

        *ret = (struct node_info) {
                .syspath = udev_device_get_syspath(d),
                .devnode = udev_device_get_devnode(d),
                .name = sysattr(input, "name"),
                .phys = sysattr(input, "phys"),
                .vendor = hex_id(input, "id/vendor"),
                .product = hex_id(input, "id/product"),
                .physical = physical_device(input),
        };
        ret->own = startswith(ret->phys, VFIO_PHYS_PREFIX);
        if (!ret->own && on_first_seat(d))
                ret->kind = classify(d, input);
        return true;
}

static bool matches(const struct device_match *m, const struct node_info *i)
{
        return (m->vendor < 0 || m->vendor == i->vendor) && (m->product < 0 || m->product == i->product) &&
               (!m->name || fnmatch(m->name, i->name, 0) == 0) && (!m->phys || fnmatch(m->phys, i->phys, 0) == 0);
}

static bool matches_any(const struct device_match *list, unsigned n, const struct node_info *i)
{
        for (unsigned k = 0; k < n; k++)
                if (matches(&list[k], i))
                        return true;
        return false;
}

bool node_info_admitted(const struct node_info *i, const struct config *c)
{
        if (c->n_only > 0 && !matches_any(c->only, c->n_only, i))
                return false;
        return !matches_any(c->ignore, c->n_ignore, i);
}
