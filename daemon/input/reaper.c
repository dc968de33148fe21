/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/input/reaper.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include "common/log.h"
#include "common/mem.h"

struct job {
        int fd;
        struct libevdev_uinput *uidev;
};

struct reaper {
        pthread_t thread;
        int pipe[2]; /* carries struct job; the thread owns the reading end */
};

static void *reaper_main(void *userdata)
{
        struct reaper *r = userdata;
        const struct sched_param normal = { 0 };
        struct job job;

        /* The unit runs us in real time; closing has none to claim. */
        (void) pthread_setschedparam(pthread_self(), SCHED_OTHER, &normal);
        while (read(r->pipe[0], &job, sizeof(job)) == (ssize_t) sizeof(job)) {
                if (job.uidev)
                        libevdev_uinput_destroy(job.uidev);
                (void) close(job.fd);
        }
        return NULL;
}

int reaper_new(struct reaper **ret)
{
        struct reaper *r = xnew0(struct reaper, 1);
        sigset_t all, old;
        int error;

        if (pipe2(r->pipe, O_CLOEXEC) < 0) {
                error = errno;
                free(r);
                return -error;
        }
        (void) fcntl(r->pipe[1], F_SETFL, O_NONBLOCK);

        /* Signals belong to sd-event. */
        (void) sigfillset(&all);
        (void) pthread_sigmask(SIG_SETMASK, &all, &old);
        error = pthread_create(&r->thread, NULL, reaper_main, r);
        (void) pthread_sigmask(SIG_SETMASK, &old, NULL);
        if (error) {
                (void) close(r->pipe[0]);
                (void) close(r->pipe[1]);
                free(r);
                return -error;
        }
        *ret = r;
        return 0;
}

struct reaper *reaper_free(struct reaper *r)
{
        if (!r)
                return NULL;
        (void) close(r->pipe[1]);
        (void) pthread_join(r->thread, NULL);
        (void) close(r->pipe[0]);
        free(r);
        return NULL;
}

void reaper_close(struct reaper *r, int fd, struct libevdev_uinput *uidev)
{
        struct job job;

        if (fd < 0)
                return;
        memset(&job, 0, sizeof(job)); /* the padding is written, too */
        job.fd = fd;
        job.uidev = uidev;
        /* 4,096 jobs fit; should they not, a leaked descriptor hurts nobody who types. */
        if (write(r->pipe[1], &job, sizeof(job)) < 0)
                log_error("bug: the closing thread does not keep up, descriptor %d stays open", fd);
}
