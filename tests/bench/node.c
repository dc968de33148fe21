/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/bench/node.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/uinput.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "common/mem.h"

void die(int error, const char *what)
{
        (void) fprintf(stderr, "%s: %s\n", what, strerror(-error));
        exit(EXIT_FAILURE);
}

int set_realtime(int priority)
{
        const struct sched_param param = { .sched_priority = priority };

        return sched_setscheduler(0, SCHED_RR, &param) < 0 ? -errno : 0;
}

int node_grab(const char *path, int flags)
{
        _autoclose_ int fd = open(path, O_RDWR | O_CLOEXEC | flags);

        if (fd < 0 || ioctl(fd, EVIOCGRAB, 1) < 0)
                return -errno;
        return TAKE_FD(fd);
}

static int enable(int fd, unsigned long request, const int *codes, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (ioctl(fd, request, codes[i]) < 0)
                        return -errno;
        return 0;
}

static int enable_range(int fd, unsigned long request, int first, int last)
{
        for (int code = first; code <= last; code++)
                if (ioctl(fd, request, code) < 0)
                        return -errno;
        return 0;
}

static int enable_mouse(int fd)
{
        static const int types[] = { EV_KEY, EV_REL };
        static const int axes[] = { REL_X, REL_Y, REL_WHEEL, REL_HWHEEL, REL_WHEEL_HI_RES, REL_HWHEEL_HI_RES };
        int r;

        r = enable(fd, UI_SET_EVBIT, types, ARRAY_SIZE(types));
        if (r >= 0)
                r = enable(fd, UI_SET_RELBIT, axes, ARRAY_SIZE(axes));
        return r < 0 ? r : enable_range(fd, UI_SET_KEYBIT, BTN_LEFT, BTN_EXTRA);
}

static int enable_keyboard(int fd)
{
        static const int types[] = { EV_KEY, EV_MSC };
        static const int scan = MSC_SCAN;
        int r;

        r = enable(fd, UI_SET_EVBIT, types, ARRAY_SIZE(types));
        if (r >= 0)
                r = enable(fd, UI_SET_MSCBIT, &scan, 1);
        return r < 0 ? r : enable_range(fd, UI_SET_KEYBIT, KEY_ESC, KEY_MICMUTE);
}

static int find_path(int fd, char *ret, size_t size)
{
        char sysname[64], sysfs[128];
        const struct dirent *entry;
        int r = -ENODEV;
        DIR *dir;

        if (ioctl(fd, UI_GET_SYSNAME(sizeof(sysname)), sysname) < 0)
                return -errno;
        (void) snprintf(sysfs, sizeof(sysfs), "/sys/devices/virtual/input/%.63s", sysname);
        dir = opendir(sysfs);
        if (!dir)
                return -errno;
        while ((entry = readdir(dir)))
                if (strncmp(entry->d_name, "event", strlen("event")) == 0) {
                        (void) snprintf(ret, size, "/dev/input/%.32s", entry->d_name);
                        r = 0;
                }
        (void) closedir(dir);
        return r;
}

int node_create(enum node_kind kind, const char *name, const char *phys, struct node *ret)
{
        struct uinput_setup setup = { .id = { .bustype = BUS_VIRTUAL, .vendor = 1, .product = (uint16_t) (kind + 1) } };
        _autoclose_ int fd = open("/dev/uinput", O_RDWR | O_CLOEXEC);
        int r;

        if (fd < 0)
                return -errno;
        r = kind == NODE_MOUSE ? enable_mouse(fd) : enable_keyboard(fd);
        if (r < 0)
                return r;
        (void) snprintf(setup.name, sizeof(setup.name), "%s", name);
        if (ioctl(fd, UI_SET_PHYS, phys) < 0 || ioctl(fd, UI_DEV_SETUP, &setup) < 0 || ioctl(fd, UI_DEV_CREATE) < 0)
                return -errno;
        r = find_path(fd, ret->path, sizeof(ret->path));
        if (r < 0)
                return r;
        ret->fd = TAKE_FD(fd);
        return 0;
}
