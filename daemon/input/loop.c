/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/input/loop.h"

#include <errno.h>
#include <sys/epoll.h>

#include "common/mem.h"

#define LOOP_BATCH 16

struct loop {
        int epoll_fd;
        sd_event *event;
        struct epoll_event batch[LOOP_BATCH];
        int n_batch; /* of the turn under way */
        bool (*after)(void *userdata);
        void *userdata;
};

int loop_new(struct loop **ret, bool (*after)(void *userdata), void *userdata)
{
        struct epoll_event ev = { .events = EPOLLIN }; /* data.ptr NULL: sd-event */
        struct loop *l = xnew0(struct loop, 1);
        int r;

        l->after = after;
        l->userdata = userdata;
        l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        r = l->epoll_fd < 0 ? -errno : sd_event_default(&l->event);
        if (r >= 0 && epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, sd_event_get_fd(l->event), &ev) < 0)
                r = -errno;
        if (r < 0) {
                loop_free(l);
                return r;
        }
        *ret = l;
        return 0;
}

struct loop *loop_free(struct loop *l)
{
        if (!l)
                return NULL;
        sd_event_unref(l->event);
        (void) safe_close(l->epoll_fd);
        free(l);
        return NULL;
}

sd_event *loop_event(struct loop *l)
{
        return l->event;
}

int loop_add(struct loop *l, int fd, struct loop_source *s)
{
        struct epoll_event ev = { .events = EPOLLIN | EPOLLET, .data.ptr = s };

        return epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

void loop_remove(struct loop *l, int fd, struct loop_source *s)
{
        (void) epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
        for (int i = 0; i < l->n_batch; i++)
                if (l->batch[i].data.ptr == s)
                        l->batch[i].events = 0;
}

/* One dispatch at the most. Leaves sd-event's timers armed, so that its
 * descriptor tells of everything that comes next. Returns > 0 if something was
 * dispatched, that is, if there may be more. */
static int turn_sd_event(struct loop *l)
{
        int r;

        r = sd_event_prepare(l->event);
        if (r == 0)
                r = sd_event_wait(l->event, 0);
        if (r > 0)
                r = sd_event_dispatch(l->event);
        return r;
}

/* Returns > 0 if sd-event is due. */
static int turn_input(struct loop *l, int timeout)
{
        int due = 0;

        l->n_batch = 0;
        l->n_batch = epoll_wait(l->epoll_fd, l->batch, LOOP_BATCH, timeout);
        if (l->n_batch < 0) {
                l->n_batch = 0;
                return errno == EINTR ? 0 : -errno;
        }
        for (int i = 0; i < l->n_batch; i++) {
                struct loop_source *s = l->batch[i].data.ptr;

                if (!s)
                        due = 1;
                else if (l->batch[i].events)
                        s->dispatch(s);
        }
        l->n_batch = 0;
        return due;
}

int loop_run(struct loop *l)
{
        int due = 1, code, r;

        while (sd_event_get_state(l->event) != SD_EVENT_FINISHED) {
                r = turn_input(l, due ? 0 : -1);
                if (r < 0)
                        return r;
                /* sd-event must prepare before the next wait if its sources changed. */
                if (l->after(l->userdata) || r > 0 || due)
                        due = turn_sd_event(l);
                if (due < 0)
                        return due;
        }
        r = sd_event_get_exit_code(l->event, &code);
        return r < 0 ? r : code;
}
