/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/setup/run.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#define TICK_MS 1000
#define NOT_STARTED 127

/* --- in the child ------------------------------------------------------------------- */

static void bind_into(const char *root, const char *path)
{
        _autofree_ char *target = xasprintf("%s%s", root, path);

        /* What a command misses there, it says itself. */
        (void) mount(path, target, NULL, MS_BIND | MS_REC, NULL);
}

static int enter(const char *root)
{
        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                return -errno;
        bind_into(root, "/proc");
        bind_into(root, "/sys");
        bind_into(root, "/dev");
        bind_into(root, "/run");
        return chroot(root) < 0 || chdir("/") < 0 ? -errno : 0;
}

static void child(const char *root, char *const *argv, int in, int out, int err) __attribute__((noreturn));
static void child(const char *root, char *const *argv, int in, int out, int err)
{
        sigset_t none;
        int e = 0;

        (void) sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
        (void) signal(SIGPIPE, SIG_DFL); /* scripts rest on it in their pipelines; we may ignore it */
        (void) setpgid(0, 0);            /* Ctrl+C is for us: a rebuild, and taking one back, runs to its end */
        (void) setenv("LC_ALL", "C.UTF-8", 1);
        (void) setenv("DEBIAN_FRONTEND", "noninteractive", 1);
        if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 || dup2(err, STDERR_FILENO) < 0)
                _exit(NOT_STARTED);
        if (*root)
                e = enter(root);
        if (e == 0) {
                (void) execvp(argv[0], argv);
                e = -errno;
        }
        (void) dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(-e));
        _exit(NOT_STARTED);
}

/* --- waiting for it -------------------------------------------------------------------- */

static int exit_status(pid_t pid)
{
        int status;

        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return -errno;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void wait_with_ticks(pid_t pid, void (*tick)(void *userdata), void *userdata)
{
        _autoclose_ int pidfd = pidfd_open(pid, 0);
        struct pollfd end = { .fd = pidfd, .events = POLLIN };

        while (pidfd >= 0 && poll(&end, 1, TICK_MS) <= 0)
                tick(userdata);
}

int run_command(const struct root *r, char *const *argv, int out, void (*tick)(void *userdata), void *userdata)
{
        _autoclose_ int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
        pid_t pid;

        if (null < 0)
                return -errno;
        pid = fork();
        if (pid < 0)
                return -errno;
        if (pid == 0)
                child(root_path(r), argv, null, out, out);
        if (tick)
                wait_with_ticks(pid, tick, userdata);
        return exit_status(pid);
}

static int read_all(int fd, char **ret)
{
        _autofree_ char *text = xstrdup("");
        char piece[4096];
        size_t size = 0;
        ssize_t n;

        while ((n = read(fd, piece, sizeof(piece))) != 0) {
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                text = xreallocarray(text, size + (size_t) n + 1, 1);
                memcpy(text + size, piece, (size_t) n);
                size += (size_t) n;
                text[size] = '\0';
        }
        *ret = TAKE_PTR(text);
        return 0;
}

int run_and_read(char *const *argv, char **ret)
{
        _autoclose_ int null = open("/dev/null", O_RDWR | O_CLOEXEC), in = -EBADF, out = -EBADF;
        int ends[2], e, status;
        pid_t pid;

        if (null < 0 || pipe2(ends, O_CLOEXEC) < 0)
                return -errno;
        in = ends[0];
        out = ends[1];
        pid = fork();
        if (pid < 0)
                return -errno;
        if (pid == 0)
                child("", argv, null, out, null);
        out = safe_close(out);
        e = read_all(in, ret);
        status = exit_status(pid);
        return e < 0 ? e : status;
}

int run_text_file(const char *data, size_t size)
{
        int fd = memfd_create("vfio-inputd", 0);

        if (fd >= 0 && size > 0 && pwrite(fd, data, size, 0) != (ssize_t) size)
                fd = safe_close(fd);
        return fd;
}
