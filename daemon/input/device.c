/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/input/device.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "common/log.h"
#include "common/mem.h"
#include "common/text.h"
#include "daemon/input/bus.h"
#include "daemon/input/manager.h"
#include "daemon/input/reaper.h"
#include "daemon/input/store.h"

#define BUSY_RETRY_USEC (2 * UINT64_C(1000000))

static const char *const state_names[] = {
        [DEVICE_RELEASED] = "released", [DEVICE_SETTLING] = "waiting", [DEVICE_WAITING] = "waiting",
        [DEVICE_GRABBED] = "grabbed",   [DEVICE_BUSY] = "busy",        [DEVICE_FAILED] = "failed",
};

const char *device_state_to_string(enum device_state s)
{
        return state_names[s];
}

static void set_state(struct device *d, enum device_state state)
{
        if (d->state == state)
                return;
        log_debug("%s (%s): %s -> %s", d->devnode, d->name, state_names[d->state], state_names[state]);
        d->state = state;
        bus_device_changed(d->manager->bus, d);
}

static uint64_t event_usec(const struct input_event *ev)
{
        return (uint64_t) ev->input_event_sec * 1000000 + (uint64_t) ev->input_event_usec;
}

static int get_keys(const struct device *d, struct keyset *ret)
{
        return ioctl(d->fd, EVIOCGKEY(sizeof(*ret)), ret) < 0 ? -errno : 0;
}

static void resync(struct device *d, uint64_t usec)
{
        struct keyset actual = { 0 };

        if (get_keys(d, &actual) >= 0)
                router_resync(&d->manager->router, &d->source, &actual, usec);
}

static void dispatch_frames(struct device *d)
{
        struct input_event *events;
        uint64_t usec;
        unsigned n;

        for (;;) {
                switch (frame_reader_next(&d->reader, &events, &n)) {
                case FRAME_NONE:
                        return;
                case FRAME_READY:
                        usec = event_usec(&events[n - 1]);
                        router_frame(&d->manager->router, &d->source, events, n, usec);
                        break;
                case FRAME_RESYNC:
                        resync(d, event_usec(&d->reader.events[d->reader.start - 1]));
                        break;
                }
        }
}

/* One read(2); false if there is nothing more to be had for now. */
static bool read_once(struct device *d)
{
        struct input_event *events;
        unsigned room, n;
        ssize_t size;

        events = frame_reader_space(&d->reader, &room);
        size = read(d->fd, events, room * sizeof(*events));
        if (size < 0) {
                d->gone = errno != EAGAIN && errno != EINTR;
                d->manager->attention |= d->gone;
                return false;
        }
        n = (unsigned) ((size_t) size / sizeof(*events));
        frame_reader_filled(&d->reader, n);
        if (d->state == DEVICE_GRABBED) {
                dispatch_frames(d);
        } else {
                d->reader = (struct frame_reader) { 0 };
                d->look = d->manager->attention = true;
        }
        return n == room;
}

/* The input path. Everything but frames is left to device_attend. */
static void dispatch(struct loop_source *s)
{
        struct device *d = CONTAINER_OF(s, struct device, loop_source);

        while (read_once(d))
                ;
}

static void stop_timer(struct device *d)
{
        d->timer = sd_event_source_disable_unref(d->timer);
}

/* Write releases to the node, for those who read it beside us: the kernel
 * then takes the keys as up, and their physical release reaches nobody. */
static void write_releases(struct device *d, const struct keyset *down)
{
        const struct input_event syn = { .type = EV_SYN, .code = SYN_REPORT };

        KEYSET_FOREACH (key, down) {
                const struct input_event ev = { .type = EV_KEY, .code = (uint16_t) key };

                if (write(d->fd, &ev, sizeof(ev)) < 0)
                        (void) log_warning_errno(-errno, "%s: the kernel takes no release", d->devnode);
        }
        (void) !write(d->fd, &syn, sizeof(syn));
}

static void drain(struct device *d)
{
        struct input_event events[64];

        while (read(d->fd, events, sizeof(events)) > 0)
                ;
        d->reader = (struct frame_reader) { 0 };
}

static void fail(struct device *d, int error, const char *what)
{
        device_release(d);
        set_state(d, DEVICE_FAILED);
        (void) log_warning_errno(error, "%s (%s): cannot %s", d->devnode, d->name, what);
}

static void arm_timer(struct device *d, uint64_t usec);

