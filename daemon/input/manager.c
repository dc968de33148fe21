/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/input/manager.h"

#include <signal.h>
#include <stdio.h>
#include <systemd/sd-daemon.h>

#include "common/log.h"
#include "common/mem.h"
#include "common/text.h"
#include "daemon/input/guest-hotkey.h"
#include "daemon/input/host.h"
#include "daemon/input/reaper.h"
#include "daemon/input/store.h"

static void release_devices(struct manager *m)
{
        for (struct device *d = m->devices; d; d = d->next)
                device_release(d);
}

static void handle_notice(struct manager *m, const struct notice *n)
{
        struct target *to;

        switch (n->kind) {
        case NOTICE_SWITCHED:
                log_info("switched from %s to %s: %s", n->from, n->to, n->reason);
                to = router_find_target(&m->router, n->to);
                if (to)
                        bus_target_changed(m->bus, to, "Switches");
                bus_manager_changed(m->bus, "ActiveTarget");
                break;
        case NOTICE_REFUSED:
                log_notice("no switch to %s: %s", n->to[0] ? n->to : "a guest", n->reason);
                break;
        case NOTICE_PANIC:
                log_notice("panic chord: every device is released until 'vfioctl resume'");
                release_devices(m);
                bus_paused(m->bus);
                break;
        case NOTICE_IDENTIFIED:
                break;
        }
        bus_notice(m->bus, n);
}

static void attend_devices(struct manager *m)
{
        struct device *next;

        m->attention = false;
        for (struct device *d = m->devices; d; d = next) {
                next = d->next;
                if (d->gone)
                        device_release(d); /* udev's word to free it follows */
                else if (d->look)
                        device_attend(d);
        }
}

/* After each turn of the input path. */
static bool after_input(void *userdata)
{
        struct manager *m = userdata;
        bool busy = m->attention || m->router.n_notices > 0;

        if (m->attention)
                attend_devices(m);
        for (unsigned i = 0; i < m->router.n_notices; i++)
                handle_notice(m, &m->router.notices[i]);
        m->router.n_notices = 0;
        return busy;
}

void manager_show_leds(struct manager *m)
{
        struct target *active = m->router.active;

        for (struct device *d = m->devices; d; d = d->next)
                if (d->state == DEVICE_GRABBED)
                        device_set_leds(d, active == &m->host ? d->mirror.leds : pair_of_target(active)->keyboard.leds);
}

void manager_pause(struct manager *m, const char *reason)
{
        if (m->router.paused)
                return;
        router_pause(&m->router, reason);
        release_devices(m);
        log_notice("paused: every device is released until 'vfioctl resume'");
        bus_paused(m->bus);
}

void manager_resume(struct manager *m)
{
        struct device *next;

        if (!m->router.paused || m->stopping)
                return;
        router_resume(&m->router);
        for (struct device *d = m->devices; d; d = next) {
                next = d->next;
                device_open(d);
        }
        log_notice("resumed");
        bus_manager_changed(m->bus, "Paused");
}

static void announce_if_settled(struct manager *m, struct pair *p)
{
        if (p->announced || !pair_is_settled(p))
                return;
        p->announced = true;
        bus_target_changed(m->bus, &p->target, "Nodes");
}

void manager_own_node(struct manager *m, const char *devnode)
{
        for (struct device *d = m->devices; d; d = d->next)
                if (d->mirror.fd >= 0 && !d->mirror.settled && streq(d->mirror.devnode, devnode))
                        device_mirror_settled(d);
        for (struct pair *p = m->pairs; p; p = p->next) {
                if (streq(p->keyboard.devnode, devnode))
                        p->keyboard.settled = true;
                if (streq(p->pointer.devnode, devnode))
                        p->pointer.settled = true;
                announce_if_settled(m, p);
        }
}

static struct pair *find_pair(struct manager *m, const char *name)
{
        for (struct pair *p = m->pairs; p; p = p->next)
                if (streq(p->target.name, name))
                        return p;
        return NULL;
}

