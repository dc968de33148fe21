/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/watch.h"

#include "client/event.h"
#include "client/state.h"
#include "client/text.h"

struct watch {
        struct client *client; /* not owned */
        const struct service *service;
        watch_failed_fn failed;
        void *userdata;

        sd_bus_slot *owner_match, *signal_match;
        sd_bus_slot *manager_call, *objects_call; /* while loading */
        char *owner; /* unique name; NULL: the service does not run */
        struct state *state; /* while loading and known */
        bool known;
};

/* One event; every event of a service says which. */
#define EVENT(w, name, fields, ...)                                                                \
        do {                                                                                       \
                int event_r_ = event_print((w)->client, (name), (fields), __VA_ARGS__);            \
                if (event_r_ < 0)                                                                  \
                        (w)->failed((w)->userdata, event_r_);                                      \
        } while (false)
#define FIELDS(w, ...) EVENT_FIELDS("service", (w)->service->json_key __VA_OPT__(,) __VA_ARGS__)

static void forget(struct watch *w)
{
        w->manager_call = sd_bus_slot_unref(w->manager_call);
        w->objects_call = sd_bus_slot_unref(w->objects_call);
        w->state = state_free(w->state);
        w->known = false;
}

static void print_state(struct watch *w)
{
        const struct manager *m = &w->state->manager->manager;
        const char *version = m->version ? m->version : "?", *active = m->active ? m->active : "?";

        if (w->service == &inputd_service)
                EVENT(w, "state",
                      FIELDS(w, "version", version, "active", active, "paused", m->paused ? "yes" : "no"),
                      "%s %s runs, active target %s, %u devices%s", w->service->program, version, active,
                      state_count(w->state, OBJECT_DEVICE), m->paused ? ", paused" : "");
        else
                EVENT(w, "state", FIELDS(w, "version", version), "%s %s runs, %u guests", w->service->program,
                      version, state_count(w->state, OBJECT_GUEST));
}

/* Takes in one of the two replies; the second ends the loading. */
static int loaded(struct watch *w, sd_bus_message *reply, int (*take)(struct state *state, sd_bus_message *reply))
{
        const sd_bus_error *error = sd_bus_message_get_error(reply);

        if (!error && take(w->state, reply) >= 0) {
                if (w->manager_call || w->objects_call)
                        return 0;
                w->known = true;
                print_state(w);
                return 0;
        }
        forget(w);
        EVENT(w, "problem", FIELDS(w, "message", error ? error->message : "its answer cannot be read"),
              "%s does not say what its state is: %s", w->service->program,
              error && error->message ? error->message : "its answer cannot be read");
        return 0;
}

static int on_manager(sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        struct watch *w = userdata;

        w->manager_call = sd_bus_slot_unref(w->manager_call);
        return loaded(w, reply, state_take_manager);
}

static int on_objects(sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        struct watch *w = userdata;

        w->objects_call = sd_bus_slot_unref(w->objects_call);
        return loaded(w, reply, state_take_objects);
}

static int load(struct watch *w)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *manager = NULL, *objects = NULL;
        uint64_t timeout = bus_timeout(w->client, TIMEOUT_READ);
        int r;

        forget(w);
        w->state = state_new();
        r = state_new_call_manager(w->client, w->service, &manager);
        if (r >= 0)
                r = state_new_call_objects(w->client, w->service, &objects);
        if (r >= 0)
                r = sd_bus_call_async(w->client->bus, &w->manager_call, manager, on_manager, w, timeout);
        if (r >= 0)
                r = sd_bus_call_async(w->client->bus, &w->objects_call, objects, on_objects, w, timeout);
        return r;
}

static int on_owner(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        const char *name, *from, *to, *program;
        struct watch *w = userdata;
        int r;

        r = sd_bus_message_read(m, "sss", &name, &from, &to);
        if (r < 0)
                return 0;
        to = *to ? to : NULL;
        if (streq_null(w->owner, to))
                return 0; /* known since the start: we had subscribed before we looked */

        program = w->service->program;
        if (w->owner)
                EVENT(w, "stopped", FIELDS(w), "%s stopped", program);
        forget(w);
        free(w->owner);
        w->owner = xstrdup(to);
        if (!w->owner)
                return 0;
        EVENT(w, "started", FIELDS(w), "%s started", program);
        return load(w);
}

