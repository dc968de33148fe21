/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/guest/qemu-process.h"

#include <fcntl.h>
#include <limits.h>

#define PID_DIRECTORY "/run/libvirt/qemu"

static int read_pid(const char *path, pid_t *ret)
{
        _autoclose_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        char text[32], *end;
        ssize_t n;
        long pid;

        if (fd < 0)
                return -errno;
        n = read(fd, text, sizeof(text) - 1);
        if (n < 0)
                return -errno;
        text[n] = '\0';
        pid = strtol(text, &end, 10);
        if (end == text || pid <= 1 || pid > INT_MAX)
                return -EBADMSG;
        *ret = (pid_t) pid;
        return 0;
}

int qemu_process_find(const char *domain, const char *uuid, struct process **ret)
{
        _cleanup_(process_freep) struct process *p = NULL;
        _autofree_ char *path = xasprintf("%s/%s.pid", PID_DIRECTORY, domain);
        pid_t pid = -1;
        int r;

        r = read_pid(path, &pid);
        if (r < 0)
                return r;
        r = process_pin(pid, &p);
        if (r < 0)
                return r;
        /* The number may have been another's before it was pinned. */
        r = process_has_argument(p, uuid);
        if (r < 0)
                return r;
        if (r == 0)
                return -ESRCH;
        *ret = TAKE_PTR(p);
        return 0;
}
