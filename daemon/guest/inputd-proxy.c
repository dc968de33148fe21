/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/guest/inputd-proxy.h"

#include "common/log.h"
#include "common/names.h"

#define CALL_TIMEOUT_USEC 1000000ULL /* vfio-inputd never waits for anything */

/* Signals count only if they come from the connection that owns the name: any
 * client of the bus could send us one that merely looks like vfio-inputd's.
 *
 * What we know starts with GetNameOwner (or NameOwnerChanged) and then two
 * calls, for the manager's properties and for all objects; signals that come
 * before the replies are older than these and so overwritten by them. */

struct target {
        struct inputd_target known;
        char name[TARGET_NAME_MAX + 1];
        bool seen; /* while all objects are being read */
};

struct inputd {
        sd_bus *bus; /* referenced */
        sd_bus_slot *owner_match, *owner_call; /* owned */
        sd_bus_slot *signal_match; /* owned */
        sd_bus_slot *objects_call, *manager_call; /* owned */
        char *owner; /* unique name, or NULL */
        bool has_objects;
        char *active; /* or NULL */
        unsigned last_serial;
        struct target *targets;
        unsigned n_targets;
        const struct inputd_handler *handler;
        void *userdata;
};

struct inputd_call {
        sd_bus_slot *slot; /* owned */
        inputd_call_fn fn;
        void *userdata;
};

bool inputd_is_present(const struct inputd *p)
{
        return p->owner && p->has_objects;
}

bool inputd_is(const struct inputd *p, const char *unique_name)
{
        return streq_null(p->owner, unique_name) && p->owner;
}

bool inputd_is_active(const struct inputd *p, const char *guest)
{
        return p->active && streq(p->active, guest);
}

static struct target *find_target(const struct inputd *p, const char *name)
{
        for (unsigned i = 0; i < p->n_targets; i++)
                if (streq(p->targets[i].name, name))
                        return &p->targets[i];
        return NULL;
}

const struct inputd_target *inputd_find(const struct inputd *p, const char *guest)
{
        const struct target *t = inputd_is_present(p) ? find_target(p, guest) : NULL;

        return t ? &t->known : NULL;
}

static struct target *add_target(struct inputd *p, const char *name)
{
        struct target *t = find_target(p, name);

        if (t)
                return t;
        p->targets = xreallocarray(p->targets, p->n_targets + 1, sizeof(*p->targets));
        t = &p->targets[p->n_targets++];
        *t = (struct target){ .known.serial = ++p->last_serial };
        memcpy(t->name, name, strlen(name));
        return t;
}

static void remove_target(struct inputd *p, struct target *t)
{
        *t = p->targets[--p->n_targets];
}

/* The target's name from its object path, or NULL; owned by the caller. */
static char *path_to_name(const char *path)
{
        _autofree_ char *name = NULL;

        if (sd_bus_path_decode(path, INPUTD_TARGET_PATH, &name) <= 0)
                return NULL;
        return strlen(name) <= TARGET_NAME_MAX ? TAKE_PTR(name) : NULL;
}

static int read_nodes(sd_bus_message *m, struct inputd_target *t)
{
        struct route_nodes nodes = { 0 };
        const char *path;
        unsigned n = 0;
        int r;

        r = sd_bus_message_enter_container(m, 'v', "as");
        if (r < 0)
                return r;
        r = sd_bus_message_enter_container(m, 'a', "s");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_read(m, "s", &path)) > 0) {
                if (n < GUEST_NODE_MAX_ && strlen(path) <= ROUTE_NODE_PATH_MAX)
                        memcpy(nodes.path[n], path, strlen(path));
                n++;
        }
        if (r < 0)
                return r;
        t->has_nodes = n == GUEST_NODE_MAX_ && nodes.path[GUEST_KEYBOARD][0] && nodes.path[GUEST_POINTER][0];
        t->nodes = nodes;
        r = sd_bus_message_exit_container(m);
        if (r < 0)
                return r;
        return sd_bus_message_exit_container(m);
}

static int read_active(sd_bus_message *m, struct inputd *p)
{
        const char *active;
        int r;

        r = sd_bus_message_read(m, "v", "s", &active);
        if (r < 0)
                return r;
        free(p->active);
        p->active = xstrdup(active);
        return 0;
}

/* Reads a{sv}, the properties of a target or, if t is NULL, of the manager. */
static int read_properties(sd_bus_message *m, struct inputd *p, struct inputd_target *t)
{
        const char *name;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                r = sd_bus_message_read(m, "s", &name);
                if (r < 0)
                        return r;
                if (t && streq(name, "Nodes"))
                        r = read_nodes(m, t);
                else if (!t && streq(name, "ActiveTarget"))
                        r = read_active(m, p);
                else
                        r = sd_bus_message_skip(m, "v");
                if (r < 0)
                        return r;
                r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;
        return sd_bus_message_exit_container(m);
}