int manager_add_guest(struct manager *m, const char *name)
{
        if (!target_name_is_valid(name))
                return -EINVAL;
        if (find_pair(m, name))
                return 0;
        return pair_new(m, name);
}

int manager_remove_guest(struct manager *m, const char *name)
{
        struct pair *p = find_pair(m, name);

        if (!p)
                return -ENOENT;
        if (p->configured)
                return -EBUSY;
        log_info("guest %s: removed", name);
        (void) pair_free(p);
        return 0;
}

static void set_ready(struct manager *m, struct pair *p, bool ready, const char *reason)
{
        _autofree_ char *text = text_printable(ready || reason[0] ? reason : "no reason was given");
        bool changed;

        text_cut(text, sizeof(p->target.reason) - 1);
        changed = p->target.ready != ready || !streq(p->target.reason, text);
        router_set_ready(&m->router, &p->target, ready, text);
        if (changed) {
                log_info("guest %s: %s%s%s", p->target.name, ready ? "ready" : "not ready", text[0] ? ": " : "", text);
                bus_target_changed(m->bus, &p->target, "Ready");
        }
}

int manager_set_ready(struct manager *m, const char *name, bool ready, const char *reason)
{
        struct pair *p = find_pair(m, name);

        if (!p)
                return -ENOENT;
        pair_go_on(p);
        set_ready(m, p, ready, reason);
        return 0;
}

int manager_set_stopped(struct manager *m, const char *name, const char *reason)
{
        struct pair *p = find_pair(m, name);

        if (!p)
                return -ENOENT;
        pair_stop(p);
        set_ready(m, p, false, reason);
        return 0;
}

/* Guests of the configuration get their nodes at once: they must be there
 * before libvirt or QEMU starts. */
static void configure_guests(struct manager *m)
{
        for (unsigned i = 0; i < m->config->n_guests; i++) {
                int r = manager_add_guest(m, m->config->guests[i].name);

                if (r < 0)
                        (void) log_error_errno(r, "guest %s: cannot create its nodes", m->config->guests[i].name);
        }
        for (struct pair *p = m->pairs; p; p = p->next)
                pair_configure(p);
        guest_hotkeys_check(m);
        for (struct pair *p = m->pairs; p; p = p->next)
                bus_target_changed(m->bus, &p->target, "Toggle");
}

static void apply_config(struct manager *m)
{
        m->router.toggle = (struct chord) { .hotkey = m->config->toggle };
        m->router.next = (struct chord) { .hotkey = m->config->next };
        m->host.chord = (struct chord) { .hotkey = m->config->host };
        m->router.double_tap_usec = (uint64_t) m->config->double_tap_ms * 1000;
}

int manager_reload(struct manager *m, char **ret_error)
{
        struct config *c;
        int r;

        r = config_load(m->config_path, &c, ret_error);
        if (r < 0)
                return r;
        config_free(m->config);
        m->config = c;
        apply_config(m);
        configure_guests(m);
        hotplug_select_again(m->hotplug);
        log_notice("configuration read again");
        bus_reloaded(m->bus);
        return 0;
}

static int on_sighup(sd_event_source *s, const struct signalfd_siginfo *si, void *userdata)
{
        struct manager *m = userdata;
        _autofree_ char *error = NULL;

        (void) sd_notify(0, "RELOADING=1");
        if (manager_reload(m, &error) < 0)
                log_error("%s; the configuration stays as it was", error);
        (void) sd_notify(0, "READY=1");
        return 0;
}

/* The devices go back to the host at once. The guests' nodes go with us if this
 * is for good, and QEMU must not have them open then: on a read error it closes
 * the descriptor, and again when the object is deleted (ui/input-linux.c). */
static int on_sigterm(sd_event_source *s, const struct signalfd_siginfo *si, void *userdata)
{
        struct manager *m = userdata;

        if (m->stopping)
                return sd_event_exit(loop_event(m->loop), 0);
        m->stopping = true;
        (void) sd_notify(0, "STOPPING=1");
        router_pause(&m->router, "vfio-inputd is stopping");
        release_devices(m);
        bus_release_guests(m->bus);
        return 0;
}

