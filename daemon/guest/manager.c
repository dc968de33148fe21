/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/guest/manager.h"

#include <systemd/sd-daemon.h>
#include <time.h>

#include "common/config.h"
#include "common/log.h"
#include "daemon/guest/dac.h"
#include "daemon/guest/input-watch.h"
#include "daemon/guest/inputd-proxy.h"
#include "daemon/guest/wanted.h"

#define STOP_TIMEOUT_USEC 2000000ULL

struct manager {
        sd_event *event; /* referenced */
        sd_event_source *sweep; /* owned; frees guests that are gone */
        sd_event_source *limit; /* owned; of the stop */
        const char *config_path;
        char *records; /* directory of grant.h */
        struct config *config; /* owned; NULL before the start */
        struct inputd *inputd; /* owned */
        struct domains *domains; /* owned; from the start on */
        struct grants *grants; /* owned; from the start on */
        struct input_watch *input_watch; /* owned */
        struct guest **guests; /* owned */
        unsigned n_guests;
        struct guest **gone; /* borrowed from guests; to be freed by the sweep */
        unsigned n_gone;
        bool stopping;
        void (*released)(void *userdata); /* NULL: nobody waits for it */
        void *released_userdata;
        const struct manager_handler *handler; /* or NULL */
        void *userdata;
};

unsigned manager_n_guests(const struct manager *m)
{
        return m->n_guests;
}

struct guest *manager_guest(const struct manager *m, unsigned i)
{
        return m->guests[i];
}

struct guest *manager_find(const struct manager *m, const char *name)
{
        for (unsigned i = 0; i < m->n_guests; i++)
                if (streq(guest_name(m->guests[i]), name))
                        return m->guests[i];
        return NULL;
}

void manager_set_handler(struct manager *m, const struct manager_handler *handler, void *userdata)
{
        m->handler = handler;
        m->userdata = userdata;
}

struct domains *manager_domains(const struct manager *m)
{
        return m->domains;
}

struct grants *manager_grants(const struct manager *m)
{
        return m->grants;
}

static void manager_tell_systemd(const struct manager *m)
{
        unsigned ready = 0;

        for (unsigned i = 0; i < m->n_guests; i++)
                if (guest_state(m->guests[i]) == GUEST_READY)
                        ready++;
        (void) sd_notifyf(false, "STATUS=%u %s, %u ready", m->n_guests, m->n_guests == 1 ? "guest" : "guests",
                          ready);
}

static void manager_check_released(struct manager *m)
{
        void (*released)(void *userdata) = m->released;

        if (!released)
                return;
        for (unsigned i = 0; i < m->n_guests; i++)
                if (guest_holds_nodes(m->guests[i]))
                        return;
        m->released = NULL;
        released(m->released_userdata);
}

int manager_release(struct manager *m, const char *sender, void (*done)(void *userdata), void *userdata)
{
        if (!inputd_is(m->inputd, sender))
                return -EPERM;
        if (m->released)
                return -EBUSY;
        m->released = done;
        m->released_userdata = userdata;
        for (unsigned i = 0; i < m->n_guests; i++)
                guest_withhold(m->guests[i], "vfio-inputd is stopping");
        manager_check_released(m);
        return 0;
}

static void on_guest_changed(struct guest *g, void *userdata)
{
        struct manager *m = userdata;

        manager_tell_systemd(m);
        manager_check_released(m);
        if (m->handler)
                m->handler->changed(g, m->userdata);
}

static void on_guest_gone(struct guest *g, void *userdata)
{
        struct manager *m = userdata;

        m->gone = xreallocarray(m->gone, m->n_gone + 1, sizeof(*m->gone));
        m->gone[m->n_gone++] = g;
        (void) sd_event_source_set_enabled(m->sweep, SD_EVENT_ONESHOT);
}

static const struct guest_handler guest_handler = {
        .changed = on_guest_changed,
        .gone = on_guest_gone,
};