static int on_switched(struct watch *w, sd_bus_message *m)
{
        const char *from, *to, *reason;
        int r;

        r = sd_bus_message_read(m, "sss", &from, &to, &reason);
        if (r >= 0)
                EVENT(w, "switched", FIELDS(w, "from", from, "to", to, "reason", reason), "switched from %s to %s: %s",
                      from, to, reason);
        return r;
}

static int on_switch_refused(struct watch *w, sd_bus_message *m)
{
        const char *target, *reason;
        int r;

        r = sd_bus_message_read(m, "ss", &target, &reason);
        if (r >= 0)
                EVENT(w, "switch-refused", FIELDS(w, "target", target, "reason", reason), "switch%s%s refused: %s",
                      *target ? " to " : "", target, reason);
        return r;
}

static int on_reloaded(struct watch *w, sd_bus_message *m)
{
        EVENT(w, "reloaded", FIELDS(w), "a new configuration is in use");
        return 0;
}

static int on_guest_changed(struct watch *w, sd_bus_message *m)
{
        const char *guest, *state, *reason;
        int r;

        r = sd_bus_message_read(m, "sss", &guest, &state, &reason);
        if (r >= 0)
                EVENT(w, "guest-changed", FIELDS(w, "guest", guest, "state", state, "reason", reason),
                      "guest %s is %s%s%s", guest, state, *reason ? ": " : "", reason);
        return r;
}

static int on_grants_changed(struct watch *w, sd_bus_message *m)
{
        EVENT(w, "grants-changed", FIELDS(w), "the grants have changed, see: vfioctl grants");
        return 0;
}

static void print_object(struct watch *w, const struct object *o, bool added)
{
        _autofree_ char *event = xasprintf("%s-%s", object_kind_name(o->kind), added ? "added" : "removed");
        const char *name = object_name(o), *kind = object_kind_name(o->kind), *verb = added ? "added" : "removed";

        if (o->kind == OBJECT_DEVICE) {
                const char *node = o->device.node ? o->device.node : "";

                EVENT(w, event, FIELDS(w, "name", name, "node", node), "%s %s: %s (%s)", kind, verb, name, node);
        } else {
                EVENT(w, event, FIELDS(w, "name", name), "%s %s: %s", kind, verb, name);
        }
}

static int on_added(struct watch *w, sd_bus_message *m)
{
        struct object *o;
        int r;

        if (!w->known)
                return 0;
        r = state_take_object(w->state, m, &o);
        if (r >= 0 && o)
                print_object(w, o, true);
        return r;
}

static int on_removed(struct watch *w, sd_bus_message *m)
{
        _cleanup_(object_freep) struct object *o = NULL;
        const char *path, *iface;
        int r;

        if (!w->known)
                return 0;
        r = sd_bus_message_read(m, "o", &path);
        if (r >= 0)
                r = sd_bus_message_enter_container(m, 'a', "s");
        while (r >= 0 && (r = sd_bus_message_read(m, "s", &iface)) > 0)
                if (!o && object_kind_of(iface) >= 0)
                        o = state_remove(w->state, path);
        if (o)
                print_object(w, o, false);
        return r;
}

static int manager_changed(struct watch *w, sd_bus_message *m)
{
        struct manager *now = &w->state->manager->manager;
        bool before = now->paused;
        int r;

        r = object_read(w->state->manager, m);
        if (now->paused != before)
                EVENT(w, now->paused ? "paused" : "resumed", FIELDS(w), "%s",
                      now->paused ? "paused, every device is released; resume with: vfioctl resume" : "resumed");
        return r;
}

static int target_changed(struct watch *w, struct object *o, sd_bus_message *m)
{
        _autofree_ char *reason_before = xstrdup(o->target.reason);
        bool before = o->target.ready;
        const char *reason;
        int r;

        r = object_read(o, m);
        reason = o->target.reason ? o->target.reason : "";
        if (o->target.ready && !before)
                EVENT(w, "target-ready", FIELDS(w, "name", object_name(o)), "target %s is ready", object_name(o));
        else if (!o->target.ready && (before || !streq_null(reason_before, o->target.reason)))
                EVENT(w, "target-not-ready", FIELDS(w, "name", object_name(o), "reason", reason),
                      "target %s is not ready%s%s", object_name(o), *reason ? ": " : "", reason);
        return r;
}