/* Grabs, or says why not yet. forced: keys that are down wait no longer. */
static void try_grab(struct device *d, bool forced)
{
        struct keyset down = { 0 };
        int r;

        r = get_keys(d, &down);
        if (r < 0) {
                fail(d, r, "ask for the state of its keys");
                return;
        }
        if (!keyset_is_empty(&down) && !forced) {
                if (d->state != DEVICE_WAITING)
                        arm_timer(d, (uint64_t) d->manager->config->grab_wait_ms * 1000);
                set_state(d, DEVICE_WAITING);
                return;
        }
        write_releases(d, &down);
        r = libevdev_grab(d->evdev, LIBEVDEV_GRAB);
        if (r == -EBUSY) {
                if (d->state != DEVICE_BUSY)
                        log_notice("%s (%s): another program has grabbed it", d->devnode, d->name);
                set_state(d, DEVICE_BUSY);
                arm_timer(d, BUSY_RETRY_USEC);
                return;
        }
        if (r < 0) {
                fail(d, r, "grab it");
                return;
        }
        drain(d);
        down = (struct keyset) { 0 };
        if (get_keys(d, &down) >= 0 && !keyset_is_empty(&down) && !forced) {
                /* Pressed between the look and the grab: others saw the press,
                 * so they must see the release. Once more from the beginning. */
                device_release(d);
                device_open(d);
                return;
        }
        stop_timer(d);
        router_add_source(&d->manager->router, &d->source, &down);
        set_state(d, DEVICE_GRABBED);
        manager_show_leds(d->manager);
        log_info("%s (%s): grabbed", d->devnode, d->name);
}

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
        struct device *d = userdata;

        if (d->state == DEVICE_SETTLING)
                d->mirror.settled = true; /* no udev: nobody will announce it */
        try_grab(d, d->state == DEVICE_WAITING);
        return 0;
}

static void arm_timer(struct device *d, uint64_t usec)
{
        int r;

        stop_timer(d);
        r = sd_event_add_time_relative(loop_event(d->manager->loop), &d->timer, CLOCK_MONOTONIC, usec, 10000, on_timer,
                                       d);
        if (r < 0)
                (void) log_error_errno(r, "%s: no timer", d->devnode);
}

static void mirror_leds_changed(struct uinput_node *n)
{
        struct device *d = CONTAINER_OF(n, struct device, mirror);

        manager_show_leds(d->manager);
}

/* The store's name of the mirror: as long as the node's syspath is the same,
 * it is the same device in the same socket. */
static void mirror_store_name(const struct device *d, char ret[32])
{
        uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */

        for (const char *p = d->syspath; *p; p++)
                hash = (hash ^ (unsigned char) *p) * UINT64_C(0x100000001b3);
        (void) snprintf(ret, 32, "host-%016llx", (unsigned long long) hash);
}

static void copy_repeat(struct device *d)
{
        int delay, period;

        if (libevdev_get_repeat(d->evdev, &delay, &period) < 0)
                return;
        uinput_set_repeat(&d->mirror, delay, period);
        for (struct pair *p = d->manager->pairs; p; p = p->next)
                uinput_set_repeat(&p->keyboard, delay, period);
}

static int make_mirror(struct device *d)
{
        char store_name[32], phys[64];
        const char *number = d->devnode + strcspn(d->devnode, "0123456789");
        int fd, r;

        /* Forces and sounds would have to be carried back to the device. */
        (void) libevdev_disable_event_type(d->evdev, EV_FF);
        (void) libevdev_disable_event_type(d->evdev, EV_SND);

        mirror_store_name(d, store_name);
        fd = store_take(d->manager->store, store_name);
        r = fd < 0 ? fd : uinput_adopt(fd, d->evdev, &d->mirror);
        if (r < 0) {
                if (fd >= 0)
                        store_remove(store_name); /* no device of ours */
                (void) snprintf(phys, sizeof(phys), VFIO_PHYS_HOST "%s", number);
                r = uinput_create(d->evdev, phys, &d->mirror);
                if (r < 0)
                        return r;
                store_put(store_name, d->mirror.fd);
        }
        copy_repeat(d);
        /* The kernel hands scan codes back as it does LEDs: no mouse should wake us with them. */
        if (d->leds == 0)
                return 0;
        for (unsigned code = 0; code < LED_CNT; code++)
                if (libevdev_get_event_value(d->evdev, EV_LED, code))
                        d->mirror.leds |= UINT32_C(1) << code;
        return uinput_watch_leds(&d->mirror, d->manager->loop, mirror_leds_changed);
}

