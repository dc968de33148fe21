/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/setup/root.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <sys/syscall.h>

#define OPEN_TRIES 1000

struct root {
        char *path; /* owned; "" is the running system */
        int fd;
};

int root_open(const char *path, struct root **ret)
{
        _cleanup_(root_freep) struct root *r = xnew0(struct root, 1);
        bool live = !path || streq(path, "/");

        r->path = xstrdup(live ? "" : path);
        r->fd = open(live ? "/" : path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (r->fd < 0)
                return -errno;
        *ret = TAKE_PTR(r);
        return 0;
}

struct root *root_free(struct root *r)
{
        if (!r)
                return NULL;
        (void) safe_close(r->fd);
        free(r->path);
        free(r);
        return NULL;
}

bool root_is_live(const struct root *r)
{
        return !r->path[0];
}

const char *root_path(const struct root *r)
{
        return r->path;
}

int root_open_file(const struct root *r, const char *path, int flags)
{
        struct open_how how = {
                .flags = (uint64_t) (flags | O_CLOEXEC),
                .mode = flags & O_CREAT ? 0600 : 0,
                .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
        };
        long fd;

        /* A rename or mount anywhere on the system, while ".." of a link is followed, is EAGAIN. */
        for (unsigned tries = 0; tries < OPEN_TRIES; tries++) {
                fd = syscall(SYS_openat2, r->fd, path, &how, sizeof(how));
                if (fd >= 0)
                        return (int) fd;
                if (errno != EAGAIN)
                        break;
        }
        return -errno;
}

/* Files of /proc and /sys do not tell their size, so it is read until the end. */
static int read_all(int fd, char **ret, size_t *ret_size)
{
        _autofree_ char *data = NULL;
        size_t size = 0, room = 0;

        for (;;) {
                ssize_t n;

                if (size + 1 >= room) {
                        room = room ? room * 2 : 4096;
                        data = xreallocarray(data, room, 1);
                }
                n = read(fd, data + size, room - size - 1);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                size += (size_t) n;
                if (size > ROOT_FILE_MAX)
                        return -EFBIG;
        }
        data[size] = '\0';
        *ret = TAKE_PTR(data);
        *ret_size = size;
        return 0;
}

int root_read(const struct root *r, const char *path, char **ret, size_t *ret_size)
{
        _autofree_ char *data = NULL;
        _autoclose_ int fd = root_open_file(r, path, O_RDONLY | O_NOCTTY | O_NONBLOCK);
        size_t size = 0;
        int e;

        if (fd < 0)
                return fd;
        e = read_all(fd, &data, &size);
        if (e < 0)
                return e;
        if (!ret_size && strlen(data) != size)
                return -EINVAL;
        if (ret_size)
                *ret_size = size;
        *ret = TAKE_PTR(data);
        return 0;
}

int root_read_line(const struct root *r, const char *path, char **ret)
{
        _autofree_ char *data = NULL;
        size_t n;
        int e;

        e = root_read(r, path, &data, NULL);
        if (e < 0)
                return e;
        n = strcspn(data, "\n");
        while (n > 0 && strchr(" \t\r", data[n - 1]))
                n--;
        data[n] = '\0';
        *ret = TAKE_PTR(data);
        return 0;
}

static int compare(const void *a, const void *b)
{
        return strcmp(*(char *const *) a, *(char *const *) b);
}

static DIR *closedir_null(DIR *d)
{
        (void) closedir(d);
        return NULL;
}
DEFINE_CLEANUP(DIR *, closedir_null);

int root_list(const struct root *r, const char *path, char ***ret)
{
        _cleanup_(strv_freep) char **names = xnew0(char *, 1);
        _cleanup_(closedir_nullp) DIR *d = NULL;
        size_t n = 0;
        int fd;

        fd = root_open_file(r, path, O_RDONLY | O_DIRECTORY);
        if (fd < 0)
                return fd;
        d = fdopendir(fd);
        if (!d) {
                (void) safe_close(fd);
                return -errno;
        }
        for (const struct dirent *e = readdir(d); e; e = readdir(d)) {
                if (streq(e->d_name, ".") || streq(e->d_name, ".."))
                        continue;
                names = xreallocarray(names, n + 2, sizeof(*names));
                names[n++] = xstrdup(e->d_name);
                names[n] = NULL;
        }
        qsort(names, n, sizeof(*names), compare);
        *ret = TAKE_PTR(names);
        return 0;
}

/* openat2(2) has no readlinkat(2) beside it: the link itself is opened, then read. */
int root_readlink(const struct root *r, const char *path, char **ret)
{
        _autoclose_ int fd = root_open_file(r, path, O_PATH | O_NOFOLLOW);
        char target[4096];
        ssize_t n;

        if (fd < 0)
                return fd;
        n = readlinkat(fd, "", target, sizeof(target) - 1);
        if (n < 0)
                return errno == ENOENT ? -EINVAL : -errno;
        target[n] = '\0';
        *ret = xstrdup(target);
        return 0;
}

int root_stat(const struct root *r, const char *path, struct stat *ret)
{
        _autoclose_ int fd = root_open_file(r, path, O_PATH);

        if (fd < 0)
                return fd;
        return fstat(fd, ret) < 0 ? -errno : 0;
}

bool root_exists(const struct root *r, const char *path)
{
        struct stat st;

        return root_stat(r, path, &st) == 0;
}

char **strv_free(char **strings)
{
        for (char **s = strings; s && *s; s++)
                free(*s);
        free(strings);
        return NULL;
}
