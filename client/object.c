/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/object.h"

#include "common/names.h"

struct property {
        const char *name, *type;
        size_t offset; /* in struct object */
};

#define FIELD(name, type, member) { name, type, offsetof(struct object, member) }

static const struct property manager_properties[] = {
        FIELD("Version", "s", manager.version),
        FIELD("ActiveTarget", "s", manager.active),
        FIELD("Paused", "b", manager.paused),
        FIELD("Toggle", "as", manager.toggle),
        FIELD("Libvirt", "s", manager.libvirt),
        { .name = NULL },
};

static const struct property target_properties[] = {
        FIELD("Name", "s", target.name),
        FIELD("Kind", "s", target.kind),
        FIELD("Ready", "b", target.ready),
        FIELD("Reason", "s", target.reason),
        FIELD("Nodes", "as", target.nodes),
        FIELD("Switches", "t", target.switches),
        FIELD("Toggle", "as", target.toggle),
        { .name = NULL },
};

static const struct property device_properties[] = {
        FIELD("Name", "s", device.name),
        FIELD("Node", "s", device.node),
        FIELD("Phys", "s", device.phys),
        FIELD("Vendor", "q", device.vendor),
        FIELD("Product", "q", device.product),
        FIELD("Kind", "s", device.kind),
        FIELD("Grabbed", "b", device.grabbed),
        FIELD("State", "s", device.state),
        FIELD("HeldKeys", "u", device.held_keys),
        { .name = NULL },
};

static const struct property guest_properties[] = {
        FIELD("Name", "s", guest.name),
        FIELD("Domain", "s", guest.domain),
        FIELD("Uuid", "s", guest.uuid),
        FIELD("State", "s", guest.state),
        FIELD("Route", "s", guest.route),
        FIELD("RouteReason", "s", guest.route_reason),
        FIELD("Layers", LAYERS_SIGNATURE, guest.layers),
        FIELD("Reason", "s", guest.reason),
        FIELD("Pid", "u", guest.pid),
        { .name = NULL },
};

static const struct {
        const char *name;
        const char *iface; /* the manager's is its service's */
        const struct property *properties;
} kinds[] = {
        [OBJECT_MANAGER] = { "manager", NULL, manager_properties },
        [OBJECT_TARGET] = { "target", INPUTD_TARGET_IFACE, target_properties },
        [OBJECT_DEVICE] = { "device", INPUTD_DEVICE_IFACE, device_properties },
        [OBJECT_GUEST] = { "guest", GUESTD_GUEST_IFACE, guest_properties },
};

struct object *object_new(enum object_kind kind, const char *path)
{
        struct object *o = xnew0(struct object, 1);

        o->kind = kind;
        o->path = xstrdup(path);
        return o;
}

static void *field_of(struct object *o, const struct property *p)
{
        return (char *) o + p->offset;
}

static void strings_free(char **l)
{
        for (char **s = l; s && *s; s++)
                free(*s);
        free(l);
}

struct object *object_free(struct object *o)
{
        if (!o)
                return NULL;
        for (const struct property *p = kinds[o->kind].properties; p->name; p++)
                if (streq(p->type, "s"))
                        free(*(char **) field_of(o, p));
                else if (streq(p->type, "as"))
                        strings_free(*(char ***) field_of(o, p));
                else if (streq(p->type, LAYERS_SIGNATURE))
                        layers_free(*(struct layer **) field_of(o, p));
        free(o->path);
        free(o);
        return NULL;
}

int object_kind_of(const char *iface)
{
        for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++)
                if (streq_null(kinds[i].iface, iface))
                        return (int) i;
        return -ENOENT;
}

const char *object_kind_name(enum object_kind kind)
{
        return kinds[kind].name;
}

const char *object_name(const struct object *o)
{
        const char *name = NULL;

        switch (o->kind) {
        case OBJECT_MANAGER:
                break;
        case OBJECT_TARGET:
                name = o->target.name;
                break;
        case OBJECT_DEVICE:
                name = o->device.name;
                break;
        case OBJECT_GUEST:
                name = o->guest.name;
                break;
        }
        return name ? name : "";
}

static int read_string(sd_bus_message *m, char **field)
{
        const char *s;
        int r;

        r = sd_bus_message_read_basic(m, 's', &s);
        if (r < 0)
                return r;
        free(*field);
        *field = xstrdup(s);
        return 0;
}

static int read_strings(sd_bus_message *m, char ***field)
{
        char **l = NULL;
        int r;

        r = sd_bus_message_read_strv(m, &l);
        if (r < 0)
                return r;
        strings_free(*field);
        *field = l;
        return 0;
}

static int read_bool(sd_bus_message *m, bool *field)
{
        int b, r;

        r = sd_bus_message_read_basic(m, 'b', &b);
        if (r >= 0)
                *field = b;
        return r;
}

static int read_value(struct object *o, sd_bus_message *m, const struct property *p)
{
        void *field = field_of(o, p);
        int r;

        r = sd_bus_message_enter_container(m, 'v', p->type);
        if (r < 0)
                return r;
        switch (p->type[0]) {
        case 's':
                r = read_string(m, field);
                break;
        case 'a':
                r = streq(p->type, "as") ? read_strings(m, field) : layers_read(m, field);
                break;
        case 'b':
                r = read_bool(m, field);
                break;
        default: /* numbers: the field has the size of the type */
                r = sd_bus_message_read_basic(m, p->type[0], field);
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int read_entry(struct object *o, sd_bus_message *m)
{
        const char *name, *contents;
        int r;

        r = sd_bus_message_read_basic(m, 's', &name);
        if (r >= 0)
                r = sd_bus_message_peek_type(m, NULL, &contents);
        if (r < 0)
                return r;
        for (const struct property *p = kinds[o->kind].properties; p->name; p++)
                if (streq(p->name, name) && streq_null(p->type, contents))
                        return read_value(o, m, p);
        return sd_bus_message_skip(m, "v");
}

int object_read(struct object *o, sd_bus_message *m)
{
        int r;

        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                r = read_entry(o, m);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}
