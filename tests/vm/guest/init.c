/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The only program of the nested Linux guest: its /init.
 *
 * It loads the drivers that lie beside it, in the order of /modules/order, and
 * then says on QEMU's debug console (isa-debugcon at port 0xe9) what every input
 * device delivers, a line each:
 *
 *   R                       it listens
 *   D NODE NAME             a device has come
 *   E NODE TYPE CODE VALUE  an event of it, in numbers of linux/input-event-codes.h
 *   G NODE                  it has gone
 *
 * On every device with a Caps Lock light it lights that at once.
 *
 * Build: gcc -static -O1 -o init init.c
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/input.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DEBUGCON 0xe9
#define DEVICES_MAX 32
#define UEVENT_MAX 8192

static int devices[DEVICES_MAX]; /* descriptor of eventN, or -1 */

static void say(const char *format, ...)
{
        char line[256];
        va_list ap;

        va_start(ap, format);
        vsnprintf(line, sizeof(line), format, ap);
        va_end(ap);
        for (const char *c = line; *c; c++)
                outb((unsigned char) *c, DEBUGCON);
        outb('\n', DEBUGCON);
}

static void load_module(const char *path)
{
        int fd = open(path, O_RDONLY);

        if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST))
                say("cannot load %s: %s", path, strerror(errno));
        if (fd >= 0)
                close(fd);
}

static void load_modules(void)
{
        char name[128], path[160];
        FILE *order = fopen("/modules/order", "r");

        while (order && fscanf(order, "%127s", name) == 1) {
                snprintf(path, sizeof(path), "/modules/%s", name);
                load_module(path);
        }
        if (order)
                fclose(order);
}

static void light(int fd)
{
        const struct input_event events[] = {
                { .type = EV_LED, .code = LED_CAPSL, .value = 1 },
                { .type = EV_SYN, .code = SYN_REPORT },
        };
        unsigned char leds[LED_CNT / 8 + 1] = { 0 };

        if (ioctl(fd, EVIOCGBIT(EV_LED, sizeof(leds)), leds) >= 0 && leds[LED_CAPSL / 8] & 1 << LED_CAPSL % 8)
                if (write(fd, events, sizeof(events)) < 0)
                        say("no light: %s", strerror(errno));
}

static void come(unsigned i)
{
        char path[32], name[128] = "";
        int fd;

        if (i >= DEVICES_MAX || devices[i] >= 0)
                return;
        snprintf(path, sizeof(path), "/dev/input/event%u", i);
        fd = open(path, O_RDWR | O_NONBLOCK);
        if (fd < 0)
                return;
        devices[i] = fd;
        ioctl(fd, EVIOCGNAME(sizeof(name) - 1), name);
        say("D %u %s", i, name);
        light(fd);
}

static void go(unsigned i)
{
        close(devices[i]);
        devices[i] = -1;
        say("G %u", i);
}

static void hear(unsigned i)
{
        struct input_event events[64];
        ssize_t n = read(devices[i], events, sizeof(events));

        if (n < 0 && errno != EAGAIN) {
                go(i);
                return;
        }
        for (ssize_t k = 0; k < n / (ssize_t) sizeof(events[0]); k++)
                if (events[k].type == EV_KEY || events[k].type == EV_REL)
                        say("E %u %u %u %d", i, events[k].type, events[k].code, events[k].value);
}

/* "add@/devices/…/event3", then fields that are of no interest. */
static void on_uevent(int fd)
{
        char message[UEVENT_MAX + 1];
        ssize_t n = recv(fd, message, UEVENT_MAX, 0);
        const char *name;

        if (n <= 0)
                return;
        message[n] = '\0';
        name = strrchr(message, '/');
        if (name && strncmp(message, "add@", 4) == 0 && strncmp(name, "/event", 6) == 0)
                come((unsigned) atoi(name + 6));
}

static int watch(void)
{
        struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = 1 };
        int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT);

        if (fd < 0 || bind(fd, (struct sockaddr *) &address, sizeof(address)) < 0)
                say("no news of devices: %s", strerror(errno));
        return fd;
}

static void wait_once(int uevents)
{
        struct pollfd fds[DEVICES_MAX + 1] = { { .fd = uevents, .events = POLLIN } };

        for (unsigned i = 0; i < DEVICES_MAX; i++)
                fds[i + 1] = (struct pollfd){ .fd = devices[i], .events = POLLIN };
        if (poll(fds, DEVICES_MAX + 1, -1) < 0)
                return;
        if (fds[0].revents)
                on_uevent(uevents);
        for (unsigned i = 0; i < DEVICES_MAX; i++)
                if (fds[i + 1].revents)
                        hear(i);
}

int main(void)
{
        int uevents;

        if (ioperm(DEBUGCON, 1, 1) < 0)
                return 1;
        mkdir("/dev", 0755);
        mount("none", "/dev", "devtmpfs", 0, NULL);
        memset(devices, -1, sizeof(devices));
        uevents = watch();
        load_modules();
        for (unsigned i = 0; i < DEVICES_MAX; i++)
                come(i);
        say("R");
        for (;;)
                wait_once(uevents);
}
