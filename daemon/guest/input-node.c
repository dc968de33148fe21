/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/guest/input-node.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "common/mem.h"

#define INPUT_MAJOR 13U

static void sysfs_path(dev_t device, const char *file, char *ret, size_t size)
{
        (void) snprintf(ret, size, "/sys/dev/char/%u:%u%s", major(device), minor(device), file);
}

/* The link of an evdev node in sysfs ends in …/inputN/eventM. */
static int parse_link(const char *link, struct input_node *ret)
{
        unsigned long input, event;
        const char *at;
        int end = -1;

        at = strrchr(link, '/');
        while (at && at > link && at[-1] != '/')
                at--;
        if (!at || sscanf(at, "input%lu/event%lu%n", &input, &event, &end) != 2 || end < 0 || at[end])
                return -ENODEV;
        ret->input = input;
        (void) snprintf(ret->path, sizeof(ret->path), "/dev/input/event%lu", event);
        return 0;
}

static int read_link(dev_t device, struct input_node *ret)
{
        char path[64], link[512];
        ssize_t n;

        sysfs_path(device, "", path, sizeof(path));
        n = readlink(path, link, sizeof(link) - 1);
        if (n < 0 || (size_t) n >= sizeof(link) - 1)
                return -ENODEV;
        link[n] = '\0';
        return parse_link(link, ret);
}

/* …guest/NAME/keyboard; whose phys is longer than a name allows is not ours. */
static void parse_phys(const char *phys, struct input_node *ret)
{
        const char *name, *end;

        ret->is_mirror = startswith(phys, VFIO_PHYS_HOST);
        ret->guest[0] = '\0';
        if (!startswith(phys, VFIO_PHYS_GUEST))
                return;
        name = phys + strlen(VFIO_PHYS_GUEST);
        end = strchr(name, '/');
        if (!end || (size_t) (end - name) > TARGET_NAME_MAX)
                return;
        memcpy(ret->guest, name, (size_t) (end - name));
        ret->guest[end - name] = '\0';
}

/* A device without one has nobody's. */
static void read_phys(dev_t device, struct input_node *ret)
{
        _autoclose_ int fd = -EBADF;
        char path[64], phys[128];
        ssize_t n;

        sysfs_path(device, "/device/phys", path, sizeof(path));
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        n = fd < 0 ? -1 : read(fd, phys, sizeof(phys) - 1);
        if (n <= 0)
                return;
        phys[n] = '\0';
        parse_phys(phys, ret);
}

int input_node_resolve(const char *path, struct input_node *ret)
{
        struct input_node node = { 0 };
        _autoclose_ int fd = -EBADF;
        struct stat st;
        int r;

        fd = open(path, O_PATH | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISCHR(st.st_mode) || major(st.st_rdev) != INPUT_MAJOR)
                return -ENODEV;
        node.device = st.st_rdev;
        r = read_link(node.device, &node);
        if (r < 0)
                return r;
        read_phys(node.device, &node);
        *ret = node;
        return 0;
}

bool input_node_is_current(const struct input_node *n)
{
        struct input_node now;

        return read_link(n->device, &now) == 0 && now.input == n->input;
}
