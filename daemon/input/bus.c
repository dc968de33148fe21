/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/input/bus.h"

#include <stdio.h>
#include <systemd/sd-bus.h>

#include "common/log.h"
#include "common/mem.h"
#include "common/polkit.h"
#include "daemon/input/bus-guests.h"
#include "daemon/input/bus-objects.h"
#include "daemon/input/manager.h"

#define ACTION_PREFIX "org.vfio.inputd1."
#define NAME_IS_OURS 1u /* DBUS_REQUEST_NAME_REPLY_PRIMARY_OWNER */
#define RECONNECT_USEC (2 * UINT64_C(1000000))
#define IDENTIFY_USEC (30 * UINT64_C(1000000))
#define RELEASE_USEC (2 * UINT64_C(1000000))
/* How long vfio-guestd may be away before its guests count as lost. */
#define GUESTD_GRACE_USEC (10 * UINT64_C(1000000))

struct bus {
        struct manager *manager; /* not owned */
        sd_bus *bus; /* NULL while there is none */
        struct polkit *polkit;
        sd_event_source *reconnect;
        sd_event_source *guestd_grace;
        sd_bus_message *identify; /* who waits for the next press, or NULL */
        sd_bus_slot *identify_gone; /* tells when that caller leaves the bus */
        sd_event_source *identify_timer;
};

/* ---- methods: unpack, authorise, call, reply ---- */

static int reply_switch(sd_bus_message *m, struct manager *manager, int r, const char *target, sd_bus_error *error)
{
        const struct target *t = router_find_target(&manager->router, target);

        switch (-r) {
        case 0:
                return sd_bus_reply_method_return(m, NULL);
        case EAGAIN:
                return sd_bus_error_set(error, VFIO_ERROR_PAUSED, "Every device is released: resume first.");
        case ENOENT:
                return sd_bus_error_set(error, VFIO_ERROR_NO_SUCH_TARGET, "There is no guest.");
        case EHOSTDOWN:
                return sd_bus_error_setf(error, VFIO_ERROR_NOT_READY, "%s is not ready: %s", target,
                                         t ? t->reason : "unknown");
        default:
                return r;
        }
}

static int act_switch(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        struct manager *manager = userdata;
        struct target *t;
        const char *name;
        int r;

        r = sd_bus_message_read(m, "s", &name);
        if (r < 0)
                return r;
        t = router_find_target(&manager->router, name);
        if (!t)
                return sd_bus_error_setf(error, VFIO_ERROR_NO_SUCH_TARGET, "There is no target '%s'.", name);
        return reply_switch(m, manager, router_switch(&manager->router, t, "request"), name, error);
}

static int act_toggle(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        struct manager *manager = userdata;
        const struct router *router = &manager->router;
        int r = router_toggle(&manager->router, "request");
        const char *refused = router->n_notices > 0 ? router->notices[router->n_notices - 1].to : "";

        return reply_switch(m, manager, r, refused, error);
}

static int act_pause(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        manager_pause(userdata, "paused");
        return sd_bus_reply_method_return(m, NULL);
}

static int act_resume(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        manager_resume(userdata);
        return sd_bus_reply_method_return(m, NULL);
}

static int act_reload(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        _autofree_ char *message = NULL;

        if (manager_reload(userdata, &message) < 0)
                return sd_bus_error_set(error, VFIO_ERROR_INVALID_CONFIG, message);
        return sd_bus_reply_method_return(m, NULL);
}

static void identify_done(struct bus *b)
{
        b->manager->router.identify = false;
        b->identify = sd_bus_message_unref(b->identify);
        b->identify_gone = sd_bus_slot_unref(b->identify_gone);
        b->identify_timer = sd_event_source_disable_unref(b->identify_timer);
}

static int on_identify_timeout(sd_event_source *s, uint64_t usec, void *userdata)
{
        struct bus *b = userdata;

        (void) sd_bus_reply_method_errorf(b->identify, VFIO_ERROR_TIMED_OUT, "No key or button was pressed.");
        identify_done(b);
        return 0;
}

