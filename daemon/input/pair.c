/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/input/pair.h"

#include <stdio.h>

#include "common/log.h"
#include "common/mem.h"
#include "daemon/input/bus.h"
#include "daemon/input/manager.h"
#include "daemon/input/store.h"

static const struct input_event syn_report = { .type = EV_SYN, .code = SYN_REPORT };

static bool is_pointer_button(unsigned code)
{
        return code >= BTN_MISC && code < BTN_JOYSTICK;
}

static bool is_keyboard_key(unsigned code)
{
        return code < BTN_MISC || (code >= KEY_OK && code < BTN_DPAD_UP) ||
               (code > BTN_DPAD_RIGHT && code < BTN_TRIGGER_HAPPY);
}

struct wheel {
        struct input_event click;
        int more; /* frames of one click that are to follow */
};

/* Leaves one click in the event and notes the others. */
static void split_wheel(struct input_event *ev, struct wheel *w)
{
        int clicks = ev->value > PAIR_WHEEL_CLICKS_MAX    ? PAIR_WHEEL_CLICKS_MAX
                     : ev->value < -PAIR_WHEEL_CLICKS_MAX ? PAIR_WHEEL_CLICKS_MAX
                                                          : abs(ev->value);

        if (clicks <= 1 || w->more > 0)
                return;
        ev->value = ev->value < 0 ? -1 : 1;
        *w = (struct wheel) { *ev, clicks - 1 };
}

void pair_split(const struct input_event *events, unsigned n, struct input_event *keyboard, unsigned *ret_keyboard,
                struct input_event *pointer, unsigned *ret_pointer)
{
        struct wheel wheels[2] = { 0 }; /* vertical, horizontal */
        unsigned n_keyboard = 0, n_pointer = 0;

        for (unsigned i = 0; i < n; i++) {
                const struct input_event *ev = &events[i];

                if (ev->type == EV_REL || (ev->type == EV_KEY && is_pointer_button(ev->code))) {
                        pointer[n_pointer] = *ev;
                        if (ev->type == EV_REL && (ev->code == REL_WHEEL || ev->code == REL_HWHEEL))
                                split_wheel(&pointer[n_pointer], &wheels[ev->code == REL_HWHEEL]);
                        n_pointer++;
                } else if (ev->type == EV_KEY && is_keyboard_key(ev->code)) {
                        keyboard[n_keyboard++] = *ev;
                }
        }
        if (n_keyboard > 0)
                keyboard[n_keyboard++] = syn_report;
        if (n_pointer > 0)
                pointer[n_pointer++] = syn_report;
        for (size_t i = 0; i < ARRAY_SIZE(wheels); i++)
                for (; wheels[i].more > 0; wheels[i].more--) {
                        pointer[n_pointer++] = wheels[i].click;
                        pointer[n_pointer++] = syn_report;
                }
        *ret_keyboard = n_keyboard;
        *ret_pointer = n_pointer;
}

static bool is_plain_motion(const struct input_event *events, unsigned n)
{
        for (unsigned i = 0; i < n - 1; i++)
                if (events[i].type != EV_REL || events[i].code > REL_Y)
                        return false;
        return true;
}

/* It is not ready, so that only releases come. */
static void owe_releases(struct pair *p, const struct input_event *events, unsigned n)
{
        for (unsigned i = 0; i < n; i++)
                if (events[i].type == EV_KEY && events[i].value == 0)
                        keyset_add(&p->owed, events[i].code);
}

static void pair_frame(struct target *t, struct source *s, struct input_event *events, unsigned n)
{
        struct input_event keyboard[PAIR_EVENTS_MAX], pointer[PAIR_EVENTS_MAX];
        struct pair *p = pair_of_target(t);
        unsigned n_keyboard, n_pointer;

        if (p->stopped) {
                owe_releases(p, events, n);
                return;
        }
        if (is_plain_motion(events, n)) {
                (void) uinput_write(&p->pointer, events, n);
                return;
        }
        pair_split(events, n, keyboard, &n_keyboard, pointer, &n_pointer);
        if (n_keyboard > 0)
                (void) uinput_write(&p->keyboard, keyboard, n_keyboard);
        if (n_pointer > 0)
                (void) uinput_write(&p->pointer, pointer, n_pointer);
}

