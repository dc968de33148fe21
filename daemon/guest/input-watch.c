/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/guest/input-watch.h"

#include <libudev.h>
#include <sys/epoll.h>

struct input_watch {
        struct udev *udev; /* owned */
        struct udev_monitor *monitor; /* owned */
        sd_event_source *source; /* owned */
        input_watch_fn fn;
        void *userdata;
};

static int on_event(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        struct input_watch *w = userdata;
        struct udev_device *device;
        bool gone = false;

        while ((device = udev_monitor_receive_device(w->monitor))) {
                const char *action = udev_device_get_action(device);

                gone |= action && streq(action, "remove");
                udev_device_unref(device);
        }
        if (gone)
                w->fn(w->userdata);
        return 0;
}

int input_watch_new(sd_event *event, input_watch_fn fn, void *userdata, struct input_watch **ret)
{
        _cleanup_(input_watch_freep) struct input_watch *w = xnew0(struct input_watch, 1);
        int r;

        w->fn = fn;
        w->userdata = userdata;
        w->udev = udev_new();
        w->monitor = w->udev ? udev_monitor_new_from_netlink(w->udev, "kernel") : NULL; /* udev's own come later */
        if (!w->monitor)
                return -errno ?: -ENOMEM;
        r = udev_monitor_filter_add_match_subsystem_devtype(w->monitor, "input", NULL);
        if (r >= 0)
                r = udev_monitor_enable_receiving(w->monitor);
        if (r >= 0)
                r = sd_event_add_io(event, &w->source, udev_monitor_get_fd(w->monitor), EPOLLIN, on_event, w);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(w);
        return 0;
}

struct input_watch *input_watch_free(struct input_watch *w)
{
        if (!w)
                return NULL;
        sd_event_source_disable_unref(w->source);
        udev_monitor_unref(w->monitor);
        udev_unref(w->udev);
        free(w);
        return NULL;
}