static int on_identify_gone(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        identify_done(userdata);
        return 0;
}

/* Without the match the caller is waited for until the time is up. sd-bus would
 * close the connection if there were no handler. */
static int on_identify_watched(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        return 0;
}

static int watch_identify(struct bus *b, sd_bus_message *m)
{
        _autofree_ char *match = xasprintf("type='signal',sender='org.freedesktop.DBus',"
                                           "path='/org/freedesktop/DBus',interface='org.freedesktop.DBus',"
                                           "member='NameOwnerChanged',arg0='%s',arg2=''",
                                           sd_bus_message_get_sender(m));

        return sd_bus_add_match_async(b->bus, &b->identify_gone, match, on_identify_gone, on_identify_watched, b);
}

static int act_identify(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        struct bus *b = ((struct manager *) userdata)->bus;
        int r;

        if (b->manager->router.paused)
                return sd_bus_error_set(error, VFIO_ERROR_PAUSED, "Every device is released: resume first.");
        if (b->identify)
                return sd_bus_error_set(error, VFIO_ERROR_BUSY, "Another caller is waiting for a press already.");
        r = sd_event_add_time_relative(loop_event(b->manager->loop), &b->identify_timer, CLOCK_MONOTONIC, IDENTIFY_USEC,
                                       0, on_identify_timeout, b);
        if (r >= 0)
                r = watch_identify(b, m);
        if (r < 0) {
                identify_done(b);
                return r;
        }
        b->identify = sd_bus_message_ref(m);
        router_identify(&b->manager->router);
        return 1;
}

/* Which action each method needs. A method that is not here is refused. act gets the manager. */
static const struct {
        const char *member, *action;
        polkit_act_fn act;
} methods[] = {
        { "Switch", ACTION_PREFIX "switch", act_switch },
        { "Toggle", ACTION_PREFIX "switch", act_toggle },
        { "Pause", ACTION_PREFIX "pause", act_pause },
        { "Resume", ACTION_PREFIX "pause", act_resume },
        { "Reload", ACTION_PREFIX "reload", act_reload },
        { "Identify", ACTION_PREFIX "identify", act_identify },
        { "AddGuest", ACTION_PREFIX "manage", bus_act_add_guest },
        { "RemoveGuest", ACTION_PREFIX "manage", bus_act_remove_guest },
        { "SetReady", ACTION_PREFIX "manage", bus_act_set_ready },
        { "SetStopped", ACTION_PREFIX "manage", bus_act_set_stopped },
        { "SetToggle", ACTION_PREFIX "manage", bus_act_set_toggle },
        { "SetGrabToggle", ACTION_PREFIX "manage", bus_act_set_grab_toggle },
};

/* sd-bus has checked the signature. */
static int method(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        struct bus *b = userdata;

        for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
                if (streq(sd_bus_message_get_member(m), methods[i].member))
                        return polkit_guard(b->polkit, m, methods[i].action, methods[i].act, b->manager, error);
        return sd_bus_error_set(error, SD_BUS_ERROR_ACCESS_DENIED, "Not for anybody.");
}

static int get_active(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply,
                      void *userdata, sd_bus_error *error)
{
        return sd_bus_message_append(reply, "s", ((struct bus *) userdata)->manager->router.active->name);
}

static int get_paused(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply,
                      void *userdata, sd_bus_error *error)
{
        return sd_bus_message_append(reply, "b", ((struct bus *) userdata)->manager->router.paused);
}

static int get_toggle(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply,
                      void *userdata, sd_bus_error *error)
{
        return bus_append_hotkey(reply, &((struct bus *) userdata)->manager->config->toggle);
}

static int get_version(sd_bus *bus, const char *path, const char *interface, const char *property,
                       sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        return sd_bus_message_append(reply, "s", PACKAGE_VERSION);
}

