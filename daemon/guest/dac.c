/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/guest/dac.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "common/mem.h"
#include "common/names.h"

#define INPUT_MAJOR 13U
#define NODE_DIRECTORY "/dev/input"

static void closedirp(DIR **d)
{
        if (*d)
                (void) closedir(*d);
}

/* Reads the name of the guest whose node has this device number, -ENODEV if no
 * guest's. The kernel is asked and not the path, which anybody may have made. */
static int node_guest(dev_t device, char ret[TARGET_NAME_MAX + 1])
{
        _autoclose_ int fd = -EBADF;
        char path[64], phys[128];
        const char *name, *end;
        ssize_t n;

        (void) snprintf(path, sizeof(path), "/sys/dev/char/%u:%u/device/phys", major(device), minor(device));
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (fd < 0)
                return -ENODEV;
        n = read(fd, phys, sizeof(phys) - 1);
        if (n <= 0)
                return -ENODEV;
        phys[n] = '\0';
        if (!startswith(phys, VFIO_PHYS_GUEST))
                return -ENODEV;
        name = phys + strlen(VFIO_PHYS_GUEST);
        end = strchr(name, '/');
        if (!end || end == name || (size_t) (end - name) > TARGET_NAME_MAX)
                return -ENODEV;
        memcpy(ret, name, (size_t) (end - name));
        ret[end - name] = '\0';
        return 0;
}

/* Pins the node and finds out whose it is. The descriptor can open nothing: a
 * node is never read, only handed on. */
static int node_pin(int directory, const char *node, struct stat *ret_st, char ret_guest[TARGET_NAME_MAX + 1])
{
        _autoclose_ int fd = -EBADF;
        int r;

        fd = openat(directory, node, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        if (fstat(fd, ret_st) < 0)
                return -errno;
        if (!S_ISCHR(ret_st->st_mode) || major(ret_st->st_rdev) != INPUT_MAJOR)
                return -ENODEV;
        r = node_guest(ret_st->st_rdev, ret_guest);
        if (r < 0)
                return r;
        return TAKE_FD(fd);
}

static int node_chown(int fd, uid_t uid)
{
        return fchownat(fd, "", uid, 0, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

int dac_grant(const char *node, const char *guest, uid_t uid)
{
        char owner[TARGET_NAME_MAX + 1];
        _autoclose_ int fd = -EBADF;
        struct stat st;

        fd = node_pin(AT_FDCWD, node, &st, owner);
        if (fd < 0)
                return fd;
        if (!streq(owner, guest))
                return -ENODEV;
        return node_chown(fd, uid);
}

bool dac_is_granted(const char *node, const char *guest, uid_t uid)
{
        char owner[TARGET_NAME_MAX + 1];
        _autoclose_ int fd = -EBADF;
        struct stat st;

        fd = node_pin(AT_FDCWD, node, &st, owner);
        return fd >= 0 && streq(owner, guest) && uid != 0 && st.st_uid == uid;
}

static int revoke_one(int directory, const char *node, dac_keep_fn keep, void *userdata)
{
        char guest[TARGET_NAME_MAX + 1];
        _autoclose_ int fd = -EBADF;
        struct stat st;

        if (fstatat(directory, node, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_uid == 0)
                return 0;
        fd = node_pin(directory, node, &st, guest);
        if (fd < 0 || keep(guest, userdata))
                return 0;
        return node_chown(fd, 0);
}

int dac_revoke_all(dac_keep_fn keep, void *userdata)
{
        _cleanup_(closedirp) DIR *d = opendir(NODE_DIRECTORY);
        const struct dirent *entry;
        int r, result = 0;

        if (!d)
                return errno == ENOENT ? 0 : -errno;
        while ((entry = readdir(d))) {
                if (!startswith(entry->d_name, "event"))
                        continue;
                r = revoke_one(dirfd(d), entry->d_name, keep, userdata);
                if (r < 0)
                        result = r;
        }
        return result;
}

static bool is_another(const char *guest, void *userdata)
{
        return !streq(guest, userdata);
}

int dac_revoke(const char *guest)
{
        return dac_revoke_all(is_another, (void *) guest);
}
