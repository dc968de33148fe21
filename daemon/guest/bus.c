/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/guest/bus.h"

#include "common/log.h"
#include "common/names.h"
#include "daemon/guest/bus-grants.h"
#include "daemon/guest/bus-internal.h"

#define ACTION_ATTACH "org.vfio.guestd1.attach"

/* The object path of a guest, owned by the caller; NULL without memory. */
static char *guest_path(const struct guest *g)
{
        char *path = NULL;

        return sd_bus_path_encode(GUESTD_GUEST_PATH, guest_name(g), &path) < 0 ? NULL : path;
}

static const char *result_error_name(enum guest_result result)
{
        switch (result) {
        case GUEST_NOT_READY:
                return VFIO_ERROR_NOT_READY;
        case GUEST_BUSY:
                return VFIO_ERROR_BUSY;
        case GUEST_TIMED_OUT:
                return VFIO_ERROR_TIMED_OUT;
        case GUEST_OK:
        case GUEST_REFUSED:
                break;
        }
        return VFIO_ERROR_FAILED;
}

/* Replies to the method call that asked for it, whose message is ours. */
static void on_done(enum guest_result result, const char *reason, void *userdata)
{
        sd_bus_message *m = userdata;
        int r;

        if (result == GUEST_OK)
                r = sd_bus_reply_method_return(m, "");
        else
                r = sd_bus_reply_method_errorf(m, result_error_name(result), "%s", reason);
        if (r < 0)
                (void) log_debug_errno(r, "Cannot reply to %s", sd_bus_message_get_member(m));
        sd_bus_message_unref(m);
}

static int read_guest(struct guest_bus *b, sd_bus_message *m, struct guest **ret, sd_bus_error *error)
{
        const char *name;
        int r;

        r = sd_bus_message_read(m, "s", &name);
        if (r < 0)
                return r;
        *ret = manager_find(b->manager, name);
        if (!*ret)
                return sd_bus_error_setf(error, VFIO_ERROR_NO_SUCH_GUEST,
                                         "There is no guest of this name");
        return 0;
}

static int act_attach(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        struct guest *g;
        int r;

        r = read_guest(userdata, m, &g, error);
        if (r < 0)
                return r;
        guest_attach(g, on_done, sd_bus_message_ref(m));
        return 1;
}

static int act_detach(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        struct guest *g;
        int r;

        r = read_guest(userdata, m, &g, error);
        if (r < 0)
                return r;
        guest_detach(g, on_done, sd_bus_message_ref(m));
        return 1;
}

static int method_attach(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        struct guest_bus *b = userdata;
        struct guest *g;
        int r;

        r = read_guest(b, m, &g, error);
        return r < 0 ? r : polkit_guard(b->polkit, m, ACTION_ATTACH, act_attach, b, error);
}

static int method_detach(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        struct guest_bus *b = userdata;
        struct guest *g;
        int r;

        r = read_guest(b, m, &g, error);
        return r < 0 ? r : polkit_guard(b->polkit, m, ACTION_ATTACH, act_detach, b, error);
}

/* Replies with nothing; m is a reference of our own. */
static void on_replied(void *userdata)
{
        sd_bus_message *m = userdata;

        (void) sd_bus_reply_method_return(m, NULL);
        sd_bus_message_unref(m);
}

/* Changes nothing: for anybody. */
static int method_check(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        struct guest *g;
        int r;

        r = read_guest(userdata, m, &g, error);
        if (r < 0)
                return r;
        guest_check(g, on_replied, sd_bus_message_ref(m));
        return 1;
}

/* Only for vfio-inputd, which is not root: no question for polkit. */
static int method_release(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        struct guest_bus *b = userdata;
        int r;

        r = manager_release(b->manager, sd_bus_message_get_sender(m), on_replied, sd_bus_message_ref(m));
        if (r >= 0)
                return 1;
        sd_bus_message_unref(m);
        if (r == -EPERM)
                return sd_bus_error_set(error, SD_BUS_ERROR_ACCESS_DENIED, "Only vfio-inputd may call this");
        return sd_bus_error_set(error, VFIO_ERROR_BUSY, "The guests are being detached already");
}