static const sd_bus_vtable manager_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_ARGS("Switch", SD_BUS_ARGS("s", target), SD_BUS_NO_RESULT, method,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Toggle", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Pause", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Resume", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Reload", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Identify", SD_BUS_NO_ARGS, SD_BUS_RESULT("o", device), method,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("AddGuest", SD_BUS_ARGS("s", name), SD_BUS_NO_RESULT, method,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("RemoveGuest", SD_BUS_ARGS("s", name), SD_BUS_NO_RESULT, method,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("SetReady", SD_BUS_ARGS("s", name, "b", ready, "s", reason), SD_BUS_NO_RESULT, method,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("SetStopped", SD_BUS_ARGS("s", name, "s", reason), SD_BUS_NO_RESULT, method,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("SetToggle", SD_BUS_ARGS("s", name, "as", keys), SD_BUS_NO_RESULT, method,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("SetGrabToggle", SD_BUS_ARGS("s", name, "s", grab_toggle), SD_BUS_NO_RESULT, method,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_PROPERTY("ActiveTarget", "s", get_active, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Paused", "b", get_paused, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Toggle", "as", get_toggle, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Version", "s", get_version, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_SIGNAL_WITH_ARGS("Switched", SD_BUS_ARGS("s", from, "s", to, "s", reason), 0),
        SD_BUS_SIGNAL_WITH_ARGS("SwitchRefused", SD_BUS_ARGS("s", target, "s", reason), 0),
        SD_BUS_SIGNAL_WITH_ARGS("Reloaded", SD_BUS_NO_ARGS, 0),
        SD_BUS_VTABLE_END,
};

/* ---- announcements ---- */

void bus_device_added(struct bus *b, struct device *d)
{
        char path[64];

        bus_device_path(d, path);
        if (b->bus)
                (void) sd_bus_emit_object_added(b->bus, path);
}

void bus_device_removed(struct bus *b, struct device *d)
{
        char path[64];

        if (!b)
                return;
        bus_device_path(d, path);
        if (b->bus)
                (void) sd_bus_emit_interfaces_removed(b->bus, path, INPUTD_DEVICE_IFACE, NULL);
}

void bus_device_changed(struct bus *b, struct device *d)
{
        char path[64];

        if (!b || !b->bus)
                return;
        bus_device_path(d, path);
        (void) sd_bus_emit_properties_changed(b->bus, path, INPUTD_DEVICE_IFACE, "State", "Grabbed", NULL);
}

void bus_target_added(struct bus *b, struct target *t)
{
        _autofree_ char *path = bus_target_path(t);

        if (b->bus)
                (void) sd_bus_emit_object_added(b->bus, path);
}

void bus_target_removed(struct bus *b, struct target *t)
{
        _autofree_ char *path = bus_target_path(t);

        if (b && b->bus)
                (void) sd_bus_emit_interfaces_removed(b->bus, path, INPUTD_TARGET_IFACE, NULL);
}

void bus_target_changed(struct bus *b, struct target *t, const char *property)
{
        _autofree_ char *path = bus_target_path(t);

        if (!b->bus)
                return;
        /* The reason goes with the state. */
        (void) sd_bus_emit_properties_changed(b->bus, path, INPUTD_TARGET_IFACE, property,
                                              streq(property, "Ready") ? "Reason" : NULL, NULL);
}

void bus_paused(struct bus *b)
{
        if (b->identify) {
                (void) sd_bus_reply_method_errorf(b->identify, VFIO_ERROR_PAUSED, "Every device was released.");
                identify_done(b);
        }
        bus_manager_changed(b, "Paused");
}

void bus_manager_changed(struct bus *b, const char *property)
{
        if (b->bus)
                (void) sd_bus_emit_properties_changed(b->bus, INPUTD_ROOT_PATH, INPUTD_MANAGER_IFACE, property, NULL);
}

static void answer_identify(struct bus *b, struct source *s)
{
        char path[64];

        if (!b->identify || !s)
                return;
        bus_device_path(device_of_source(s), path);
        (void) sd_bus_reply_method_return(b->identify, "o", path);
        identify_done(b);
}

