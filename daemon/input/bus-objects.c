/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/input/bus-objects.h"

#include <stdio.h>

#include "common/mem.h"
#include "daemon/input/manager.h"

int bus_append_hotkey(sd_bus_message *reply, const struct hotkey *h)
{
        char names[HOTKEY_KEYS_MAX][HOTKEY_NAME_SIZE];
        unsigned n = hotkey_format(h, names);
        int r;

        r = sd_bus_message_open_container(reply, 'a', "s");
        for (unsigned i = 0; r >= 0 && i < n; i++)
                r = sd_bus_message_append(reply, "s", names[i]);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

/* ---- devices ---- */

void bus_device_path(const struct device *d, char ret[64])
{
        (void) snprintf(ret, 64, INPUTD_DEVICE_PATH "/%u", d->id);
}

static int get_device(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply,
                      void *userdata, sd_bus_error *error)
{
        const struct device *d = userdata;

        if (streq(property, "Name"))
                return sd_bus_message_append(reply, "s", d->name);
        if (streq(property, "Node"))
                return sd_bus_message_append(reply, "s", d->devnode);
        if (streq(property, "Phys"))
                return sd_bus_message_append(reply, "s", d->phys);
        if (streq(property, "Vendor"))
                return sd_bus_message_append(reply, "q", d->vendor);
        if (streq(property, "Product"))
                return sd_bus_message_append(reply, "q", d->product);
        if (streq(property, "Kind"))
                return sd_bus_message_append(reply, "s", device_kind_to_string(d->kind));
        if (streq(property, "Grabbed"))
                return sd_bus_message_append(reply, "b", d->state == DEVICE_GRABBED);
        if (streq(property, "State"))
                return sd_bus_message_append(reply, "s", device_state_to_string(d->state));
        return sd_bus_message_append(reply, "u", keyset_count(&d->source.down)); /* HeldKeys */
}

static const sd_bus_vtable device_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Name", "s", get_device, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Node", "s", get_device, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Phys", "s", get_device, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Vendor", "q", get_device, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Product", "q", get_device, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Kind", "s", get_device, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Grabbed", "b", get_device, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("State", "s", get_device, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("HeldKeys", "u", get_device, 0, 0),
        SD_BUS_VTABLE_END,
};

static int find_device(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret,
                       sd_bus_error *error)
{
        struct manager *m = userdata;
        char of_device[64];

        for (struct device *d = m->devices; d; d = d->next) {
                bus_device_path(d, of_device);
                if (!streq(path, of_device))
                        continue;
                *ret = d;
                return 1;
        }
        return 0;
}

static int list_devices(sd_bus *bus, const char *prefix, void *userdata, char ***ret, sd_bus_error *error)
{
        struct manager *m = userdata;
        unsigned n = 0, i = 0;

        for (struct device *d = m->devices; d; d = d->next)
                n++;
        *ret = xnew0(char *, n + 1);
        for (struct device *d = m->devices; d; d = d->next) {
                (*ret)[i] = xnew0(char, 64);
                bus_device_path(d, (*ret)[i++]);
        }
        return 0;
}

/* ---- targets ---- */

char *bus_target_path(const struct target *t)
{
        char *path;

        if (sd_bus_path_encode(INPUTD_TARGET_PATH, t->name, &path) < 0)
                abort();
        return path;
}

static int get_target(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply,
                      void *userdata, sd_bus_error *error)
{
        const struct target *t = userdata;

        if (streq(property, "Name"))
                return sd_bus_message_append(reply, "s", t->name);
        if (streq(property, "Kind"))
                return sd_bus_message_append(reply, "s", streq(t->name, TARGET_HOST) ? "host" : "guest");
        if (streq(property, "Ready"))
                return sd_bus_message_append(reply, "b", t->ready);
        if (streq(property, "Reason"))
                return sd_bus_message_append(reply, "s", t->reason);
        if (streq(property, "Switches"))
                return sd_bus_message_append(reply, "t", t->switches);
        return bus_append_hotkey(reply, &t->chord.hotkey); /* Toggle */
}

static int get_nodes(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply,
                     void *userdata, sd_bus_error *error)
{
        struct target *t = userdata;
        const struct pair *p = streq(t->name, TARGET_HOST) ? NULL : pair_of_target(t);

        if (!p || !pair_is_settled(p))
                return sd_bus_message_append(reply, "as", 0);
        return sd_bus_message_append(reply, "as", 2, p->keyboard.devnode, p->pointer.devnode);
}

static const sd_bus_vtable target_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Name", "s", get_target, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Kind", "s", get_target, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Ready", "b", get_target, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Reason", "s", get_target, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Nodes", "as", get_nodes, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Switches", "t", get_target, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Toggle", "as", get_target, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_VTABLE_END,
};

static int find_target(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret,
                       sd_bus_error *error)
{
        struct manager *m = userdata;
        _autofree_ char *name = NULL;
        struct target *t;

        if (sd_bus_path_decode(path, INPUTD_TARGET_PATH, &name) <= 0)
                return 0;
        t = router_find_target(&m->router, name);
        if (!t)
                return 0;
        *ret = t;
        return 1;
}

static int list_targets(sd_bus *bus, const char *prefix, void *userdata, char ***ret, sd_bus_error *error)
{
        struct manager *m = userdata;

        *ret = xnew0(char *, m->router.n_targets + 1);
        for (unsigned i = 0; i < m->router.n_targets; i++)
                (*ret)[i] = bus_target_path(m->router.targets[i]);
        return 0;
}

int bus_objects_register(sd_bus *bus, struct manager *m)
{
        int r;

        r = sd_bus_add_fallback_vtable(bus, NULL, INPUTD_DEVICE_PATH, INPUTD_DEVICE_IFACE, device_vtable, find_device,
                                       m);
        if (r >= 0)
                r = sd_bus_add_node_enumerator(bus, NULL, INPUTD_DEVICE_PATH, list_devices, m);
        if (r >= 0)
                r = sd_bus_add_fallback_vtable(bus, NULL, INPUTD_TARGET_PATH, INPUTD_TARGET_IFACE, target_vtable,
                                               find_target, m);
        if (r >= 0)
                r = sd_bus_add_node_enumerator(bus, NULL, INPUTD_TARGET_PATH, list_targets, m);
        return r;
}
