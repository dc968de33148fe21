/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* daemon/input/uinput.h without a kernel: a virtual device is a socket to the
 * test. Its name in the abstract name space tells which node it is, also when
 * the descriptor comes back from the store. */

#include "daemon/input/uinput.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/mem.h"
#include "daemon/input/reaper.h"
#include "tests/bus/inputd-fake/fake.h"

#define FIRST_NUMBER 100
#define LAST_NUMBER 999

/* An errno if the test wants that, or 0. */
static int wanted_failure(void)
{
        char path[FAKE_PATH_SIZE];
        FILE *f = fopen(fake_path(path, "uinput-errno", ""), "re");
        int error = 0;

        if (!f)
                return 0;
        if (fscanf(f, "%d", &error) != 1)
                abort();
        (void) fclose(f);
        return error;
}

/* Connects as the first node that no other virtual device is. */
static int connect_node(char *devnode, size_t size)
{
        char own[FAKE_PATH_SIZE], event[16];
        int fd = -EADDRINUSE;

        for (int number = FIRST_NUMBER; fd == -EADDRINUSE && number <= LAST_NUMBER; number++) {
                (void) snprintf(event, sizeof(event), "event%d", number);
                (void) snprintf(devnode, size, "/dev/input/%s", event);
                fd = fake_connect(SOCK_SEQPACKET | SOCK_NONBLOCK, "uinput", fake_path(own, event, ""));
        }
        return fd;
}

int uinput_create(const struct libevdev *template, const char *phys, struct uinput_node *n)
{
        struct uinput_node new = UINPUT_NODE_NONE;
        char hello[512];
        int error = wanted_failure();

        if (error)
                return -error;
        new.fd = connect_node(new.devnode, sizeof(new.devnode));
        if (new.fd < 0)
                return new.fd;
        (void) snprintf(hello, sizeof(hello), "%s\n%s\n%s", new.devnode, phys, libevdev_get_name(template));
        (void) !send(new.fd, hello, strlen(hello), MSG_NOSIGNAL);
        *n = new;
        return 0;
}

int uinput_adopt(int fd, const struct libevdev *template, struct uinput_node *n)
{
        struct uinput_node new = UINPUT_NODE_NONE;
        struct sockaddr_un own = { 0 };
        socklen_t size = sizeof(own) - 1;
        _autoclose_ int owned = fd;
        const char *name;

        if (getsockname(fd, (struct sockaddr *) &own, &size) < 0)
                return -errno;
        name = strrchr(own.sun_path + 1, '/');
        if (own.sun_family != AF_UNIX || !name)
                return -ENODEV;
        (void) snprintf(new.devnode, sizeof(new.devnode), "/dev/input/%.20s", name + 1);
        new.fd = TAKE_FD(owned);
        (void) !send(new.fd, "adopted", strlen("adopted"), MSG_NOSIGNAL);
        *n = new;
        return 0;
}

void uinput_destroy(struct uinput_node *n, struct reaper *reaper)
{
        reaper_close(reaper, n->fd, NULL);
        *n = UINPUT_NODE_NONE;
}

void uinput_leave(struct uinput_node *n, struct reaper *reaper)
{
        uinput_destroy(n, reaper);
}

int uinput_write(struct uinput_node *n, const struct input_event *events, unsigned n_events)
{
        return send(n->fd, events, n_events * sizeof(*events), MSG_NOSIGNAL) < 0 ? -errno : 0;
}

void uinput_set_repeat(struct uinput_node *n, int delay_ms, int period_ms)
{
}

static void dispatch_leds(struct loop_source *s)
{
        struct uinput_node *n = CONTAINER_OF(s, struct uinput_node, led_source);
        struct input_event ev;

        if (recv(n->fd, &ev, sizeof(ev), 0) != (ssize_t) sizeof(ev) || ev.type != EV_LED || ev.code >= 32)
                return;
        n->leds = (n->leds & ~(UINT32_C(1) << ev.code)) | (uint32_t) (ev.value != 0) << ev.code;
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