void bus_notice(struct bus *b, const struct notice *n)
{
        if (!b->bus)
                return;
        switch (n->kind) {
        case NOTICE_SWITCHED:
                (void) sd_bus_emit_signal(b->bus, INPUTD_ROOT_PATH, INPUTD_MANAGER_IFACE, "Switched", "sss", n->from,
                                          n->to, n->reason);
                break;
        case NOTICE_REFUSED:
                (void) sd_bus_emit_signal(b->bus, INPUTD_ROOT_PATH, INPUTD_MANAGER_IFACE, "SwitchRefused", "ss", n->to,
                                          n->reason);
                break;
        case NOTICE_PANIC:
                break; /* property Paused */
        case NOTICE_IDENTIFIED:
                answer_identify(b, n->source);
                break;
        }
}

void bus_reloaded(struct bus *b)
{
        bus_manager_changed(b, "Toggle");
        if (b->bus)
                (void) sd_bus_emit_signal(b->bus, INPUTD_ROOT_PATH, INPUTD_MANAGER_IFACE, "Reloaded", NULL);
}

/* ---- vfio-guestd: started by us, watched ---- */

static int on_guestd_lost(sd_event_source *s, uint64_t usec, void *userdata)
{
        struct bus *b = userdata;

        b->guestd_grace = sd_event_source_disable_unref(b->guestd_grace);
        for (struct pair *p = b->manager->pairs; p; p = p->next)
                if (p->target.ready || p->stopped)
                        (void) manager_set_ready(b->manager, p->target.name, false, "vfio-guestd is not running");
        return 0;
}

static int start_guestd_grace(struct bus *b)
{
        b->guestd_grace = sd_event_source_disable_unref(b->guestd_grace);
        return sd_event_add_time_relative(loop_event(b->manager->loop), &b->guestd_grace, CLOCK_MONOTONIC,
                                          GUESTD_GRACE_USEC, 0, on_guestd_lost, b);
}

static int on_guestd_owner(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        struct bus *b = userdata;
        const char *new_owner;
        int r;

        r = sd_bus_message_read(m, "sss", NULL, NULL, &new_owner);
        if (r < 0)
                return r;
        if (!new_owner[0])
                return start_guestd_grace(b);
        b->guestd_grace = sd_event_source_disable_unref(b->guestd_grace);
        return 0;
}

static int on_guestd_started(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        const sd_bus_error *e = sd_bus_message_get_error(m);
        struct bus *b = userdata;

        if (e)
                log_warning("vfio-guestd does not start, guests get no input: %s", e->message);
        else
                b->guestd_grace = sd_event_source_disable_unref(b->guestd_grace);
        return 0;
}

static int on_released(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        struct bus *b = userdata;
        const sd_bus_error *e = sd_bus_message_get_error(m);

        if (e && !sd_bus_error_has_name(e, SD_BUS_ERROR_NAME_HAS_NO_OWNER) &&
            !sd_bus_error_has_name(e, SD_BUS_ERROR_SERVICE_UNKNOWN))
                log_warning("vfio-guestd does not detach its guests: %s", e->message);
        return sd_event_exit(loop_event(b->manager->loop), 0);
}

static int call_release(struct bus *b)
{
        sd_bus_message *m = NULL;
        int r;

        if (!b->bus)
                return -ENOTCONN;
        r = sd_bus_message_new_method_call(b->bus, &m, GUESTD_BUS_NAME, GUESTD_ROOT_PATH, GUESTD_MANAGER_IFACE,
                                           "Release");
        if (r >= 0)
                r = sd_bus_message_set_auto_start(m, 0);
        if (r >= 0)
                r = sd_bus_call_async(b->bus, NULL, m, on_released, b, RELEASE_USEC);
        sd_bus_message_unref(m);
        return r;
}

void bus_release_guests(struct bus *b)
{
        if (!b->manager->pairs || call_release(b) < 0)
                (void) sd_event_exit(loop_event(b->manager->loop), 0);
}

/* ---- connection ---- */

static int on_name(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        const sd_bus_error *e = sd_bus_message_get_error(m);
        uint32_t result;

        if (e)
                log_error("the bus does not give us the name " INPUTD_BUS_NAME ": %s", e->message);
        else if (sd_bus_message_read(m, "u", &result) < 0 || result != NAME_IS_OURS)
                log_error("the bus does not give us the name " INPUTD_BUS_NAME ": another program has it");
        return 0;
}

