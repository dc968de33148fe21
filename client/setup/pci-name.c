/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/setup/pci-name.h"

#include <libudev.h>

#include "common/text.h"

static struct udev *udev_free(struct udev *u)
{
        return udev_unref(u);
}
DEFINE_CLEANUP(struct udev *, udev_free);

static struct udev_hwdb *hwdb_free(struct udev_hwdb *h)
{
        return udev_hwdb_unref(h);
}
DEFINE_CLEANUP(struct udev_hwdb *, hwdb_free);

/* Borrowed from the database; NULL: not in it. */
static const char *find(struct udev_list_entry *list, const char *key)
{
        struct udev_list_entry *entry = udev_list_entry_get_by_name(list, key);

        return entry ? udev_list_entry_get_value(entry) : NULL;
}

char *pci_name(const struct pci_device *d)
{
        _autofree_ char *modalias = xasprintf("pci:v%08Xd%08Xsv*sd*bc*sc*i*", d->vendor, d->device);
        _cleanup_(udev_freep) struct udev *udev = udev_new();
        _cleanup_(hwdb_freep) struct udev_hwdb *hwdb = udev ? udev_hwdb_new(udev) : NULL;
        struct udev_list_entry *list = hwdb ? udev_hwdb_get_properties_list_entry(hwdb, modalias, 0) : NULL;
        const char *vendor = find(list, "ID_VENDOR_FROM_DATABASE"), *model = find(list, "ID_MODEL_FROM_DATABASE");
        _autofree_ char *name = NULL;

        if (vendor && model)
                name = xasprintf("%s %s", vendor, model);
        else
                name = xasprintf("%s%s%04x:%04x", vendor ? vendor : "", vendor ? " " : "", d->vendor, d->device);
        return text_printable(name);
}
