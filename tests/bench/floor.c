/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The least a forwarder can do: grab a mouse, and for each read(2) of it do one
 * write(2) to a uinput device. Everything else is measured against this.
 *
 *   floor [--rt] [--wait=HOW] [--add=WHAT]... mouse|keyboard NODE
 *
 * Prints the path of its own node and forwards until it is killed.
 *
 *   --rt            under the scheduling policy of vfio-inputd.service
 *   --wait=read     the floor: read(2) itself waits
 *   --wait=level    epoll_wait(2) waits
 *   --wait=edge     the same with EPOLLET
 *   --wait=poll     poll(2) waits
 *   --add=read      after each read(2) one more, which finds nothing; not with --wait=read
 *   --add=scan      looks for the end of the frame and at the type of each event
 *   --add=thread    has a second thread, which does nothing
 *   --add=lock      takes a mutex for the write, as threads with shared state must
 *                   (with read and scan only one frame at a time may come)
 *
 * All but the first two take the forwarder apart: what does each thing cost that
 * a forwarder of several devices does on top? */

#include <fcntl.h>
#include <getopt.h>
#include <linux/input.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/epoll.h>

#include "common/mem.h"
#include "tests/bench/node.h"

#define SERVICE_PRIORITY 10 /* CPUSchedulingPriority= */

enum wait { WAIT_READ, WAIT_LEVEL, WAIT_EDGE, WAIT_POLL };

struct options {
        enum wait wait;
        bool realtime, add_read, add_scan, add_thread, add_lock;
        enum node_kind kind;
        const char *source;
};

static bool parse_wait(const char *word, enum wait *ret)
{
        static const char *const names[] = {
                [WAIT_READ] = "read", [WAIT_LEVEL] = "level", [WAIT_EDGE] = "edge", [WAIT_POLL] = "poll"
        };

        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                if (strcmp(word, names[i]) == 0) {
                        *ret = (enum wait) i;
                        return true;
                }
        return false;
}

static bool parse_add(const char *word, struct options *o)
{
        const struct {
                const char *name;
                bool *flag;
        } known[] = {
                { "read", &o->add_read },
                { "scan", &o->add_scan },
                { "thread", &o->add_thread },
                { "lock", &o->add_lock },
        };

        for (size_t i = 0; i < ARRAY_SIZE(known); i++)
                if (strcmp(word, known[i].name) == 0)
                        return *known[i].flag = true;
        return false;
}

static bool parse_kind(const char *word, enum node_kind *ret)
{
        *ret = strcmp(word, "keyboard") == 0 ? NODE_KEYBOARD : NODE_MOUSE;
        return *ret == NODE_KEYBOARD || strcmp(word, "mouse") == 0;
}

static bool parse_options(int argc, char **argv, struct options *o)
{
        static const struct option known[] = {
                { "rt", no_argument, NULL, 'r' },
                { "wait", required_argument, NULL, 'w' },
                { "add", required_argument, NULL, 'a' },
                { 0 },
        };
        int c;

        while ((c = getopt_long(argc, argv, "", known, NULL)) >= 0) {
                if (c == 'r')
                        o->realtime = true;
                else if (c == 'w' ? !parse_wait(optarg, &o->wait) : c != 'a' || !parse_add(optarg, o))
                        return false;
        }
        if (argc - optind != 2 || !parse_kind(argv[optind], &o->kind) || (o->add_read && o->wait == WAIT_READ))
                return false;
        o->source = argv[optind + 1];
        return true;
}

/* True if it is one whole frame. */
static bool scan(const struct input_event *events, unsigned n)
{
        unsigned end = 0;

        while (end < n && (events[end].type != EV_SYN || events[end].code != SYN_REPORT))
                end++;
        for (unsigned i = 0; i < end; i++)
                if (events[i].type == EV_SYN)
                        return false;
        return end + 1 == n;
}

static int watch(int fd, enum wait wait)
{
        struct epoll_event ev = { .events = EPOLLIN | (wait == WAIT_EDGE ? (uint32_t) EPOLLET : 0) };
        int epoll = epoll_create1(EPOLL_CLOEXEC);

        return epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : epoll;
}

static int wait_for_input(int in, int epoll, enum wait wait)
{
        struct pollfd fd = { .fd = in, .events = POLLIN };
        struct epoll_event ready;
        int r = 0;

        if (wait == WAIT_POLL)
                r = poll(&fd, 1, -1);
        else if (wait != WAIT_READ)
                r = epoll_wait(epoll, &ready, 1, -1);
        return r < 0 ? -errno : 0;
}

static int write_frame(int out, const struct input_event *events, size_t size, bool lock)
{
        static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
        int r;

        if (lock)
                (void) pthread_mutex_lock(&mutex);
        r = write(out, events, size) < 0 ? -errno : 0;
        if (lock)
                (void) pthread_mutex_unlock(&mutex);
        return r;
}

static void *idle(void *userdata _unused_)
{
        while (pause() < 0)
                ;
        return NULL;
}

static int forward(int in, int out, int epoll, const struct options *o)
{
        struct input_event events[64];

        for (;;) {
                ssize_t size;
                int r;

                r = wait_for_input(in, epoll, o->wait);
                if (r < 0)
                        return r;
                size = read(in, events, sizeof(events));
                if (size < 0)
                        return -errno;
                if (o->add_scan && !scan(events, (unsigned) ((size_t) size / sizeof(events[0]))))
                        return -EPROTO;
                r = write_frame(out, events, (size_t) size, o->add_lock);
                if (r < 0)
                        return r;
                if (o->add_read && read(in, events, sizeof(events)) >= 0)
                        return -EPROTO;
        }
}

int main(int argc, char **argv)
{
        struct options o = { .wait = WAIT_READ };
        struct node out = { .fd = -EBADF };
        int in, epoll = -EBADF, r;
        pthread_t thread;

        if (!parse_options(argc, argv, &o)) {
                (void) fprintf(stderr, "Usage: floor [--rt] [--wait=read|level|edge|poll] "
                                       "[--add=read|scan|thread|lock]... mouse|keyboard NODE\n");
                return 2;
        }
        in = node_grab(o.source, o.wait == WAIT_READ ? 0 : O_NONBLOCK);
        if (in < 0)
                die(in, o.source);
        r = node_create(o.kind, "floor", "bench-floor/0", &out);
        if (r < 0)
                die(r, "uinput");
        if (o.wait == WAIT_LEVEL || o.wait == WAIT_EDGE) {
                epoll = watch(in, o.wait);
                if (epoll < 0)
                        die(epoll, "epoll");
        }
        if (o.add_thread && pthread_create(&thread, NULL, idle, NULL) != 0)
                die(-EAGAIN, "thread");
        if (o.realtime) {
                r = set_realtime(SERVICE_PRIORITY);
                if (r < 0)
                        die(r, "SCHED_RR");
        }
        (void) printf("%s\n", out.path);
        (void) fflush(stdout);
        die(forward(in, out.fd, epoll, &o), "forwarding");
}