static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *error);

static int add_matches(struct bus *b)
{
        int r;

        r = sd_bus_match_signal_async(b->bus, NULL, "org.freedesktop.DBus.Local", NULL, "org.freedesktop.DBus.Local",
                                      "Disconnected", on_disconnected, NULL, b);
        if (r < 0)
                return r;
        return sd_bus_add_match_async(b->bus, NULL,
                                      "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',"
                                      "member='NameOwnerChanged',arg0='" GUESTD_BUS_NAME "'",
                                      on_guestd_owner, NULL, b);
}

/* Objects first, then the name, so that nobody finds us half there. */
static int register_objects(struct bus *b)
{
        int r;

        r = sd_bus_add_object_manager(b->bus, NULL, INPUTD_ROOT_PATH);
        if (r >= 0)
                r = sd_bus_add_object_vtable(b->bus, NULL, INPUTD_ROOT_PATH, INPUTD_MANAGER_IFACE, manager_vtable, b);
        if (r >= 0)
                r = bus_objects_register(b->bus, b->manager);
        if (r >= 0)
                r = add_matches(b);
        if (r >= 0)
                r = sd_bus_request_name_async(b->bus, NULL, INPUTD_BUS_NAME, 0, on_name, b);
        if (r >= 0)
                r = sd_bus_call_method_async(b->bus, NULL, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                             "org.freedesktop.DBus", "StartServiceByName", on_guestd_started, b, "su",
                                             GUESTD_BUS_NAME, 0);
        /* If this is another bus than before, it may have gone with the old one. */
        if (r >= 0)
                r = start_guestd_grace(b);
        return r;
}

static int connect_bus(struct bus *b)
{
        int r;

        r = sd_bus_open_system(&b->bus);
        if (r < 0)
                return r;
        r = register_objects(b);
        if (r >= 0)
                r = sd_bus_attach_event(b->bus, loop_event(b->manager->loop), SD_EVENT_PRIORITY_NORMAL);
        if (r < 0)
                b->bus = sd_bus_close_unref(b->bus);
        return r;
}

static int on_reconnect(sd_event_source *s, uint64_t usec, void *userdata)
{
        bus_start(userdata);
        return 0;
}

static void disconnect(struct bus *b)
{
        identify_done(b);
        b->guestd_grace = sd_event_source_disable_unref(b->guestd_grace);
        b->polkit = polkit_free(b->polkit);
        b->bus = sd_bus_close_unref(b->bus);
}

void bus_start(struct bus *b)
{
        int r;

        if (b->bus)
                disconnect(b);
        b->polkit = polkit_new();
        r = connect_bus(b);
        if (r >= 0) {
                b->reconnect = sd_event_source_disable_unref(b->reconnect);
                return;
        }
        if (!b->reconnect)
                (void) log_warning_errno(r, "no system bus; trying again every two seconds");
        b->polkit = polkit_free(b->polkit);
        b->reconnect = sd_event_source_disable_unref(b->reconnect);
        r = sd_event_add_time_relative(loop_event(b->manager->loop), &b->reconnect, CLOCK_MONOTONIC, RECONNECT_USEC, 0,
                                       on_reconnect, b);
        if (r < 0)
                (void) log_error_errno(r, "no timer for the bus");
}

/* Not torn down here: we are being called by it. */
static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        struct bus *b = userdata;

        log_warning("the system bus has gone; input goes on");
        return sd_event_add_time_relative(loop_event(b->manager->loop), &b->reconnect, CLOCK_MONOTONIC, RECONNECT_USEC,
                                          0, on_reconnect, b);
}

int bus_new(struct bus **ret, struct manager *m)
{
        struct bus *b = xnew0(struct bus, 1);

        b->manager = m;
        *ret = b;
        return 0;
}

struct bus *bus_free(struct bus *b)
{
        if (!b)
                return NULL;
        disconnect(b);
        sd_event_source_disable_unref(b->reconnect);
        free(b);
        return NULL;
}