static int watch_signals(struct manager *m)
{
        sd_event *event = loop_event(m->loop);
        sigset_t set;
        int r;

        (void) sigemptyset(&set);
        (void) sigaddset(&set, SIGTERM);
        (void) sigaddset(&set, SIGINT);
        (void) sigaddset(&set, SIGHUP);
        if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
                return -errno;
        r = sd_event_add_signal(event, NULL, SIGTERM, on_sigterm, m);
        if (r >= 0)
                r = sd_event_add_signal(event, NULL, SIGINT, on_sigterm, m);
        if (r >= 0)
                r = sd_event_add_signal(event, NULL, SIGHUP, on_sighup, m);
        return r;
}

/* A bad file at the start is no reason to leave the user without the panic
 * chord and the host's input: we run on the defaults, and say so. */
static void read_config(struct manager *m)
{
        _autofree_ char *error = NULL;

        if (config_load(m->config_path, &m->config, &error) >= 0)
                return;
        log_error("%s; running on the defaults", error);
        m->config = config_new();
}

/* Guests that were added at run time live on in the store alone. */
static void adopt_stored_guests(struct manager *m)
{
        const char *stored;

        while ((stored = store_peek(m->store, "keyboard-"))) {
                _autofree_ char *copy = xstrdup(stored);
                const char *name = copy + strlen("keyboard-");
                int r = manager_add_guest(m, name);

                if (r < 0)
                        (void) log_error_errno(r, "guest %s: cannot take its nodes back", name);
                if (r == -EINVAL)
                        store_remove(copy);
                /* Taken, or hopeless and not to be looked at again. */
                reaper_close(m->reaper, store_take(m->store, copy), NULL);
        }
}

/* Mirrors of devices that went away while we did not run, and what else
 * nobody took. */
static void drop_stored_rest(struct manager *m)
{
        const char *stored;

        while ((stored = store_peek(m->store, ""))) {
                store_remove(stored);
                reaper_close(m->reaper, store_take(m->store, stored), NULL);
        }
}

static int start(struct manager *m, const char *config_path)
{
        int r;

        r = reaper_new(&m->reaper);
        if (r < 0)
                return log_error_errno(r, "cannot start the closing thread");
        r = loop_new(&m->loop, after_input, m);
        if (r >= 0)
                r = watch_signals(m);
        if (r < 0)
                return log_error_errno(r, "cannot set up the event loop");
        r = bus_new(&m->bus, m);
        if (r < 0)
                return log_error_errno(r, "cannot set up the bus");
        r = hotplug_new(&m->hotplug, m);
        if (r < 0)
                return log_error_errno(r, "cannot listen to udev");

        m->config_path = xstrdup(config_path);
        m->store = store_new();
        read_config(m);
        host_init(m);
        router_init(&m->router, &m->host);
        apply_config(m);
        configure_guests(m);
        adopt_stored_guests(m);
        return 0;
}

int manager_new(struct manager **ret, const char *config_path)
{
        struct manager *m = xnew0(struct manager, 1);
        int r;

        r = start(m, config_path);
        if (r < 0) {
                (void) manager_free(m);
                return r;
        }
        *ret = m;
        return 0;
}

struct manager *manager_free(struct manager *m)
{
        if (!m)
                return NULL;
        m->bus = bus_free(m->bus);
        while (m->devices)
                (void) device_leave(m->devices);
        while (m->pairs)
                (void) pair_leave(m->pairs);
        hotplug_free(m->hotplug);
        reaper_free(m->reaper);
        store_free(m->store);
        config_free(m->config);
        loop_free(m->loop);
        free(m->config_path);
        free(m);
        return NULL;
}

int manager_run(struct manager *m)
{
        int r;

        r = hotplug_start(m->hotplug);
        if (r < 0)
                return log_error_errno(r, "cannot list the input devices");
        drop_stored_rest(m);
        bus_start(m->bus);
        r = sd_event_set_watchdog(loop_event(m->loop), true);
        if (r < 0)
                return log_error_errno(r, "cannot feed the watchdog");
        (void) sd_notify(0, "READY=1");
        return loop_run(m->loop);
}
