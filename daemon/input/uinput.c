/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/input/uinput.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/uinput.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "common/mem.h"
#include "daemon/input/reaper.h"

static void closedirp(DIR **d)
{
        if (*d)
                (void) closedir(*d);
}

/* UI_GET_SYSNAME names inputN; the event node is a folder below it. */
static int find_devnode(int fd, char *ret, size_t size)
{
        _cleanup_(closedirp) DIR *dir = NULL;
        char path[256], sysname[64];
        const struct dirent *entry;

        if (ioctl(fd, UI_GET_SYSNAME(sizeof(sysname)), sysname) < 0)
                return -errno;
        (void) snprintf(path, sizeof(path), "/sys/devices/virtual/input/%.63s", sysname);
        dir = opendir(path);
        if (!dir)
                return -errno;
        while ((entry = readdir(dir))) {
                if (!startswith(entry->d_name, "event"))
                        continue;
                if ((size_t) snprintf(ret, size, "/dev/input/%s", entry->d_name) >= size)
                        return -ENAMETOOLONG;
                return 0;
        }
        return -ENODEV;
}

int uinput_create(const struct libevdev *template, const char *phys, struct uinput_node *n)
{
        struct uinput_node new = UINPUT_NODE_NONE;
        _autoclose_ int fd = open("/dev/uinput", O_RDWR | O_NONBLOCK | O_CLOEXEC);
        int r;

        if (fd < 0)
                return -errno;
        if (ioctl(fd, UI_SET_PHYS, phys) < 0)
                return -errno;
        r = libevdev_uinput_create_from_device(template, fd, &new.uidev);
        if (r < 0)
                return r;
        r = find_devnode(fd, new.devnode, sizeof(new.devnode));
        if (r < 0) {
                libevdev_uinput_destroy(new.uidev);
                return r;
        }
        new.fd = TAKE_FD(fd);
        *n = new;
        return 0;
}

/* The kernel ignores a release of a key that is up (drivers/input/input.c,
 * input_get_disposition), so it need not be asked which ones are down. */
static void release_all(struct uinput_node *n, const struct libevdev *template)
{
        struct input_event events[64];
        unsigned count = 0;

        for (unsigned code = 0; code < KEY_CNT; code++) {
                if (!libevdev_has_event_code(template, EV_KEY, code))
                        continue;
                events[count++] = (struct input_event) { .type = EV_KEY, .code = (uint16_t) code };
                if (count < ARRAY_SIZE(events) - 1)
                        continue;
                events[count++] = (struct input_event) { .type = EV_SYN };
                (void) uinput_write(n, events, count);
                count = 0;
        }
        events[count++] = (struct input_event) { .type = EV_SYN };
        (void) uinput_write(n, events, count);
}

int uinput_adopt(int fd, const struct libevdev *template, struct uinput_node *n)
{
        struct uinput_node new = UINPUT_NODE_NONE;
        _autoclose_ int owned = fd;
        int r;

        r = find_devnode(fd, new.devnode, sizeof(new.devnode));
        if (r < 0)
                return r;
        new.fd = TAKE_FD(owned);
        release_all(&new, template);
        *n = new;
        return 0;
}

void uinput_destroy(struct uinput_node *n, struct reaper *reaper)
{
        reaper_close(reaper, n->fd, n->uidev);
        *n = UINPUT_NODE_NONE;
}

/* libevdev can free a libevdev_uinput only together with the kernel's device,
 * so that memory goes with the process. */
void uinput_leave(struct uinput_node *n, struct reaper *reaper)
{
        reaper_close(reaper, n->fd, NULL);
        *n = UINPUT_NODE_NONE;
}

int uinput_write(struct uinput_node *n, const struct input_event *events, unsigned n_events)
{
        return write(n->fd, events, n_events * sizeof(*events)) < 0 ? -errno : 0;
}

/* EV_REP written to uinput sets the device's repeat (input_get_disposition). */
void uinput_set_repeat(struct uinput_node *n, int delay_ms, int period_ms)
{
        const struct input_event events[] = {
                { .type = EV_REP, .code = REP_DELAY, .value = delay_ms },
                { .type = EV_REP, .code = REP_PERIOD, .value = period_ms },
                { .type = EV_SYN, .code = SYN_REPORT },
        };

        (void) uinput_write(n, events, ARRAY_SIZE(events));
}

static void dispatch_leds(struct loop_source *s)
{
        struct uinput_node *n = CONTAINER_OF(s, struct uinput_node, led_source);
        struct input_event events[16];
        uint32_t leds = n->leds;
        ssize_t size;

        do {
                size = read(n->fd, events, sizeof(events));
                for (ssize_t i = 0; i < size / (ssize_t) sizeof(events[0]); i++) {
                        if (events[i].type != EV_LED || events[i].code >= 32)
                                continue;
                        if (events[i].value)
                                leds |= UINT32_C(1) << events[i].code;
                        else
                                leds &= ~(UINT32_C(1) << events[i].code);
                }
        } while (size == (ssize_t) sizeof(events));
        if (leds == n->leds)
                return;
        n->leds = leds;
        n->leds_changed(n);
}

int uinput_watch_leds(struct uinput_node *n, struct loop *loop, void (*changed)(struct uinput_node *n))
{
        n->led_source.dispatch = dispatch_leds;
        n->leds_changed = changed;
        return loop_add(loop, n->fd, &n->led_source);
}

void uinput_unwatch(struct uinput_node *n, struct loop *loop)
{
        if (n->fd >= 0 && n->leds_changed)
                loop_remove(loop, n->fd, &n->led_source);
        n->leds_changed = NULL;
}
