/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/guest/command.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <time.h>

#include "common/mem.h"

struct command {
        pid_t pid;
        int pidfd;
        int pipe; /* its outputs */
        size_t size;
        char *output;
};

static uint64_t now_usec(void)
{
        struct timespec t;

        (void) clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t) t.tv_sec * 1000000U + (uint64_t) t.tv_nsec / 1000U;
}

static int set_up(posix_spawn_file_actions_t *actions, posix_spawnattr_t *attributes, int output)
{
        sigset_t none, all;
        int r;

        (void) sigemptyset(&none);
        (void) sigfillset(&all);
        (void) posix_spawnattr_setsigmask(attributes, &none);
        (void) posix_spawnattr_setsigdefault(attributes, &all);
        (void) posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
        r = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        r = r ? r : posix_spawn_file_actions_adddup2(actions, output, STDOUT_FILENO);
        r = r ? r : posix_spawn_file_actions_adddup2(actions, output, STDERR_FILENO);
        return r ? r : posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
}

static int spawn(const char *const arguments[], int output, pid_t *ret)
{
        static char *const environment[] = { (char *) "PATH=/usr/sbin:/usr/bin:/sbin:/bin", (char *) "LC_ALL=C", NULL };
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;
        int r;

        if (posix_spawn_file_actions_init(&actions) || posix_spawnattr_init(&attributes))
                abort();
        r = set_up(&actions, &attributes, output);
        if (r == 0)
                r = posix_spawn(ret, arguments[0], &actions, &attributes, (char *const *) arguments, environment);
        (void) posix_spawnattr_destroy(&attributes);
        (void) posix_spawn_file_actions_destroy(&actions);
        return -r;
}

/* Whether there may be more to come. */
static bool read_output(struct command *c)
{
        char rest[512];
        const size_t room = COMMAND_OUTPUT_MAX - c->size;
        ssize_t n = room > 0 ? read(c->pipe, c->output + c->size, room) : read(c->pipe, rest, sizeof(rest));

        if (n > 0 && room > 0)
                c->size += (size_t) n;
        return n > 0 || (n < 0 && errno == EAGAIN);
}

/* Reads along, lest it blocks on a full pipe. What it has started and left
 * behind may hold the pipe open, so its own end counts. */
static int wait_for_end(struct command *c, uint64_t until)
{
        struct pollfd fds[] = { { .fd = c->pidfd, .events = POLLIN }, { .fd = c->pipe, .events = POLLIN } };

        for (;;) {
                uint64_t now = now_usec();

                if (now >= until)
                        return -ETIMEDOUT;
                if (poll(fds, ARRAY_SIZE(fds), (int) ((until - now) / 1000U) + 1) < 0) {
                        if (errno != EINTR)
                                return -errno;
                        continue;
                }
                if (fds[1].revents && !read_output(c))
                        fds[1].fd = -1;
                else if (fds[0].revents && !fds[1].revents)
                        return 0;
        }
}

static int reap(const struct command *c)
{
        siginfo_t info = { 0 };

        while (waitid(P_PID, (id_t) c->pid, &info, WEXITED) < 0)
                if (errno != EINTR)
                        return -errno;
        return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

int command_run(const char *const arguments[], uint64_t timeout_usec, char output[COMMAND_OUTPUT_MAX + 1])
{
        _autoclose_ int reading = -EBADF, writing = -EBADF, pidfd = -EBADF;
        struct command c = { .output = output };
        int fds[2], status, r;

        memset(output, 0, COMMAND_OUTPUT_MAX + 1);
        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        reading = fds[0];
        writing = fds[1];
        if (fcntl(reading, F_SETFL, O_NONBLOCK) < 0)
                return -errno;
        r = spawn(arguments, writing, &c.pid);
        if (r < 0)
                return r;
        writing = safe_close(writing);
        pidfd = pidfd_open(c.pid, 0);
        c.pidfd = pidfd;
        c.pipe = reading;
        r = pidfd < 0 ? -errno : wait_for_end(&c, now_usec() + timeout_usec);
        if (r < 0) /* with its children. Ours to reap, so the number is still its own. */
                (void) kill(-c.pid, SIGKILL);
        status = reap(&c);
        return r < 0 ? r : status;
}