void pair_stop(struct pair *p)
{
        p->stopped = true;
}

void pair_go_on(struct pair *p)
{
        struct input_event events[FRAME_EVENTS_MAX];
        unsigned n = 0;

        p->stopped = false;
        KEYSET_FOREACH (key, &p->owed) {
                events[n++] = (struct input_event) { .type = EV_KEY, .code = (uint16_t) key };
                if (n < FRAME_EVENTS_MAX - 1)
                        continue;
                events[n++] = syn_report;
                pair_frame(&p->target, NULL, events, n);
                n = 0;
        }
        p->owed = (struct keyset) { 0 };
        if (n == 0)
                return;
        events[n++] = syn_report;
        pair_frame(&p->target, NULL, events, n);
}

static void pair_enter(struct target *t)
{
        manager_show_leds(pair_of_target(t)->manager);
}

static void pair_leave_target(struct target *t)
{
}

static const struct target_ops pair_ops = {
        .frame = pair_frame,
        .enter = pair_enter,
        .leave = pair_leave_target,
};

static void leds_changed(struct uinput_node *n)
{
        struct pair *p = CONTAINER_OF(n, struct pair, keyboard);

        manager_show_leds(p->manager);
}

static void enable_keys(struct libevdev *evdev, bool (*wanted)(unsigned code))
{
        for (unsigned code = 1; code < KEY_MAX; code++)
                if (wanted(code))
                        (void) libevdev_enable_event_code(evdev, EV_KEY, code, NULL);
}

static struct libevdev *template_new(const char *guest, const char *what)
{
        struct libevdev *evdev = libevdev_new();
        char name[80];

        if (!evdev)
                abort();
        (void) snprintf(name, sizeof(name), "vfio-inputd %s %s", guest, what);
        libevdev_set_name(evdev, name);
        libevdev_set_id_bustype(evdev, BUS_VIRTUAL);
        libevdev_set_id_version(evdev, 1);
        return evdev;
}

static struct libevdev *keyboard_template(const char *guest)
{
        const int delay = 250, period = 33; /* the kernel's own; each keyboard brings its own */
        struct libevdev *evdev = template_new(guest, "keyboard");

        enable_keys(evdev, is_keyboard_key);
        for (unsigned code = LED_NUML; code <= LED_KANA; code++)
                (void) libevdev_enable_event_code(evdev, EV_LED, code, NULL);
        (void) libevdev_enable_event_code(evdev, EV_REP, REP_DELAY, &delay);
        (void) libevdev_enable_event_code(evdev, EV_REP, REP_PERIOD, &period);
        return evdev;
}

static struct libevdev *pointer_template(const char *guest)
{
        static const unsigned axes[] = {
                REL_X, REL_Y, REL_WHEEL, REL_HWHEEL, REL_WHEEL_HI_RES, REL_HWHEEL_HI_RES,
        };
        struct libevdev *evdev = template_new(guest, "pointer");

        enable_keys(evdev, is_pointer_button);
        for (size_t i = 0; i < ARRAY_SIZE(axes); i++)
                (void) libevdev_enable_event_code(evdev, EV_REL, axes[i], NULL);
        return evdev;
}

static int make_node(struct pair *p, const char *what, struct libevdev *template, struct uinput_node *n)
{
        char store_name[64], phys[80];
        int fd, r;

        (void) snprintf(store_name, sizeof(store_name), "%s-%s", what, p->target.name);
        fd = store_take(p->manager->store, store_name);
        r = fd < 0 ? fd : uinput_adopt(fd, template, n);
        if (r < 0) {
                if (fd >= 0)
                        store_remove(store_name); /* no device of ours */
                (void) snprintf(phys, sizeof(phys), VFIO_PHYS_GUEST "%s/%s", p->target.name, what);
                r = uinput_create(template, phys, n);
                if (r >= 0)
                        store_put(store_name, n->fd);
        }
        libevdev_free(template);
        return r;
}