static int on_properties(struct watch *w, sd_bus_message *m)
{
        struct object *o;
        const char *iface;
        int r;

        if (!w->known)
                return 0;
        r = sd_bus_message_read(m, "s", &iface);
        if (r < 0)
                return r;
        if (streq(iface, w->service->manager))
                return manager_changed(w, m);
        o = state_find_path(w->state, sd_bus_message_get_path(m));
        if (!o || object_kind_of(iface) != (int) o->kind)
                return 0;
        return o->kind == OBJECT_TARGET ? target_changed(w, o, m) : object_read(o, m);
}

static int on_signal(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        static const struct {
                const char *iface, *member, *signature;
                int (*handle)(struct watch *w, sd_bus_message *m);
        } signals[] = {
                { INPUTD_MANAGER_IFACE, "Switched", "sss", on_switched },
                { INPUTD_MANAGER_IFACE, "SwitchRefused", "ss", on_switch_refused },
                { INPUTD_MANAGER_IFACE, "Reloaded", "", on_reloaded },
                { GUESTD_MANAGER_IFACE, "GuestChanged", "sss", on_guest_changed },
                { GUESTD_MANAGER_IFACE, "GrantsChanged", "", on_grants_changed },
                { "org.freedesktop.DBus.ObjectManager", "InterfacesAdded", "oa{sa{sv}}", on_added },
                { "org.freedesktop.DBus.ObjectManager", "InterfacesRemoved", "oas", on_removed },
                { "org.freedesktop.DBus.Properties", "PropertiesChanged", "sa{sv}as", on_properties },
        };
        struct watch *w = userdata;

        /* Anybody may send us a signal directly; only the owner's count. */
        if (!streq_null(w->owner, sd_bus_message_get_sender(m)))
                return 0;
        for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
                if (sd_bus_message_is_signal(m, signals[i].iface, signals[i].member) &&
                    sd_bus_message_has_signature(m, signals[i].signature)) {
                        (void) signals[i].handle(w, m); /* what cannot be read is no event */
                        break;
                }
        return 0;
}

static int subscribe(struct watch *w)
{
        const struct service *s = w->service;
        _autofree_ char *owners = xasprintf("type='signal',sender='org.freedesktop.DBus',"
                                            "path='/org/freedesktop/DBus',interface='org.freedesktop.DBus',"
                                            "member='NameOwnerChanged',arg0='%s'",
                                            s->bus_name);
        _autofree_ char *signals =
                xasprintf("type='signal',sender='%s',path_namespace='%s'", s->bus_name, s->root);
        int r;

        r = sd_bus_add_match(w->client->bus, &w->owner_match, owners, on_owner, w);
        if (r < 0)
                return r;
        return sd_bus_add_match(w->client->bus, &w->signal_match, signals, on_signal, w);
}

static int look(struct watch *w)
{
        _cleanup_(sd_bus_creds_unrefp) sd_bus_creds *creds = NULL;
        const char *owner;
        int r;

        r = sd_bus_get_name_creds(w->client->bus, w->service->bus_name, SD_BUS_CREDS_UNIQUE_NAME, &creds);
        if (r >= 0)
                r = sd_bus_creds_get_unique_name(creds, &owner);
        if (r == -ENXIO) {
                EVENT(w, "absent", FIELDS(w), "%s does not run", w->service->program);
                return 0;
        }
        if (r < 0)
                return r;
        w->owner = xstrdup(owner);
        return load(w);
}

int watch_new(struct client *c, const struct service *s, watch_failed_fn failed, void *userdata, struct watch **ret,
              sd_bus_error *error)
{
        _cleanup_(watch_freep) struct watch *w = xnew0(struct watch, 1);
        int r;

        w->client = c;
        w->service = s;
        w->failed = failed;
        w->userdata = userdata;
        r = subscribe(w);
        if (r >= 0)
                r = look(w);
        if (r < 0)
                return sd_bus_error_set_errno(error, r);
        *ret = TAKE_PTR(w);
        return 0;
}

struct watch *watch_free(struct watch *w)
{
        if (!w)
                return NULL;
        forget(w);
        sd_bus_slot_unref(w->owner_match);
        sd_bus_slot_unref(w->signal_match);
        free(w->owner);
        free(w);
        return NULL;
}
