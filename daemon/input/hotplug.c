/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/input/hotplug.h"

#include <sys/stat.h>

#include "common/log.h"
#include "common/mem.h"
#include "daemon/input/manager.h"

/* An event node that might be for us. */
struct node {
        struct udev_device *device; /* owned; info's strings live in it */
        struct node_info info;
        bool taken; /* the manager has a device for it */
        struct node *next;
};

struct hotplug {
        struct manager *manager; /* not owned */
        struct udev *udev;
        struct udev_monitor *monitor;
        sd_event_source *source;
        struct node *nodes; /* owned */
};

static bool group_has_primary(const struct hotplug *h, const char *physical)
{
        for (const struct node *n = h->nodes; n; n = n->next)
                if (streq(n->info.physical, physical) &&
                    (n->info.kind == DEVICE_KEYBOARD || n->info.kind == DEVICE_MOUSE) &&
                    node_info_admitted(&n->info, h->manager->config))
                        return true;
        return false;
}

static bool is_wanted(const struct hotplug *h, const struct node *n)
{
        return n->info.kind != DEVICE_NONE && node_info_admitted(&n->info, h->manager->config) &&
               (n->info.kind != DEVICE_KEYS || group_has_primary(h, n->info.physical));
}

static struct device *find_device(struct manager *m, const char *syspath)
{
        for (struct device *d = m->devices; d; d = d->next)
                if (streq(d->syspath, syspath))
                        return d;
        return NULL;
}

static void give_back(struct hotplug *h, struct node *n)
{
        struct device *d = find_device(h->manager, n->info.syspath);

        if (d)
                (void) device_free(d);
        n->taken = false;
}

/* A companion may come before its keyboard, so the whole set is looked at. */
void hotplug_select_again(struct hotplug *h)
{
        for (struct node *n = h->nodes; n; n = n->next) {
                bool wanted = is_wanted(h, n);

                if (n->taken && !wanted)
                        give_back(h, n);
                else if (!n->taken && wanted) {
                        n->taken = true;
                        (void) device_new(h->manager, &n->info);
                }
        }
}

static void remove_node(struct hotplug *h, const char *syspath)
{
        for (struct node **p = &h->nodes, *n; (n = *p); p = &n->next) {
                if (!streq(n->info.syspath, syspath))
                        continue;
                *p = n->next;
                if (n->taken)
                        give_back(h, n);
                udev_device_unref(n->device);
                free(n);
                return;
        }
}

static void update_node(struct hotplug *h, struct udev_device *device, const struct node_info *info)
{
        struct node *n;

        for (n = h->nodes; n; n = n->next)
                if (streq(n->info.syspath, info->syspath))
                        break;
        if (!n) {
                n = xnew0(struct node, 1);
                n->next = h->nodes;
                h->nodes = n;
        }
        (void) udev_device_ref(device);
        udev_device_unref(n->device);
        n->device = device;
        n->info = *info;
}

static void handle_device(struct hotplug *h, struct udev_device *device)
{
        const char *action = udev_device_get_action(device);
        struct node_info info;

        if (action && streq(action, "remove")) {
                remove_node(h, udev_device_get_syspath(device));
                return;
        }
        if (!node_info_read(device, &info))
                return;
        if (info.own)
                manager_own_node(h->manager, info.devnode);
        else
                update_node(h, device, &info);
}

static int on_monitor(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
        struct hotplug *h = userdata;
        struct udev_device *device;

        while ((device = udev_monitor_receive_device(h->monitor))) {
                handle_device(h, device);
                udev_device_unref(device);
        }
        hotplug_select_again(h);
        return 0;
}

int hotplug_new(struct hotplug **ret, struct manager *m)
{
        struct hotplug *h = xnew0(struct hotplug, 1);
        int r;

        h->manager = m;
        h->udev = udev_new();
        if (h->udev)
                h->monitor = udev_monitor_new_from_netlink(h->udev, "udev");
        if (!h->monitor) {
                hotplug_free(h);
                return -ENOMEM;
        }
        r = udev_monitor_filter_add_match_subsystem_devtype(h->monitor, "input", NULL);
        if (r >= 0)
                r = udev_monitor_enable_receiving(h->monitor);
        if (r >= 0)
                r = sd_event_add_io(loop_event(m->loop), &h->source, udev_monitor_get_fd(h->monitor), EPOLLIN,
                                    on_monitor, h);
        if (r < 0) {
                hotplug_free(h);
                return r;
        }
        *ret = h;
        return 0;
}

struct hotplug *hotplug_free(struct hotplug *h)
{
        if (!h)
                return NULL;
        for (struct node *n = h->nodes, *next; n; n = next) {
                next = n->next;
                udev_device_unref(n->device);
                free(n);
        }
        sd_event_source_disable_unref(h->source);
        udev_monitor_unref(h->monitor);
        udev_unref(h->udev);
        free(h);
        return NULL;
}

int hotplug_start(struct hotplug *h)
{
        struct udev_enumerate *list = udev_enumerate_new(h->udev);
        struct udev_list_entry *entry;
        int r;

        if (!list)
                return -ENOMEM;
        r = udev_enumerate_add_match_subsystem(list, "input");
        if (r >= 0)
                r = udev_enumerate_add_match_is_initialized(list);
        if (r >= 0)
                r = udev_enumerate_scan_devices(list);
        if (r >= 0)
                udev_list_entry_foreach (entry, udev_enumerate_get_list_entry(list)) {
                        const char *syspath = udev_list_entry_get_name(entry);
                        struct udev_device *device = udev_device_new_from_syspath(h->udev, syspath);

                        if (!device)
                                continue;
                        handle_device(h, device);
                        udev_device_unref(device);
                }
        udev_enumerate_unref(list);
        hotplug_select_again(h);
        return r;
}

void hotplug_find_own(struct hotplug *h, const char *devnode)
{
        struct udev_device *device;
        struct stat st;

        if (stat(devnode, &st) < 0)
                return;
        device = udev_device_new_from_devnum(h->udev, 'c', st.st_rdev);
        if (device && udev_device_get_is_initialized(device))
                manager_own_node(h->manager, devnode);
        udev_device_unref(device);
}