static int get_version(sd_bus *bus, const char *path, const char *interface, const char *property,
                       sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        return sd_bus_message_append(reply, "s", PACKAGE_VERSION);
}

static int get_guest_string(sd_bus *bus, const char *path, const char *interface, const char *property,
                            sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        const struct guest *g = userdata;
        struct route_info info;
        const char *s = "";

        guest_describe(g, &info);
        if (streq(property, "Name"))
                s = guest_name(g);
        else if (streq(property, "Domain"))
                s = info.domain;
        else if (streq(property, "Uuid"))
                s = info.uuid;
        else if (streq(property, "State"))
                s = guest_state_to_string(guest_state(g));
        else if (streq(property, "Route"))
                s = info.name;
        else if (streq(property, "RouteReason"))
                s = info.why;
        else if (streq(property, "Reason"))
                s = guest_reason(g);
        return sd_bus_message_append(reply, "s", s);
}

static int get_guest_layers(sd_bus *bus, const char *path, const char *interface, const char *property,
                            sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        struct route_info info;

        guest_describe(userdata, &info);
        return bus_append_layers(reply, info.layers);
}

static int get_libvirt(sd_bus *bus, const char *path, const char *interface, const char *property,
                       sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        const struct guest_bus *b = userdata;
        const struct domains *d = manager_domains(b->manager);
        const char *s = "absent";

        if (d && domains_link(d) == DOMAINS_CONNECTED)
                s = "connected";
        else if (d && domains_link(d) != DOMAINS_ABSENT)
                s = domains_reason(d);
        return sd_bus_message_append(reply, "s", s);
}

static int get_guest_pid(sd_bus *bus, const char *path, const char *interface, const char *property,
                         sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        return sd_bus_message_append(reply, "u", (uint32_t) guest_pid(userdata));
}

