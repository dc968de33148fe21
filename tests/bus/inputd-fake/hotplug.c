/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* daemon/input/hotplug.h without udev: devices come and go as the test says.
 * There is no selection here; what is plugged is taken, unless the
 * configuration does not admit it. */

#include "daemon/input/hotplug.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/mem.h"
#include "daemon/input/manager.h"
#include "tests/bus/inputd-fake/fake.h"

struct hotplug {
        struct manager *manager; /* not owned */
        int fd;
        sd_event_source *source;
        bool going; /* "go" was said */
};

static struct fake_device *devices; /* owned; not in struct hotplug, for evdev.c */

const char *fake_path(char ret[FAKE_PATH_SIZE], const char *name, const char *suffix)
{
        (void) snprintf(ret, FAKE_PATH_SIZE, "%s/%s%s", getenv("VFIO_FAKE_DIR"), name, suffix);
        return ret;
}

bool fake_exists(const char *name, const char *suffix)
{
        char path[FAKE_PATH_SIZE];

        return access(fake_path(path, name, suffix), F_OK) == 0;
}

int fake_connect(int type, const char *name, const char *own_name)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        char path[FAKE_PATH_SIZE];
        int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

        if (fd < 0)
                return -errno;
        if (own_name) {
                socklen_t size = (socklen_t) (offsetof(struct sockaddr_un, sun_path) + 1 + strlen(own_name));

                memcpy(address.sun_path + 1, own_name, MIN(strlen(own_name), sizeof(address.sun_path) - 1));
                if (bind(fd, (struct sockaddr *) &address, size) < 0) {
                        safe_close(fd);
                        return -errno;
                }
        }
        (void) snprintf(address.sun_path, sizeof(address.sun_path), "%.107s", fake_path(path, name, ""));
        if (connect(fd, (struct sockaddr *) &address, sizeof(address)) < 0) {
                safe_close(fd);
                return -errno;
        }
        return fd;
}

const struct fake_device *fake_device_find(const char *event)
{
        for (const struct fake_device *d = devices; d; d = d->next)
                if (streq(d->event, event))
                        return d;
        return NULL;
}

static enum device_kind kind_from_string(const char *s)
{
        for (enum device_kind k = DEVICE_NONE; k <= DEVICE_KEYS; k++)
                if (streq(device_kind_to_string(k), s))
                        return k;
        abort();
}

static struct node_info info_of(const struct fake_device *d)
{
        return (struct node_info) {
                .syspath = d->syspath, .devnode = d->devnode, .name = d->name,       .phys = d->phys,
                .vendor = d->vendor,   .product = d->product, .physical = d->syspath, .kind = d->kind,
        };
}

static void take_away(struct hotplug *h, struct fake_device *f)
{
        for (struct device *d = h->manager->devices; d; d = d->next)
                if (streq(d->syspath, f->syspath)) {
                        (void) device_free(d);
                        break;
                }
        f->taken = false;
}

void hotplug_select_again(struct hotplug *h)
{
        for (struct fake_device *f = devices; f; f = f->next) {
                const struct node_info info = info_of(f);
                bool wanted = node_info_admitted(&info, h->manager->config);

                if (f->taken && !wanted)
                        take_away(h, f);
                else if (!f->taken && wanted) {
                        f->taken = true;
                        (void) device_new(h->manager, &info);
                }
        }
}

static void plug(const char *arguments)
{
        struct fake_device *d = xnew0(struct fake_device, 1);
        unsigned vendor, product;
        char kind[16];

        if (sscanf(arguments, "%31s %15s %x %x %127[^\n]", d->event, kind, &vendor, &product, d->name) != 5)
                abort();
        d->kind = kind_from_string(kind);
        d->vendor = (int) vendor;
        d->product = (int) product;
        (void) snprintf(d->phys, sizeof(d->phys), "usb-test-%s/input0", d->event);
        (void) snprintf(d->syspath, sizeof(d->syspath), "/sys/devices/test/%s", d->event);
        (void) snprintf(d->devnode, sizeof(d->devnode), "/dev/input/%s", d->event);
        d->next = devices;
        devices = d;
}

static void unplug(struct hotplug *h, const char *event)
{
        for (struct fake_device **p = &devices, *d; (d = *p); p = &d->next) {
                if (!streq(d->event, event))
                        continue;
                if (d->taken)
                        take_away(h, d);
                *p = d->next;
                free(d);
                return;
        }
        abort();
}

static void obey(struct hotplug *h, const char *command)
{
        if (startswith(command, "plug "))
                plug(command + strlen("plug "));
        else if (startswith(command, "unplug "))
                unplug(h, command + strlen("unplug "));
        else if (startswith(command, "settle "))
                manager_own_node(h->manager, command + strlen("settle "));
        else if (streq(command, "go"))
                h->going = true;
        else
                abort();
        if (h->going)
                hotplug_select_again(h);
        (void) !send(h->fd, "ok", 2, MSG_NOSIGNAL);
}

/* False if the test has gone. */
static bool obey_next(struct hotplug *h)
{
        char command[256];
        ssize_t n = recv(h->fd, command, sizeof(command) - 1, 0);

        if (n <= 0)
                return false;
        command[n] = 0;
        obey(h, command);
        return true;
}

static int on_command(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
        if (!obey_next(userdata))
                return sd_event_source_set_enabled(s, SD_EVENT_OFF);
        return 0;
}

int hotplug_new(struct hotplug **ret, struct manager *m)
{
        struct hotplug *h = xnew0(struct hotplug, 1);

        h->manager = m;
        h->fd = -EBADF;
        *ret = h;
        return 0;
}

struct hotplug *hotplug_free(struct hotplug *h)
{
        if (!h)
                return NULL;
        sd_event_source_disable_unref(h->source);
        (void) safe_close(h->fd);
        while (devices) {
                struct fake_device *d = devices;

                devices = d->next;
                free(d);
        }
        free(h);
        return NULL;
}

int hotplug_start(struct hotplug *h)
{
        h->fd = fake_connect(SOCK_SEQPACKET, "control", NULL);
        if (h->fd < 0)
                return h->fd;
        (void) !send(h->fd, "start", strlen("start"), MSG_NOSIGNAL);
        while (!h->going)
                if (!obey_next(h))
                        return -EPIPE;
        return sd_event_add_io(loop_event(h->manager->loop), &h->source, h->fd, EPOLLIN, on_command, h);
}

void hotplug_find_own(struct hotplug *h, const char *devnode)
{
        if (!fake_exists("slow-udev", ""))
                manager_own_node(h->manager, devnode);
}