/* Reads oa{sa{sv}}, one object. */
static int read_object(sd_bus_message *m, struct inputd *p)
{
        _autofree_ char *name = NULL;
        struct target *t;
        const char *path, *interface;
        int r;

        r = sd_bus_message_read(m, "o", &path);
        if (r < 0)
                return r;
        name = path_to_name(path);
        if (!name)
                return sd_bus_message_skip(m, "a{sa{sv}}");

        r = sd_bus_message_enter_container(m, 'a', "{sa{sv}}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(m, 'e', "sa{sv}")) > 0) {
                r = sd_bus_message_read(m, "s", &interface);
                if (r < 0)
                        return r;
                if (streq(interface, INPUTD_TARGET_IFACE)) {
                        t = add_target(p, name);
                        t->seen = true;
                        r = read_properties(m, p, &t->known);
                } else {
                        r = sd_bus_message_skip(m, "a{sv}");
                }
                if (r < 0)
                        return r;
                r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int read_objects(sd_bus_message *m, struct inputd *p)
{
        int r;

        for (unsigned i = 0; i < p->n_targets; i++)
                p->targets[i].seen = false;
        r = sd_bus_message_enter_container(m, 'a', "{oa{sa{sv}}}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(m, 'e', "oa{sa{sv}}")) > 0) {
                r = read_object(m, p);
                if (r < 0)
                        return r;
                r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        for (unsigned i = p->n_targets; i > 0; i--)
                if (!p->targets[i - 1].seen)
                        remove_target(p, &p->targets[i - 1]);
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

/* Calls without starting the service. args as in sd_bus_message_append. */
static int call_inputd(struct inputd *p, sd_bus_slot **slot, const char *path, const char *interface,
                       const char *member, sd_bus_message_handler_t fn, void *userdata, const char *types, ...)
{
        sd_bus_message *m = NULL;
        va_list ap;
        int r;

        r = sd_bus_message_new_method_call(p->bus, &m, INPUTD_BUS_NAME, path, interface, member);
        if (r < 0)
                return r;
        (void) sd_bus_message_set_auto_start(m, 0);
        va_start(ap, types);
        r = sd_bus_message_appendv(m, types, ap);
        va_end(ap);
        if (r >= 0)
                r = sd_bus_call_async(p->bus, slot, m, fn, userdata, CALL_TIMEOUT_USEC);
        sd_bus_message_unref(m);
        return r;
}

static void read_all(struct inputd *p);

static int on_objects(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        struct inputd *p = userdata;
        int r;

        r = sd_bus_message_is_method_error(m, NULL) ? -sd_bus_message_get_errno(m) : read_objects(m, p);
        if (r < 0) {
                (void) log_warning_errno(r, "vfio-inputd does not tell its targets");
                if (r == -ETIMEDOUT)
                        read_all(p);
                return 0;
        }
        p->has_objects = true;
        p->handler->changed(p->userdata);
        return 0;
}

static int on_manager(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        struct inputd *p = userdata;
        int r;

        r = sd_bus_message_is_method_error(m, NULL) ? -sd_bus_message_get_errno(m) : read_properties(m, p, NULL);
        if (r < 0)
                (void) log_warning_errno(r, "vfio-inputd does not tell its active target");
        else
                p->handler->changed(p->userdata);
        return 0;
}

static void read_all(struct inputd *p)
{
        int r;

        p->objects_call = sd_bus_slot_unref(p->objects_call);
        p->manager_call = sd_bus_slot_unref(p->manager_call);
        r = call_inputd(p, &p->manager_call, INPUTD_ROOT_PATH, "org.freedesktop.DBus.Properties", "GetAll",
                        on_manager, p, "s", INPUTD_MANAGER_IFACE);
        if (r >= 0)
                r = call_inputd(p, &p->objects_call, INPUTD_ROOT_PATH, "org.freedesktop.DBus.ObjectManager",
                                "GetManagedObjects", on_objects, p, "");
        if (r < 0)
                (void) log_error_errno(r, "Cannot ask vfio-inputd for its targets");
}

static void set_owner(struct inputd *p, const char *owner)
{
        if (streq_null(p->owner, owner))
                return;
        free(p->owner);
        p->owner = xstrdup(owner);
        p->active = (free(p->active), NULL);
        p->n_targets = 0;
        p->has_objects = false;
        p->objects_call = sd_bus_slot_unref(p->objects_call);
        p->manager_call = sd_bus_slot_unref(p->manager_call);
        if (owner)
                read_all(p);
        p->handler->changed(p->userdata);
}

static int on_owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        const char *name, *from, *to;

        if (sd_bus_message_read(m, "sss", &name, &from, &to) >= 0 && streq(name, INPUTD_BUS_NAME))
                set_owner(userdata, *to ? to : NULL);
        return 0;
}

static int on_owner(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        const char *owner;

        if (!sd_bus_message_is_method_error(m, NULL) && sd_bus_message_read(m, "s", &owner) >= 0)
                set_owner(userdata, owner);
        return 0;
}

static int on_properties_changed(struct inputd *p, sd_bus_message *m)
{
        _autofree_ char *name = path_to_name(sd_bus_message_get_path(m));
        struct target *t = name ? find_target(p, name) : NULL;
        const char *interface, *invalidated;
        int r;

        r = sd_bus_message_read(m, "s", &interface);
        if (r < 0)
                return r;
        if (t && streq(interface, INPUTD_TARGET_IFACE))
                r = read_properties(m, p, &t->known);
        else if (streq(interface, INPUTD_MANAGER_IFACE))
                r = read_properties(m, p, NULL);
        else
                return 0;
        if (r < 0)
                return r;
        r = sd_bus_message_enter_container(m, 'a', "s");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_read(m, "s", &invalidated)) > 0)
                if (streq(invalidated, "Nodes") || streq(invalidated, "ActiveTarget"))
                        read_all(p);
        p->handler->changed(p->userdata);
        return r;
}

static int on_removed(struct inputd *p, sd_bus_message *m)
{
        _autofree_ char *name = NULL;
        const char *path;
        struct target *t;
        int r;

        r = sd_bus_message_read(m, "o", &path);
        if (r < 0)
                return r;
        name = path_to_name(path);
        t = name ? find_target(p, name) : NULL;
        if (t) {
                remove_target(p, t);
                p->handler->changed(p->userdata);
        }
        return 0;
}

static int on_added(struct inputd *p, sd_bus_message *m)
{
        int r;

        r = read_object(m, p);
        if (r >= 0)
                p->handler->changed(p->userdata);
        return r;
}

static int on_signal(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        struct inputd *p = userdata;
        int r = 0;

        if (!p->owner || !streq_null(sd_bus_message_get_sender(m), p->owner))
                return 0;
        if (sd_bus_message_is_signal(m, "org.freedesktop.DBus.Properties", "PropertiesChanged"))
                r = on_properties_changed(p, m);
        else if (sd_bus_message_is_signal(m, "org.freedesktop.DBus.ObjectManager", "InterfacesAdded"))
                r = on_added(p, m);
        else if (sd_bus_message_is_signal(m, "org.freedesktop.DBus.ObjectManager", "InterfacesRemoved"))
                r = on_removed(p, m);
        else if (sd_bus_message_is_signal(m, INPUTD_MANAGER_IFACE, "Reloaded"))
                p->handler->reloaded(p->userdata);
        if (r < 0)
                (void) log_warning_errno(r, "A signal of vfio-inputd is not as documented");
        return 0;
}

struct inputd_call *inputd_call_forget(struct inputd_call *c)
{
        if (!c)
                return NULL;
        sd_bus_slot_unref(c->slot);
        free(c);
        return NULL;
}

static int on_called(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        struct inputd_call *c = userdata;
        inputd_call_fn fn = c->fn;
        void *fn_userdata = c->userdata;
        int e = 0;

        if (sd_bus_message_is_method_error(m, NULL))
                e = -sd_bus_message_get_errno(m);
        inputd_call_forget(c);
        fn(e, fn_userdata);
        return 0;
}

int inputd_set_readiness(struct inputd *p, const char *guest, enum inputd_readiness readiness, const char *reason,
                         inputd_call_fn fn, void *userdata, struct inputd_call **ret)
{
        struct inputd_call *c = xnew0(struct inputd_call, 1);
        int r;

        *c = (struct inputd_call){ .fn = fn, .userdata = userdata };
        if (readiness == INPUTD_STOPPED)
                r = call_inputd(p, &c->slot, INPUTD_ROOT_PATH, INPUTD_MANAGER_IFACE, "SetStopped", on_called, c, "ss",
                                guest, reason);
        else
                r = call_inputd(p, &c->slot, INPUTD_ROOT_PATH, INPUTD_MANAGER_IFACE, "SetReady", on_called, c, "sbs",
                                guest, readiness == INPUTD_READY, reason);
        if (r < 0) {
                inputd_call_forget(c);
                return r;
        }
        *ret = c;
        return 0;
}

static int on_guest_call(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        const sd_bus_error *e = sd_bus_message_get_error(m);

        if (e)
                log_warning("vfio-inputd refuses to %s: %s", (const char *) userdata, e->message ?: e->name);
        return 0;
}

void inputd_add_guest(struct inputd *p, const char *guest)
{
        static char what[] = "add a guest";
        int r;

        r = call_inputd(p, NULL, INPUTD_ROOT_PATH, INPUTD_MANAGER_IFACE, "AddGuest", on_guest_call, what, "s",
                        guest);
        if (r < 0)
                (void) log_error_errno(r, "Cannot ask vfio-inputd to add guest %s", guest);
}

void inputd_switch(struct inputd *p, const char *guest)
{
        static char what[] = "switch to a guest that has started";
        int r;

        r = call_inputd(p, NULL, INPUTD_ROOT_PATH, INPUTD_MANAGER_IFACE, "Switch", on_guest_call, what, "s", guest);
        if (r < 0)
                (void) log_error_errno(r, "Cannot ask vfio-inputd to switch to guest %s", guest);
}

void inputd_set_toggle(struct inputd *p, const char *guest, const struct hotkey *toggle)
{
        static char what[] = "take the hotkey of a guest";
        char names[HOTKEY_KEYS_MAX][HOTKEY_NAME_SIZE];
        unsigned n = hotkey_format(toggle, names);
        int r;

        r = call_inputd(p, NULL, INPUTD_ROOT_PATH, INPUTD_MANAGER_IFACE, "SetToggle", on_guest_call, what, "sas",
                        guest, n, names[0], names[1], names[2]); /* only n of them are read */
        if (r < 0)
                (void) log_error_errno(r, "Cannot tell vfio-inputd the hotkey of guest %s", guest);
}

void inputd_set_grab_toggle(struct inputd *p, const char *guest, enum grab_toggle pair)
{
        static char what[] = "take the grab-toggle of a guest";
        int r;

        r = call_inputd(p, NULL, INPUTD_ROOT_PATH, INPUTD_MANAGER_IFACE, "SetGrabToggle", on_guest_call, what, "ss",
                        guest, grab_toggle_to_string(pair));
        if (r < 0)
                (void) log_error_errno(r, "Cannot tell vfio-inputd the grab-toggle of guest %s", guest);
}

void inputd_remove_guest(struct inputd *p, const char *guest)
{
        static char what[] = "remove a guest";
        int r;

        r = call_inputd(p, NULL, INPUTD_ROOT_PATH, INPUTD_MANAGER_IFACE, "RemoveGuest", on_guest_call, what, "s",
                        guest);
        if (r < 0)
                (void) log_error_errno(r, "Cannot ask vfio-inputd to remove guest %s", guest);
}

int inputd_new(sd_bus *bus, const struct inputd_handler *handler, void *userdata, struct inputd **ret)
{
        _cleanup_(inputd_freep) struct inputd *p = xnew0(struct inputd, 1);
        int r;

        p->bus = sd_bus_ref(bus);
        p->handler = handler;
        p->userdata = userdata;
        r = sd_bus_add_match_async(bus, &p->owner_match,
                                   "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
                                   "interface='org.freedesktop.DBus',member='NameOwnerChanged',"
                                   "arg0='" INPUTD_BUS_NAME "'",
                                   on_owner_changed, NULL, p);
        if (r < 0)
                return r;
        r = sd_bus_add_match_async(bus, &p->signal_match,
                                   "type='signal',sender='" INPUTD_BUS_NAME
                                   "',path_namespace='" INPUTD_ROOT_PATH "'",
                                   on_signal, NULL, p);
        if (r < 0)
                return r;
        r = sd_bus_call_method_async(bus, &p->owner_call, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                     "org.freedesktop.DBus", "GetNameOwner", on_owner, p, "s", INPUTD_BUS_NAME);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(p);
        return 0;
}

struct inputd *inputd_free(struct inputd *p)
{
        if (!p)
                return NULL;
        sd_bus_slot_unref(p->owner_match);
        sd_bus_slot_unref(p->owner_call);
        sd_bus_slot_unref(p->signal_match);
        sd_bus_slot_unref(p->objects_call);
        sd_bus_slot_unref(p->manager_call);
        sd_bus_unref(p->bus);
        free(p->owner);
        free(p->active);
        free(p->targets);
        free(p);
        return NULL;
}
