/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Evdev nodes that are sockets to the test.
 *
 * open(2), read(2) and ioctl(2) are defined here, so that the linker binds the
 * daemon and libevdev to them and not to the C library. What is not about
 * /dev/input/eventN goes on to the kernel. */

#include <fcntl.h>
#include <linux/input.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "common/mem.h"
#include "daemon/core/keyset.h"
#include "tests/bus/inputd-fake/fake.h"

#define FDS_MAX 1024
#define DEVICES "/dev/input/"

/* What is behind a descriptor. close(2) is not ours, so the inode tells
 * whether it is still the same. */
static struct node {
        char event[32];
        ino_t inode;
        struct keyset down;
} nodes[FDS_MAX];

static struct node *node_of(int fd)
{
        struct stat st;

        if (fd < 0 || fd >= FDS_MAX || !nodes[fd].event[0])
                return NULL;
        return fstat(fd, &st) == 0 && st.st_ino == nodes[fd].inode ? &nodes[fd] : NULL;
}

static int open_node(const char *event)
{
        struct stat st;
        int fd = fake_connect(SOCK_STREAM | SOCK_NONBLOCK, event, NULL);

        if (fd < 0 || fd >= FDS_MAX || fstat(fd, &st) < 0) {
                errno = fd < 0 ? -fd : EMFILE;
                return -1;
        }
        nodes[fd] = (struct node) { .inode = st.st_ino };
        (void) snprintf(nodes[fd].event, sizeof(nodes[fd].event), "%s", event);
        return fd;
}

int open(const char *path, int flags, ...)
{
        unsigned mode;
        va_list ap;

        if (startswith(path, DEVICES))
                return open_node(path + strlen(DEVICES));
        va_start(ap, flags);
        mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(ap, unsigned) : 0;
        va_end(ap);
        return (int) syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

static void follow(struct node *n, const struct input_event *events, size_t n_events)
{
        for (size_t i = 0; i < n_events; i++) {
                if (events[i].type != EV_KEY || events[i].code >= KEY_CNT)
                        continue;
                if (events[i].value)
                        keyset_add(&n->down, events[i].code);
                else
                        keyset_remove(&n->down, events[i].code);
        }
}

ssize_t read(int fd, void *buffer, size_t size)
{
        ssize_t n = syscall(SYS_read, fd, buffer, size);
        struct node *node = node_of(fd);

        if (!node)
                return n;
        if (n == 0) { /* the test has closed it: unplugged */
                errno = ENODEV;
                return -1;
        }
        if (n > 0)
                follow(node, buffer, (size_t) n / sizeof(struct input_event));
        return n;
}

/* ---- ioctl ---- */

static void set_bit(unsigned char *bits, size_t size, unsigned bit)
{
        if (bit / 8 < size)
                bits[bit / 8] |= (unsigned char) (1u << bit % 8);
}

static void set_range(unsigned char *bits, size_t size, unsigned first, unsigned last)
{
        for (unsigned bit = first; bit <= last; bit++)
                set_bit(bits, size, bit);
}

/* EVIOCGBIT(type): what a keyboard, or a mouse, can do. */
static void capabilities(enum device_kind kind, unsigned type, unsigned char *bits, size_t size)
{
        bool keyboard = kind == DEVICE_KEYBOARD;

        switch (type) {
        case 0:
                set_bit(bits, size, EV_KEY);
                set_bit(bits, size, keyboard ? EV_LED : EV_REL);
                if (keyboard)
                        set_bit(bits, size, EV_REP);
                break;
        case EV_KEY:
                set_range(bits, size, keyboard ? KEY_ESC : BTN_LEFT, keyboard ? KEY_MICMUTE : BTN_TASK);
                break;
        case EV_REL:
                if (!keyboard)
                        set_range(bits, size, REL_X, REL_WHEEL);
                break;
        case EV_LED:
                if (keyboard)
                        set_range(bits, size, LED_NUML, LED_SCROLLL);
                break;
        default:
                break;
        }
}

/* EVENT.down, or what the events read so far amount to. */
static void keys_down(const struct node *n, struct keyset *ret)
{
        char path[FAKE_PATH_SIZE];
        FILE *f = fopen(fake_path(path, n->event, ".down"), "re");
        unsigned key;

        if (!f) {
                *ret = n->down;
                return;
        }
        while (fscanf(f, "%u", &key) == 1)
                keyset_add(ret, key);
        (void) fclose(f);
}

static int text(const char *s, void *to, size_t size)
{
        (void) snprintf(to, size, "%s", s);
        return (int) strlen(s);
}

static int node_ioctl(struct node *n, unsigned long request, void *argument)
{
        const struct fake_device *d = fake_device_find(n->event);
        struct keyset down = { 0 };
        size_t size = _IOC_SIZE(request);
        unsigned number = _IOC_NR(request);

        if (!d) {
                errno = ENODEV;
                return -1;
        }
        if (request == EVIOCGRAB) {
                errno = EBUSY;
                return argument && fake_exists(n->event, ".busy") ? -1 : 0;
        }
        if (request == EVIOCSCLOCKID)
                return 0;
        memset(argument, 0, size);
        if (request == EVIOCGVERSION)
                *(int *) argument = EV_VERSION;
        else if (request == EVIOCGID)
                *(struct input_id *) argument = (struct input_id) {
                        BUS_USB, (uint16_t) d->vendor, (uint16_t) d->product, 1
                };
        else if (request == EVIOCGREP)
                memcpy(argument, (unsigned[]) { 250, 33 }, sizeof(unsigned[2]));
        else if (number == _IOC_NR(EVIOCGNAME(0)))
                return text(d->name, argument, size);
        else if (number == _IOC_NR(EVIOCGPHYS(0)))
                return text(d->phys, argument, size);
        else if (number == _IOC_NR(EVIOCGKEY(0))) {
                keys_down(n, &down);
                memcpy(argument, &down, MIN(size, sizeof(down)));
        } else if (number >= _IOC_NR(EVIOCGBIT(0, 0)) && number < _IOC_NR(EVIOCGBIT(EV_CNT, 0)))
                capabilities(d->kind, number - _IOC_NR(EVIOCGBIT(0, 0)), argument, size);
        return 0;
}

int ioctl(int fd, unsigned long request, ...)
{
        struct node *n = node_of(fd);
        void *argument;
        va_list ap;

        va_start(ap, request);
        argument = va_arg(ap, void *);
        va_end(ap);
        if (n && _IOC_TYPE(request) == 'E')
                return node_ioctl(n, request, argument);
        return (int) syscall(SYS_ioctl, fd, request, argument);
}