static int open_node(struct device *d)
{
        int r;

        d->fd = open(d->devnode, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
        if (d->fd < 0)
                return -errno;
        r = libevdev_new_from_fd(d->fd, &d->evdev);
        if (r < 0)
                return r;
        r = libevdev_set_clock_id(d->evdev, CLOCK_MONOTONIC);
        if (r < 0)
                return r;
        d->leds = 0;
        for (unsigned code = 0; code < LED_CNT; code++)
                if (libevdev_has_event_code(d->evdev, EV_LED, code))
                        d->leds |= UINT32_C(1) << code;
        return loop_add(d->manager->loop, d->fd, &d->loop_source);
}

void device_open(struct device *d)
{
        int r;

        r = open_node(d);
        if (r < 0) {
                fail(d, r, "open it");
                return;
        }
        if (d->mirror.fd < 0) {
                r = make_mirror(d);
                if (r < 0) {
                        fail(d, r, "create its mirror on the host");
                        return;
                }
                hotplug_find_own(d->manager->hotplug, d->mirror.devnode);
        }
        if (d->mirror.settled) {
                try_grab(d, false);
                return;
        }
        set_state(d, DEVICE_SETTLING);
        arm_timer(d, (uint64_t) d->manager->config->grab_wait_ms * 1000);
}

void device_mirror_settled(struct device *d)
{
        d->mirror.settled = true;
        if (d->state == DEVICE_SETTLING)
                try_grab(d, false);
}

void device_attend(struct device *d)
{
        d->look = false;
        if (d->state == DEVICE_WAITING)
                try_grab(d, false);
}

void device_release(struct device *d)
{
        stop_timer(d);
        if (d->state == DEVICE_GRABBED)
                router_remove_source(&d->manager->router, &d->source);
        if (d->fd >= 0) {
                loop_remove(d->manager->loop, d->fd, &d->loop_source);
                reaper_close(d->manager->reaper, TAKE_FD(d->fd), NULL);
        }
        libevdev_free(TAKE_PTR(d->evdev));
        d->look = d->gone = false;
        set_state(d, DEVICE_RELEASED);
}

struct device *device_new(struct manager *m, const struct node_info *info)
{
        struct device *d = xnew0(struct device, 1);

        *d = (struct device) {
                .manager = m,
                .loop_source.dispatch = dispatch,
                .mirror = UINPUT_NODE_NONE,
                .fd = -EBADF,
                .id = ++m->last_device_id,
                .kind = info->kind,
                .vendor = (uint16_t) info->vendor,
                .product = (uint16_t) info->product,
                .syspath = xstrdup(info->syspath),
                .devnode = xstrdup(info->devnode),
                .name = text_printable(info->name),
                .phys = text_printable(info->phys),
                .next = m->devices,
        };
        m->devices = d;
        bus_device_added(m->bus, d);
        if (!m->router.paused)
                device_open(d);
        return d;
}

static struct device *destroy(struct device *d)
{
        struct manager *m = d->manager;

        for (struct device **p = &m->devices; *p; p = &(*p)->next)
                if (*p == d) {
                        *p = d->next;
                        break;
                }
        bus_device_removed(m->bus, d);
        free(d->syspath);
        free(d->devnode);
        free(d->name);
        free(d->phys);
        free(d);
        return NULL;
}

struct device *device_free(struct device *d)
{
        char store_name[32];

        device_release(d);
        if (d->mirror.fd >= 0) {
                uinput_unwatch(&d->mirror, d->manager->loop);
                mirror_store_name(d, store_name);
                store_remove(store_name);
                uinput_destroy(&d->mirror, d->manager->reaper);
        }
        return destroy(d);
}

struct device *device_leave(struct device *d)
{
        device_release(d);
        uinput_unwatch(&d->mirror, d->manager->loop);
        uinput_leave(&d->mirror, d->manager->reaper);
        return destroy(d);
}

void device_set_leds(struct device *d, uint32_t leds)
{
        struct input_event events[LED_CNT + 1];
        unsigned n = 0;

        for (unsigned code = 0; code < LED_CNT; code++)
                if (d->leds >> code & 1)
                        events[n++] = (struct input_event) {
                                .type = EV_LED, .code = (uint16_t) code, .value = (int) (leds >> code & 1)
                        };
        if (n == 0)
                return;
        events[n++] = (struct input_event) { .type = EV_SYN, .code = SYN_REPORT };
        (void) !write(d->fd, events, n * sizeof(events[0]));
}