static const sd_bus_vtable manager_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_ARGS("Attach", SD_BUS_ARGS("s", guest), SD_BUS_NO_RESULT, method_attach,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Detach", SD_BUS_ARGS("s", guest), SD_BUS_NO_RESULT, method_detach,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("CheckGuest", SD_BUS_ARGS("s", guest), SD_BUS_NO_RESULT, method_check,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Grant", SD_BUS_ARGS("s", domain, "s", node, "b", in_use), SD_BUS_RESULT("s", path),
                                bus_method_grant, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Revoke", SD_BUS_ARGS("s", domain, "s", node), SD_BUS_NO_RESULT, bus_method_revoke,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListGrants", SD_BUS_NO_ARGS, SD_BUS_RESULT("a(sssua(sss))", grants),
                                bus_method_list_grants, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Release", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_release,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_SIGNAL_WITH_ARGS("GuestChanged", SD_BUS_ARGS("s", guest, "s", state, "s", reason), 0),
        SD_BUS_SIGNAL_WITH_ARGS("GrantsChanged", SD_BUS_NO_ARGS, 0),
        SD_BUS_PROPERTY("Libvirt", "s", get_libvirt, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Version", "s", get_version, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_VTABLE_END,
};

static const sd_bus_vtable guest_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Name", "s", get_guest_string, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Domain", "s", get_guest_string, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Uuid", "s", get_guest_string, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("State", "s", get_guest_string, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Route", "s", get_guest_string, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("RouteReason", "s", get_guest_string, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Layers", "a(sss)", get_guest_layers, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Reason", "s", get_guest_string, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Pid", "u", get_guest_pid, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_VTABLE_END,
};

static int find_guest(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret_found,
                      sd_bus_error *error)
{
        struct guest_bus *b = userdata;
        _autofree_ char *name = NULL;

        if (sd_bus_path_decode(path, GUESTD_GUEST_PATH, &name) <= 0)
                return 0;
        *ret_found = manager_find(b->manager, name);
        return *ret_found ? 1 : 0;
}

static int list_guests(sd_bus *bus, const char *prefix, void *userdata, char ***ret_nodes, sd_bus_error *error)
{
        struct guest_bus *b = userdata;
        unsigned n = manager_n_guests(b->manager);
        char **nodes = xnew0(char *, n + 1);

        for (unsigned i = 0; i < n; i++)
                nodes[i] = guest_path(manager_guest(b->manager, i));
        *ret_nodes = nodes;
        return 1;
}

static void on_added(struct guest *g, void *userdata)
{
        struct guest_bus *b = userdata;
        _autofree_ char *path = guest_path(g);

        (void) sd_bus_emit_interfaces_added(b->bus, path, GUESTD_GUEST_IFACE, NULL);
}

static void on_removed(struct guest *g, void *userdata)
{
        struct guest_bus *b = userdata;
        _autofree_ char *path = guest_path(g);

        (void) sd_bus_emit_interfaces_removed(b->bus, path, GUESTD_GUEST_IFACE, NULL);
}

static void on_changed(struct guest *g, void *userdata)
{
        struct guest_bus *b = userdata;
        _autofree_ char *path = guest_path(g);

        (void) sd_bus_emit_properties_changed(b->bus, path, GUESTD_GUEST_IFACE, "State", "Reason", "Pid", "Domain",
                                              "Uuid", "Route", "RouteReason", "Layers", NULL);
        (void) sd_bus_emit_signal(b->bus, GUESTD_ROOT_PATH, GUESTD_MANAGER_IFACE, "GuestChanged", "sss",
                                  guest_name(g), guest_state_to_string(guest_state(g)), guest_reason(g));
}

static void on_grants_changed(void *userdata)
{
        struct guest_bus *b = userdata;

        (void) sd_bus_emit_signal(b->bus, GUESTD_ROOT_PATH, GUESTD_MANAGER_IFACE, "GrantsChanged", "");
}

static void on_libvirt_changed(void *userdata)
{
        struct guest_bus *b = userdata;

        (void) sd_bus_emit_properties_changed(b->bus, GUESTD_ROOT_PATH, GUESTD_MANAGER_IFACE, "Libvirt", NULL);
}

static const struct manager_handler manager_handler = {
        .added = on_added,
        .changed = on_changed,
        .removed = on_removed,
        .grants_changed = on_grants_changed,
        .libvirt_changed = on_libvirt_changed,
};

int guest_bus_new(sd_bus *bus, struct manager *manager, struct guest_bus **ret)
{
        _cleanup_(guest_bus_freep) struct guest_bus *b = xnew0(struct guest_bus, 1);
        int r;

        b->bus = sd_bus_ref(bus);
        b->manager = manager;
        b->polkit = polkit_new();
        r = sd_bus_add_object_manager(bus, &b->object_manager, GUESTD_ROOT_PATH);
        if (r < 0)
                return r;
        r = sd_bus_add_object_vtable(bus, &b->manager_object, GUESTD_ROOT_PATH, GUESTD_MANAGER_IFACE, manager_vtable,
                                     b);
        if (r < 0)
                return r;
        r = sd_bus_add_fallback_vtable(bus, &b->guest_objects, GUESTD_GUEST_PATH, GUESTD_GUEST_IFACE, guest_vtable,
                                       find_guest, b);
        if (r < 0)
                return r;
        r = sd_bus_add_node_enumerator(bus, &b->guest_list, GUESTD_GUEST_PATH, list_guests, b);
        if (r < 0)
                return r;
        manager_set_handler(manager, &manager_handler, b);
        *ret = TAKE_PTR(b);
        return 0;
}

struct guest_bus *guest_bus_free(struct guest_bus *b)
{
        if (!b)
                return NULL;
        manager_set_handler(b->manager, NULL, NULL);
        sd_bus_slot_unref(b->object_manager);
        sd_bus_slot_unref(b->manager_object);
        sd_bus_slot_unref(b->guest_objects);
        sd_bus_slot_unref(b->guest_list);
        polkit_free(b->polkit);
        sd_bus_unref(b->bus);
        free(b);
        return NULL;
}
