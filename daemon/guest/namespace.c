/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/guest/namespace.h"

#include <fcntl.h>

#define DIRECTORY_MODE 0755
#define NODE_MODE 0600

/* One component of a path, and no link. (openat2 is not to be had: the unit's
 * RestrictSUIDSGID= forbids it, as no filter can look into its arguments.) */
static int open_below(int directory, const char *name, int flags)
{
        int fd = openat(directory, name, flags | O_NOFOLLOW | O_CLOEXEC);

        return fd < 0 ? -errno : fd;
}

static bool is_component(const char *name)
{
        return *name && !strchr(name, '/') && !streq(name, ".") && !streq(name, "..");
}

static bool place_is_valid(const struct namespace_place *place)
{
        return is_component(place->profile) && is_component(place->name);
}

static int check_directory(int fd, struct stat *ret)
{
        if (fstat(fd, ret) < 0)
                return -errno;
        return ret->st_uid == 0 && !(ret->st_mode & (S_IWGRP | S_IWOTH)) ? 0 : -EPERM;
}

static int open_directory(int directory, const char *name, struct stat *ret)
{
        _autoclose_ int fd = open_below(directory, name, O_RDONLY | O_DIRECTORY);
        int r;

        if (fd < 0)
                return fd;
        r = check_directory(fd, ret);
        return r < 0 ? r : TAKE_FD(fd);
}

/* Our umask, or a crash in between, may have left it closed to QEMU. */
static int make_directory(int directory, const char *name)
{
        _autoclose_ int fd = -EBADF;
        struct stat st;

        if (mkdirat(directory, name, DIRECTORY_MODE) < 0 && errno != EEXIST)
                return -errno;
        fd = open_directory(directory, name, &st);
        if (fd < 0)
                return fd;
        if ((st.st_mode & 07777) != DIRECTORY_MODE && fchmod(fd, DIRECTORY_MODE) < 0)
                return -errno;
        return TAKE_FD(fd);
}

static int open_dev_of(int proc_directory)
{
        _autoclose_ int root = -EBADF;
        struct stat st;

        root = openat(proc_directory, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (root < 0)
                return errno == ENOENT ? -ESRCH : -errno;
        return open_directory(root, "dev", &st);
}

/* A process that is ending has no root any more a while before its pidfd tells. */
int namespace_open_dev(const struct process *p)
{
        return open_dev_of(process_directory(p));
}

/* Ours may be another: systemd gives services namespaces of their own. */
int namespace_open_host_dev(void)
{
        _autoclose_ int init = open("/proc/1", O_PATH | O_DIRECTORY | O_CLOEXEC);

        return init < 0 ? -errno : open_dev_of(init);
}

bool namespace_is_same(int a, int b)
{
        struct stat first, second;

        return fstat(a, &first) == 0 && fstat(b, &second) == 0 && first.st_dev == second.st_dev &&
               first.st_ino == second.st_ino;
}

static bool is_device(const struct stat *st, dev_t device)
{
        return S_ISCHR(st->st_mode) && st->st_rdev == device;
}

/* Pins the node, so that it is the one looked at that gets another owner. */
static int give_node(int directory, const char *name, dev_t device, uid_t uid, gid_t gid)
{
        _autoclose_ int fd = open_below(directory, name, O_PATH);
        struct stat st;

        if (fd < 0)
                return fd == -ELOOP ? -EEXIST : fd;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (!is_device(&st, device))
                return -EEXIST;
        return fchownat(fd, "", uid, gid, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

int namespace_make_node(int dev, const struct namespace_place *place, dev_t device, uid_t uid, gid_t gid)
{
        _autoclose_ int ours = -EBADF, profile = -EBADF;

        if (!place_is_valid(place))
                return -EINVAL;
        ours = make_directory(dev, NAMESPACE_DIRECTORY);
        if (ours < 0)
                return ours;
        profile = make_directory(ours, place->profile);
        if (profile < 0)
                return profile;
        if (mknodat(profile, place->name, S_IFCHR | NODE_MODE, device) < 0 && errno != EEXIST)
                return -errno;
        return give_node(profile, place->name, device, uid, gid);
}

static int open_place(int dev, const struct namespace_place *place, int *ret_ours)
{
        _autoclose_ int ours = -EBADF;
        struct stat st;
        int r;

        if (!place_is_valid(place))
                return -EINVAL;
        ours = open_directory(dev, NAMESPACE_DIRECTORY, &st);
        if (ours < 0)
                return ours;
        r = open_directory(ours, place->profile, &st);
        if (r >= 0)
                *ret_ours = TAKE_FD(ours);
        return r;
}

static int stat_node(int directory, const char *name, struct stat *ret)
{
        return fstatat(directory, name, ret, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

static int remove_directory(int directory, const char *name)
{
        if (unlinkat(directory, name, AT_REMOVEDIR) == 0)
                return 0;
        return errno == ENOTEMPTY || errno == EEXIST || errno == ENOENT ? 0 : -errno;
}

/* Somebody who is root in there has put something else at the place of a
 * directory of ours. Then nothing of ours can be found any more. */
static bool is_foreign(int error)
{
        return error == -ELOOP || error == -ENOTDIR || error == -EPERM;
}

int namespace_remove_node(int dev, const struct namespace_place *place, dev_t device)
{
        _autoclose_ int ours = -EBADF, profile = -EBADF;
        struct stat st;
        int r;

        profile = open_place(dev, place, &ours);
        if (profile == -ENOENT)
                return remove_directory(dev, NAMESPACE_DIRECTORY);
        if (is_foreign(profile))
                return 0;
        if (profile < 0)
                return profile;
        r = stat_node(profile, place->name, &st);
        if (r >= 0 && is_device(&st, device))
                r = unlinkat(profile, place->name, 0) < 0 ? -errno : 0;
        if (r < 0 && r != -ENOENT)
                return r;
        r = remove_directory(ours, place->profile);
        return r < 0 ? r : remove_directory(dev, NAMESPACE_DIRECTORY);
}

int namespace_stat_node(int dev, const struct namespace_place *place, struct stat *ret)
{
        _autoclose_ int ours = -EBADF, profile = -EBADF;

        profile = open_place(dev, place, &ours);
        return profile < 0 ? profile : stat_node(profile, place->name, ret);
}