static void manager_add(struct manager *m, const struct wanted_guest *w)
{
        const struct guest_context context = {
                .event = m->event,
                .inputd = m->inputd,
                .domains = m->domains,
                .records = m->records,
                .handler = &guest_handler,
                .userdata = m,
        };
        struct guest *g;

        g = guest_new(&context, &w->config, w->configured);
        if (!g) {
                log_error("Guest %s: cannot be set up", w->config.name);
                return;
        }
        m->guests = xreallocarray(m->guests, m->n_guests + 1, sizeof(*m->guests));
        m->guests[m->n_guests++] = g;
        if (w->note)
                log_warning("Guest %s: %s", w->config.name, w->note);
        if (m->handler)
                m->handler->added(g, m->userdata);
        guest_start(g);
        guest_inputd_changed(g);
}

static bool is_held(const char *name, const char *domain, void *userdata)
{
        const struct guest *g = manager_find(userdata, name);

        return g && guest_is_adopted_of_another(g, domain);
}

/* Makes the guests those that are wanted. One that needs to start anew is
 * added by the sweep, when its former self is gone. */
static void manager_apply(struct manager *m)
{
        _cleanup_(wanted_freep) struct wanted *wanted = wanted_new(m->config, m->domains, is_held, m);

        for (unsigned i = 0; i < m->n_guests; i++) {
                const struct wanted_guest *w = wanted_find(wanted, guest_name(m->guests[i]));

                if (!w)
                        guest_remove(m->guests[i], "there is no such guest any more");
                else if (!guest_reconfigure(m->guests[i], &w->config, w->configured))
                        guest_remove(m->guests[i], "the guest's configuration has changed");
        }
        for (unsigned i = 0; i < wanted->n_guests; i++)
                if (!manager_find(m, wanted->guests[i].config.name))
                        manager_add(m, &wanted->guests[i]);
        manager_tell_systemd(m);
}

static void manager_drop(struct manager *m, struct guest *g)
{
        for (unsigned i = 0; i < m->n_guests; i++)
                if (m->guests[i] == g)
                        m->guests[i] = m->guests[--m->n_guests];
        if (m->handler)
                m->handler->removed(g, m->userdata);
        guest_free(g);
}

/* Its keyboard and pointer go, unless it comes again in a moment. */
static void manager_forget_target(struct manager *m, const struct guest *g)
{
        _cleanup_(wanted_freep) struct wanted *wanted = NULL;

        if (m->stopping || !inputd_is_present(m->inputd))
                return;
        wanted = wanted_new(m->config, m->domains, is_held, m);
        if (!wanted_find(wanted, guest_name(g)))
                inputd_remove_guest(m->inputd, guest_name(g));
}

static int on_sweep(sd_event_source *source, void *userdata)
{
        struct manager *m = userdata;

        while (m->n_gone > 0) {
                struct guest *g = m->gone[--m->n_gone];

                manager_forget_target(m, g);
                manager_drop(m, g);
        }
        if (!m->stopping)
                manager_apply(m);
        else if (m->n_guests == 0)
                return sd_event_exit(m->event, EXIT_SUCCESS);
        return 0;
}

static void on_inputd_changed(void *userdata)
{
        struct manager *m = userdata;

        for (unsigned i = 0; i < m->n_guests; i++)
                guest_inputd_changed(m->guests[i]);
}

static void on_inputd_reloaded(void *userdata)
{
        manager_reload(userdata);
}

static const struct inputd_handler inputd_handler = {
        .changed = on_inputd_changed,
        .reloaded = on_inputd_reloaded,
};

static void on_domains_changed(void *userdata)
{
        struct manager *m = userdata;

        if (m->stopping || !m->domains)
                return;
        manager_apply(m);
        for (unsigned i = 0; i < m->n_guests; i++)
                guest_domains_changed(m->guests[i]);
        if (m->handler)
                m->handler->libvirt_changed(m->userdata);
}

static const struct domains_handler domains_handler = {
        .changed = on_domains_changed,
};

static void on_grants_changed(void *userdata)
{
        struct manager *m = userdata;

        if (m->handler)
                m->handler->grants_changed(m->userdata);
}

static const struct grants_handler grants_handler = {
        .changed = on_grants_changed,
};