/* From the store a node comes back with its permissions, so that the guest is
 * fed from the first moment. */
static int make_nodes(struct pair *p)
{
        int r;

        r = make_node(p, "keyboard", keyboard_template(p->target.name), &p->keyboard);
        if (r >= 0)
                r = make_node(p, "pointer", pointer_template(p->target.name), &p->pointer);
        if (r >= 0)
                r = uinput_watch_leds(&p->keyboard, p->manager->loop, leds_changed);
        return r;
}

void pair_configure(struct pair *p)
{
        const struct guest_config *c = config_find_guest(p->manager->config, p->target.name);

        if (c || p->configured) {
                p->target.chord = (struct chord) { .hotkey = c ? c->toggle : (struct hotkey) { 0 } };
                if (!p->grab_toggle_told)
                        grab_toggle_keys(c ? c->grab_toggle : GRAB_TOGGLE_META_META, p->target.guard);
        }
        p->configured = c != NULL;
}

static void leave_manager(struct pair *p)
{
        struct manager *m = p->manager;

        router_remove_target(&m->router, &p->target, "the guest was removed");
        for (struct pair **at = &m->pairs; *at; at = &(*at)->next)
                if (*at == p) {
                        *at = p->next;
                        break;
                }
        uinput_unwatch(&p->keyboard, m->loop);
}

static void destroy_node(struct pair *p, const char *what, struct uinput_node *n)
{
        char store_name[64];

        if (n->fd < 0)
                return;
        (void) snprintf(store_name, sizeof(store_name), "%s-%s", what, p->target.name);
        store_remove(store_name);
        uinput_destroy(n, p->manager->reaper);
}

int pair_new(struct manager *m, const char *name)
{
        struct pair *p = xnew0(struct pair, 1);
        int r;

        *p = (struct pair) {
                .manager = m,
                .keyboard = UINPUT_NODE_NONE,
                .pointer = UINPUT_NODE_NONE,
                .target = { .ops = &pair_ops, .merged = true, .reason = "not attached to a guest" },
        };
        (void) snprintf(p->target.name, sizeof(p->target.name), "%s", name);
        grab_toggle_keys(GRAB_TOGGLE_META_META, p->target.guard);
        r = router_add_target(&m->router, &p->target);
        if (r < 0) {
                free(p);
                return r;
        }
        p->next = m->pairs;
        m->pairs = p;
        pair_configure(p);
        r = make_nodes(p);
        if (r < 0) {
                leave_manager(p);
                destroy_node(p, "keyboard", &p->keyboard);
                destroy_node(p, "pointer", &p->pointer);
                free(p);
                return r;
        }
        bus_target_added(m->bus, &p->target);
        hotplug_find_own(m->hotplug, p->keyboard.devnode);
        hotplug_find_own(m->hotplug, p->pointer.devnode);
        log_info("guest %s: keyboard %s, pointer %s", name, p->keyboard.devnode, p->pointer.devnode);
        return 0;
}

struct pair *pair_free(struct pair *p)
{
        leave_manager(p);
        bus_target_removed(p->manager->bus, &p->target);
        destroy_node(p, "keyboard", &p->keyboard);
        destroy_node(p, "pointer", &p->pointer);
        free(p);
        return NULL;
}

struct pair *pair_leave(struct pair *p)
{
        leave_manager(p);
        uinput_leave(&p->keyboard, p->manager->reaper);
        uinput_leave(&p->pointer, p->manager->reaper);
        free(p);
        return NULL;
}

bool pair_is_settled(const struct pair *p)
{
        return p->keyboard.settled && p->pointer.settled;
}
