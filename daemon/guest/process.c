/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/guest/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define FILE_SIZE_MAX (4U * 1024U * 1024U) /* of what is read: a command line may be long */
#define STAT_START_TIME 22

struct process {
        pid_t pid;
        int directory;
        int pidfd;
        uint64_t start_time;
};

static void closedirp(DIR **d)
{
        if (*d)
                (void) closedir(*d);
}

/* /proc/PID of a process that is gone is empty. */
static int file_error(const struct process *p, int error)
{
        return error == ENOENT && process_check_alive(p) < 0 ? -ESRCH : -error;
}

static int read_all(int fd, char **ret, size_t *ret_size)
{
        _autofree_ char *data = NULL;
        size_t size = 0, room = 0;
        ssize_t n;

        do {
                if (room - size < 2) {
                        if (room >= FILE_SIZE_MAX)
                                return -EFBIG;
                        room = MAX(2 * room, (size_t) 4096);
                        data = xreallocarray(data, room, 1);
                }
                n = read(fd, data + size, room - size - 1);
                if (n < 0)
                        return -errno;
                size += (size_t) n;
        } while (n > 0);
        data[size] = '\0';
        *ret = TAKE_PTR(data);
        *ret_size = size;
        return 0;
}

int process_read(const struct process *p, const char *file, char **ret, size_t *ret_size)
{
        _autoclose_ int fd = openat(p->directory, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        int r;

        if (fd < 0)
                return file_error(p, errno);
        r = read_all(fd, ret, ret_size);
        return r < 0 ? file_error(p, -r) : 0;
}

/* The name of the program, field 2, may hold anything, so we count from its end. */
static int read_start_time(const struct process *p, uint64_t *ret)
{
        _autofree_ char *text = NULL;
        const char *field;
        size_t size;
        int r;

        r = process_read(p, "stat", &text, &size);
        if (r < 0)
                return r;
        field = strrchr(text, ')');
        for (int i = 2; field && i < STAT_START_TIME; i++)
                field = strchr(field + 1, ' ');
        return field && sscanf(field, "%" SCNu64, ret) == 1 ? 0 : -EBADMSG;
}

/* Both descriptors mean the same process: that of the directory could still be
 * read after the pidfd was made, so it had the number all the time. */
int process_pin(pid_t pid, struct process **ret)
{
        _cleanup_(process_freep) struct process *p = xnew0(struct process, 1);
        char path[32];
        int r;

        *p = (struct process){ .pid = pid, .directory = -EBADF, .pidfd = -EBADF };
        if (pid <= 0)
                return -ESRCH;
        (void) snprintf(path, sizeof(path), "/proc/%d", pid);
        p->directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (p->directory < 0)
                return errno == ENOENT ? -ESRCH : -errno;
        p->pidfd = pidfd_open(pid, 0);
        if (p->pidfd < 0) /* EINVAL, ENOENT: the number is a thread's */
                return errno == EINVAL || errno == ENOENT ? -ESRCH : -errno;
        r = read_start_time(p, &p->start_time);
        if (r < 0)
                return r;
        r = process_check_alive(p);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(p);
        return 0;
}

int process_pin_again(pid_t pid, uint64_t start_time, struct process **ret)
{
        _cleanup_(process_freep) struct process *p = NULL;
        int r;

        r = process_pin(pid, &p);
        if (r < 0)
                return r;
        if (p->start_time != start_time)
                return -ESRCH;
        *ret = TAKE_PTR(p);
        return 0;
}

struct process *process_free(struct process *p)
{
        if (!p)
                return NULL;
        (void) safe_close(p->directory);
        (void) safe_close(p->pidfd);
        free(p);
        return NULL;
}

pid_t process_pid(const struct process *p)
{
        return p->pid;
}

int process_pidfd(const struct process *p)
{
        return p->pidfd;
}

int process_directory(const struct process *p)
{
        return p->directory;
}

uint64_t process_start_time(const struct process *p)
{
        return p->start_time;
}

int process_check_alive(const struct process *p)
{
        struct pollfd end = { .fd = p->pidfd, .events = POLLIN };
        int n = poll(&end, 1, 0);

        if (n < 0)
                return -errno;
        return n == 0 ? 0 : -ESRCH;
}

/* The last of the four ids in a line of the file status. */
static int parse_fsid(const char *status, const char *key, uid_t *ret)
{
        const char *line = strstr(status, key);

        return line && sscanf(line + strlen(key), "%*u %*u %*u %u", ret) == 1 ? 0 : -EBADMSG;
}

int process_owner(const struct process *p, uid_t *ret_uid, gid_t *ret_gid)
{
        _autofree_ char *status = NULL;
        size_t size;
        int r;

        r = process_read(p, "status", &status, &size);
        if (r < 0)
                return r;
        r = parse_fsid(status, "\nUid:", ret_uid);
        return r < 0 ? r : parse_fsid(status, "\nGid:", ret_gid);
}

int process_has_argument(const struct process *p, const char *argument)
{
        _autofree_ char *line = NULL;
        size_t size;
        int r;

        r = process_read(p, "cmdline", &line, &size);
        if (r < 0)
                return r;
        for (const char *at = line; at < line + size; at += strlen(at) + 1)
                if (streq(at, argument))
                        return true;
        return false;
}

/* What is behind a descriptor may be a file on a server that does not answer:
 * what the kernel already knows will do. */
static bool is_device(int directory, const char *fd, dev_t device)
{
        struct statx st;

        return statx(directory, fd, AT_STATX_DONT_SYNC, STATX_TYPE, &st) == 0 && S_ISCHR(st.stx_mode) &&
               makedev(st.stx_rdev_major, st.stx_rdev_minor) == device;
}

int process_has_open(const struct process *p, dev_t device)
{
        _cleanup_(closedirp) DIR *d = NULL;
        const struct dirent *entry;
        int fd;

        fd = openat(p->directory, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
                return file_error(p, errno);
        d = fdopendir(fd);
        if (!d) {
                int r = -errno;

                (void) safe_close(fd);
                return r;
        }
        while ((entry = readdir(d)))
                if (is_device(fd, entry->d_name, device))
                        return true;
        return process_check_alive(p) < 0 ? -ESRCH : false;
}