static void on_node_gone(void *userdata)
{
        struct manager *m = userdata;

        grants_node_gone(m->grants);
        for (unsigned i = 0; i < m->n_guests; i++)
                guest_node_gone(m->guests[i]);
}

static int manager_load(struct manager *m)
{
        _autofree_ char *error = NULL;
        struct config *config;
        int r;

        r = config_load(m->config_path, &config, &error);
        if (r < 0) {
                log_error("%s", error ?: strerror(-r));
                return r;
        }
        config_free(m->config);
        m->config = config;
        return 0;
}

static bool is_ours(const char *guest, void *userdata)
{
        const struct manager *m = userdata;
        const struct guest_config *c = config_find_guest(m->config, guest);

        return c && c->qmp;
}

static const char *libvirt_uri(const struct manager *m)
{
        return m->config->libvirt.uri ?: LIBVIRT_URI_DEFAULT;
}

static int manager_start_libvirt(struct manager *m)
{
        int r;

        r = grants_new(m->event, m->records, &grants_handler, m, &m->grants);
        if (r >= 0)
                r = input_watch_new(m->event, on_node_gone, m, &m->input_watch);
        if (r >= 0)
                r = domains_new(m->event, libvirt_uri(m), &domains_handler, m, &m->domains);
        return r;
}

int manager_start(struct manager *m)
{
        int r;

        if (manager_load(m) < 0) {
                log_error("Running without guests until the configuration is read again");
                m->config = config_new();
        }
        /* What a life that was cut short has left to guests that are ours no more. */
        r = dac_revoke_all(is_ours, m);
        if (r < 0)
                (void) log_warning_errno(r, "Cannot give all nodes of former guests back to root");
        r = manager_start_libvirt(m);
        if (r < 0)
                return r;
        manager_apply(m);
        return 0;
}

void manager_reload(struct manager *m)
{
        if (m->stopping)
                return;
        if (manager_load(m) < 0) {
                log_error("The configuration in use stays");
                return;
        }
        log_info("Configuration read again");
        domains_set_uri(m->domains, libvirt_uri(m));
        manager_apply(m);
}

static int on_stop_limit(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct manager *m = userdata;

        log_warning("Not all guests were detached in time");
        return sd_event_exit(m->event, EXIT_SUCCESS);
}

void manager_stop(struct manager *m)
{
        if (m->stopping)
                return;
        m->stopping = true;
        (void) sd_notify(false, "STOPPING=1");
        (void) sd_event_add_time_relative(m->event, &m->limit, CLOCK_MONOTONIC, STOP_TIMEOUT_USEC, 0, on_stop_limit,
                                          m);
        for (unsigned i = 0; i < m->n_guests; i++)
                guest_remove(m->guests[i], "vfio-guestd is stopping");
        if (m->n_guests == 0)
                (void) sd_event_exit(m->event, EXIT_SUCCESS);
}

int manager_new(sd_event *event, sd_bus *bus, const char *config_path, const char *state_directory,
                struct manager **ret)
{
        _cleanup_(manager_freep) struct manager *m = xnew0(struct manager, 1);
        int r;

        m->event = sd_event_ref(event);
        m->config_path = config_path;
        m->records = xasprintf("%s/grants", state_directory);
        r = sd_event_add_defer(event, &m->sweep, on_sweep, m);
        if (r < 0)
                return r;
        r = sd_event_source_set_enabled(m->sweep, SD_EVENT_OFF);
        if (r < 0)
                return r;
        r = inputd_new(bus, &inputd_handler, m, &m->inputd);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(m);
        return 0;
}

struct manager *manager_free(struct manager *m)
{
        if (!m)
                return NULL;
        for (unsigned i = 0; i < m->n_guests; i++)
                guest_free(m->guests[i]);
        free(m->guests);
        free(m->gone);
        input_watch_free(m->input_watch);
        grants_free(m->grants);
        domains_free(m->domains);
        free(m->records);
        inputd_free(m->inputd);
        config_free(m->config);
        sd_event_source_disable_unref(m->sweep);
        sd_event_source_disable_unref(m->limit);
        sd_event_unref(m->event);
        free(m);
        return NULL;
}
