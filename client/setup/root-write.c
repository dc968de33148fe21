/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/setup/root-write.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/xattr.h>

#include "client/setup/words.h"

#define LINKS_MAX 40
#define XATTR_NAMES_MAX 65536 /* XATTR_LIST_MAX and XATTR_SIZE_MAX of linux/limits.h */
#define XATTR_VALUE_MAX 65536

char *path_parent(const char *path)
{
        const char *slash = strrchr(path, '/');

        return slash && slash > path ? xasprintf("%.*s", (int) (slash - path), path) : xstrdup("/");
}

static const char *path_name(const char *path)
{
        const char *slash = strrchr(path, '/');

        return slash ? slash + 1 : path;
}

/* Where the file really is: the end of the chain of links, owned by the caller. */
static int resolve(const struct root *r, const char *path, char **ret)
{
        _autofree_ char *now = xstrdup(path);

        for (unsigned i = 0; i < LINKS_MAX; i++) {
                _autofree_ char *target = NULL, *parent = NULL;
                int e = root_readlink(r, now, &target);

                if (e == -EINVAL || e == -ENOENT) {
                        *ret = TAKE_PTR(now);
                        return 0;
                }
                if (e < 0)
                        return e;
                parent = path_parent(now);
                free(now);
                now = *target == '/' ? xstrdup(target) : xasprintf("%s/%s", parent, target);
        }
        return -ELOOP;
}

static int open_parent(const struct root *r, const char *path)
{
        _autofree_ char *parent = path_parent(path);

        return root_open_file(r, parent, O_RDONLY | O_DIRECTORY);
}

/* --- attributes --------------------------------------------------------------------- */

static int copy_xattr(int from, int to, const char *name)
{
        char value[XATTR_VALUE_MAX];
        ssize_t n = fgetxattr(from, name, value, sizeof(value));

        if (n < 0)
                return errno == ENODATA ? 0 : -errno;
        return fsetxattr(to, name, value, (size_t) n, 0) < 0 && errno != ENOTSUP && errno != EPERM ? -errno : 0;
}

static int copy_xattrs(int from, int to)
{
        _autofree_ char *names = xcalloc(1, XATTR_NAMES_MAX);
        ssize_t n = flistxattr(from, names, XATTR_NAMES_MAX);

        if (n < 0)
                return errno == ENOTSUP ? 0 : -errno;
        for (const char *name = names; name < names + n; name += strlen(name) + 1) {
                int e = copy_xattr(from, to, name);

                if (e < 0)
                        return e;
        }
        return 0;
}

/* An ordinary user, who tries it on a copy of a system, may not give files away. */
static int copy_attributes(int from, int to)
{
        struct stat st;

        if (fstat(from, &st) < 0)
                return -errno;
        if (fchown(to, st.st_uid, st.st_gid) < 0 && geteuid() == 0)
                return -errno;
        if (fchmod(to, st.st_mode & 07777) < 0)
                return -errno;
        return copy_xattrs(from, to);
}

/* --- files ---------------------------------------------------------------------------- */

static int write_all(int fd, const char *data, size_t size)
{
        while (size > 0) {
                ssize_t n = write(fd, data, size);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                data += n;
                size -= (size_t) n;
        }
        return 0;
}

static int fill(int fd, const void *data, size_t size, mode_t mode, int like)
{
        int e = write_all(fd, data, size);

        if (e < 0)
                return e;
        if (like >= 0)
                e = copy_attributes(like, fd);
        else if (fchmod(fd, mode) < 0)
                e = -errno;
        if (e < 0)
                return e;
        return fsync(fd) < 0 ? -errno : 0;
}

/* Programs that read all of a folder leave out what begins with a dot. Owned by the caller. */
static char *temporary_name(const char *name)
{
        return xasprintf(".%s.vfio-inputd", name);
}

static int replace(int parent, const char *name, const void *data, size_t size, mode_t mode, int like)
{
        _autofree_ char *temporary = temporary_name(name);
        _autoclose_ int fd = -EBADF;
        int e;

        (void) unlinkat(parent, temporary, 0); /* of one that was killed */
        fd = openat(parent, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return -errno;
        e = fill(fd, data, size, mode, like);
        if (e == 0 && renameat(parent, temporary, parent, name) < 0)
                e = -errno;
        if (e < 0)
                (void) unlinkat(parent, temporary, 0);
        else if (fsync(parent) < 0)
                e = -errno;
        return e;
}

/* The file that is there, -EBADF: none. What is a device, like /dev/null behind the
 * link of somebody who masks a file, is never replaced. */
static int open_old(int parent, const char *name, int *ret)
{
        struct stat st;

        *ret = -EBADF;
        if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? 0 : -errno;
        if (!S_ISREG(st.st_mode))
                return -EINVAL;
        *ret = openat(parent, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        return *ret < 0 ? -errno : 0;
}

int root_write(const struct root *r, const char *path, const void *data, size_t size, mode_t mode, int like)
{
        _autofree_ char *real = NULL;
        _autoclose_ int parent = -EBADF, old = -EBADF;
        int e = resolve(r, path, &real);

        if (e < 0)
                return e;
        parent = open_parent(r, real);
        if (parent < 0)
                return parent;
        e = open_old(parent, path_name(real), &old);
        return e < 0 ? e : replace(parent, path_name(real), data, size, mode, like < 0 ? old : like);
}

int root_link(const struct root *r, const char *path, const char *target)
{
        _autoclose_ int parent = open_parent(r, path);

        if (parent < 0)
                return parent;
        if (symlinkat(target, parent, path_name(path)) < 0)
                return -errno;
        return fsync(parent) < 0 ? -errno : 0;
}

void root_write_tidy(const struct root *r, const char *path)
{
        _autofree_ char *real = NULL, *temporary = NULL;
        _autoclose_ int parent = -EBADF;

        if (resolve(r, path, &real) < 0)
                return;
        parent = open_parent(r, real);
        temporary = temporary_name(path_name(real));
        if (parent >= 0)
                (void) unlinkat(parent, temporary, 0);
}

int root_remove(const struct root *r, const char *path)
{
        _autoclose_ int parent = open_parent(r, path);

        if (parent < 0)
                return parent;
        if (unlinkat(parent, path_name(path), 0) < 0)
                return -errno;
        return fsync(parent) < 0 ? -errno : 0;
}

/* --- directories ---------------------------------------------------------------------- */

int root_make_directory(const struct root *r, const char *path, mode_t mode, char ***ret_made)
{
        _autofree_ char *above = NULL;
        _autoclose_ int parent = -EBADF;
        int e;

        if (streq(path, "/") || root_exists(r, path))
                return 0;
        above = path_parent(path);
        e = root_make_directory(r, above, 0755, ret_made);
        if (e < 0)
                return e;
        parent = root_open_file(r, above, O_RDONLY | O_DIRECTORY);
        if (parent < 0)
                return parent;
        if (ret_made)
                words_add(ret_made, path);
        if (mkdirat(parent, path_name(path), mode) < 0)
                return -errno;
        return fsync(parent) < 0 ? -errno : 0;
}

int root_remove_directory(const struct root *r, const char *path)
{
        _autoclose_ int parent = open_parent(r, path);

        if (parent < 0)
                return parent == -ENOENT ? 0 : parent;
        if (unlinkat(parent, path_name(path), AT_REMOVEDIR) < 0 && errno != ENOENT && errno != ENOTEMPTY &&
            errno != EEXIST)
                return -errno;
        return fsync(parent) < 0 ? -errno : 0;
}
